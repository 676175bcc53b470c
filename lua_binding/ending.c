/*
 * ending.c: what is told about the end of a program, or about why there is none.
 */
#include "core/clock.h"
#include "core/timeout.h"
#include "lua_binding/ending.h"
#include "lua_binding/timeout.h"
#include "lua_binding/watcher.h"

static const double WHY_ALIVE_SECONDS = 1;

/* ---- What keeps the program running ---- */

/* Does what it waits for keep the loop going, or does it run itself? */
static bool keeps_alive(const struct greenlet *g) {
  if (g->state == GREENLET_READY)
    return true;
  if (timer_active(&g->timer))
    return g->timer.ref;
  const struct watcher *watcher = g->wait.object;
  return g->state == GREENLET_WAITING && g->wait.what == WAIT_WATCHER && watcher->ref;
}

static void append(lua_State *L, int list) {
  lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

static void push_greenlets(lua_State *L, struct runtime *rt) {
  const struct list *head = &rt->hub.greenlets;
  lua_newtable(L);
  if (keeps_alive(rt->hub.root)) {
    l_push_handle(L, l_root(rt));
    append(L, lua_gettop(L) - 1);
  }
  for (struct list *node = head->next; node != head; node = node->next) {
    const struct greenlet *g = container_of(node, struct greenlet, all);
    if (!keeps_alive(g))
      continue;
    l_push_handle(L, l_pair(g));
    append(L, lua_gettop(L) - 1);
  }
}

/* Active watchers are in the registry: they hold themselves. */
static void push_watchers(lua_State *L) {
  lua_newtable(L);
  int list = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, LUA_REGISTRYINDEX)) {
    const struct l_watcher *watcher = l_test_kind(L, -1, &watcher_kind_tag);
    if (watcher && lua_isinteger(L, -2) && watcher->watcher.active && watcher->watcher.ref &&
        !watcher->watcher.waiter)
      append(L, list);
    else
      lua_pop(L, 1);
  }
}

static void push_timeouts_of(lua_State *L, const struct pair *pair, int list) {
  for (const struct timeout *t = pair->g->timeouts; t; t = t->next) {
    if (!t->timer.ref)
      continue;
    lua_createtable(L, 2, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, container_of(t, struct l_timeout, timeout)->self);
    lua_rawseti(L, -2, 1);
    l_push_handle(L, l_pair(pair->g));
    lua_rawseti(L, -2, 2);
    append(L, list);
  }
}

static void push_timeouts(lua_State *L, struct runtime *rt) {
  const struct list *head = &rt->hub.greenlets;
  lua_newtable(L);
  int list = lua_gettop(L);
  push_timeouts_of(L, l_root(rt), list);
  for (struct list *node = head->next; node != head; node = node->next)
    push_timeouts_of(L, l_pair(container_of(node, struct greenlet, all)), list);
}

/* core.keepers(): lists of greenlets, watchers and {timeout, greenlet} */
static int core_keepers(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  push_greenlets(L, rt);
  push_watchers(L);
  push_timeouts(L, rt);
  return 3;
}

/* core.watcher_text(watcher): "timer", "read fd 5" */
static int core_watcher_text(lua_State *L) {
  const struct watcher *watcher = &l_check_watcher(L, 1)->watcher;
  l_push_watcher_wait(L, watcher);
  if (watcher->kind == WATCHER_TIMER && watcher->of.timer.repeat > 0)
    lua_pushfstring(L, " every %f s", watcher->of.timer.repeat);
  else
    lua_pushliteral(L, "");
  lua_concat(L, 2);
  return 1;
}

static int core_function_name(lua_State *L) {
  luaL_checkany(L, 1);
  l_push_function_name(L, 1);
  return 1;
}

/*
 * core.alike(g): a string that is the same for all greenlets that wait for the same at
 * the same line and were spawned at the same place, and for how many seconds it has
 * waited; nil for those of whom that cannot be said so simply. Of a hundred thousand
 * that do the same, only one needs to be looked at more closely.
 */
static int core_alike(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  const struct pair *pair = handle->pair;
  if (!pair || pair->g->state != GREENLET_WAITING || pair->g->wait.what == WAIT_LINKS)
    return 0;
  lua_Debug ar = {.source = NULL};
  l_find_place(pair, &ar);
  lua_getiuservalue(L, 1, UV_ORIGIN);
  const void *key[] = {pair->g->wait.what, pair->g->wait.object, ar.source, lua_topointer(L, -1),
                       (const void *)(intptr_t)ar.currentline};
  lua_pushlstring(L, (const char *)key, sizeof key);
  lua_pushnumber(L, clock_seconds() - pair->g->hub->began - (double)pair->g->wait.since);
  return 2;
}

/* core.running_place(): the line that the current greenlet is at. What it last waited
 * for, which core.describe tells too, is long to look for on a deep stack. */
static int core_running_place(lua_State *L) {
  struct pair *current = l_current(l_runtime(L));
  current->at = L;
  l_push_place(L, current);
  return 1;
}

static void call_dump(lua_State *L, struct runtime *rt, const char *function, int results) {
  l_push_core(L, rt, "dump");
  lua_getfield(L, -1, function);
  lua_remove(L, -2);
  lua_call(L, 0, results);
}

/* core.print_why_alive(): the timer's callback */
static int core_print_why_alive(lua_State *L) {
  call_dump(L, l_runtime(L), "why_alive", 0);
  return 0;
}

void l_tell_why_alive(lua_State *L, struct runtime *rt) {
  if (!rt->why_alive)
    return;
  l_push_core(L, rt, "loop");
  lua_getfield(L, -1, "timer");
  lua_insert(L, -2);
  lua_pushnumber(L, WHY_ALIVE_SECONDS);
  lua_pushnil(L);
  lua_pushboolean(L, false); /* not itself a reason */
  lua_call(L, 4, 1);
  lua_getfield(L, -1, "start");
  lua_insert(L, -2);
  l_push_core(L, rt, "print_why_alive");
  lua_call(L, 2, 0);
}

/* ---- Greenlets that are left ---- */

void l_note_garbage(lua_State *L, struct runtime *rt, int idx) {
  if (rt->leaks == LEAKS_OFF)
    return;
  lua_pushvalue(L, idx);
  l_push_core(L, rt, "dump");
  lua_getfield(L, -1, "note_garbage");
  lua_remove(L, -2);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

void l_tell_leaks(lua_State *L, struct runtime *rt) {
  if (rt->leaks == LEAKS_OFF)
    return;
  call_dump(L, rt, "leaks", 1);
  if (rt->leaks == LEAKS_ERROR && lua_tointeger(L, -1) > 0)
    rt->failures++;
  lua_pop(L, 1);
}

void l_open_ending(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"keepers", core_keepers},
                                       {"alike", core_alike},
                                       {"running_place", core_running_place},
                                       {"watcher_text", core_watcher_text},
                                       {"watcher_start_site", l_watcher_start_site},
                                       {"function_name", core_function_name},
                                       {"print_why_alive", core_print_why_alive},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
