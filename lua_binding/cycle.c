#include "lua_binding/cycle.h"

#include "core/joins.h"

/* ---- Following ---- */

static bool has_limit(const struct greenlet *g) {
  return timer_active(&g->timer) || g->timeouts || g->errors;
}

/* Who alone can end its wait; NULL if it does not wait, or that is not certain. */
static struct pair *next_of(const struct pair *pair) {
  const struct greenlet *g = pair->g;
  if (g->state != GREENLET_WAITING || has_limit(g))
    return NULL;
  if (g->wait.what == WAIT_JOIN)
    return l_pair(g->wait.object);
  return g->wait.what == WAIT_ACQUIRE ? l_sure_owner(g->wait.object, pair) : NULL;
}

/* Does the one wait for the deaths of many, that of the other among them, and cannot
 * do without it? */
static bool joins_with_others(const struct pair *pair, const struct greenlet *other) {
  const struct greenlet *g = pair->g;
  if (g->state != GREENLET_WAITING || has_limit(g) || g->wait.what != WAIT_DEATHS)
    return false;
  const struct joins *joins = g->wait.object;
  if (joins->last || joins->missing < joins->linked)
    return false;
  const struct list *links = &other->links;
  for (const struct list *node = links->next; node != links; node = node->next) {
    const struct link *link = container_of(node, struct link, node);
    if (link->notify == joins_note && container_of(link, struct joined, link)->joins == joins)
      return true;
  }
  return false;
}

/* Whom one waits for who is followed from the greenlet `start` on. */
static struct pair *follow(const struct pair *pair, struct pair *start) {
  struct pair *next = next_of(pair);
  return !next && joins_with_others(pair, start->g) ? start : next;
}

/* Does the way from `pair` lead to `start`? It may also lead into a circle that was
 * there before; then the one behind, who goes half as fast, is met. */
static bool leads_to(struct pair *pair, struct pair *start) {
  struct pair *behind = pair;
  for (unsigned steps = 1; pair; steps++) {
    if (pair == start)
      return true;
    pair = follow(pair, start);
    if (steps % 2 == 0)
      behind = follow(behind, start);
    if (pair == behind)
      return false;
  }
  return false;
}

/* Push the list of the greenlets from `start` on, along the way from `pair`. */
static void push_way(lua_State *L, struct pair *start, struct pair *pair) {
  lua_Integer count = 1;
  lua_newtable(L);
  l_push_handle(L, start);
  lua_rawseti(L, -2, count);
  for (; pair != start; pair = follow(pair, start)) {
    l_push_handle(L, pair);
    lua_rawseti(L, -2, ++count);
  }
}

/* ---- The warning ---- */

/* In the hub: those who came by are told of, if it is as it was. */
static void tell(struct callback *callback) {
  struct runtime *rt = container_of(callback, struct runtime, cycles);
  lua_State *L = rt->hub_L;
  lua_pushnil(L);
  l_push_core(L, rt, "cycle");
  lua_getfield(L, -1, "tell");
  lua_remove(L, -2);
  l_call_in_hub(rt, 0);
}

static void schedule(struct runtime *rt) {
  if (list_empty(&rt->cycles.node))
    hub_call(&rt->hub, &rt->cycles);
}

COLD static void closed(lua_State *L, struct runtime *rt, struct pair *current,
                        struct pair *holder) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, NULL);
  l_push_core(L, rt, "cycle");
  lua_getfield(L, -1, rt->deadlock == DEADLOCK_ERROR ? "refuse" : "note");
  push_way(L, current, holder);
  lua_call(L, 1, 0);
  lua_settop(L, top);
  l_enter(L, rt);
  if (rt->deadlock == DEADLOCK_WARN)
    schedule(rt);
}

void l_follow_cycle(lua_State *L, struct runtime *rt, const char *what, const void *object,
                    struct pair *holder) {
  struct pair *current = l_current(rt);
  if (rt->deadlock == DEADLOCK_OFF || current->g->timeouts || current->g == &rt->hub.self)
    return;
  /* It reads like one that waits already. */
  current->g->wait = (struct wait){what, object, NULL, hub_time(&rt->hub), 0};
  if (leads_to(holder, current))
    closed(L, rt, current, holder);
}

/* ---- For cycle.lua ---- */

/* core.cycle_of(g): the list of those who wait in a circle, from g on; or nil */
static int core_cycle_of(lua_State *L) {
  struct pair *pair = l_check_handle(L, 1)->pair, *next = pair ? next_of(pair) : NULL;
  if (!next || !leads_to(next, pair))
    return 0;
  push_way(L, pair, next);
  return 1;
}

/* core.tell_cycles_later() */
static int core_tell_later(lua_State *L) {
  schedule(l_runtime(L));
  return 0;
}

/* core.others_run(): is there more than what is ready now? true; false: not even that;
 * nil: only that */
static int core_others_run(lua_State *L) {
  const struct hub *hub = &l_runtime(L)->hub;
  if (hub->refs > 0 || hub->timers.refs > 0 || hub->root->wait.what == WAIT_HUB)
    lua_pushboolean(L, true);
  else if (list_empty(&hub->ready))
    lua_pushboolean(L, false);
  else
    lua_pushnil(L);
  return 1;
}

void l_open_cycle(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"cycle_of", core_cycle_of},
                                       {"tell_cycles_later", core_tell_later},
                                       {"others_run", core_others_run},
                                       {NULL, NULL}};
  callback_init(&rt->cycles, tell);
  rt->deadlock = DEADLOCK_WARN;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
