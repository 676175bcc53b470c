/*
 * joinall.c: waiting for many greenlets at once, for waiter.lua.
 *
 * What is waited with (core/joins.h) is a userdata, which takes the place of the
 * list at index 1 of the function that waits, and keeps a copy of that. Nothing
 * else is made, however many greenlets there are.
 */
#include "lua_binding/joinall.h"

#include <limits.h>

enum { UV_LIST = UV_FIELDS + 1, UV_JOINS_COUNT = UV_LIST };

static const char joins_kind;

struct joins *l_test_joins(lua_State *L, int idx) {
  return l_test_kind(L, idx, &joins_kind);
}

bool l_push_joined(lua_State *L, int idx, size_t nth) {
  if (nth > l_test_joins(L, idx)->count)
    return false;
  lua_getiuservalue(L, idx, UV_LIST);
  lua_rawgeti(L, -1, (lua_Integer)nth);
  lua_remove(L, -2);
  return true;
}

/* ---- Which lists? ---- */

/* What core.join_many is asked for; further up, what it works with. */
enum { LIST = 1, COUNT, SECONDS, RAISES, PLAIN, ARGUMENTS = PLAIN };
enum { JOINS = ARGUMENTS + 1, COPY, META, RAWLINK, UNLINK, TOP = UNLINK };

static bool plain_list(lua_State *L, int idx) {
  if (!lua_istable(L, idx))
    return false;
  if (!lua_getmetatable(L, idx))
    return true;
  lua_pop(L, 1);
  return false;
}

static bool good_time(lua_State *L, int idx) {
  return lua_isnil(L, idx) || (lua_type(L, idx) == LUA_TNUMBER && lua_tonumber(L, idx) >= 0);
}

/* How many of the list to wait for; 0 if the arguments are not ours to judge. */
static size_t check_arguments(lua_State *L) {
  size_t length = plain_list(L, LIST) ? lua_rawlen(L, LIST) : 0;
  if (length > INT_MAX || !good_time(L, SECONDS))
    return 0;
  if (lua_isnil(L, COUNT))
    return length;
  lua_Integer count = lua_isinteger(L, COUNT) ? lua_tointeger(L, COUNT) : 0;
  return count < 0 ? 0 : (size_t)count < length ? (size_t)count : length;
}

/* Do the links of class Greenlet stand where waiter.lua looks for them? */
static bool has_links(lua_State *L, int class) {
  lua_getfield(L, class, "rawlink");
  bool has = l_callable(L, -1);
  lua_pop(L, 1);
  return has;
}

/* Is the greenlet on top of class Greenlet itself? */
static bool has_class(lua_State *L) {
  if (!lua_getmetatable(L, -1))
    return false;
  bool has = lua_rawequal(L, -1, META);
  lua_pop(L, 1);
  return has;
}

static bool has_field(lua_State *L, int fields, int name) {
  lua_pushvalue(L, name);
  bool has = lua_rawget(L, fields) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

/* Has it links that are not those of its class? */
static bool has_own_links(lua_State *L) {
  int fields = lua_gettop(L) + 1;
  bool has = lua_getiuservalue(L, -1, UV_FIELDS) == LUA_TTABLE &&
             (has_field(L, fields, RAWLINK) || has_field(L, fields, UNLINK));
  lua_pop(L, 1);
  return has;
}

/* ---- Waiting ---- */

static bool has_failed(const struct greenlet *dead) {
  return l_pair(dead)->handle->failed;
}

/* The last two: nothing has been done. */
enum added { ADDED, ENOUGH, UNFIT, UNPREPARED };

/* Copy one of the list, from the top (popped), and add it unless there are enough. */
static enum added add(lua_State *L, struct joins *joins, size_t i, bool enough, bool waits) {
  struct handle *handle = l_test_handle(L, -1);
  bool plain = lua_toboolean(L, PLAIN);
  /* Methods of a derived class may say what a failure is. */
  if (!handle || ((plain || joins->last) && !has_class(L)) || (plain && has_own_links(L)))
    return UNFIT;
  lua_rawseti(L, COPY, (lua_Integer)i + 1);
  if (enough)
    return ADDED;
  if (handle->state == HANDLE_DEAD) {
    joins_add_dead(joins, i);
    return joins->missing == 0 || (joins->last && handle->failed) ? ENOUGH : ADDED;
  }
  if (!handle->pair)
    return UNPREPARED;
  if (waits)
    joins_add(joins, i, handle->pair->g);
  return ADDED;
}

/* Copy the list and add all of it; unless one has to wait now, nothing stays linked.
 * Nothing here runs finalizers, which may do anything to any greenlet. */
static enum added add_all(lua_State *L, struct joins *joins) {
  enum added added = ADDED;
  bool waits = lua_isnil(L, SECONDS) || lua_tonumber(L, SECONDS) > 0;
  for (size_t i = 0; i < joins->count && added < UNFIT; i++) {
    lua_rawgeti(L, LIST, (lua_Integer)i + 1);
    enum added one = add(L, joins, i, added == ENOUGH, waits);
    added = one > added ? one : added;
  }
  if (added != ADDED)
    joins_drop(joins);
  lua_settop(L, TOP);
  return added;
}

/* Those that were never started have nothing to be linked to. */
static void prepare(lua_State *L, struct runtime *rt, size_t count) {
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, LIST, (lua_Integer)i);
    const struct handle *handle = l_test_handle(L, -1);
    if (handle && !handle->pair && handle->state != HANDLE_DEAD)
      l_prepare_resting(L, rt, TOP + 1);
    lua_settop(L, TOP);
  }
}

