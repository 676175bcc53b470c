/*
 * selection.c: waiting for the first of several cases.
 *
 * The cases become a selection: a userdata, which takes their place at index 1 of
 * the function that waits, with a node (core/choice.h) for each case in the list
 * of its queue. Whoever serves one of them takes all of them off.
 */
#include <errno.h>
#include <string.h>

#include "core/choice.h"
#include "lua_binding/select.h"

struct selected {
  struct choice choice;
  struct selection *selection;
  struct l_case one;
};

struct selection {
  const void *kind;         /* &selection_kind */
  struct greenlet *waiting; /* who waits with it, or NULL */
  int taken;                /* the number of the case that has happened */
  int count;
  int width;                /* user values of each case */
  struct selected cases[];
};

/* The user values of a case: its object, of queues the userdata; and if there are
 * puts at all, the item, or for a sorted queue the place (queue.lua) with it. */
enum part { OBJECT, ITEM, WIDTH };

const char WAIT_SELECT[] = "select of";

static const char selection_kind;

static struct selection *test(lua_State *L, int idx) {
  return l_test_kind(L, idx, &selection_kind);
}

static int user_value(const struct selection *selection, int number, enum part part) {
  return UV_FIELDS + 1 + (number - 1) * selection->width + (int)part;
}

/* Push a part of a case of the selection at idx. */
static void push_part(lua_State *L, int idx, const struct selection *selection, int number,
                      enum part part) {
  lua_getiuservalue(L, idx, user_value(selection, number, part));
}

size_t l_selection_size(const void *selection) {
  return (size_t)((const struct selection *)selection)->count;
}

bool l_is_selection(lua_State *L, int idx) {
  return test(L, idx) != NULL;
}

bool l_push_selected(lua_State *L, int idx, int nth) {
  const struct selection *selection = test(L, idx);
  if (nth > selection->count)
    return false;
  if (selection->cases[nth - 1].one.queue)
    push_part(L, idx, selection, nth, OBJECT);
  else
    lua_pushvalue(L, idx); /* the object's link holds the greenlet: select.lua */
  return true;
}

void l_push_selected_case(lua_State *L, int idx, int nth) {
  static const char *const names[] = {"get", "put", "wait"};
  const struct selection *selection = test(L, idx);
  struct l_case one = selection->cases[nth - 1].one;
  idx = lua_absindex(L, idx);
  lua_pushstring(L, names[one.kind]);
  if (one.queue)
    push_part(L, idx, selection, nth, OBJECT);
  else
    lua_pushnil(L);
}

/* ---- Making ---- */

static bool to_be_sorted(struct l_case one) {
  return one.kind == KIND_PUT && one.queue->order == ORDER_SORTED;
}

/* Push what keeps the item to put. */
static void push_item(lua_State *L, struct runtime *rt, struct l_case one, int number) {
  if (to_be_sorted(one)) {
    l_push_core(L, rt, "sorted_place");
    lua_pushvalue(L, l_given_index(number, GIVEN_OBJECT));
  }
  lua_pushvalue(L, l_given_index(number, GIVEN_ITEM));
  if (to_be_sorted(one))
    lua_call(L, 2, 1);
}

/* Add a case to the selection on top. */
static void add_case(lua_State *L, struct runtime *rt, struct selection *selection, int number) {
  struct l_case one = l_given_case(L, number);
  int top = lua_gettop(L);
  selection->cases[number - 1].selection = selection;
  selection->cases[number - 1].one = one;
  if (one.kind == KIND_PUT) {
    push_item(L, rt, one, number);
    lua_setiuservalue(L, top, user_value(selection, number, ITEM));
  }
  lua_pushvalue(L, l_given_index(number, GIVEN_OBJECT));
  lua_setiuservalue(L, top, user_value(selection, number, OBJECT));
  selection->count = number;
}

