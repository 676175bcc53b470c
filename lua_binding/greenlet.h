/*
 * greenlet.h: the methods and attributes of class Greenlet that are not in
 * greenlet.c, which registers them.
 */
#ifndef LUA_BINDING_GREENLET_H
#define LUA_BINDING_GREENLET_H

#include <lauxlib.h>

#include "lua_binding/runtime.h"

/* handle.c */
int l_greenlet_allocate(lua_State *L);
int l_greenlet_init(lua_State *L);
int l_greenlet_start(lua_State *L);
int l_greenlet_start_later(lua_State *L);
int l_spawn(lua_State *L);

/* attributes.c */
int l_greenlet_ready(lua_State *L);
int l_greenlet_successful(lua_State *L);
extern const luaL_Reg l_greenlet_getters[], l_greenlet_setters[];

/* tree.c */
void l_push_record(lua_State *L, struct runtime *rt); /* of the current greenlet */
bool l_push_spawner(lua_State *L, int handle);        /* a record; else nothing, false */
int l_get_spawning_greenlet(lua_State *L);
int l_get_spawn_tree_locals(lua_State *L);
int l_set_spawn_tree_locals(lua_State *L);
int l_get_spawning_stack(lua_State *L);

#endif
