/*
 * select.h: what select.c, which looks at the cases of a select, and selection.c,
 * which waits for them, share.
 */
#ifndef LUA_BINDING_SELECT_H
#define LUA_BINDING_SELECT_H

#include "lua_binding/queue.h"

extern const char WAIT_SELECT[]; /* what struct wait says */

enum l_kind { KIND_GET, KIND_PUT, KIND_WAIT };

struct l_case {
  struct l_queue *queue; /* NULL for KIND_WAIT */
  enum l_kind kind;
};

/* Where things lie in the function that selects; a selection replaces the cases
 * when it is to wait. Links: select.lua's, or nil. */
enum { CASES = 1, SELECTION = CASES, TIMEOUT, LINKS, TOP = LINKS };

/* Above that, what the cases came to when they were looked at: for each the list
 * that was given, its object (of queues the userdata), the item of a put, its kind. */
enum l_given { GIVEN_LIST = 1, GIVEN_OBJECT, GIVEN_ITEM, GIVEN_KIND, GIVEN_COUNT = GIVEN_KIND };

static inline int l_given_index(int number, enum l_given part) {
  return TOP + (number - 1) * GIVEN_COUNT + (int)part;
}

struct l_case l_given_case(lua_State *L, int number);

/* Can it be done without waiting? */
bool l_case_ready(lua_State *L, struct l_case one, int number);

/* The number of one of `ready` cases, from 0. */
int l_choose(struct runtime *rt, int ready);

/*
 * Do it, with the queue's userdata at `state`; the item of a put is on top. The number of
 * results, which are pushed: the case's number and the item of a get. 0: it would
 * have to wait after all, because finalizers were faster.
 */
int l_perform(lua_State *L, struct l_case one, int number, int state);

/* What is left to do when a case has been served. */
int l_performed(lua_State *L, enum l_kind kind, int number);

/* Wait until one of the `count` cases that are given has happened: for the return
 * of a function that Lua has called. `puts`: are there any among them? */
int l_wait_selection(lua_State *L, struct runtime *rt, int count, bool puts,
                     struct l_time *time);

void l_open_selection(lua_State *L, struct runtime *rt);

#endif
