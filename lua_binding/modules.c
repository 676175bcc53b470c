/*
 * modules.c: the modules greenlet.<name>, which are loaded at first use.
 *
 * A module is asked for as a field of `greenlet` or by require; either way it
 * is the value that its Lua part, lua_binding/<name>.lua, returns. Until then it
 * costs nothing but its text in the program.
 */
#include <string.h>

#include "lua_binding/binding.h"
#include "lua_binding/members.h"
#include "lua_binding/profile.h"
#include "lua_binding/queue.h"
#include "lua_binding/runtime.h"
#include "lua_binding/waitable.h"

/* X(name, open): `open` registers what the Lua part needs of C, or is NULL. */
#define MODULES(X) \
  X(monkey, NULL) X(event, l_open_event) X(lock, l_open_lock) X(local, NULL) X(util, NULL) \
  X(queue, l_open_queue) X(select, l_open_select) \
  X(pool, l_open_pool) X(scope, l_open_scope) X(trace, NULL) X(profile, l_open_profile)

static const struct module {
  const char *name;
  void (*open)(lua_State *, struct runtime *);
} modules[] = {
#define MODULE(name, open) {#name, open},
    MODULES(MODULE)
#undef MODULE
};

enum { MODULE_COUNT = sizeof modules / sizeof *modules };

/* Push the module, and make it a field of the table at idx, which lacks it. */
static void load(lua_State *L, struct runtime *rt, int idx, const struct module *module) {
  if (module->open)
    module->open(L, rt);
  l_run_part(L, rt, module->name, 1);
  lua_pushstring(L, module->name);
  lua_pushvalue(L, -2);
  lua_rawset(L, idx);
}

/* __index of `greenlet`: for what it does not have. */
static int index_module(lua_State *L) {
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  for (int i = 0; i < MODULE_COUNT; i++)
    if (strcmp(modules[i].name, name) == 0) {
      load(L, l_runtime(L), 1, &modules[i]);
      return 1;
    }
  return 0;
}

/* package.preload["greenlet.<name>"], called with that name */
static int preloaded(lua_State *L) {
  l_push_core(L, l_runtime(L), "module");
  lua_getfield(L, -1, luaL_checkstring(L, 1) + strlen("greenlet."));
  return 1;
}

void l_open_modules(lua_State *L, struct runtime *rt) {
  static const luaL_Reg meta[] = {{"__index", index_module}, {NULL, NULL}};
  lua_createtable(L, 0, 1);
  l_functions(L, rt, meta);
  lua_setmetatable(L, -2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (int i = 0; i < MODULE_COUNT; i++) {
    lua_pushfstring(L, "greenlet.%s", modules[i].name);
    lua_pushlightuserdata(L, rt);
    lua_pushcclosure(L, preloaded, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

/* require "greenlet.<name>" before require "greenlet", in a program that is not
 * ours: Lua finds these in greenlet.so. */
static int open_from_outside(lua_State *L, const char *name) {
  luaopen_greenlet(L);
  lua_getfield(L, -1, name);
  return 1;
}

#define OPENER(name, open) \
  L_EXPORTED int luaopen_greenlet_##name(lua_State *L); \
  int luaopen_greenlet_##name(lua_State *L) { return open_from_outside(L, #name); }
MODULES(OPENER)
