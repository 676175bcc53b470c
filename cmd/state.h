/*
 * state.h: the Lua state of the program.
 */
#ifndef CMD_STATE_H
#define CMD_STATE_H

#include <lua.h>

/* A new state that panics and warns as luaL_newstate's; NULL without memory. */
lua_State *state_new(void);

#endif
