/*
 * timeout.c: the class Timeout, an error with a timer.
 *
 * A pending one is held by the registry; at its expiry that reference becomes
 * the error that core carries to the greenlet, so expiring needs no memory.
 */
#include "lua_binding/timeout.h"

const char timeout_kind;

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

/* Timeout([seconds [, exception [, ref=true]]]) */
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

/*** Start it for the current greenlet. */
static int l_timeout_start_method(lua_State *L) {
  struct l_timeout *timeout = self(L);
  l_timeout_start(L, timeout->rt, 1);
  return 0;
}

/*** Stop it; it may be started again. */
static int l_timeout_cancel(lua_State *L) {
  l_timeout_stop(L, self(L));
  return 0;
}

/*** Stop it for good. */
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

/* Timeout.start_new([seconds_or_timeout [, exception]]), upvalue 2: the class */
static int l_timeout_start_new(lua_State *L) {
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
