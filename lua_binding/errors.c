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

static int core_is_exit(lua_State *L) {
  lua_pushboolean(L, l_is_exit(L, 1));
  return 1;
}

void l_open_errors(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"instantiate", core_instantiate},
                                       {"raise", core_raise},
                                       {"is_exit", core_is_exit},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
