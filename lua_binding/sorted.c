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
 * To look for the place of an item runs the script's `less`, which may do anything.
 * So the version tells whether what was found is still right; it changes whenever an
 * item moves. nil cannot lie in a list: nil_item stands for it.
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

static void push_item(lua_State *L, int bucket, lua_Integer at) {
  lua_rawgeti(L, bucket, at);
  if (lua_touserdata(L, -1) == &nil_item) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Push the last item of the bucket at idx. */
static lua_Integer push_last_item(lua_State *L, int bucket) {
  lua_Integer last = (lua_Integer)lua_rawlen(L, bucket);
  push_item(L, bucket, last);
  return last;
}

void l_sorted_new(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, 0);
  lua_rawseti(L, -2, 0);
}

void l_sorted_peek(lua_State *L) {
  push_last_bucket(L);
  push_last_item(L, lua_gettop(L));
  lua_remove(L, -2);
}

void l_sorted_take(lua_State *L) {
  int table = lua_gettop(L);
  lua_Integer bucket = push_last_bucket(L), place = push_last_item(L, table + 1);
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

/* ---- Where an item belongs ---- */

/* Stack of core.sorted_insert. */
enum { QUEUE = 1, NEW_ITEM, PLACE, TABLE, LESS, TOP = LESS };

/* Lists are compared by their first elements, unless they compare by themselves. */
static bool less_by_default(lua_State *L, int a, int b) {
  if (!lua_istable(L, a) || !lua_istable(L, b) || luaL_getmetafield(L, a, "__lt") != LUA_TNIL)
    return lua_compare(L, a, b, LUA_OPLT);
  lua_geti(L, a, 1);
  lua_geti(L, b, 1);
  return lua_compare(L, -2, -1, LUA_OPLT);
}

/* Must the new item leave before the one on top? */
static bool leaves_before(lua_State *L) {
  int other = lua_gettop(L);
  if (lua_isnil(L, LESS))
    return less_by_default(L, NEW_ITEM, other);
  lua_pushvalue(L, LESS);
  lua_pushvalue(L, NEW_ITEM);
  lua_pushvalue(L, other);
  lua_call(L, 2, 1);
  return lua_toboolean(L, -1);
}

/*
 * The first of `count` places, in descending order, whose item the new one does not
 * leave before; count + 1 if there is none; 0 if items have moved. The places are
 * those of a bucket; with bucket 0 they are buckets, each standing for its last item.
 */
static lua_Integer search(lua_State *L, lua_Integer count, lua_Integer bucket,
                          lua_Integer version) {
  lua_Integer low = 1, high = count + 1;
  while (low < high) {
    lua_Integer middle = (low + high) / 2;
    lua_rawgeti(L, TABLE, bucket ? bucket : middle);
    if (bucket)
      push_item(L, TOP + 1, middle);
    else
      push_last_item(L, TOP + 1);
    bool before = leaves_before(L);
    lua_settop(L, TOP);
    if (version_of(L, TABLE) != version)
      return 0;
    if (before)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static lua_Integer length_of(lua_State *L, lua_Integer bucket) {
  lua_rawgeti(L, TABLE, bucket);
  lua_Integer length = (lua_Integer)lua_rawlen(L, -1);
  lua_pop(L, 1);
  return length;
}

/* Find the bucket where the new item belongs (0: there is none at all), and its place
 * there, before its equals, to leave after them. False if items have moved. */
static bool find(lua_State *L, lua_Integer *bucket, lua_Integer *at) {
  lua_Integer version = version_of(L, TABLE), buckets = (lua_Integer)lua_rawlen(L, TABLE);
  *bucket = buckets;
  *at = 1;
  if (buckets == 0 || length_of(L, 1) == 0)
    return true;
  *bucket = search(L, buckets, 0, version);
  if (*bucket > buckets) {
    *bucket = buckets;
    *at = length_of(L, buckets) + 1;
  } else if (*bucket > 0) {
    *at = search(L, length_of(L, *bucket), *bucket, version);
  }
  return *bucket > 0 && *at > 0;
}

/* ---- Putting it there ---- */

/* Make room after a bucket that is full, by moving half of it to a new one; after 0,
 * make the first. Then the place is to be looked for again. */
static void add_bucket(lua_State *L, lua_Integer full, lua_Integer version) {
  lua_createtable(L, BUCKET, 0);
  if (version_of(L, TABLE) != version)
    return; /* by finalizers */
  int fresh = lua_gettop(L);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, TABLE); i > full; i--) {
    lua_rawgeti(L, TABLE, i);
    lua_rawseti(L, TABLE, i + 1); /* the first of these alone may want memory */
  }
  lua_rawgeti(L, TABLE, full);
  lua_pushvalue(L, fresh);
  lua_rawseti(L, TABLE, full + 1);
  for (lua_Integer i = BUCKET / 2 + 1; full > 0 && i <= BUCKET; i++) {
    lua_rawgeti(L, fresh + 1, i);
    lua_rawseti(L, fresh, i - BUCKET / 2);
    lua_pushnil(L);
    lua_rawseti(L, fresh + 1, i);
  }
  change_version(L, TABLE);
}

static void insert(lua_State *L, lua_Integer bucket, lua_Integer at) {
  lua_rawgeti(L, TABLE, bucket);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= at; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  if (lua_isnil(L, NEW_ITEM))
    lua_pushlightuserdata(L, &nil_item);
  else
    lua_pushvalue(L, NEW_ITEM);
  lua_rawseti(L, -2, at);
  change_version(L, TABLE);
}

/* Try to put the new item where it belongs; false: again. */
static bool try_insert(lua_State *L, struct l_queue *queue) {
  lua_Integer bucket, at, version;
  l_tell_links(L, QUEUE); /* may run finalizers, as anything that makes something */
  version = version_of(L, TABLE);
  if (!find(L, &bucket, &at))
    return false;
  if (queue->cut)
    return l_raise_new(L, queue->waitable.rt, "ShutDown");
  bool room = bucket > 0 && length_of(L, bucket) < BUCKET;
  if (room)
    insert(L, bucket, at);
  else
    add_bucket(L, bucket, version);
  lua_settop(L, TOP);
  return room;
}

/* ---- For queue.lua ---- */

struct l_queue *l_check_sorted(lua_State *L) {
  l_unhide(L, 1);
  struct l_queue *queue = l_test_queue(L, 1);
  if (!queue || queue->order != ORDER_SORTED)
    luaL_typeerror(L, 1, "PriorityQueue");
  return queue;
}

/* core.sorted_by(queue, less): nil is `<` */
static int core_sorted_by(lua_State *L) {
  l_check_sorted(L);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, UV_ITEMS);
  lua_insert(L, 2);
  lua_setfield(L, 2, "less");
  return 0;
}

/* core.sorted_insert(queue, item, place): put it where it belongs; the place is
 * reserved, and used up by that */
static int core_sorted_insert(lua_State *L) {
  struct l_queue *queue = l_check_sorted(L);
  luaL_checktype(L, PLACE, LUA_TTABLE);
  lua_settop(L, PLACE);
  lua_getiuservalue(L, QUEUE, UV_ITEMS);
  lua_getfield(L, TABLE, "less");
  while (!try_insert(L, queue))
    continue;
  l_queue_sorted_in(L, queue, QUEUE, PLACE);
  return 0;
}

void l_open_sorted(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"sorted_by", core_sorted_by},
                                       {"sorted_insert", core_sorted_insert},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
