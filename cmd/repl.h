/*
 * repl.h: the interactive mode: the console (console.h), or line by line, as stock lua's.
 *
 * The latter is for what is no terminal, or one that can only print. A line is tried as an
 * expression first, whose values are printed, and then as a statement, which may go on in
 * further lines. Errors are printed without the program's name and the prompt returns.
 * Greenlets run while a line is being evaluated and after the last one, not while the prompt
 * waits.
 */
#ifndef CMD_REPL_H
#define CMD_REPL_H

#include <stdbool.h>

#include <lua.h>

/* Read and evaluate lines until the input ends. Empties the stack of L. Sets *left if
 * greenlets have run meanwhile: who has left does not wait for them. Returns the exit status,
 * which says more than success only if a signal is to end the program. */
int repl_run(lua_State *L, bool *left);

#endif
