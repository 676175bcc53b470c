/*
 * garbage.c: greenlets that nothing can wake and nobody can reach.
 *
 * A pair in use is anchored, so that it lives though nobody holds its handle.
 * Not all deserve it: one that waits for another's death or for an object, or
 * has switched away, can only run again when somebody who holds it acts. Such a
 * one is demoted: taken out of the anchors and held by its handle, which is held
 * by what it waits for. Then the collector decides.
 *
 *     object waited for --> handle --> L --> what the greenlet's stack holds
 *                             ^  `--> sentinel (has __gc)
 *                             `---------'
 *
 * Demotion costs a few allocations, so it is not done when a greenlet parks but
 * once in a collector's cycle, for those that are parked then: short waits pay
 * nothing. When a demoted greenlet becomes ready core says so (revived), and
 * it is anchored again. When the collector finds it, the sentinel's __gc
 * anchors it again and makes it ready with a GreenletExit, to be raised in the
 * loop, so that its to-be-closed variables close.
 */
#include <stdlib.h>

#include "lua_binding/allocator.h"
#include "lua_binding/ending.h"
#include "lua_binding/joinall.h"
#include "lua_binding/pair.h"
#include "lua_binding/queue.h"
#include "lua_binding/runtime.h"
#include "lua_binding/tracer.h"

struct sentinel {
  struct pair *pair; /* NULL once that is gone */
};

/* Private fields of handles, and a key of the registry. */
static char sentinel_key, waiters_key, weak_key;
enum { WORTH_TRIMMING = 32 * 1024 }; /* kilobytes of Lua heap */

/* The handle is the one key of a table with weak keys in its place in anchors.
 * Not a weak value: those Lua clears before it calls finalizers, and in between
 * others may still wake the greenlet or kill it. Keys stay until the end. */
void l_push_demoted(lua_State *L, struct pair *pair) {
  lua_State *store = l_rt(pair)->store;
  lua_rawgeti(store, ANCHORS, pair->anchor);
  if (store != L)
    lua_xmove(store, L, 1);
  lua_pushnil(L);
  if (!lua_istable(L, -2) || !lua_next(L, -2))
    lua_pushnil(L);
  else
    lua_pop(L, 1);
  lua_remove(L, -2);
}

static bool waits_as(const struct greenlet *g, const char *what) {
  return g->state == GREENLET_WAITING && g->wait.what == what;
}

/* Does it wait for what can hold it: greenlets, or an object with a list of
 * those who wait? */
static bool has_target(const struct greenlet *g) {
  return waitlist_waits(g) || waits_as(g, WAIT_JOIN) || waits_as(g, WAIT_DEATHS);
}

/* Can only somebody who holds it make it run? */
static bool rests(const struct pair *pair) {
  const struct greenlet *g = pair->g;
  if (pair->dying || timer_active(&g->timer) || g->timeouts)
    return false;
  if (g->state == GREENLET_NEW || g->state == GREENLET_SUSPENDED)
    return true;
  return has_target(g) || waits_as(g, WAIT_LINKS);
}

static bool demotable(const struct pair *pair) {
  return !pair->demoted && rests(pair);
}

/* Push a sentinel for the handle, which guards nothing yet. */
static void push_sentinel(lua_State *L, int handle) {
  struct sentinel *sentinel = lua_newuserdatauv(L, sizeof *sentinel, 1);
  sentinel->pair = NULL;
  lua_pushvalue(L, handle);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, "greenlet.sentinel");
  lua_pushvalue(L, -1);
  l_set_private(L, handle, &sentinel_key);
}

/* From now on the sentinel at idx guards the pair. Its key is in the handle's
 * fields already, so this needs no memory. */
static void set_sentinel(lua_State *L, struct pair *pair, int handle, int idx) {
  struct sentinel *sentinel = lua_touserdata(L, idx);
  lua_pushvalue(L, idx);
  l_set_private(L, handle, &sentinel_key);
  sentinel->pair = pair;
  pair->sentinel = sentinel;
}

/* Push that, while it waits or when it has just been woken. */
static void push_target(lua_State *L, struct pair *pair) {
  if (pair->g->wait.what == WAIT_JOIN)
    l_push_handle(L, l_pair(pair->g->wait.object));
  else
    l_push_waited(L, pair);
}

/* Push the userdata of the nth of the objects, often the only one, that the
 * target at idx stands for. False if there are not so many. */
static bool push_holder(lua_State *L, int idx, int nth) {
  if (l_is_selection(L, idx))
    return l_push_selected(L, idx, nth);
  if (l_test_joins(L, idx))
    return l_push_joined(L, idx, (size_t)nth);
  if (nth > 1 || lua_isnil(L, idx))
    return false;
  lua_pushvalue(L, idx);
  return true;
}

/* Have the object on top hold the handle of the waiter. */
static void hold(lua_State *L, struct pair *pair, int handle) {
  l_push_private_table(L, -1, &waiters_key);
  lua_pushvalue(L, handle);
  lua_rawsetp(L, -2, pair); /* one entry a waiter, however often it waits */
  lua_pop(L, 1);
}

