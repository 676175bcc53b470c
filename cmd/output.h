/*
 * output.h: what is written while the prompt is shown.
 *
 * Stdout and stderr lead into a pipe then, so that whatever writes there, a greenlet,
 * C code or a child process, does not write into the line that is being typed. A
 * thread empties the pipe: a greenlet that prints more than fits in without giving
 * way would wait for ever otherwise. It wakes the hub by an eventfd, and the console
 * takes what has come.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <lua.h>

/* Have the streams lead to the terminal for good, and write there what has come. */
void output_end(void);

/* Write what has come to the terminal, from a signal handler. */
void output_spill(void);

/* Set cmd.output, `cmd` being on top. */
void output_open(lua_State *L);

#endif