/* Replace the cases, and what they came to, by a selection of them. */
static struct selection *make(lua_State *L, struct runtime *rt, int count, bool puts) {
  int width = puts ? WIDTH : 1;
  size_t bytes = sizeof(struct selection) + (size_t)count * sizeof(struct selected);
  struct selection *selection = lua_newuserdatauv(L, bytes, UV_FIELDS + count * width);
  selection->kind = &selection_kind;
  selection->waiting = NULL;
  selection->count = 0;
  selection->width = width;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &selection_kind);
  lua_setmetatable(L, -2);
  for (int number = 1; number <= count; number++)
    add_case(L, rt, selection, number);
  lua_replace(L, SELECTION);
  lua_settop(L, TOP);
  return selection;
}

/* ---- The first case that happens ---- */

/* This one it is, which has been served; or its queue is shut down. */
static void wake(struct selected *selected, const struct l_turn *turn) {
  struct selection *selection = selected->selection;
  selection->taken = (int)(selected - selection->cases) + 1;
  waiter_wake(choice_take(&selected->choice), l_turn_result(turn));
}

static struct selected *selected_of(struct link *link) {
  return container_of(container_of(link, struct choice, link), struct selected, choice);
}

static lua_State *thread_of(const struct selected *selected) {
  return l_pair(selected->choice.greenlet)->at;
}

static void receive(struct link *link, void *source) {
  struct selected *selected = selected_of(link);
  struct l_turn *turn = source;
  if (turn->what == TURN_ITEM) {
    lua_xmove(turn->L, thread_of(selected), 1);
    turn->taken = true;
  }
  wake(selected, turn);
}

static void give(struct link *link, void *source) {
  struct selected *selected = selected_of(link);
  struct selection *selection = selected->selection;
  struct l_turn *turn = source;
  lua_State *at = thread_of(selected);
  if (turn->what == TURN_ITEM) {
    if (test(at, SELECTION) == selection)
      push_part(at, SELECTION, selection, (int)(selected - selection->cases) + 1, ITEM);
    else
      lua_pushnil(at); /* somebody has changed our frame, by the debug library */
    lua_xmove(at, turn->L, 1);
  }
  wake(selected, turn);
}

/* ---- Waiting ---- */

/* Do a case that can be done. As l_perform. */
static int try(lua_State *L, struct runtime *rt, const struct selection *selection) {
  int ready = 0;
  for (int number = 1; number <= selection->count; number++)
    ready += l_case_ready(L, selection->cases[number - 1].one, number);
  int left = ready > 0 ? l_choose(rt, ready) : -1;
  for (int number = 1; left >= 0; number++) {
    struct l_case one = selection->cases[number - 1].one;
    if (!l_case_ready(L, one, number) || left-- > 0)
      continue;
    push_part(L, SELECTION, selection, number, OBJECT);
    if (one.kind == KIND_PUT)
      push_part(L, SELECTION, selection, number, ITEM);
    if (to_be_sorted(one))
      lua_getfield(L, -1, "item");
    int results = l_perform(L, one, number, TOP + 1);
    if (results > 0)
      return results;
    lua_settop(L, TOP);
    return try(L, rt, selection);
  }
  return 0;
}

static int begin(struct runtime *rt, struct selection *selection, double seconds) {
  struct hub *hub = &rt->hub;
  selection->waiting = hub->current;
  for (int i = 0; i < selection->count; i++) {
    struct selected *selected = &selection->cases[i];
    struct l_queue *queue = selected->one.queue;
    if (selected->one.kind == KIND_GET)
      choice_add(hub, &selected->choice, &queue->waitable.waiters, receive);
    else if (selected->one.kind == KIND_PUT)
      choice_add(hub, &selected->choice, &queue->putters, give);
  }
  return choice_begin(hub, WAIT_SELECT, selection, seconds);
}

/* Sort the item in, for which a place is reserved. */
static void sort_in(lua_State *L, struct runtime *rt, const struct selection *selection) {
  push_part(L, SELECTION, selection, selection->taken, ITEM);
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "reserved"); /* a field that is there */
  l_push_core(L, rt, "sort_in");
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