/* Of those whose deaths are waited for, the dead have nothing to tell any more. */
static bool has_told(lua_State *L, int target, int holder) {
  return l_test_joins(L, target) &&
         ((const struct handle *)lua_touserdata(L, holder))->state == HANDLE_DEAD;
}

static void hold_by_target(lua_State *L, struct pair *pair, int handle) {
  int target = lua_gettop(L);
  for (int nth = 1; push_holder(L, target, nth); nth++) {
    if (!has_told(L, target, -1))
      hold(L, pair, handle);
    lua_settop(L, target);
  }
  lua_settop(L, target);
}

/* Undo that. Needs no memory. */
static void let_go(lua_State *L, const struct pair *pair) {
  int target = lua_gettop(L);
  for (int nth = 1; push_holder(L, target, nth); nth++) {
    if (l_get_private(L, -1, &waiters_key) == LUA_TTABLE) {
      lua_pushnil(L);
      lua_rawsetp(L, -2, pair);
    }
    lua_settop(L, target);
  }
  lua_settop(L, target);
}

/* Is the pair, after a finalizer may have run, still the handle's, and held? */
static bool still_held(lua_State *L, const struct pair *pair, int handle) {
  return ((struct handle *)lua_touserdata(L, handle))->pair == pair && !pair->demoted;
}

/*
 * Take a parked pair out of the anchors. What allocates comes first: it may
 * raise, and it may run finalizers, which may do anything to the greenlet.
 */
void l_demote(lua_State *L, struct pair *pair) {
  lua_State *store = l_rt(pair)->store;
  luaL_checkstack(L, 12, NULL);
  l_push_handle(L, pair);
  int handle = lua_gettop(L);
  push_sentinel(L, handle);
  bool held = still_held(L, pair, handle) && has_target(pair->g);
  if (held)
    push_target(L, pair);
  else
    lua_pushnil(L);
  hold_by_target(L, pair, handle);
  lua_createtable(L, 0, 1);
  luaL_setmetatable(L, "greenlet.weakkey");
  lua_pushvalue(L, handle);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  if (still_held(L, pair, handle) && demotable(pair)) {
    l_dismiss_sentinel(pair);
    set_sentinel(L, pair, handle, handle + 1);
    lua_xmove(L, store, 1); /* the cell */
    lua_rawgeti(store, THREADS, pair->anchor);
    lua_xmove(store, L, 1);
    lua_setiuservalue(L, handle, UV_RESULT);
    lua_pushboolean(store, false);
    lua_rawseti(store, THREADS, pair->anchor);
    lua_rawseti(store, ANCHORS, pair->anchor);
    pair->demoted = pair->g->weak = true;
    pair->held = held;
  } else {
    lua_settop(L, handle + 2);
    let_go(L, pair);
  }
  lua_settop(L, handle - 1);
}

/* Anchor it again by its handle on top of store (popped). Needs no memory: the
 * places in the two tables are there. */
static void promote(struct pair *pair) {
  lua_State *store = l_rt(pair)->store;
  lua_getiuservalue(store, -1, UV_RESULT);
  lua_rawseti(store, THREADS, pair->anchor);
  lua_pushnil(store);
  lua_setiuservalue(store, -2, UV_RESULT);
  l_anchor(pair);
  if (pair->held) {
    push_target(store, pair);
    let_go(store, pair);
    lua_pop(store, 1);
  }
  pair->demoted = pair->g->weak = pair->held = false;
}

void l_revived(struct greenlet *g) {
  struct pair *pair = l_pair(g);
  l_push_demoted(l_rt(pair)->store, pair);
  if (lua_isuserdata(l_rt(pair)->store, -1))
    promote(pair);
  else
    lua_pop(l_rt(pair)->store, 1);
}

/* The pair's end: the sentinel has nothing to guard. */
void l_dismiss_sentinel(struct pair *pair) {
  if (pair->sentinel)
    pair->sentinel->pair = NULL;
  pair->sentinel = NULL;
}

/* Kill a greenlet that nobody waits for: what it leaves is not for whoever
 * happens to be its parent. */
void l_end_orphan(struct pair *pair) {
  pair->ending = true;
  greenlet_set_parent(pair->g, &l_rt(pair)->hub.self);
  greenlet_kill(pair->g, greenlet_exit);
}

/* Does core refer to a greenlet that never started: one that joins it, a child? */
static bool referred(const struct pair *pair) {
  const struct list *links = &pair->g->links;
  const struct list *notice = pair->notice ? &pair->notice->link.node : NULL;
  bool joined = !list_empty(links) && (links->next != notice || links->prev != notice);
  return joined || pair->g->holders > 0;
}