/* Replace the list by what to wait with, to which it is added. */
static enum added make(lua_State *L, struct runtime *rt, size_t missing) {
  size_t count = lua_rawlen(L, LIST);
  bool raises = lua_toboolean(L, RAISES);
  struct joins *joins = lua_newuserdatauv(L, joins_bytes(count), UV_JOINS_COUNT);
  joins->kind = &joins_kind;
  lua_createtable(L, (int)count, 0);
  l_push_core(L, rt, "Greenlet");
  bool usual = has_links(L, META);
  lua_getfield(L, META, "__meta");
  lua_replace(L, META);
  lua_pushliteral(L, "rawlink");
  lua_pushliteral(L, "unlink");
  enum added added = usual ? UNPREPARED : UNFIT;
  for (int tries = 0; added == UNPREPARED && tries < 2; tries++) {
    if (tries > 0)
      prepare(L, rt, count);
    joins_init(joins, count, missing, raises ? has_failed : NULL);
    added = add_all(L, joins);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &joins_kind);
  lua_setmetatable(L, JOINS);
  lua_settop(L, COPY);
  lua_setiuservalue(L, JOINS, UV_LIST);
  lua_replace(L, LIST);
  return added;
}

static int count_nodes(const struct list *head) {
  int count = 0;
  for (struct list *node = head->next; node != head; node = node->next)
    count++;
  return count;
}

/* Push the dead in their order; and whether one of them has failed, if that is to be
 * raised. */
static int push_dead(lua_State *L) {
  const struct joins *joins = l_test_joins(L, LIST);
  bool failed = false;
  lua_Integer count = 0;
  lua_settop(L, LIST);
  lua_createtable(L, count_nodes(&joins->ready), 0);
  lua_getiuservalue(L, LIST, UV_LIST);
  for (struct list *node = joins->ready.next; node != &joins->ready; node = node->next) {
    const struct joined *joined = container_of(node, struct joined, link.node);
    lua_rawgeti(L, LIST + 2, (lua_Integer)(joined - joins->of) + 1);
    failed = failed || (joins->last && ((struct handle *)lua_touserdata(L, -1))->failed);
    lua_rawseti(L, LIST + 1, ++count);
  }
  lua_pop(L, 1);
  lua_pushboolean(L, failed);
  return 2;
}

static int resumed(lua_State *L, int status, lua_KContext context) {
  (void)status;
  l_answer(L, (struct runtime *)context);
  return push_dead(L);
}

/*
 * core.join_many(list, count, seconds, raises, plain): wait for the deaths of `count`,
 * or all. `raises`: or until one fails. Returns the dead in their order, and with
 * `raises` whether one of them has failed. Returns nothing, without a wait, when the
 * arguments are others than a list of greenlets and numbers in range, or when Lua has
 * to look at them: with `plain`, at all that may have links of another kind.
 */
static int core_join_many(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  lua_settop(L, ARGUMENTS);
  size_t missing = check_arguments(L);
  if (missing == 0)
    return 0;
  l_enter(L, rt);
  enum added added = make(L, rt, missing);
  if (added >= UNFIT)
    return 0;
  double seconds = lua_isnil(L, SECONDS) ? -1 : lua_tonumber(L, SECONDS);
  int result = added == ENOUGH || seconds == 0
                   ? waiter_begin_turn(&rt->hub) /* as if the hub had told us */
                   : joins_begin(&rt->hub, lua_touserdata(L, LIST), seconds);
  if (result == 0)
    result = l_finish(rt);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, resumed);
  l_leave(L, rt, result);
  return push_dead(L);
}

/* ---- What is said of it ---- */

/* core.count_joins(g): how many waits for many have it among theirs */
static int core_count_joins(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  lua_Integer count = 0;
  if (handle->pair) {
    const struct list *links = &handle->pair->g->links;
    for (struct list *node = links->next; node != links; node = node->next)
      count += container_of(node, struct link, node)->notify == joins_note;
  }
  lua_pushinteger(L, count);
  return 1;
}

/* "3 objects, the first of them <...>" */
static int joins_tostring(lua_State *L) {
  l_check_kind(L, 1, &joins_kind, "joins");
  l_push_core(L, l_find_runtime(L), "waiter");
  lua_getfield(L, -1, "describe");
  lua_getiuservalue(L, 1, UV_LIST);
  lua_call(L, 1, 1);
  return 1;
}

void l_open_joinall(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"join_many", core_join_many},
                                       {"count_joins", core_count_joins},
                                       {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", joins_tostring}, {NULL, NULL}};
  luaL_newlib(L, meta);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &joins_kind);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
