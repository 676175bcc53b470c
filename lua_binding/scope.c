/*
 * scope.c: a wait that no error ends, and errors on their way.
 *
 * Who waits for the children of a scope must wait for all of them, whatever is
 * sent meanwhile: kills, Timeouts. What arrives is held, and is pending again
 * afterwards: the same error, so that a Timeout which is closed on the way out
 * still knows its own.
 */
#include <errno.h>

#include "lua_binding/members.h"
#include "lua_binding/timeout.h"

/* Push what a pending error will raise, as far as that is known without taking
 * it: nil for a plain GreenletExit, which has not been made yet. */
static void push_value(lua_State *L, void *error) {
  if (error == greenlet_exit)
    lua_pushnil(L);
  else
    lua_rawgeti(L, LUA_REGISTRYINDEX, (lua_Integer)(intptr_t)error);
}

/*
 * core.outlast(description, held, scope): wait for core.unpark; `held` has a field for
 * l_was_woken. Returns true when woken; false and the value of an error that was sent, which is appended to the list
 * `held`; nil and a boolean when nothing can wake the greenlet (true), or somebody
 * has switched into the wait (false).
 */
static int core_outlast(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  const char *description = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer place = (lua_Integer)lua_rawlen(L, 2) + 1;
  lua_pushboolean(L, false);
  lua_rawseti(L, 2, place); /* memory for what may have to be held */
  l_enter(L, rt);
  int result = 0;
  if (!l_was_woken(L, 2))
    result = waiter_park(&rt->hub, WAIT_LINKS, description, NULL, -1, true);
  rt->L = L;
  if (result == -ECANCELED) {
    void *error = greenlet_take_error(rt->hub.current);
    lua_pushlightuserdata(L, error);
    lua_rawseti(L, 2, place);
    lua_pushboolean(L, false);
    push_value(L, error);
    return 2;
  }
  lua_pushnil(L);
  lua_rawseti(L, 2, place);
  if (result == -EDEADLK || result == -EBADE) {
    lua_pushnil(L);
    lua_pushboolean(L, result == -EDEADLK);
    return 2;
  }
  l_leave(L, rt, result);
  lua_pushboolean(L, true);
  return 1;
}

/* core.take_held(held): take the last of the list, as the error it stands for */
static int core_take_held(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer place = (lua_Integer)lua_rawlen(L, 1);
  lua_rawgeti(L, 1, place);
  void *error = lua_touserdata(L, -1);
  lua_pushnil(L);
  lua_rawseti(L, 1, place);
  l_unbox(L, l_runtime(L), error);
  l_timeout_exception(L);
  l_instantiate(L);
  return 1;
}

/* core.pend(held): what was held is pending again, before what came later */
static int core_pend(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct greenlet *current = rt->hub.current;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (void *error; (error = greenlet_take_error(current));) {
    lua_pushlightuserdata(L, error);
    lua_rawseti(L, 1, ++count);
  }
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, i);
    if (lua_islightuserdata(L, -1)) /* else: outlast was refused */
      greenlet_must_kill(current, lua_touserdata(L, -1));
    lua_pop(L, 1);
  }
  return 0;
}

/* core.forget(value): an error that is not to reach the current greenlet any
 * more. The others keep their order. */
static int core_forget(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct greenlet *current = rt->hub.current;
  for (size_t count = greenlet_count_errors(current); count > 0; count--) {
    void *error = greenlet_take_error(current);
    push_value(L, error);
    if (lua_rawequal(L, 1, -1))
      l_drop_error(&rt->hub, error);
    else
      greenlet_must_kill(current, error);
    lua_pop(L, 1);
  }
  return 0;
}

/* core.checkpoint(): raise what is pending, as a wait would, without waiting */
static int core_checkpoint(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  if (greenlet_first_error(rt->hub.current))
    l_leave(L, rt, -ECANCELED);
  return 0;
}

/* core.in_coroutine(): is this a coroutine of the current greenlet's? */
static int core_in_coroutine(lua_State *L) {
  lua_pushboolean(L, l_current(l_runtime(L))->L != L);
  return 1;
}

/* core.report_failure(g): the error of a quiet list's member is everybody's. */
static int core_report_failure(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  l_untake(handle);
  l_schedule_report(L, handle->rt, 1);
  return 0;
}

void l_open_scope(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"outlast", core_outlast},
                                       {"take_held", core_take_held},
                                       {"pend", core_pend},
                                       {"forget", core_forget},
                                       {"checkpoint", core_checkpoint},
                                       {"in_coroutine", core_in_coroutine},
                                       {"report_failure", core_report_failure},
                                       {NULL, NULL}};
  l_open_members(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
