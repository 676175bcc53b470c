#include "cmd/parts.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "cmd/files.h"
#include "lua_binding/binding.h"

#define PARTS(X) \
  X(console) X(commands) X(complete) X(history) X(inspect) X(lexer) X(members) \
  X(scalars) X(source) X(docs) X(docstrings) \
  X(find) X(listing) X(lookup) X(processes) X(status) X(text) X(tools) X(watch) X(why) \
  X(display) X(evaluation) X(prompt)

PARTS(BINDING_DECLARE_PART)

static const struct binding_part parts[] = {
#define PART(name) BINDING_PART(name),
    PARTS(PART)
#undef PART
};

static int push_without_switches(lua_State *L) {
  lua_pushcfunction(L, binding_without_switches);
  return 1;
}

/* What C files offer, by the functions that push it. */
static const luaL_Reg natives[] = {
    {"files", files_open},
    {"without_switches", push_without_switches},
};

/* Push the function that makes the part of that name, or nothing. */
static bool push_maker(lua_State *L, const char *name) {
  for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
    if (strcmp(natives[i].name, name) == 0) {
      lua_pushcfunction(L, natives[i].func);
      return true;
    }
  }
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(parts[i].name, name) == 0) {
      binding_push_part(L, &parts[i]);
      return true;
    }
  }
  return false;
}

/* (cmd, key): a part's value, from now on a field of cmd */
static int index_part(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING || !push_maker(L, lua_tostring(L, 2)))
    return 0;
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

void parts_push(lua_State *L) {
  if (luaL_getsubtable(L, LUA_REGISTRYINDEX, "greenlua.cmd"))
    return;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, index_part);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}
