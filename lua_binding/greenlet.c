/*
 * greenlet.c: the class Greenlet.
 *
 * Links, spawn callbacks and the rest that is not on a hot path are in
 * greenlet.lua.
 */
#include <errno.h>

#include "lua_binding/cycle.h"
#include "lua_binding/greenlet.h"
#include "lua_binding/insist.h"
#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"
#include "lua_binding/timeout.h"

/*** The greenlets that the hub schedules: starting, waiting for, killing and linking them.
 * `greenlet.spawn(f, ...)` makes one and starts it. [The life of a greenlet](life.md) tells what
 * becomes of it.
 * @page greenlet_class class Greenlet
 */

/* ---- Waiting ---- */

/* Wait for the death of the handle at 1: 0 or -ETIMEDOUT; or WAITER_LEAVE (only
 * if `may_leave`). */
static int join(lua_State *L, struct handle *handle, struct l_time *time, bool may_leave) {
  struct runtime *rt = handle->rt;
  if (handle->state == HANDLE_DEAD)
    return 0;
  l_enter(L, rt);
  if (__builtin_expect(!handle->pair, 0))
    l_prepare_resting(L, rt, 1);
  if (handle->state == HANDLE_DEAD) /* by a finalizer, meanwhile */
    return 0;
  l_start_time(L, rt, time);
  /* NOLINTBEGIN(clang-analyzer-core.NullDereference): prepared and not dead, it has a pair */
  if (time->seconds < 0 && !time->timeout)
    l_check_cycle(L, rt, WAIT_JOIN, handle->pair->g, handle->pair);
  if (handle->state == HANDLE_DEAD)
    return l_leave_time(L, rt, time, 0);
  int result = greenlet_begin_join(handle->pair->g, time->seconds);
  /* NOLINTEND(clang-analyzer-core.NullDereference) */
  if (result == 0)
    result = may_leave && !time->timeout ? l_finish(rt) : waiter_finish(&rt->hub, false);
  if (result == WAITER_LEAVE)
    return result;
  return l_leave_time(L, rt, time, result);
}

static int joined(lua_State *L, int status, lua_KContext context) {
  (void)status;
  l_answer(L, (struct runtime *)context);
  return 0;
}

/*** Wait until the greenlet is dead or the timeout expires.
 * Returns nothing, either way: ask `g:ready()`. Does not raise the greenlet's error and does not
 * [take](failures.md#who-takes-an-error) it.
 * @function Greenlet:join
 * @tparam[opt] number|Timeout timeout seconds; nil: for ever
 * @switches yes, unless it is dead
 * @usage g:join(0.5)
 *   if not g:ready() then print("it takes long") end
 * @source gevent.Greenlet.join
 */
HOT static int l_greenlet_join(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct l_time time = l_check_time(L, 2);
  if (join(L, handle, &time, true) == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)handle->rt, joined);
  return 0;
}

/* Push the values of a dead, unfailed handle at 1. */
static int push_values(lua_State *L, const struct handle *handle) {
  if (!handle->has_value)
    return 0;
  lua_getiuservalue(L, 1, UV_RESULT);
  if (!handle->packed)
    return 1;
  int table = lua_gettop(L);
  lua_getfield(L, table, "n");
  int count = (int)lua_tointeger(L, -1);
  luaL_checkstack(L, count, "too many results");
  for (int i = 1; i <= count; i++)
    lua_rawgeti(L, table, i);
  return count;
}

/* The outcome of the dead handle at 1. */
static int push_outcome(lua_State *L, struct handle *handle) {
  if (!handle->failed)
    return push_values(L, handle);
  l_take(handle);
  lua_getiuservalue(L, 1, UV_RESULT);
  return l_error(L);
}

static int got(lua_State *L, int status, lua_KContext context) {
  struct runtime *rt = (struct runtime *)context;
  struct l_time time = {.seconds = lua_tonumber(L, 3)};
  (void)status;
  if (l_answer(L, rt) == -ETIMEDOUT)
    return l_raise_expired(L, rt, &time);
  return push_outcome(L, lua_touserdata(L, 1));
}

/*** Return all values that the greenlet returned, or raise the error that it died of.
 * Waits for its death. Of a greenlet that was killed it returns the GreenletExit.
 * [Takes](failures.md#who-takes-an-error) the error, which is raised as the same value.
 *
 * ```lua
 * local g = greenlet.spawn(function() greenlet.sleep(0.05) return "a", nil, "c" end)
 * g:join(0.01)
 * print(g:ready())
 * print(greenlet.pcall(g.get, g, false))
 * print(g:get())
 * ```
 *
 * ```text
 * false
 * false	Timeout: 0 seconds
 * a	nil	c
 * ```
 * @function Greenlet:get
 * @tparam[opt=true] boolean block false: do not wait
 * @tparam[opt] number|Timeout timeout seconds; nil: for ever
 * @treturn any what its function returned
 * @raise Timeout when the timeout expires, or at once with `block=false`, if it is not dead; its
 *   error
 * @switches yes, unless it is dead or *block* is false
 * @source gevent.Greenlet.get
 */
