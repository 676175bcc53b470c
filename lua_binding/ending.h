/*
 * ending.h: what is told about the end of a program, or about why there is none.
 */
#ifndef LUA_BINDING_ENDING_H
#define LUA_BINDING_ENDING_H

#include "lua_binding/runtime.h"

/* rt->leaks */
enum { LEAKS_OFF, LEAKS_WARN, LEAKS_ERROR };

/* With the setting why_alive: print what keeps the program running, if it still does
 * in a second. */
void l_tell_why_alive(lua_State *L, struct runtime *rt);

/* With the setting leaks: the greenlet at idx is garbage; no greenlet can run any more. */
void l_note_garbage(lua_State *L, struct runtime *rt, int idx);
void l_tell_leaks(lua_State *L, struct runtime *rt);

void l_open_ending(lua_State *L, struct runtime *rt);

#endif
