/*
 * terminal.h: the terminal that the console talks to, and its way back.
 *
 * The console changes the terminal's settings and, while it shows its prompt, has
 * the standard streams lead elsewhere (output.h). Whatever ends the program, exit,
 * os.exit in any greenlet or a signal, both are undone first: so much of it as must
 * happen in a signal handler keeps to what is safe there.
 */
#ifndef CMD_TERMINAL_H
#define CMD_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

/* Can there be a console: are stdin and stdout a terminal that can do more than print? */
bool terminal_usable(void);

/* Note where the terminal is and have it restored at the end. False if there are no
 * descriptors left. */
bool terminal_start(void);

/* Write all of it to the terminal, whatever stdout is. */
void terminal_write(const char *text, size_t length);

/* A descriptor of the terminal for reading and one for writing. */
enum { TERMINAL_IN = 0 };
int terminal_out(void);

/* Columns and rows, at least 2 and 1. */
void terminal_size(int *columns, int *rows);

/* From now on until terminal_plain the settings are not those that were there. */
void terminal_edited(void);
void terminal_plain(void);

/* Set cmd.terminal, `cmd` being on top. */
void terminal_open(lua_State *L);

#endif
