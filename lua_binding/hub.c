/*
 * hub.c: the class Hub, and calls in the hub.
 *
 * How errors are reported is in hub.lua.
 */
#include <errno.h>

#include "lua_binding/insist.h"
#include "lua_binding/watcher.h"

/*** The greenlet that runs the event loop: errors, waiting for events, the end of everything.
 * Who waits switches to the hub, and it switches to whoever is ready. Its parent is the main
 * greenlet. There is one in each Lua state.
 *
 * ```lua
 * local hub = greenlet.get_hub()
 * function hub:handle_error(context, err, traceback)
 *   print("failed:", err, context.name)
 * end
 * local g = greenlet.spawn(error, "no luck")
 * g.name = "g"
 * print(pcall(g.get, g))
 * ```
 *
 * ```text
 * failed:	no luck	g
 * false	no luck
 * ```
 * @page hub Hub
 */

/*** The class of the hub.
 * `greenlet.get_hub()` returns the one there is; no others can be made.
 * @class Hub
 * @super greenlet.greenlet
 * @order wait cancel_wait join destroy handle_error print_exception
 * @tfield string Hub.name `"hub"`
 * @tfield integer Hub.minimal_ident 0
 * @tfield table Hub.NOT_ERROR the classes of errors that are not printed, `{GreenletExit}`;
 *   assignable
 * @tfield table Hub.SYSTEM_ERROR the classes of errors that are raised in the main greenlet,
 *   `{KeyboardInterrupt, Terminated}`; assignable
 * @tfield any Hub.exception_stream where reports go: `io.stderr`, or any object with `write`;
 *   `false` silences them. Assignable
 * @source gevent.hub.Hub
 */

static struct handle *self(lua_State *L) {
  struct handle *handle = l_check_kind(L, 1, &handle_kind, "Hub");
  if (handle->pair != &handle->rt->hub_pair)
    luaL_typeerror(L, 1, "Hub");
  return handle;
}

/* ---- Calls in the hub ---- */

/* A message handler: {error, traceback}. Kills need no traceback. */
static int with_traceback(lua_State *L) {
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  luaL_traceback(L, L, NULL, 1);
  lua_rawseti(L, -2, 2);
  return 1;
}

/* (light runtime, context, {error, traceback} or a bare error) */
static int report_failure(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  l_push_core(L, rt, "callback_failed");
  lua_insert(L, 2);
  if (lua_istable(L, 4) && lua_rawlen(L, 4) == 2) {
    lua_rawgeti(L, 4, 1);
    lua_rawgeti(L, 4, 2);
    lua_remove(L, 4);
  }
  lua_call(L, lua_gettop(L) - 2, 0);
  return 0;
}

/* Call the function with `arguments` arguments on top; below it lies the context.
 * Pops all of it. Raises nothing. */
static void call_reported(lua_State *L, struct runtime *rt, int arguments) {
  int function = lua_gettop(L) - arguments;
  lua_pushcfunction(L, with_traceback);
  lua_insert(L, function);
  if (lua_pcall(L, arguments, 0, function) == LUA_OK) {
    lua_pop(L, 2);
    return;
  }
  lua_remove(L, function); /* context, error */
  lua_pushcfunction(L, report_failure);
  lua_insert(L, -3);
  lua_pushlightuserdata(L, rt);
  lua_insert(L, -3);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) { /* callback_failed catches all but memory errors */
    lua_pop(L, 1);
    rt->failures++;
    l_say_no_memory();
  }
}

void l_call_in_hub(struct runtime *rt, int arguments) {
  rt->L = rt->hub_L;
  call_reported(rt->hub_L, rt, arguments);
}

/* core.call_link(f, object): f(object), whose error is reported and stops nobody */
static int core_call_link(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, 1);
  call_reported(L, l_runtime(L), 1);
  return 0;
}

/* core.reports has failures to be printed: as many as there is memory for. */
static void print_reports(struct callback *callback) {
  struct runtime *rt = container_of(callback, struct runtime, report);
  lua_State *L = rt->hub_L;
  rt->L = L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->print_reports_ref);
  if (!l_try_call(L, 0) && !callback_pending(callback))
    hub_call(&rt->hub, callback);
}

void l_print_late_reports(lua_State *L, struct runtime *rt) {
  if (!rt->report_late)
    return;
  l_push_core(L, rt, "print_reports");
  lua_call(L, 0, 0); /* those that are on their way are kept back, too */
  l_push_core(L, rt, "unobserved");
  lua_getfield(L, -1, "print_all");
  lua_call(L, 0, 0);
  lua_pop(L, 1);
}

/* ---- Methods ---- */

/*** Wait for a watcher's next event.
 * Starts the watcher for that time if it is not active.
 * @function Hub:wait
 * @tparam watcher watcher any of the loop's
 * @raise ConcurrentObjectUseError if another greenlet waits for it already; an error if it is
 *   closed or cannot be started
 * @switches yes
 * @usage local input <close> = hub.loop:io(0, "r")
 *   hub:wait(input)
 * @source gevent.hub.Hub.wait
 */
