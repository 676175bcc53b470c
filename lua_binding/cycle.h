/*
 * cycle.h: greenlets that wait for each other in a circle, found when it closes.
 *
 * Whoever is about to wait for ever for what one greenlet alone can end, follows
 * those who wait like that from there on. Where it comes to itself, none of them
 * will ever run again, unless somebody kills one: that is a warning, or an error.
 * Only what is certain counts: a join, a lock whose owner is known and the only one
 * to release it; no time limits. The rest, like a queue that nobody fills, is seen
 * when nothing runs any more: report.lua.
 */
#ifndef LUA_BINDING_CYCLE_H
#define LUA_BINDING_CYCLE_H

#include "lua_binding/runtime.h"

/* The setting `deadlock`. */
enum { DEADLOCK_OFF, DEADLOCK_WARN, DEADLOCK_ERROR };

/* The rest of l_check_cycle. */
void l_follow_cycle(lua_State *L, struct runtime *rt, const char *what, const void *object,
                    struct pair *holder);

/* The current greenlet is about to begin that wait, without a limit, which only
 * `holder` can end; NULL: that is not certain. May raise, and run finalizers. */
static inline void l_check_cycle(lua_State *L, struct runtime *rt, const char *what,
                                 const void *object, struct pair *holder) {
  if (holder && (holder->g->state == GREENLET_WAITING || holder->g == rt->hub.current))
    l_follow_cycle(L, rt, what, object, holder);
}

/* Who alone can end the wait for the lock at `object` (a struct l_lock), if a greenlet
 * waits for it; NULL if nobody, or that is not certain: lock.c. */
extern const char WAIT_ACQUIRE[];
struct pair *l_sure_owner(const void *object, const struct pair *waiter);

void l_open_cycle(lua_State *L, struct runtime *rt);

#endif