static int l_greenlet_get(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  bool block = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
  struct l_time time = l_check_time(L, 3);
  if (!block && handle->state != HANDLE_DEAD) {
    time = (struct l_time){.seconds = 0};
    return l_raise_expired(L, rt, &time);
  }
  lua_settop(L, 3);
  int result = join(L, handle, &time, true);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, got);
  if (result == -ETIMEDOUT)
    return l_raise_expired(L, rt, &time);
  return push_outcome(L, handle);
}

/* ---- Killing ---- */

void l_push_exception(lua_State *L, struct runtime *rt, int idx) {
  if (lua_isnoneornil(L, idx)) {
    l_push_core(L, rt, "GreenletExit");
    lua_call(L, 0, 1);
  } else {
    lua_pushvalue(L, idx);
    l_instantiate(L);
  }
}

void l_kill(lua_State *L, int idx, int error) {
  struct handle *handle = lua_touserdata(L, idx);
  struct runtime *rt = handle->rt;
  void *box = greenlet_exit;
  bool given = error && !lua_isnoneornil(L, error);
  if (given)
    l_push_exception(L, rt, error); /* may run anything: before the pair is looked at */
  if (handle->state == HANDLE_DEAD)
    return;
  struct pair *pair = l_prepare(L, rt, idx);
  if (given) {
    l_note_killer(L, idx);
    box = l_box(L);
  }
  int result = greenlet_kill(pair->g, box);
  if (result < 0) {
    if (box != greenlet_exit)
      l_drop_error(&rt->hub, box);
    l_leave(L, rt, result);
  }
}

/*** Raise an exception in the greenlet, and wait until it is dead.
 * One that has not run yet never runs: it is dead at once, of *exception*, and its links are
 * called. One that waits, in `sleep(0)` too, gets the error in that wait. The current one gets it
 * at once, or with `block=false` at its next wait. A dead one gets nothing. A greenlet may refuse
 * to die: then this waits until the timeout. Returns nothing and raises nothing of its own.
 * [Waiting and killing](waiting.md) tells more.
 *
 * ```lua
 * local g = greenlet.spawn(function()
 *   local file <close> = setmetatable({}, {__close = function() print("closed") end})
 *   greenlet.sleep(60)
 * end)
 * greenlet.sleep(0)
 * g:kill()
 * print(g.dead, g:successful(), g.value)
 * ```
 *
 * ```text
 * closed
 * true	true	GreenletExit
 * ```
 * @function Greenlet:kill
 * @tparam[opt=GreenletExit] any exception a class (an instance is made), an instance, or any value
 * @tparam[opt=true] boolean block wait for its death
 * @tparam[opt] number|Timeout timeout seconds to wait at most; nil: for ever
 * @switches with *block*, unless it is dead or never ran
 * @source gevent.Greenlet.kill
 */
static int l_greenlet_kill(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  bool block = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);
  struct l_time time = l_check_time(L, 4);
  if (handle->state == HANDLE_DEAD)
    return 0;
  if (handle->pair == l_current(rt) && block) {
    l_push_exception(L, rt, 2);
    l_note_killer(L, 1);
    return l_error(L);
  }
  if (block)
    l_enter(L, rt);
  l_kill(L, 1, lua_isnoneornil(L, 2) ? 0 : 2);
  if (block && handle->state != HANDLE_DEAD)
    join(L, handle, &time, false);
  return 0;
}

/* ---- For greenlet.lua ---- */

/* (handle of a dead greenlet): tell its list of members and greenlet.lua. Raises for
 * want of memory, and goes on where it was when it is called again. */
static int tell_death(lua_State *L) {
  const struct handle *handle = lua_touserdata(L, 1);
  l_tell_members(L, 1);
  if (!handle->has_links)
    return 0;
  l_push_core(L, handle->rt, "notify");
  if (lua_isfunction(L, -1)) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
  }
  return 0;
}

static void on_death(struct link *link, void *source) {
  struct pair *pair = container_of(link, struct notice, link)->pair;
  struct runtime *rt = l_rt(pair);
  lua_State *L = rt->hub_L;
  rt->L = L;
  lua_pushcfunction(L, tell_death);
  l_push_handle(L, pair);
  if (!l_try_call(L, 1))
    greenlet_tell_later(source, link);
}

