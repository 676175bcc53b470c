/*
 * guests.c: the members of a pool that have their place in the list of another: pool.lua.
 *
 * They are few: a list of {g =, leave =}. As links.h says, each function is one step.
 */
#include "lua_binding/links.h"
#include "lua_binding/members.h"

/* core.find_guest(guests, g): its entry, or nil */
static int core_find_guest(lua_State *L) {
  lua_settop(L, 2);
  return l_find(L, 1, "g", 2) ? 1 : 0;
}

/* core.add_guest(guests, entry): false if there is one of that greenlet */
static int core_add_guest(lua_State *L) {
  lua_settop(L, 2);
  lua_getfield(L, 2, "g");
  bool new = !l_find(L, 1, "g", 3);
  if (new) {
    lua_pushvalue(L, 2);
    lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
  }
  lua_pushboolean(L, new);
  return 1;
}

/* core.drop_guest(guests, g, members): take it out, and give its place back; returns its
 * entry, or nil */
static int core_drop_guest(lua_State *L) {
  l_check_members(L, 3);
  lua_settop(L, 3);
  lua_Integer place = l_find(L, 1, "g", 2);
  if (!place)
    return 0;
  l_remove_at(L, 1, place);
  l_give_place(L, 3);
  return 1;
}

void l_open_guests(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"find_guest", core_find_guest},
                                       {"add_guest", core_add_guest},
                                       {"drop_guest", core_drop_guest},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
