/*
 * repl.h: the interactive mode, line by line, as stock lua's.
 *
 * A line is tried as an expression first, whose values are printed, and then as
 * a statement, which may go on in further lines. Errors are printed without the
 * program's name and the prompt returns. Greenlets run while a line is being
 * evaluated and after the last one, not while the prompt waits.
 */
#ifndef CMD_REPL_H
#define CMD_REPL_H

#include <lua.h>

/* Read and evaluate lines until the input ends. Empties the stack of L. */
void repl_run(lua_State *L);

#endif
