/*
 * editor.h: a library that edits a line, as edit.c uses it.
 *
 * It keeps the text and knows what keys do: readline (editor_readline.c), or libedit
 * (editor_libedit.c), which the Makefile chooses. It is asked to read a key when there
 * is one, and calls back for more keys, and for those keys that are the console's.
 */
#ifndef CMD_EDITOR_H
#define CMD_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

/* ---- The library ---- */

struct editor_text {
  const char *prompt;   /* instead of the console's: of a search. Else NULL */
  const char *bytes;    /* until the next call only; not ended by a zero */
  size_t length, point;
};

/* Load and set up the library; false if it is not there. `history` entries are kept. */
bool editor_start(int history);

/* Begin to edit an empty text; the terminal's settings are the library's. */
void editor_begin(const char *prompt);

/* Read a key, and do what it is there for. Calls edit_done when that ends the text. */
void editor_key(void);

/* Drop the text; the terminal's settings are what they were. */
void editor_cancel(void);

/* The terminal's settings: those of the library, or what they were. */
void editor_take_terminal(void);
void editor_give_terminal(void);

struct editor_text editor_text(void);
void editor_insert(const char *text);
/* Delete from `start` to the cursor. */
void editor_delete(size_t start);
void editor_go_to(size_t point);

/* Put an entry at the end of the history, and go there. */
void editor_remember(const char *text);

/* The terminal has another size. */
void editor_resize(void);

/* ---- What it calls, in the middle of editor_key ---- */

/* Wait for a key: a byte, or -1 at the end of the input. */
int edit_read_key(void);

/* Wait for a key to be there: false after so many seconds without one. */
bool edit_await_key(double seconds);

/* Show the text as it is by now. */
void edit_redisplay(void);

/* The text is complete. It is freed. */
void edit_done(char *text);

/* Keys of the console's. True, or what they are for is up to the library: Enter, which ends
 * the text unless it needs more lines; Up and Down, within a text of several lines; Ctrl-D,
 * which may end a text as well. */
bool edit_on_enter(void);
bool edit_on_up(void);
bool edit_on_down(void);
bool edit_on_end(void);
void edit_on_new_line(void);
void edit_on_tab(void);
void edit_on_clear(void);
/* Something has been pasted. */
void edit_on_paste(void);

#endif
