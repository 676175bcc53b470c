/*
 * timeout.c: the class Timeout, an error with a timer.
 *
 * A pending one is held by the registry; at its expiry that reference becomes
 * the error that core carries to the greenlet, so expiring needs no memory.
 */
#include "lua_binding/timeout.h"

const char timeout_kind;

/*** Limits of time: errors that arrive after so many seconds.
 * A Timeout arrives in the greenlet that started it, in whatever wait it is then. A started one
 * fires even if nobody holds the object; one whose greenlet is dead does not. A greenlet that
 * computes without waiting is not interrupted, and gets it at its next wait that looks for events.
 * `pcall` does not stop it: `greenlet.pcall` does.
 *
 * `local t <close> = greenlet.Timeout.start_new(5)` closes it when the scope is left: the usual
 * way. A Timeout may stand wherever a function takes a timeout in seconds: it is started if it is
 * not pending; where an expiry raises, it is what is raised; where an expiry only ends the wait, it
 * does that.
 *
 * ```lua
 * local function slow() greenlet.sleep(5) end
 * print(greenlet.pcall(greenlet.with_timeout, 0.01, slow))
 * print(greenlet.with_timeout({0.01, timeout_value = "too slow"}, slow))
 * print(greenlet.Timeout(0.01, false):run(slow))
 *
 * -- Two limits: each knows its own.
 * local outer <close> = greenlet.Timeout.start_new(0.01)
 * local ok, err = greenlet.pcall(function()
 *   local inner <close> = greenlet.Timeout.start_new(5)
 *   slow()
 * end)
 * print(ok, err == outer)
 * print(greenlet.Timeout(5, "reading the header"), greenlet.Timeout(1), greenlet.Timeout(2, false))
 * ```
 *
 * ```text
 * false	Timeout: 0.01 seconds
 * too slow
 *
 * false	true
 * Timeout: 5 seconds (reading the header)	Timeout: 1 second	Timeout: 2 seconds (silent)
 * ```
 * @page timeout Timeout
 */

enum { UV_EXCEPTION = UV_FIELDS + 1, UV_TIMEOUT_COUNT = UV_EXCEPTION };

struct l_timeout *l_test_timeout(lua_State *L, int idx) {
  return l_test_kind(L, idx, &timeout_kind);
}

static struct l_timeout *self(lua_State *L) {
  return l_check_kind(L, 1, &timeout_kind, "Timeout");
}

bool l_timeout_pending(const struct l_timeout *timeout) {
  return timeout_pending(&timeout->timeout);
}

static void expired(struct timeout *core) {
  struct l_timeout *timeout = container_of(core, struct l_timeout, timeout);
  core->error = timeout->delivered = (void *)(intptr_t)timeout->self;
  timeout->self = LUA_NOREF;
}

static void dropped(struct timeout *core) {
  struct l_timeout *timeout = container_of(core, struct l_timeout, timeout);
  luaL_unref(timeout->rt->aux, LUA_REGISTRYINDEX, timeout->self);
  timeout->self = LUA_NOREF;
}

void l_timeout_start(lua_State *L, struct runtime *rt, int idx) {
  struct l_timeout *timeout = lua_touserdata(L, idx);
  l_check_started(L, rt);
  if (rt->hub.current == &rt->hub.self)
    luaL_error(L, "a Timeout cannot be started in the hub");
  if (timeout->closed)
    luaL_error(L, "the Timeout is closed");
  if (l_timeout_pending(timeout))
    luaL_error(L, "the Timeout is pending already");
  timeout->delivered = NULL;
  if (timeout->forever)
    return;
  lua_pushvalue(L, idx);
  timeout->self = luaL_ref(L, LUA_REGISTRYINDEX);
  if (timeout_start(&rt->hub, &timeout->timeout, timeout->seconds, timeout->ref) < 0) {
    dropped(&timeout->timeout);
    luaL_error(L, "not enough memory");
  }
}