bool l_spare_notice(struct runtime *rt) {
  if (!rt->spare_notice)
    rt->spare_notice = l_try_new(rt, sizeof *rt->spare_notice);
  return rt->spare_notice;
}

static void attach_notice(lua_State *L, struct pair *pair) {
  struct runtime *rt = l_rt(pair);
  if (!l_spare_notice(rt))
    luaL_error(L, "not enough memory");
  struct notice *notice = rt->spare_notice;
  rt->spare_notice = NULL;
  link_init(&notice->link, on_death);
  notice->pair = pair;
  pair->notice = notice;
  list_append(&pair->g->links, &notice->link.node);
}

void l_detach_notice(struct pair *pair) {
  if (!pair->notice)
    return;
  list_remove(&pair->notice->link.node);
  l_delete(l_rt(pair), pair->notice, sizeof *pair->notice);
  pair->notice = NULL;
}

struct notice *l_watch_death(lua_State *L, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  if (handle->state != HANDLE_DEAD && !handle->pair)
    l_prepare_resting(L, handle->rt, idx);
  if (handle->state == HANDLE_DEAD)
    return NULL;
  struct pair *pair = handle->pair;
  /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): prepared and not dead, it has a pair */
  if (!pair->notice)
    attach_notice(L, pair);
  return pair->notice;
}

/* core.watch_death(g): have notify(g) called in the hub when it is dead. False
 * if it is dead, and the caller must schedule that. */
static int core_watch_death(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  bool later = l_watch_death(L, 1) != NULL;
  handle->has_links |= later;
  lua_pushboolean(L, later);
  return 1;
}

/* core.linked(g): the current greenlet has linked itself to it */
static int core_linked(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  if (handle->rt->watched && handle->pair)
    observers_linked(handle->pair->g);
  return 0;
}

/* core.take(g): its error, if it has or will have one, is taken care of. */
static int core_take(lua_State *L) {
  l_take(l_check_handle(L, 1));
  return 0;
}

/* core.taken(g): has somebody taken its error? */
static int core_taken(lua_State *L) {
  lua_pushboolean(L, l_check_handle(L, 1)->taken);
  return 1;
}

/* core.failure(g): the error value without taking it, and its traceback. */
static int core_failure(lua_State *L) {
  if (!l_check_handle(L, 1)->failed)
    return 0;
  lua_getiuservalue(L, 1, UV_RESULT);
  l_push_death_traceback(L, 1);
  return 2;
}

/* core.outcome(g): true and its values, or false and its error, which is taken.
 * Of a dead one. */
static int core_outcome(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  lua_settop(L, 1);
  lua_pushboolean(L, !handle->failed);
  if (!handle->failed)
    return 1 + push_values(L, handle);
  l_take(handle);
  lua_getiuservalue(L, 1, UV_RESULT);
  return 2;
}

static int core_is_raw(lua_State *L) {
  lua_pushboolean(L, l_check_handle(L, 1)->raw);
  return 1;
}

static int core_is_handle(lua_State *L) {
  lua_pushboolean(L, l_test_handle(L, 1) != NULL);
  return 1;
}

void l_open_greenlet(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {
      {"init", l_greenlet_init},     {"start", l_greenlet_start},
      {"start_later", l_greenlet_start_later}, {"join", l_greenlet_join},
      {"get", l_greenlet_get},       {"kill", l_greenlet_kill},
      {"ready", l_greenlet_ready},   {"successful", l_greenlet_successful},
      {"__tostring", l_greenlet_tostring}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"watch_death", core_watch_death},
                                       {"linked", core_linked},
                                       {"take", core_take},
                                       {"taken", core_taken},
                                       {"report_late", l_report_late},
                                       {"failure", core_failure},
                                       {"outcome", core_outcome},
                                       {"is_greenlet", core_is_handle},
                                       {"is_raw", core_is_raw},
                                       {NULL, NULL}};
  static const struct l_class class = {"Greenlet", "greenlet", l_greenlet_allocate,
                                       methods, l_greenlet_getters, l_greenlet_setters};
  luaL_newmetatable(L, "greenlet.weak");
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_register_class(L, rt, &class);
  lua_pushlightuserdata(L, rt);
  lua_getfield(L, -2, "__meta");
  lua_pushcclosure(L, l_spawn, 2);
  lua_setfield(L, -2, "spawn");
  lua_setfield(L, -2, "Greenlet");
  lua_pop(L, 1);
}
