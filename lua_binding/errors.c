/*
 * errors.c: Lua values as core's errors, and raising them.
 *
 * core carries errors as opaque pointers. Ours are references in the registry,
 * which are small integers, so no address: greenlet_exit differs from all.
 */
#include <stdarg.h>

#include "lua_binding/runtime.h"

void *l_box(lua_State *L) {
  if (lua_isnil(L, -1)) { /* luaL_ref gives every nil the same reference */
    lua_pop(L, 1);
    return (void *)(intptr_t)LUA_REFNIL;
  }
  return (void *)(intptr_t)luaL_ref(L, LUA_REGISTRYINDEX);
}

static void push_new(lua_State *L, struct runtime *rt, const char *class) {
  l_push_core(L, rt, class);
  lua_call(L, 0, 1);
}

void l_unbox(lua_State *L, struct runtime *rt, void *error) {
  if (error == greenlet_exit) {
    push_new(L, rt, "GreenletExit");
    return;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, (lua_Integer)(intptr_t)error);
  luaL_unref(L, LUA_REGISTRYINDEX, (int)(intptr_t)error);
}

void l_drop_error(struct hub *hub, void *error) {
  struct runtime *rt = hub->data;
  luaL_unref(rt->aux, LUA_REGISTRYINDEX, (int)(intptr_t)error);
}

/* Does the metatable of the value have a true raw field `mark`? Raises never. */
static bool marked(lua_State *L, int idx, const char *mark) {
  int type = lua_type(L, idx);
  if ((type != LUA_TTABLE && type != LUA_TUSERDATA) || !lua_getmetatable(L, idx))
    return false;
  lua_pushstring(L, mark);
  lua_rawget(L, -2);
  bool yes = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return yes;
}

bool l_is_uncatchable(lua_State *L, int idx) {
  return marked(L, idx, "__uncatchable");
}

bool l_is_exit(lua_State *L, int idx) {
  return marked(L, idx, "__exit");
}

bool l_is_a(lua_State *L, struct runtime *rt, int idx, const char *class) {
  idx = lua_absindex(L, idx);
  l_push_core(L, rt, class);
  lua_getfield(L, -1, "class_of");
  lua_insert(L, -2);
  lua_pushvalue(L, idx);
  lua_call(L, 2, 1);
  bool yes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return yes;
}

void l_instantiate(lua_State *L) {
  if (lua_type(L, -1) == LUA_TTABLE && marked(L, -1, "__is_class"))
    lua_call(L, 0, 1);
}

int l_raise(lua_State *L, struct runtime *rt, const char *class, const char *format, ...) {
  va_list arguments;
  l_push_core(L, rt, class);
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_call(L, 1, 1);
  return l_error(L);
}

/* core.instantiate(value): a class becomes an instance of it */
static int core_instantiate(lua_State *L) {
  lua_settop(L, 1);
  l_instantiate(L);
  return 1;
}

static int core_raise(lua_State *L) {
  lua_settop(L, 1);
  return l_error(L);
}

/* ---- Where an error that is raised again was raised first ---- */

/* Registry key: {error, traceback, light greenlet that raised it again}, the last
 * time that this was done. */
static char origin_key;

/* core.raise_again(error, traceback or nil) */
static int core_raise_again(lua_State *L) {
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    lua_pushlightuserdata(L, l_runtime(L)->hub.current);
    lua_createtable(L, 3, 0);
    for (int i = 1; i <= 3; i++) {
      lua_pushvalue(L, i);
      lua_rawseti(L, 4, i);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &origin_key);
  }
  lua_settop(L, 1);
  return l_error(L);
}

/* Is the error that the table on top is about this one, on its way still? Then it
 * will be told now, and is not to be again. */
static bool take_origin(lua_State *L, const struct runtime *rt, int error) {
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 3);
  bool yes = lua_rawequal(L, error, -2) && lua_touserdata(L, -1) == rt->hub.current;
  lua_pop(L, 2);
  if (yes) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &origin_key);
  }
  return yes;
}

void l_add_origin(lua_State *L, struct runtime *rt, int error) {
  error = lua_absindex(L, error);
  int type = lua_rawgetp(L, LUA_REGISTRYINDEX, &origin_key);
  if (type != LUA_TTABLE || !take_origin(L, rt, error)) {
    lua_pop(L, 1);
    return;
  }
  lua_rawgeti(L, -1, 2);
  luaL_gsub(L, lua_tostring(L, -3), "stack traceback:", "\nraised again:");
  lua_concat(L, 2);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* core.full_traceback(error): for a function that handles errors, of who raised it */
static int core_full_traceback(lua_State *L) {
  lua_settop(L, 1);
  luaL_traceback(L, L, NULL, 2);
  l_add_origin(L, l_runtime(L), 1);
  return 1;
}

static int core_is_exit(lua_State *L) {
  lua_pushboolean(L, l_is_exit(L, 1));
  return 1;
}

void l_open_errors(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"instantiate", core_instantiate},
                                       {"raise", core_raise},
                                       {"raise_again", core_raise_again},
                                       {"full_traceback", core_full_traceback},
                                       {"is_exit", core_is_exit},
                                       {NULL, NULL}};
  lua_pushliteral(L, "not enough memory");
  lua_rawseti(L, LUA_REGISTRYINDEX, L_NO_MEMORY);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