void l_timeout_stop(lua_State *L, struct l_timeout *timeout) {
  struct greenlet *current = timeout->rt->hub.current;
  if (!timeout->rt->started)
    return;
  void *error = timeout->delivered; /* expired, and perhaps not yet raised */
  if (error && greenlet_retract_error(current, error)) {
    l_unbox(L, timeout->rt, error);
    lua_pop(L, 1);
    timeout->delivered = NULL;
  }
  if (!l_timeout_pending(timeout))
    return;
  timeout_stop(&timeout->timeout);
  dropped(&timeout->timeout);
}

bool l_timeout_took(const struct l_timeout *timeout, const struct greenlet *greenlet) {
  return timeout->delivered && greenlet_first_error(greenlet) == timeout->delivered;
}

void l_timeout_exception(lua_State *L) {
  struct l_timeout *timeout = l_test_timeout(L, -1);
  if (!timeout)
    return;
  timeout->delivered = NULL;
  int type = lua_getiuservalue(L, -1, UV_EXCEPTION);
  if (type == LUA_TNIL || type == LUA_TSTRING || (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)))
    lua_pop(L, 1);
  else
    lua_remove(L, -2);
}

/* ---- Methods ---- */

static int l_timeout_allocate(lua_State *L) {
  struct l_timeout *timeout =
      l_new_object(L, 1, sizeof *timeout, UV_TIMEOUT_COUNT, &timeout_kind);
  timeout_init(&timeout->timeout);
  timeout->timeout.expired = expired;
  timeout->timeout.dropped = dropped;
  timeout->rt = l_runtime(L);
  timeout->self = LUA_NOREF;
  timeout->forever = true;
  return 1;
}

/*** An error with a timer.
 * The constructor makes one, and does not start it.
 * @class greenlet.Timeout
 * @within timeout
 * @tparam[opt] number seconds from its start; nil: it never expires
 * @tparam[opt] any exception what is raised instead of the Timeout itself: a class or any value. A
 *   string is text for `tostring`, and `false` concerns `run`
 * @tparam[opt=true] boolean ref whether it keeps the program running while it is pending
 * @raise bad argument: negative seconds
 * @switches no
 * @super greenlet.BaseException
 * @order start_new start cancel close run
 * @tfield number Timeout.seconds what was given, or nil
 * @tfield any Timeout.exception what was given, or nil
 * @tfield boolean Timeout.pending it is started and has not expired
 * @source gevent.Timeout
 */
static int l_timeout_init(lua_State *L) {
  struct l_timeout *timeout = self(L);
  lua_settop(L, 4);
  if (!lua_isnil(L, 2) && !lua_isnumber(L, 2))
    return l_typeerror(L, 2, 1, "Timeout", "number");
  if (!lua_isnil(L, 2) && !(lua_tonumber(L, 2) >= 0))
    return l_argerror(L, 1, "Timeout", "seconds must not be negative");
  timeout->forever = lua_isnil(L, 2);
  timeout->seconds = lua_tonumber(L, 2);
  timeout->ref = lua_isnil(L, 4) || lua_toboolean(L, 4);
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, UV_EXCEPTION);
  return 0;
}

/*** Start it for the current greenlet.
 * @function Timeout:start
 * @raise an error if it is pending or closed, and in the hub
 * @switches no
 * @source gevent.Timeout.start
 */
static int l_timeout_start_method(lua_State *L) {
  struct l_timeout *timeout = self(L);
  l_timeout_start(L, timeout->rt, 1);
  return 0;
}

/*** Stop it.
 * It may be started again.
 * @function Timeout:cancel
 * @switches no
 * @source gevent.Timeout.cancel
 */
static int l_timeout_cancel(lua_State *L) {
  l_timeout_stop(L, self(L));
  return 0;
}

/*** Stop it for good.
 * @function Timeout:close
 * @switches no
 * @source gevent.Timeout.close
 */
static int l_timeout_close(lua_State *L) {
  struct l_timeout *timeout = self(L);
  l_timeout_stop(L, timeout);
  timeout->closed = true;
  return 0;
}

