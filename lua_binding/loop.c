/*
 * loop.c: the loop object, and callbacks queued in it.
 */
#include <errno.h>

#include "lua_binding/runtime.h"

const char loop_kind, callback_kind;

struct l_loop {
  const void *kind;
  struct runtime *rt;
};

struct l_callback {
  const void *kind;
  struct callback callback;
  struct runtime *rt;
  int self; /* registry reference while queued */
};

/*** The event loop and its watchers: timers, descriptors, signals, children, files.
 * `greenlet.get_hub().loop` is libev's loop as the hub runs it. A constructor of the loop makes a
 * watcher; `start` makes it active. Each takes two more arguments after its own: *ref* (while
 * active it keeps the program running) and *priority* (-2 to 2; without effect on timers and
 * children). A timer that does not repeat, and a child watcher, stop by themselves. Children that
 * nobody watches keep their exit status: `io.popen`, `os.execute` and C libraries work as ever.
 *
 * A descriptor that is closed while it is watched ends its watcher: the callback is called a last
 * time, and who waits gets an error (`bad file descriptor`). If another descriptor or process keeps
 * the same open file, close the watcher first: libev may end the process otherwise.
 *
 * ```lua
 * local loop = greenlet.get_hub().loop
 * local ticks = 0
 * local timer <close> = loop:timer(0.01, 0.01)
 * timer:start(function(name)
 *   ticks = ticks + 1
 *   print(name, ticks)
 *   if ticks == 2 then timer:stop() end
 * end, "tick")
 * greenlet.sleep(0.1)
 * print(timer.active)
 *
 * local output <close> = loop:io(1, "w") -- any watcher can be waited for
 * greenlet.get_hub():wait(output)
 * print("standard output can be written")
 * ```
 *
 * ```text
 * tick	1
 * tick	2
 * false
 * standard output can be written
 * ```
 * @page loop Loop and watchers
 * @order loop watcher timer io signal child stat async callback
 */

/*** The class of the loop.
 * @class loop
 * @order run_callback run now update_now timer io signal child stat async idle prepare check fork
 * @tfield integer loop.iteration how many turns it has made
 * @tfield integer loop.activecnt how many watchers are active
 * @tfield integer loop.pendingcnt how many events have happened and are not told
 * @tfield string loop.backend `"epoll"`, `"poll"`, `"select"` or `"other"`
 * @tfield boolean loop.default false: libev's default loop is never used
 * @source gevent.core.loop
 */

/*** A call that waits for its turn in the hub: what `loop:run_callback` returns.
 * @class callback
 * @tfield boolean callback.pending it has not been called yet
 * @tfield function callback.callback what is called; nil once it has been
 * @tfield table callback.args its arguments, with `n`
 * @source gevent.core.callback
 */

static struct runtime *self(lua_State *L) {
  struct runtime *rt = ((struct l_loop *)l_check_kind(L, 1, &loop_kind, "loop"))->rt;
  l_check_started(L, rt);
  return rt;
}

static struct l_callback *callback_self(lua_State *L) {
  return l_check_kind(L, 1, &callback_kind, "callback");
}

/* ---- Callbacks ---- */

static void drop_self(struct l_callback *callback) {
  luaL_unref(callback->rt->aux, LUA_REGISTRYINDEX, callback->self);
  callback->self = LUA_NOREF;
}

static int call(lua_State *L) {
  lua_call(L, l_push_callback(L, 1), 0);
  return 0;
}

static void run(struct callback *core) {
  struct l_callback *callback = container_of(core, struct l_callback, callback);
  lua_State *L = callback->rt->hub_L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, callback->self);
  drop_self(callback);
  lua_pushcfunction(L, call);
  lua_pushvalue(L, -2);
  l_call_in_hub(callback->rt, 1);
}

/*** Call `f(...)` in the hub, soon.
 * It must not wait there. An error in it is reported.
 * @function loop:run_callback
 * @tparam function f any callable
 * @tparam any ... its arguments
 * @treturn callback it may be stopped until it is called
 * @switches no
 * @usage loop:run_callback(print, "called in the hub")
 * @source gevent.core.loop.run_callback
 */
static int l_loop_run_callback(lua_State *L) {
  struct runtime *rt = self(L);
  l_check_callable(L, 2);
  struct l_callback *callback = l_new_object(L, lua_upvalueindex(2), sizeof *callback,
                                             UV_WATCHER_COUNT, &callback_kind);
  lua_replace(L, 1);
  callback->rt = rt;
  callback_init(&callback->callback, run);
  l_keep_callback(L, 1, 2);
  lua_pushvalue(L, 1);
  callback->self = luaL_ref(L, LUA_REGISTRYINDEX);
  hub_call(&rt->hub, &callback->callback);
  return 1;
}

/*** Give up the call, if it has not been made.
 * @function callback:stop
 * @function callback:close
 * @switches no
 * @source gevent.core.callback.stop
 */
