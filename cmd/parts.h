/*
 * parts.h: the parts of the program that are written in Lua, cmd/<name>.lua.
 *
 * A part is a chunk that gets the table `cmd` as its argument and returns its
 * value, which is then cmd.<name>. It runs when somebody asks for that: what is not
 * used costs nothing but its text in the program. What C files offer to the parts are
 * fields of `cmd`, too.
 */
#ifndef CMD_PARTS_H
#define CMD_PARTS_H

#include <lua.h>

/* Push the table `cmd`, which is made at the first call. */
void parts_push(lua_State *L);

/* What the globals and libraries are now the parts see, whatever a user does to them later.
 * If this is not called, they see what is there when the first of them runs. */
void parts_take_globals(lua_State *L);

#endif
