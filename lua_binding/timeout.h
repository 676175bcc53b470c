/*
 * timeout.h: the class Timeout, as the waiting functions use it.
 */
#ifndef LUA_BINDING_TIMEOUT_H
#define LUA_BINDING_TIMEOUT_H

#include "core/timeout.h"
#include "lua_binding/runtime.h"

struct l_timeout {
  const void *kind;
  struct timeout timeout;
  struct runtime *rt;
  double seconds;   /* negative: never expires */
  bool forever, ref, closed;
  int self;         /* registry reference to itself while started */
  void *delivered;  /* the error that its last expiry sent */
};

struct l_timeout *l_test_timeout(lua_State *L, int idx);
bool l_timeout_pending(const struct l_timeout *timeout);

/* Start the Timeout at idx for the current greenlet; raises if it cannot. */
void l_timeout_start(lua_State *L, struct runtime *rt, int idx);
void l_timeout_stop(lua_State *L, struct l_timeout *timeout);

/* Is the first error pending in the greenlet this one's expiry? */
bool l_timeout_took(const struct l_timeout *timeout, const struct greenlet *greenlet);

/* If a Timeout is on top of the stack, replace it by what it raises. */
void l_timeout_exception(lua_State *L);

#endif
