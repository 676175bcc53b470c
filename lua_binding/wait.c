/*
 * wait.c: the way into every wait, and the way out.
 */
#include <errno.h>

#include "lua_binding/binding.h"
#include "lua_binding/runtime.h"
#include "lua_binding/timeout.h"
#include "lua_binding/tracer.h"

/*
 * A switch inside __gc would leave the collector in the middle of its work for
 * as long as the greenlet waits. While a finalizer runs, lua_gc answers -1.
 */
static bool in_finalizer(lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT) < 0;
}

COLD static int refuse(lua_State *L, struct runtime *rt) {
  if (in_finalizer(L))
    return l_raise(L, rt, "InvalidSwitchError", "cannot switch greenlets inside __gc");
  if (rt->closing)
    return l_raise(L, rt, "InvalidSwitchError", "the interpreter is being closed");
  if (rt->tracing_aside)
    return l_raise(L, rt, "InvalidSwitchError", "cannot switch greenlets in this trace call");
  return l_raise(L, rt, "InvalidSwitchError", "cannot switch greenlets in this call");
}

int binding_without_switches(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  luaL_checkany(L, 1);
  rt->still++;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  rt->still--;
  return status == LUA_OK ? lua_gettop(L) : l_error(L);
}

COLD static void heed(lua_State *L, struct runtime *rt) {
  if (rt->closing || rt->tracing_aside || rt->still)
    refuse(L, rt);
  l_note_wait(L, rt);
}

void l_enter(lua_State *L, struct runtime *rt) {
  if (__builtin_expect(in_finalizer(L), 0))
    refuse(L, rt);
  if (__builtin_expect(rt->heeded, 0))
    heed(L, rt);
  l_current(rt)->at = L;
}

bool l_can_leave(const struct greenlet *g) {
  const struct pair *pair = l_pair(g);
  return pair->at == pair->L && lua_isyieldable(pair->L) && !g->stack.pinned && !g->hub->traced;
}

int l_finish(struct runtime *rt) {
  struct greenlet *current = rt->hub.current;
  int result = WAITER_LEAVE;
  if (stack_pool_has_room(&rt->hub.stacks) || !l_can_leave(current) ||
      !hub_wants_stack(&rt->hub))
    result = waiter_finish(&rt->hub, true);
  if (result == WAITER_LEAVE)
    l_pair(current)->aside = true;
  return result;
}

int l_outcome(lua_State *L, struct runtime *rt) {
  if (l_current(rt)->L != L) /* a script has resumed a greenlet's own thread */
    luaL_error(L, "cannot resume a greenlet as a coroutine");
  return waiter_answer(rt->hub.current);
}

int l_answer(lua_State *L, struct runtime *rt) {
  return l_leave(L, rt, l_outcome(L, rt));
}

/* Push the error that ends the wait: an expired Timeout stands for what it
 * was given to raise. */
static void push_pending(lua_State *L, struct runtime *rt) {
  void *error = greenlet_take_error(rt->hub.current);
  l_unbox(L, rt, error);
  l_timeout_exception(L);
  l_instantiate(L);
}

COLD static int raise_result(lua_State *L, struct runtime *rt, int result) {
  switch (result) {
    case -ECANCELED:
      push_pending(L, rt);
      return l_error(L);
    case -EBADE:
      return l_raise(L, rt, "InvalidSwitchError",
                     "somebody switched into a greenlet that was waiting");
    case -EPERM:
      return l_raise(L, rt, "InvalidSwitchError",
                     "cannot block in the hub: a callback or rawlink must not wait");
    case -EBUSY:
      return l_raise(L, rt, "ConcurrentObjectUseError",
                     "another greenlet is waiting on this watcher");
    case -EDEADLK:
      l_push_core(L, rt, "loop_exit");
      lua_call(L, 0, 1);
      return l_error(L);
    case -ENOMEM:
      lua_pushliteral(L, "not enough memory");
      return lua_error(L);
    default:
      return luaL_error(L, "error %d in a wait", -result);
  }
}

int l_leave(lua_State *L, struct runtime *rt, int result) {
  rt->L = L;
  if (__builtin_expect(result == 0 || result == -ETIMEDOUT, 1))
    return result;
  return raise_result(L, rt, result);
}

struct l_time l_check_time(lua_State *L, int idx) {
  struct l_time time = {.seconds = -1};
  if (lua_isnoneornil(L, idx))
    return time;
  time.timeout = l_test_timeout(L, idx);
  time.index = idx;
  if (!time.timeout)
    time.seconds = l_check_seconds(L, idx);
  return time;
}

/* Start the Timeout object of a time argument, for the wait that follows. */
void l_start_time(lua_State *L, struct runtime *rt, struct l_time *time) {
  if (time->timeout && !l_timeout_pending(time->timeout)) {
    l_timeout_start(L, rt, time->index);
    time->started = true;
  }
}

int l_leave_time(lua_State *L, struct runtime *rt, struct l_time *time, int result) {
  if (time->timeout && result == -ECANCELED &&
      l_timeout_took(time->timeout, rt->hub.current)) {
    rt->L = L;
    l_unbox(L, rt, greenlet_take_error(rt->hub.current));
    lua_pop(L, 1);
    time->timeout->delivered = NULL;
    return -ETIMEDOUT;
  }
  if (time->started)
    l_timeout_stop(L, time->timeout);
  return l_leave(L, rt, result);
}

int l_raise_expired(lua_State *L, struct runtime *rt, struct l_time *time) {
  if (time->timeout) {
    lua_pushvalue(L, time->index);
  } else {
    l_push_core(L, rt, "Timeout");
    lua_pushnumber(L, time->seconds);
    lua_call(L, 1, 1);
  }
  l_timeout_exception(L);
  l_instantiate(L);
  return l_error(L);
}
