/*
 * links.c: links in lists, of greenlets, and in chains, of all else.
 */
#include "lua_binding/links.h"

#include "lua_binding/runtime.h"

/* ---- Lists ---- */

/* core.append(lists, key, value): put it at the end of lists[key], which is made if there is
 * none */
static int core_append(lua_State *L) {
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 1) == LUA_TNIL) {
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 1) == LUA_TNIL) { /* else a finalizer was faster */
      lua_pushvalue(L, 2);
      lua_pushvalue(L, 5);
      lua_rawset(L, 1);
      lua_settop(L, 5);
    }
  }
  lua_pushvalue(L, 3);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return 0;
}

/* Is that field of the table on top what is at idx? */
static bool has(lua_State *L, const char *field, int idx) {
  lua_getfield(L, -1, field);
  bool same = lua_rawequal(L, -1, idx);
  lua_pop(L, 1);
  return same;
}

lua_Integer l_find(lua_State *L, int list, const char *field, int idx) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer place = 1; place <= count; place++) {
    lua_rawgeti(L, list, place);
    if (has(L, field, idx))
      return place;
    lua_pop(L, 1);
  }
  return 0;
}

void l_remove_at(lua_State *L, int list, lua_Integer place) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (; place <= count; place++) {
    lua_rawgeti(L, list, place + 1);
    lua_rawseti(L, list, place);
  }
}

/* core.take_out(list, f): the first link of f */
static int core_take_out(lua_State *L) {
  lua_settop(L, 2);
  lua_Integer place = l_find(L, 1, "f", 2);
  if (place)
    l_remove_at(L, 1, place);
  return 0;
}

/* ---- Chains ---- */

void l_new_chain(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "first");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "last");
}

static void set(lua_State *L, int table, const char *field, int idx) {
  lua_pushvalue(L, idx);
  lua_setfield(L, table, field);
}

void l_chain(lua_State *L, int chain, int idx) {
  lua_getfield(L, chain, "last");
  int last = lua_gettop(L);
  bool alone = !lua_toboolean(L, last);
  set(L, idx, "before", last);
  set(L, alone ? chain : last, alone ? "first" : "after", idx);
  set(L, chain, "last", idx);
  lua_pop(L, 1);
}

/* Take the link on top out of the chain at 1. */
static void unchain(lua_State *L) {
  int link = lua_gettop(L), before = link + 1, after = link + 2;
  lua_getfield(L, link, "before");
  lua_getfield(L, link, "after");
  bool first = !lua_toboolean(L, before), last = !lua_toboolean(L, after);
  set(L, first ? 1 : before, first ? "first" : "after", after);
  set(L, last ? 1 : after, last ? "last" : "before", before);
}

/* core.unchain_first(chain): the first link, if there is one */
static int core_unchain_first(lua_State *L) {
  lua_settop(L, 1);
  lua_getfield(L, 1, "first");
  if (lua_toboolean(L, 2))
    unchain(L);
  return 0;
}

/* core.unchain(chain, f): the first link of f */
static int core_unchain(lua_State *L) {
  lua_settop(L, 2);
  lua_getfield(L, 1, "first");
  while (lua_toboolean(L, 3) && !has(L, "f", 2)) {
    lua_getfield(L, 3, "after");
    lua_replace(L, 3);
  }
  if (lua_toboolean(L, 3))
    unchain(L);
  return 0;
}

void l_open_links(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"append", core_append},
                                       {"take_out", core_take_out},
                                       {"unchain_first", core_unchain_first},
                                       {"unchain", core_unchain},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