static int l_hub_wait(lua_State *L) {
  struct runtime *rt = self(L)->rt;
  struct l_watcher *watcher = l_check_watcher(L, 2);
  if (watcher->closed)
    return luaL_argerror(L, 2, "the watcher is closed");
  l_enter(L, rt);
  int result = watcher_wait(&watcher->watcher, -1);
  rt->L = L;
  if (result < 0)
    l_watcher_error(L, result);
  l_leave(L, rt, result);
  return 0;
}

/*** Raise an error in the greenlet that waits for a watcher, if there is one.
 * @function Hub:cancel_wait
 * @tparam watcher watcher what may be waited for; nil: no effect
 * @tparam any error a class stands for a new instance
 * @switches no
 * @source gevent.hub.Hub.cancel_wait
 */
static int l_hub_cancel_wait(lua_State *L) {
  struct runtime *rt = self(L)->rt;
  struct l_watcher *watcher = lua_isnoneornil(L, 2) ? NULL : l_check_watcher(L, 2);
  luaL_checkany(L, 3);
  if (!watcher || !watcher->watcher.waiter)
    return 0;
  lua_settop(L, 3);
  l_instantiate(L);
  void *box = l_box(L);
  int result = greenlet_kill(watcher->watcher.waiter, box);
  if (result < 0) {
    l_drop_error(&rt->hub, box);
    l_leave(L, rt, result);
  }
  return 0;
}

static int join(lua_State *L, struct runtime *rt, int idx) {
  struct l_time time = l_check_time(L, idx);
  if (rt->hub.current != rt->hub.root)
    return l_raise(L, rt, "InvalidSwitchError",
                   "only the main greenlet may wait for the end of the loop");
  l_enter(L, rt);
  l_start_time(L, rt, &time);
  int result = l_leave_time(L, rt, &time, hub_join(&rt->hub, time.seconds));
  lua_pushboolean(L, result == 0);
  return 1;
}

/*** Wait until nothing is left to run.
 * In the main greenlet only.
 * @function Hub:join
 * @tparam[opt] number|Timeout timeout seconds; nil: for ever
 * @treturn boolean false when the timeout expires first
 * @raise InvalidSwitchError in another greenlet
 * @switches yes
 * @source gevent.hub.Hub.join
 */
static int l_hub_join(lua_State *L) {
  return join(L, self(L)->rt, 2);
}

/* core.join([timeout]): the same without the object */
static int core_join(lua_State *L) {
  return join(L, l_runtime(L), 1);
}

static int get_ident(lua_State *L) {
  self(L);
  lua_pushinteger(L, 0);
  return 1;
}

/*** Return the hub: the greenlet that runs the event loop.
 * @function greenlet.get_hub
 * @within greenlet
 * @treturn Hub there is one in each Lua state
 * @switches no
 * @source gevent.get_hub
 */
static int l_get_hub(lua_State *L) {
  l_push_handle(L, &l_runtime(L)->hub_pair);
  return 1;
}

/*** Return how long ready greenlets and callbacks may run before the loop polls for events.
 * @function greenlet.getswitchinterval
 * @within greenlet
 * @treturn number seconds; 0.005 unless it was set
 * @switches no
 * @source gevent.getswitchinterval
 */
static int l_getswitchinterval(lua_State *L) {
  lua_pushnumber(L, l_runtime(L)->hub.switch_interval);
  return 1;
}

/*** Set how long ready greenlets and callbacks may run before the loop polls for events.
 * A greenlet that does not wait runs on all the same.
 * @function greenlet.setswitchinterval
 * @within greenlet
 * @tparam number seconds more than 0
 * @raise bad argument
 * @switches no
 * @source gevent.setswitchinterval
 */
static int l_setswitchinterval(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds > 0, 1, "seconds must be positive");
  l_runtime(L)->hub.switch_interval = seconds;
  return 0;
}

void l_open_hub(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {{"wait", l_hub_wait},
                                     {"cancel_wait", l_hub_cancel_wait},
                                     {"join", l_hub_join},
                                     {"__tostring", l_greenlet_tostring},
                                     {NULL, NULL}};
  static const luaL_Reg getters[] = {{"minimal_ident", get_ident}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"join", core_join},
                                       {"call_link", core_call_link},
                                       {"get_hub", l_get_hub},
                                       {"getswitchinterval", l_getswitchinterval},
                                       {"setswitchinterval", l_setswitchinterval},
                                       {NULL, NULL}};
  static const struct l_class class = {"Hub", "greenlet", NULL, methods, getters, NULL};
  callback_init(&rt->report, print_reports);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_register_class(L, rt, &class);
  lua_setfield(L, -2, "Hub");
  lua_pop(L, 1);
}
