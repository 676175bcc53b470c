/*
 * joinall.h: what a greenlet waits with that waits for many deaths, for garbage.c.
 */
#ifndef LUA_BINDING_JOINALL_H
#define LUA_BINDING_JOINALL_H

#include "core/joins.h"
#include "lua_binding/runtime.h"

/* What is at idx, if it is that; else NULL. */
struct joins *l_test_joins(lua_State *L, int idx);

/* Push the nth of its greenlets, from 1; false if there are not so many. */
bool l_push_joined(lua_State *L, int idx, size_t nth);

#endif
