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

/* ---- The parts' own globals ---- */

/* Set all fields of the table on top in the one below it, and pop it. */
static void copy_fields(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2); lua_rawset(L, -5)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
  }
  lua_pop(L, 1);
}

/* The globals as they are now, and copies of the libraries: users may call a variable of theirs
 * `table`, or replace what is in one. */
static void push_environment(lua_State *L) {
  static const char *const libraries[] = {"coroutine", "debug", "io", "math",
                                          "os", "string", "table", "utf8"};
  lua_newtable(L);
  lua_pushglobaltable(L);
  copy_fields(L);
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    lua_newtable(L);
    lua_getfield(L, -2, libraries[i]);
    copy_fields(L);
    lua_setfield(L, -2, libraries[i]);
  }
}

/* ---- Making them ---- */

/* Push the function that makes the part of that name, or nothing; it is called by __index. */
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
      if (lua_isnil(L, lua_upvalueindex(1))) {
        push_environment(L);
        lua_replace(L, lua_upvalueindex(1));
      }
      lua_pushvalue(L, lua_upvalueindex(1));
      lua_setupvalue(L, -2, 1); /* a chunk's first is _ENV */
      return true;
    }
  }
  return false;
}

/* (cmd, key), upvalue: the parts' globals, or nil so far; a part's value, from now on a field
 * of cmd */
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
  lua_pushnil(L);
  lua_pushcclosure(L, index_part, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void parts_take_globals(lua_State *L) {
  parts_push(L);
  luaL_getmetafield(L, -1, "__index");
  push_environment(L);
  lua_setupvalue(L, -2, 1);
  lua_pop(L, 2);
}
