/*
 * console.h: the interactive mode on a terminal, a prompt beside which greenlets run.
 *
 * console.lua is the main greenlet's loop; what it needs of C is in edit.c (readline),
 * output.c (what others write) and terminal.c, as fields of `cmd`.
 */
#ifndef CMD_CONSOLE_H
#define CMD_CONSOLE_H

#include <stdbool.h>

#include <lua.h>

/* Run the console until the user leaves; false if there cannot be one: no terminal that
 * can do it, or no readline. */
bool console_run(lua_State *L);

#endif