/* __gc of a sentinel: if its pair is demoted, nobody can reach that. */
static int found(lua_State *L) {
  struct sentinel *sentinel = lua_touserdata(L, 1);
  struct pair *pair = sentinel->pair;
  if (!pair || l_rt(pair)->closing)
    return 0;
  sentinel->pair = NULL;
  pair->sentinel = NULL;
  if (!pair->demoted) {
    /* Anchored again while the collector was about to find it. */
    return 0;
  }
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  if (pair->g->state == GREENLET_NEW && referred(pair)) {
    push_sentinel(L, 2);
    set_sentinel(L, pair, 2, 3); /* later: those are garbage themselves, and first */
    return 0;
  }
  if (pair->g->begun)
    l_note_garbage(L, l_rt(pair), 2);
  lua_xmove(L, l_rt(pair)->store, 1);
  promote(pair);
  pair->dying = true;
  if (pair->g->state != GREENLET_DEAD)
    l_end_orphan(pair);
  return 0;
}

/*
 * Does it wait for many deaths, some of them of greenlets that can run and so are
 * anchored? They would hold it, and each that dies would have it anchored again:
 * nothing would be gained.
 */
static bool held_by_others(lua_State *L, struct pair *pair) {
  if (!waits_as(pair->g, WAIT_DEATHS))
    return false;
  int top = lua_gettop(L);
  luaL_checkstack(L, 5, NULL);
  l_push_waited(L, pair);
  const struct joins *joins = l_test_joins(L, top + 1);
  bool held = joins && joins_ending(joins);
  for (size_t nth = 1; joins && !held && l_push_joined(L, top + 1, nth); nth++) {
    const struct handle *handle = lua_touserdata(L, -1);
    held = handle->state != HANDLE_DEAD && !handle->pair->demoted && !rests(handle->pair);
    lua_settop(L, top + 1);
  }
  lua_settop(L, top);
  return held;
}

/* (light runtime): make the userdata whose finalizer is cycle(), held weakly. */
static int watch_cycle(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &weak_key);
  *(struct runtime **)lua_newuserdatauv(L, sizeof rt, 0) = rt;
  luaL_setmetatable(L, "greenlet.cycle");
  lua_rawsetp(L, -2, &weak_key);
  return 0;
}

/* __gc, once in a cycle of the collector. */
static int cycle(lua_State *L) {
  struct runtime *rt = *(struct runtime **)lua_touserdata(L, 1);
  if (rt->closing)
    return 0;
  lua_pushcfunction(L, watch_cycle);
  lua_pushlightuserdata(L, rt);
  lua_call(L, 1, 0);
  l_shrink_pool(rt);
  struct list *head = &rt->hub.greenlets;
  for (struct list *node = head->next; node != head; node = node->next) {
    struct pair *pair = l_pair(container_of(node, struct greenlet, all));
    if (demotable(pair) && !held_by_others(L, pair))
      l_demote(L, pair);
  }
  return 0;
}

/* The userdata that cycle() is the finalizer of may be lost: Lua calls no
 * finalizer in the last of 200 nested C calls. So it is made anew here. */
static void watch_collector(struct runtime *rt) {
  lua_State *aux = rt->aux;
  lua_rawgetp(aux, LUA_REGISTRYINDEX, &weak_key);
  bool watched = lua_rawgetp(aux, -1, &weak_key) == LUA_TUSERDATA;
  lua_pop(aux, 2);
  if (watched || rt->closing)
    return;
  lua_pushcfunction(aux, watch_cycle);
  lua_pushlightuserdata(aux, rt);
  if (lua_pcall(aux, 1, 0, 0) != LUA_OK)
    lua_pop(aux, 1); /* next time */
}

/*
 * When the Lua heap has shrunk to half of what it was, hand the rest back: what
 * a hundred thousand dead greenlets leave lies in the middle of malloc's heap,
 * where free() gives nothing back by itself.
 */
static void give_back(struct runtime *rt) {
  int now = lua_gc(rt->aux, LUA_GCCOUNT);
  if (now > rt->peak_kilobytes)
    rt->peak_kilobytes = now;
  if (rt->peak_kilobytes < WORTH_TRIMMING || now > rt->peak_kilobytes / 2)
    return;
  rt->peak_kilobytes = now;
  l_trim_memory(rt->aux);
}

void l_polling(struct hub *hub) {
  struct runtime *rt = hub->data;
  rt->L = rt->hub_L; /* whoever ran last may be dead */
  watch_collector(rt);
  l_age_pool(rt);
  give_back(rt);
  if (__builtin_expect(rt->watched && !l_trail_is_ready(rt), 0))
    l_watch_places(rt);
}

static void make_metatable(lua_State *L, const char *name, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void l_open_garbage(lua_State *L, struct runtime *rt) {
  make_metatable(L, "greenlet.sentinel", found);
  luaL_newmetatable(L, "greenlet.weakkey");
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_pop(L, 1);
  make_metatable(L, "greenlet.cycle", cycle);
  lua_newtable(L);
  luaL_setmetatable(L, "greenlet.weak");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &weak_key);
  watch_collector(rt);
}
