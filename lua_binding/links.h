/*
 * links.h: the lists of links that the Lua parts keep, and lists like these.
 *
 * In a Lua part others may run at any instruction, in a debug hook that waits, and wherever
 * memory is asked for, in a finalizer: they may link and unlink the same object meanwhile. So a
 * list is changed by these functions, each of which is one step: it has its memory first.
 */
#ifndef LUA_BINDING_LINKS_H
#define LUA_BINDING_LINKS_H

#include <lua.h>

/* Find the first table of a list whose `field` is the value at idx. Pushes it, and returns its
 * place; or pushes nothing, and returns 0. */
lua_Integer l_find(lua_State *L, int list, const char *field, int idx);

/* Remove what is at a place of a list. */
void l_remove_at(lua_State *L, int list, lua_Integer place);

/* Push a new chain: {first =, last =} of links {f =, before =, after =}. What is missing is
 * false, so that to change it takes no memory. */
void l_new_chain(lua_State *L);

/* Put the link at idx at the end of the chain at index `chain`. */
void l_chain(lua_State *L, int chain, int idx);

#endif
