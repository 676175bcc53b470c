/*
 * pair.h: what pair.c, run.c, outcome.c and garbage.c share.
 */
#ifndef LUA_BINDING_PAIR_H
#define LUA_BINDING_PAIR_H

#include "lua_binding/runtime.h"

/* The stack of rt->store: two tables by pair->anchor, two of trail.c. */
enum { ANCHORS = 1, THREADS, ORIGINS, CANARIES };

/* Has the links that greenlet.lua keeps, and its list of members, told of the death. */
struct notice {
  struct link link; /* in the greenlet's links */
  struct pair *pair;
  uint32_t place;   /* in its list of members, from 1; 0: in none */
  uint32_t tag;     /* what that list knows it by */
  bool job_knows;   /* of the death of this member, and its list does not yet */
};

/* The body of every greenlet, as core calls it: run.c. */
void *l_run(struct greenlet *g, void *arg);
bool l_exit_value(struct hub *hub, void *error, void **value);

/* Keep the value on top (popped) as the result of the handle at idx. No
 * allocation. */
void l_set_result(lua_State *L, struct handle *handle, int idx);

/* lua_CFunctions: (handle, values ...); (light runtime, handle, error,
 * traceback or nil). */
int l_keep_values(lua_State *L);
int l_keep_failure(lua_State *L);

/* There was no memory for the latter. */
void l_report_shortly(struct handle *handle);

/* core: it dies of `error` and never ran. */
void l_died_new(struct greenlet *g, void *error);

#endif
