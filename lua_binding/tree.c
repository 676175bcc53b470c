/*
 * tree.c: who spawned whom, and what a spawn tree shares.
 */
#include "lua_binding/greenlet.h"
#include "lua_binding/runtime.h"

/* A private field of handles: the record that its children share. */
static char record_key;

/*
 * Push a new record of the handle, which the children of that greenlet share:
 * `weak` holds the handle weakly, `trail` says where it was made, `tree` is
 * {locals} of its spawn tree. A tree begins at each child of the main greenlet;
 * `of_main` marks main's record.
 */
static void push_new_record(lua_State *L, int handle) {
  lua_createtable(L, 0, 3);
  int record = lua_gettop(L);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, handle);
  lua_rawseti(L, -2, 1);
  luaL_setmetatable(L, "greenlet.weak");
  lua_setfield(L, record, "weak");
  bool spawned = l_push_spawner(L, handle);
  if (!spawned || lua_getfield(L, -1, "of_main") != LUA_TNIL)
    lua_newtable(L);
  else
    lua_getfield(L, record + 1, "tree");
  lua_setfield(L, record, "tree");
  if (spawned && lua_getiuservalue(L, handle, UV_ORIGIN))
    lua_rawgeti(L, -1, ORIGIN_TRAIL);
  else
    lua_pushliteral(L, "");
  lua_setfield(L, record, "trail");
  lua_settop(L, record);
}

/* Push the record of the handle, made when it is first asked for. */
static void push_record_of(lua_State *L, int handle) {
  handle = lua_absindex(L, handle);
  if (l_get_private(L, handle, &record_key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  push_new_record(L, handle);
  if (l_get_private(L, handle, &record_key) == LUA_TTABLE) { /* a finalizer was faster */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  l_set_private(L, handle, &record_key);
}

void l_push_record(lua_State *L, struct runtime *rt) {
  l_push_handle(L, l_current(rt));
  push_record_of(L, -1);
  lua_remove(L, -2);
}

bool l_push_spawner(lua_State *L, int handle) {
  if (lua_getiuservalue(L, handle, UV_ORIGIN) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_rawgeti(L, -1, ORIGIN_SPAWNER);
  lua_remove(L, -2);
  return true;
}

/* Push the spawner's handle, or nil: nobody noted, or collected. */
int l_get_spawning_greenlet(lua_State *L) {
  l_check_handle(L, 1);
  if (!l_push_spawner(L, 1))
    return 0;
  lua_getfield(L, -1, "weak");
  lua_rawgeti(L, -1, 1);
  return 1;
}

/* Push the cell {locals} of the handle's spawn tree: it is in the record that
 * the handle shares with its siblings, unless it has one of its own. */
static void push_tree(lua_State *L, int handle) {
  bool own = l_get_private(L, handle, &record_key) == LUA_TTABLE;
  if (!own) {
    lua_pop(L, 1);
    l_push_spawner(L, handle);
    if (lua_getfield(L, -1, "of_main") != LUA_TNIL)
      push_record_of(L, handle);
    else
      lua_pop(L, 1);
  }
  lua_getfield(L, -1, "tree");
}

int l_get_spawn_tree_locals(lua_State *L) {
  l_check_handle(L, 1);
  if (!l_push_spawner(L, 1))
    return 0;
  push_tree(L, 1);
  if (lua_rawgeti(L, -1, 1) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    if (lua_rawgeti(L, -2, 1) == LUA_TTABLE) /* a finalizer was faster */
      return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 1);
  }
  return 1;
}

/* Assigning starts a tree for this greenlet and those it spawns from now on:
 * the children that it has keep the record that they share. */
int l_set_spawn_tree_locals(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  lua_settop(L, 2);
  push_new_record(L, 1);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, -2, "tree");
  l_set_private(L, 1, &record_key);
  l_trail_forget(handle->rt); /* origins with the record that it had */
  return 0;
}

/* The children of the main greenlet start trees of their own. */
void l_mark_main(lua_State *L, int handle) {
  push_record_of(L, handle);
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "of_main");
  lua_pop(L, 1);
}

int l_get_spawning_stack(lua_State *L) {
  l_check_handle(L, 1);
  l_push_trail(L, 1);
  return 1;
}