static int get_seconds(lua_State *L) {
  const struct l_timeout *timeout = self(L);
  if (timeout->forever)
    return 0;
  lua_pushnumber(L, timeout->seconds);
  return 1;
}

static int get_exception(lua_State *L) {
  self(L);
  lua_getiuservalue(L, 1, UV_EXCEPTION);
  return 1;
}

static int get_pending(lua_State *L) {
  lua_pushboolean(L, l_timeout_pending(self(L)));
  return 1;
}

static int l_timeout_tostring(lua_State *L) {
  const struct l_timeout *timeout = self(L);
  lua_settop(L, 1);
  lua_getmetatable(L, 1);
  lua_getfield(L, -1, "__name");
  const char *name = lua_tostring(L, -1);
  if (timeout->forever)
    lua_pushstring(L, name);
  else
    lua_pushfstring(L, "%s: %f second%s", name, timeout->seconds,
                    timeout->seconds == 1 ? "" : "s");
  /* %f is lua_Number's format: 1.0. Whole seconds read better as 1. */
  if (!timeout->forever && timeout->seconds < 1e15 &&
      timeout->seconds == (double)(lua_Integer)timeout->seconds) {
    lua_pop(L, 1);
    lua_pushfstring(L, "%s: %I second%s", name, (LUAI_UACINT)timeout->seconds,
                    timeout->seconds == 1 ? "" : "s");
  }
  int type = lua_getiuservalue(L, 1, UV_EXCEPTION);
  if (type == LUA_TSTRING) {
    lua_pushfstring(L, " (%s)", lua_tostring(L, -1));
    lua_remove(L, -2);
  } else {
    lua_pop(L, 1);
    lua_pushstring(L, type == LUA_TBOOLEAN ? " (silent)" : "");
  }
  lua_concat(L, 2);
  return 1;
}

/*** Make a Timeout and start it, or start the one given, unless that is pending.
 * @function Timeout.start_new
 * @tparam[opt] number|Timeout seconds nil: it never expires
 * @tparam[opt] any exception as for the constructor
 * @treturn Timeout it
 * @raise bad argument: negative seconds
 * @switches no
 * @usage local limit <close> = greenlet.Timeout.start_new(5)
 * @source gevent.Timeout.start_new
 */
static int l_timeout_start_new(lua_State *L) { /* upvalue 2: the class */
  struct runtime *rt = l_runtime(L);
  struct l_timeout *timeout = l_test_timeout(L, 1);
  if (!timeout) {
    int arguments = lua_gettop(L);
    if (!lua_isnoneornil(L, 1))
      l_check_seconds(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, arguments, 1);
    timeout = lua_touserdata(L, 1);
  }
  lua_settop(L, 1);
  if (!l_timeout_pending(timeout))
    l_timeout_start(L, rt, 1);
  return 1;
}

/* core.bind_start_new(class): a derived class's own start_new */
static int core_bind_start_new(lua_State *L) {
  lua_pushlightuserdata(L, l_runtime(L));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, l_timeout_start_new, 2);
  lua_setfield(L, 1, "start_new");
  return 0;
}

void l_open_timeout(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {{"init", l_timeout_init},
                                     {"start", l_timeout_start_method},
                                     {"cancel", l_timeout_cancel},
                                     {"close", l_timeout_close},
                                     {"__close", l_timeout_close},
                                     {"__tostring", l_timeout_tostring},
                                     {"__extended", core_bind_start_new},
                                     {NULL, NULL}};
  static const luaL_Reg getters[] = {{"seconds", get_seconds},
                                     {"exception", get_exception},
                                     {"pending", get_pending},
                                     {NULL, NULL}};
  static const struct l_class class = {"Timeout", "BaseException", l_timeout_allocate,
                                       methods, getters, NULL};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_register_class(L, rt, &class);
  lua_getfield(L, -1, "__extended");
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  lua_setfield(L, -2, "Timeout");
  lua_pop(L, 1);
}