/* After the wait. */
static int waited(lua_State *L, struct runtime *rt, struct l_time *time, int result) {
  struct selection *selection = lua_touserdata(L, SELECTION);
  bool handed = rt->hub.current->wait.result == WAITER_HANDED;
  selection->waiting = NULL;
  if (l_leave_time(L, rt, time, result) == -ETIMEDOUT) {
    lua_pushnil(L);
    return 1;
  }
  if (!handed)
    return l_raise_new(L, rt, "ShutDown");
  struct l_case taken = selection->cases[selection->taken - 1].one;
  if (to_be_sorted(taken))
    sort_in(L, rt, selection);
  return l_performed(L, taken.kind, selection->taken);
}

static int resumed(lua_State *L, int status, lua_KContext context) {
  struct runtime *rt = (struct runtime *)context;
  struct l_time time = {.seconds = -1};
  (void)status;
  return waited(L, rt, &time, l_outcome(L, rt));
}

/* Channels that somebody has linked become ready by a put that waits. */
static void tell_links(lua_State *L, const struct selection *selection) {
  for (int number = 1; number <= selection->count; number++) {
    struct l_case one = selection->cases[number - 1].one;
    if (one.kind != KIND_PUT || !one.queue->waitable.linked || !l_queue_is_channel(one.queue))
      continue;
    push_part(L, SELECTION, selection, number, OBJECT);
    l_tell_links(L, TOP + 1);
    lua_settop(L, TOP);
  }
}

int l_wait_selection(lua_State *L, struct runtime *rt, int count, bool puts,
                     struct l_time *time) {
  struct selection *selection = make(L, rt, count, puts);
  if (!lua_isnil(L, LINKS)) {
    lua_pushvalue(L, SELECTION);
    lua_setfield(L, LINKS, "selection");
  }
  l_enter(L, rt);
  l_start_time(L, rt, time);
  tell_links(L, selection);
  int results = try(L, rt, selection); /* finalizers may have run */
  if (results > 0) {
    l_leave_time(L, rt, time, 0);
    return results;
  }
  int result = begin(rt, selection, time->seconds);
  if (result == 0)
    result = time->timeout ? waiter_finish(&rt->hub, false) : l_finish(rt);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, resumed);
  return waited(L, rt, time, result);
}

/* ---- For select.lua and reports ---- */

/* core.select_ready(selection, number): what the case waits for is ready; false if
 * nobody waits with the selection any more */
static int core_select_ready(lua_State *L) {
  struct selection *selection = l_check_kind(L, 1, &selection_kind, "selection");
  struct greenlet *waiting = selection->waiting;
  bool waits = waiting && waitlist_waits(waiting) && waiting->wait.object == selection;
  if (waits) {
    choice_leave(waiting);
    selection->taken = (int)luaL_checkinteger(L, 2);
    waiter_wake(waiting, WAITER_HANDED);
  }
  lua_pushboolean(L, waits);
  return 1;
}

enum { MOST_IN_TEXT = 10 };

/* "get from <...> or put to <...>" */
static int selection_tostring(lua_State *L) {
  static const char *const kinds[] = {"get from ", "put to ", "wait for "};
  const struct selection *selection = l_check_kind(L, 1, &selection_kind, "selection");
  struct runtime *rt = l_find_runtime(L);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (int number = 1; number <= selection->count && number <= MOST_IN_TEXT; number++) {
    luaL_addstring(&text, number == 1 ? "" : " or ");
    luaL_addstring(&text, kinds[selection->cases[number - 1].one.kind]);
    l_push_core(L, rt, "safe_text");
    push_part(L, 1, selection, number, OBJECT);
    l_show(L, -1);
    lua_call(L, 1, 1);
    luaL_addvalue(&text);
  }
  if (selection->count > MOST_IN_TEXT) {
    lua_pushfstring(L, " or %d more", selection->count - MOST_IN_TEXT);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return 1;
}

void l_open_selection(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"select_ready", core_select_ready}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", selection_tostring}, {NULL, NULL}};
  luaL_newlib(L, meta);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &selection_kind);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