static int l_callback_stop(lua_State *L) {
  struct l_callback *callback = callback_self(L);
  if (callback->rt->started && callback_pending(&callback->callback)) {
    callback_stop(&callback->callback);
    drop_self(callback);
  }
  return 0;
}

static int get_pending(lua_State *L) {
  lua_pushboolean(L, callback_pending(&callback_self(L)->callback));
  return 1;
}

static int get_callback(lua_State *L) {
  callback_self(L);
  if (lua_getiuservalue(L, 1, UV_CALLBACK) != LUA_TTABLE)
    return 0;
  lua_rawgeti(L, -1, 1);
  return 1;
}

static int get_args(lua_State *L) {
  callback_self(L);
  return l_push_callback_args(L, 1);
}

/* ---- The loop ---- */

/*** Run the loop: to its end, or for one turn.
 * To its end only in the main greenlet.
 * @function loop:run
 * @tparam[opt=false] boolean nowait one turn, without waiting for events
 * @tparam[opt=false] boolean once one turn
 * @raise InvalidSwitchError: to its end, and not in the main greenlet
 * @switches yes
 * @source gevent.core.loop.run
 */
static int l_loop_run(lua_State *L) {
  struct runtime *rt = self(L);
  bool nowait = lua_toboolean(L, 2), once = lua_toboolean(L, 3);
  l_enter(L, rt);
  if (nowait || once)
    l_leave(L, rt, hub_wait_turn(&rt->hub, nowait));
  else if (rt->hub.current != rt->hub.root)
    l_raise(L, rt, "InvalidSwitchError", "only the main greenlet may run the loop to its end");
  else
    l_leave(L, rt, hub_join(&rt->hub, -1));
  return 0;
}

/*** Return the loop's idea of the time, as of its last turn.
 * @function loop:now
 * @treturn number seconds since 1970
 * @switches no
 * @source gevent.core.loop.now
 */
static int l_loop_now(lua_State *L) {
  lua_pushnumber(L, ev_now(self(L)->hub.loop));
  return 1;
}

/*** Read the clock.
 * @function loop:update_now
 * @switches no
 * @source gevent.core.loop.update_now
 */
static int l_loop_update_now(lua_State *L) {
  hub_update_now(&self(L)->hub);
  return 0;
}

static int get_backend(lua_State *L) {
  unsigned backend = ev_backend(self(L)->hub.loop);
  lua_pushstring(L, backend == EVBACKEND_EPOLL    ? "epoll"
                    : backend == EVBACKEND_POLL   ? "poll"
                    : backend == EVBACKEND_SELECT ? "select"
                                                  : "other");
  return 1;
}

static int get_iteration(lua_State *L) {
  lua_pushinteger(L, self(L)->hub.iteration);
  return 1;
}

static int get_activecnt(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)self(L)->hub.active);
  return 1;
}

static int get_pendingcnt(lua_State *L) {
  lua_pushinteger(L, ev_pending_count(self(L)->hub.loop));
  return 1;
}

/* libev's default loop reaps every child of the process: ours never is it. */
static int get_default(lua_State *L) {
  self(L);
  lua_pushboolean(L, false);
  return 1;
}

static int l_loop_tostring(lua_State *L) {
  lua_pushfstring(L, "<loop at %p: ", (void *)self(L));
  get_backend(L);
  lua_pushliteral(L, ">");
  lua_concat(L, 3);
  return 1;
}

void l_open_loop(lua_State *L, struct runtime *rt) {
  static const luaL_Reg callback_methods[] = {{"stop", l_callback_stop},
                                              {"close", l_callback_stop},
                                              {NULL, NULL}};
  static const luaL_Reg callback_getters[] = {{"pending", get_pending},
                                              {"callback", get_callback},
                                              {"args", get_args},
                                              {NULL, NULL}};
  static const luaL_Reg methods[] = {{"run", l_loop_run},
                                     {"now", l_loop_now},
                                     {"update_now", l_loop_update_now},
                                     {"__tostring", l_loop_tostring},
                                     {NULL, NULL}};
  static const luaL_Reg getters[] = {{"backend", get_backend},
                                     {"iteration", get_iteration},
                                     {"activecnt", get_activecnt},
                                     {"pendingcnt", get_pendingcnt},
                                     {"default", get_default},
                                     {NULL, NULL}};
  static const struct l_class callback = {"callback", "class", NULL, callback_methods,
                                          callback_getters, NULL};
  static const struct l_class loop = {"loop", "class", NULL, methods, getters, NULL};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  int core = lua_gettop(L);
  l_register_class(L, rt, &loop);
  lua_pushlightuserdata(L, rt);
  l_register_class(L, rt, &callback);
  lua_pushcclosure(L, l_loop_run_callback, 2);
  lua_setfield(L, -2, "run_callback");
  struct l_loop *object =
      l_new_object(L, -1, sizeof *object, UV_WATCHER_COUNT, &loop_kind);
  object->rt = rt;
  lua_setfield(L, core, "loop");
  lua_setfield(L, core, "Loop");
  lua_settop(L, core - 1);
}
