/*
 * select.c: greenlet.select, which does one of several things, as soon as that can
 * be done.
 *
 * If one can be done at once nothing is made for it. Else selection.c waits. Cases
 * of kind "wait" are for any object with rawlink and unlink: select.lua links them
 * and tells which are ready.
 */
#include "lua_binding/select.h"

#include <string.h>

enum { MOST_CASES = 1 << 14 }; /* each takes two user values of a selection */

/* ---- The cases, as they are given ---- */

/* As Lua's own messages call it. */
static const char *type_name(lua_State *L, int idx) {
  return luaL_getmetafield(L, idx, "__name") == LUA_TSTRING ? lua_tostring(L, -1)
                                                            : luaL_typename(L, idx);
}

static int bad_case(lua_State *L, int number, const char *expected, const char *got) {
  return luaL_argerror(L, CASES, lua_pushfstring(L, "case %d: %s expected, got %s", number,
                                                 expected, got));
}

static enum l_kind check_kind(lua_State *L, int number, int idx) {
  static const char *const names[] = {"get", "put", "wait"};
  bool text = lua_type(L, idx) == LUA_TSTRING;
  const char *name = text ? lua_tostring(L, idx) : "";
  for (int kind = KIND_GET; kind <= KIND_WAIT; kind++)
    if (strcmp(name, names[kind]) == 0)
      return kind;
  return bad_case(L, number, "'get', 'put' or 'wait'", text ? name : type_name(L, idx));
}

/* Push what the case comes to: see select.h. */
static struct l_case check_case(lua_State *L, int number) {
  int list = l_given_index(number, GIVEN_LIST), object = list + 1;
  if (lua_rawgeti(L, CASES, number) != LUA_TTABLE)
    bad_case(L, number, "list", type_name(L, -1));
  lua_rawgeti(L, list, 1);
  lua_rawgeti(L, list, 2);
  struct l_case one = {.kind = check_kind(L, number, -1)};
  lua_pop(L, 1);
  if (one.kind != KIND_WAIT) {
    l_unhide(L, object);
    one.queue = l_test_queue(L, object);
    if (!one.queue)
      bad_case(L, number, "queue", type_name(L, object));
  }
  if (one.kind == KIND_PUT)
    lua_rawgeti(L, list, 3);
  else
    lua_pushnil(L);
  lua_pushinteger(L, one.kind);
  return one;
}

struct l_case l_given_case(lua_State *L, int number) {
  struct l_case one = {.kind = (int)lua_tointeger(L, l_given_index(number, GIVEN_KIND))};
  if (one.kind != KIND_WAIT)
    one.queue = lua_touserdata(L, l_given_index(number, GIVEN_OBJECT));
  return one;
}

static int check_cases(lua_State *L) {
  luaL_checktype(L, CASES, LUA_TTABLE);
  size_t count = lua_rawlen(L, CASES);
  luaL_argcheck(L, count > 0, CASES, "no cases");
  luaL_argcheck(L, count <= MOST_CASES, CASES, "too many cases");
  luaL_checkstack(L, (int)count * GIVEN_COUNT + LUA_MINSTACK, "too many cases");
  return (int)count;
}

/* ---- Which of them? ---- */

/* Steps of the golden section fall into step with nothing and leave none out for
 * long. */
int l_choose(struct runtime *rt, int ready) {
  rt->selections += 2654435769u;
  return (int)((uint64_t)rt->selections * (unsigned)ready >> 32);
}

/* Has select.lua been told that the object is ready? */
static bool told(lua_State *L, int number) {
  if (lua_isnil(L, LINKS))
    return false;
  lua_getfield(L, LINKS, "ready");
  lua_rawgeti(L, -1, number);
  bool ready = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return ready;
}

bool l_case_ready(lua_State *L, struct l_case one, int number) {
  switch (one.kind) {
    case KIND_GET: return l_queue_can_get(one.queue);
    case KIND_PUT: return l_queue_can_put(one.queue);
    default: return told(L, number);
  }
}

/* ---- Doing it ---- */

int l_performed(lua_State *L, enum l_kind kind, int number) {
  lua_pushinteger(L, number);
  if (kind != KIND_GET)
    return 1;
  lua_insert(L, -2);
  return 2;
}

static enum l_tried put_sorted(lua_State *L, struct l_queue *queue, int state) {
  l_push_core(L, queue->waitable.rt, "sorted_try");
  lua_insert(L, -2);
  lua_pushvalue(L, state);
  lua_insert(L, -2);
  lua_call(L, 2, 1);
  bool put = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return put ? TRIED_DONE : TRIED_WAIT;
}

