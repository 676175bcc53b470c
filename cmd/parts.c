#include "cmd/parts.h"

#include <string.h>

#include <lauxlib.h>

#include "lua_binding/binding.h"

#define PARTS(X) X(console) X(display) X(evaluation) X(prompt) X(commands) X(complete) X(history) X(inspect) X(source)

PARTS(BINDING_DECLARE_PART)

static const struct binding_part parts[] = {
#define PART(name) BINDING_PART(name),
    PARTS(PART)
#undef PART
};

/* (cmd, key): a part's value, from now on a field of cmd */
static int index_part(lua_State *L) {
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(parts[i].name, key) != 0)
      continue;
    binding_push_part(L, &parts[i]);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
  }
  return 0;
}

void parts_push(lua_State *L) {
  if (luaL_getsubtable(L, LUA_REGISTRYINDEX, "greenlua.cmd"))
    return;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, index_part);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}
