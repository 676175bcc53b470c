/*
 * screen.h: the prompt and the edited text as they are shown on the terminal.
 *
 * They are laid out in rows, of which those that differ from what is shown are written
 * again. Readline's own display would do but for three things: it has no prompts for
 * the lines of a text that has several, it damages the screen when a text has more rows
 * than that, and what it shows cannot be taken away and brought back by others.
 */
#ifndef CMD_SCREEN_H
#define CMD_SCREEN_H

#include <stddef.h>

/* What is edited. Prompts may contain escape sequences, which take no room. */
struct screen_text {
  const char *prompt, *more; /* before the first line, before each further one */
  const char *bytes;
  size_t length, point;      /* point: where the cursor is */
};

/* Show it, or bring what is shown up to date. Of a text with more rows than the screen
 * those around the cursor are shown. Without memory, nothing happens. */
void screen_show(const struct screen_text *text);

/* Show all of it and `mark`, and leave it: the cursor goes to a fresh row. */
void screen_leave(const struct screen_text *text, const char *mark);

/* Take it away: the cursor is where it began. */
void screen_hide(void);

/* The screen is empty, the cursor in its first row. */
void screen_clear(void);

/* The terminal has another size, and has broken its lines anew. What was shown is gone. */
void screen_resize(void);

/* Go to the first column of a row that has nothing in it, be it this one. */
void screen_fresh_row(void);

/* How many rows are shown below that of the cursor. Safe in signal handlers. */
int screen_rows_below(void);

/* The number of columns that a text without newlines takes. */
size_t screen_width(const char *bytes, size_t length);

#endif
