/*
 * insist.h: calls in the hub that wake somebody, and therefore must be made.
 *
 * A call of a Lua function may need memory. So whoever waits has its wake-up prepared
 * while it can still be told that there is no memory: a call whose function, argument
 * and place in the registry exist. To queue it needs nothing; and if it then fails
 * for want of memory it is made again, in the hub's next turn, until it has been made.
 * What is called must stand that: what it has done already it must find done.
 */
#ifndef LUA_BINDING_INSIST_H
#define LUA_BINDING_INSIST_H

#include "core/callback.h"
#include "lua_binding/runtime.h"

struct l_insistent {
  const void *kind;
  struct callback callback;
  struct runtime *rt;
  int slot;                 /* in the registry: the call while it is queued, or false */
};

/* Push a call of the function on top (popped) with the object at `object`. */
struct l_insistent *l_new_insistent(lua_State *L, size_t bytes, int object);
/* Push the object of the call at idx. */
void l_push_insistent_object(lua_State *L, int idx);

/* Queue the call at idx, unless it is. Raises nothing, needs no memory. */
void l_insist(lua_State *L, int idx);

/* Call the function below `arguments` arguments, which returns nothing and raises nothing
 * else: false, after a moment, if it failed for want of memory and must be called again. */
bool l_try_call(lua_State *L, int arguments);

/* Tell the user that there was not even the memory to tell what failed. */
void l_say_no_memory(void);

#endif
