/*
 * sorted.c: what lies in a PriorityQueue.
 *
 * A list of buckets, each a list of at most BUCKET items, all in descending
 * order: the next item to leave is the last of the last bucket. So a get compares
 * nothing, and an error in a comparison can only be that of a put, which has not
 * changed anything by then.
 *
 *     { [0] = version, {9, 7, 7}, {5, 4}, {2}, less = f }
 *
 * queue.lua looks for the place of an item, which runs the script's `less`, and
 * that may do anything. So the version tells whether the place is still right; it
 * changes whenever an item moves. nil cannot lie in a list: NIL stands for it.
 */
#include "lua_binding/queue.h"

enum { BUCKET = 64 };

static char nil_item;

static lua_Integer version_of(lua_State *L, int table) {
  lua_rawgeti(L, table, 0);
  lua_Integer version = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return version;
}

static void change_version(lua_State *L, int table) {
  lua_pushinteger(L, version_of(L, table) + 1);
  lua_rawseti(L, table, 0); /* the place is there: no memory is needed */
}

/* Push the last bucket of the table on top. */
static lua_Integer push_last_bucket(lua_State *L) {
  lua_Integer last = (lua_Integer)lua_rawlen(L, -1);
  lua_rawgeti(L, -1, last);
  return last;
}

/* Replace the bucket on top by its last item. */
static lua_Integer last_item(lua_State *L) {
  lua_Integer last = (lua_Integer)lua_rawlen(L, -1);
  lua_rawgeti(L, -1, last);
  if (lua_touserdata(L, -1) == &nil_item) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  return last;
}

void l_sorted_new(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, 0);
  lua_rawseti(L, -2, 0);
}

void l_sorted_peek(lua_State *L) {
  push_last_bucket(L);
  last_item(L);
  lua_remove(L, -2);
}

void l_sorted_take(lua_State *L) {
  int table = lua_gettop(L);
  lua_Integer bucket = push_last_bucket(L), place = last_item(L);
  lua_pushnil(L);
  if (place > 1)
    lua_rawseti(L, table + 1, place);
  else
    lua_rawseti(L, table, bucket);
  lua_remove(L, table + 1);
  change_version(L, table);
}

void l_sorted_clear(lua_State *L) {
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  change_version(L, lua_gettop(L));
}

/* Push a copy of the list at idx, whose array part has room for `room`. */
static void copy_list(lua_State *L, int idx, lua_Integer room) {
  lua_createtable(L, (int)room, 0);
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, idx); i++) {
    lua_rawgeti(L, idx, i);
    lua_rawseti(L, -2, i);
  }
}

/* Push a copy of the table at idx; false if it has changed meanwhile. */
static bool copy_table(lua_State *L, int idx) {
  lua_Integer version = version_of(L, idx), buckets = (lua_Integer)lua_rawlen(L, idx);
  l_sorted_new(L);
  for (lua_Integer i = 1; i <= buckets; i++) {
    if (lua_rawgeti(L, idx, i) != LUA_TTABLE)
      return false;
    copy_list(L, lua_gettop(L), BUCKET);
    lua_rawseti(L, -3, i);
    lua_pop(L, 1);
  }
  lua_getfield(L, idx, "less");
  lua_setfield(L, -2, "less");
  return version_of(L, idx) == version;
}

void l_sorted_copy(lua_State *L) {
  int idx = lua_gettop(L);
  while (!copy_table(L, idx))
    lua_settop(L, idx); /* finalizers took or put: again */
}

/* ---- For queue.lua ---- */

struct l_queue *l_check_sorted(lua_State *L) {
  struct l_queue *queue = l_test_queue(L, 1);
  if (!queue || queue->order != ORDER_SORTED)
    luaL_typeerror(L, 1, "PriorityQueue");
  return queue;
}

/* core.sorted_items(queue): the table */
static int core_items(lua_State *L) {
  l_check_sorted(L);
  l_items_push(L, 1);
  return 1;
}

/*
 * Make room in bucket `which` of the table at idx, which is full, or make the
 * first bucket: then the place is to be looked for again.
 */
static void add_bucket(lua_State *L, int idx, lua_Integer which, lua_Integer version) {
  lua_createtable(L, BUCKET, 0);
  if (version_of(L, idx) != version)
    return;
  int fresh = lua_gettop(L);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, idx); i > which; i--) {
    lua_rawgeti(L, idx, i);
    lua_rawseti(L, idx, i + 1); /* the first of these alone may want memory */
  }
  lua_rawgeti(L, idx, which);
  lua_pushvalue(L, fresh);
  lua_rawseti(L, idx, which + 1);
  for (lua_Integer i = BUCKET / 2 + 1; which > 0 && i <= BUCKET; i++) {
    lua_rawgeti(L, fresh + 1, i);
    lua_rawseti(L, fresh, i - BUCKET / 2);
    lua_pushnil(L);
    lua_rawseti(L, fresh + 1, i);
  }
  change_version(L, idx);
}

/* Put the value at `item` in place `at` of the bucket at idx, which has room. */
static void insert(lua_State *L, int idx, lua_Integer at, int item) {
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, idx); i >= at; i--) {
    lua_rawgeti(L, idx, i);
    lua_rawseti(L, idx, i + 1);
  }
  if (lua_isnil(L, item))
    lua_pushlightuserdata(L, &nil_item);
  else
    lua_pushvalue(L, item);
  lua_rawseti(L, idx, at);
}

/*
 * core.sorted_insert(queue, item, bucket, at, version, place): false if the items
 * have changed since the place was looked for. `place` is what queue_place was
 * given: it is used up.
 */
static int core_insert(lua_State *L) {
  struct l_queue *queue = l_check_sorted(L);
  lua_Integer bucket = luaL_checkinteger(L, 3), at = luaL_checkinteger(L, 4);
  lua_Integer version = luaL_checkinteger(L, 5);
  lua_settop(L, 6);
  if (queue->cut)
    return l_raise_new(L, queue->waitable.rt, "ShutDown");
  l_tell_links(L, 1);
  l_items_push(L, 1);
  if (version_of(L, 7) != version) {
    lua_pushboolean(L, false);
  } else if (bucket == 0 || (lua_rawgeti(L, 7, bucket), lua_rawlen(L, 8) == BUCKET)) {
    add_bucket(L, 7, bucket, version);
    lua_pushboolean(L, false);
  } else {
    insert(L, 8, at, 2);
    change_version(L, 7);
    l_queue_sorted_in(L, queue, 6);
    lua_pushboolean(L, true);
  }
  return 1;
}

void l_open_sorted(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"sorted_items", core_items},
                                       {"sorted_insert", core_insert},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pushlightuserdata(L, &nil_item);
  lua_setfield(L, -2, "NIL");
  lua_pop(L, 1);
}