int l_perform(lua_State *L, struct l_case one, int number, int state) {
  enum l_tried tried = TRIED_DONE;
  if (one.kind == KIND_GET)
    tried = l_queue_get(L, one.queue, state);
  else if (one.kind == KIND_PUT && one.queue->order == ORDER_SORTED)
    tried = put_sorted(L, one.queue, state);
  else if (one.kind == KIND_PUT)
    tried = l_queue_put(L, one.queue, state);
  if (tried == TRIED_SHUT)
    return l_raise_new(L, one.queue->waitable.rt, "ShutDown");
  return tried == TRIED_DONE ? l_performed(L, one.kind, number) : 0;
}

/* Of the ready cases, how many there are, do one. As l_perform. */
static int perform_one(lua_State *L, struct runtime *rt, int ready) {
  int left = l_choose(rt, ready), number = 0;
  struct l_case one;
  do
    one = l_given_case(L, ++number);
  while (!l_case_ready(L, one, number) || left-- > 0);
  if (one.kind == KIND_PUT)
    lua_pushvalue(L, l_given_index(number, GIVEN_ITEM));
  return l_perform(L, one, number, l_given_index(number, GIVEN_OBJECT));
}

/* With the cases, the timeout, and the links if there are any. As l_perform, and
 * -1: there are objects, which have yet to be linked. */
static int select_now(lua_State *L, struct runtime *rt) {
  int count = check_cases(L), ready = 0;
  bool kinds[] = {false, false, false};
  struct l_time time = l_check_time(L, TIMEOUT);
  l_check_started(L, rt);
  for (int number = 1; number <= count; number++) {
    struct l_case one = check_case(L, number);
    kinds[one.kind] = true;
    ready += l_case_ready(L, one, number);
  }
  if (kinds[KIND_WAIT] && lua_isnil(L, LINKS))
    return -1;
  int results = ready > 0 ? perform_one(L, rt, ready) : 0;
  if (results > 0)
    return results;
  if (time.seconds != 0)
    return l_wait_selection(L, rt, count, kinds[KIND_PUT], &time);
  lua_pushnil(L);
  return 1;
}

static int linked(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  return lua_gettop(L) - TOP;
}

/***
 * Wait until one of several things can be done, and do it.
 * Exactly one of them happens; the others leave no trace. If several can be done one of them is
 * chosen, all with the same frequency, none left out for long. The case of a queue that is shut
 * down (for a get: and empty) can be done: it raises ShutDown.
 * @function greenlet.select
 * @within select
 * @tparam table cases list of `{q, "get"}`, `{q, "put", item}` and `{object, "wait"}`
 * @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
 * @treturn integer the number of the case that happened; nil when the timeout expires first
 * @treturn any the item, after a get
 * @raise ShutDown; bad argument with the number of the case for an error in the cases, or a list
 *   without any: nothing happens then
 * @switches yes, if nothing can be done at once
 * @usage local which, item = greenlet.select({{orders, "get"}, {closing, "wait"}}, 60)
 * @source select of Go
 */
static int l_select(lua_State *L) {
  lua_settop(L, TIMEOUT);
  lua_settop(L, TOP);
  int results = select_now(L, l_runtime(L));
  if (results >= 0)
    return results;
  lua_settop(L, TOP);
  l_push_core(L, l_runtime(L), "select_linked");
  lua_pushvalue(L, CASES);
  lua_pushvalue(L, TIMEOUT);
  lua_callk(L, 2, LUA_MULTRET, 0, linked);
  return linked(L, LUA_OK, 0);
}

/* ---- For select.lua ---- */

/* core.select_now(cases, timeout, links) */
static int core_select_now(lua_State *L) {
  lua_settop(L, TOP);
  return select_now(L, l_runtime(L));
}

/* core.select_object(cases, number): what a case of kind "wait" waits for; nil for
 * others */
static int core_select_object(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_rawgeti(L, 1, luaL_checkinteger(L, 2)) != LUA_TTABLE)
    return 0; /* they have changed since they were checked, and will be again */
  lua_rawgeti(L, -1, 2);
  lua_pushliteral(L, "wait");
  if (!lua_rawequal(L, -1, -2))
    return 0;
  lua_rawgeti(L, -3, 1);
  return 1;
}

void l_open_select(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"select", l_select},
                                       {"select_now", core_select_now},
                                       {"select_object", core_select_object},
                                       {NULL, NULL}};
  l_open_waitable(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
  l_open_selection(L, rt);
}
