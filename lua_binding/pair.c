/*
 * pair.c: the life of a greenlet's C half and Lua thread.
 *
 * A pair is taken when a greenlet starts and goes back to a free list when it
 * is dead and told; its thread stays in `threads`, so that only the handle is
 * put in `anchors` and taken out again. The list is capped, and in each of the
 * collector's cycles three of four pairs go that were not needed since the one
 * before: an idle thread costs the collector time, too. While there are many,
 * time does the same: a program that rests does not collect.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"

const char handle_kind;

enum { POOL_LIMIT = 1 << 20, POOL_SMALL = 1 << 14, POOL_SECONDS = 1 };

/* ---- Anchors ---- */

/* Put the handle on top of store (popped) in the pair's place. No allocation:
 * the place exists since the pair was made. */
void l_anchor(struct pair *pair) {
  lua_rawseti(l_rt(pair)->store, ANCHORS, pair->anchor);
}

static void unanchor(struct pair *pair) {
  lua_pushboolean(l_rt(pair)->store, false);
  l_anchor(pair);
}

void l_push_handle(lua_State *L, struct pair *pair) {
  if (pair->demoted) {
    l_push_demoted(L, pair);
    return;
  }
  lua_State *store = l_rt(pair)->store;
  lua_rawgeti(store, ANCHORS, pair->anchor);
  if (store != L)
    lua_xmove(store, L, 1);
}

/* ---- Pairs ---- */

static void *try_new(lua_State *L, size_t bytes) {
  void *data;
  lua_Alloc allocate = lua_getallocf(L, &data);
  void *block = allocate(data, NULL, 0, bytes);
  return block ? memset(block, 0, bytes) : NULL;
}

void *l_new(lua_State *L, size_t bytes) {
  void *block = try_new(L, bytes);
  if (!block)
    luaL_error(L, "not enough memory");
  return block;
}

void *l_try_new(struct runtime *rt, size_t bytes) {
  return try_new(rt->store, bytes);
}

void l_delete(struct runtime *rt, void *block, size_t bytes) {
  void *data;
  lua_Alloc allocate = lua_getallocf(rt->store, &data);
  allocate(data, block, bytes, 0);
}

static void pair_free(struct pair *pair) {
  lua_State *store = l_rt(pair)->store;
  /* false, not nil: a place that is there can be filled without allocating. */
  lua_pushboolean(store, false);
  lua_rawseti(store, THREADS, pair->anchor);
  lua_rawgeti(store, ANCHORS, 0);
  lua_pushinteger(store, pair->anchor); /* chain of free places through 0 */
  lua_rawseti(store, ANCHORS, 0);
  lua_rawseti(store, ANCHORS, pair->anchor);
  l_delete(l_rt(pair), pair, sizeof *pair);
}

/* A place in anchors and threads: a freed one, or a new one at the end. */
static int take_place(struct runtime *rt) {
  lua_State *store = rt->store;
  if (lua_rawgeti(store, ANCHORS, 0) == LUA_TNUMBER) {
    int place = (int)lua_tointeger(store, -1);
    lua_pop(store, 1);
    lua_rawgeti(store, ANCHORS, place);
    lua_rawseti(store, ANCHORS, 0);
    return place;
  }
  lua_pop(store, 1);
  return ++rt->anchors;
}

/* (light pair): in a protected call, since it allocates. */
static int make_thread(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  struct runtime *rt = l_rt(pair);
  lua_State *store = rt->store;
  pair->L = lua_newthread(L);
  if (rt->mark_threads)
    l_mark_base(pair->L);
  lua_pushvalue(store, ANCHORS);
  lua_xmove(store, L, 1);
  lua_pushvalue(store, THREADS);
  lua_xmove(store, L, 1); /* thread, anchors, threads */
  pair->anchor = take_place(rt);
  lua_pushboolean(L, false);
  lua_rawseti(L, -3, pair->anchor);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, pair->anchor);
  return 0;
}

static struct pair *pair_new(lua_State *L, struct runtime *rt) {
  l_check_started(L, rt);
  if (stack_reserve(&rt->hub.stacks) < 0) /* without a slot at all it could never run */
    luaL_error(L, "not enough memory");
  struct pair *pair = l_new(L, sizeof *pair); /* beside its thread */
  greenlet_init(&pair->own, &rt->hub, l_run, pair);
  pair->g = &pair->own;
  lua_pushcfunction(L, make_thread);
  lua_pushlightuserdata(L, pair);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK)
    return pair;
  l_delete(rt, pair, sizeof *pair);
  lua_error(L);
  return NULL;
}

static void give_back(struct runtime *rt, struct pair *pair) {
  pair->next = rt->free;
  rt->free = pair;
  rt->free_count++;
}

struct pair *l_take_pair(lua_State *L, struct runtime *rt, struct handle *handle, int idx) {
  bool pinned = __builtin_expect(rt->pinning, 0) && l_is_pinned(L, idx);
  struct pair *pair = rt->free;
  if (pair) {
    rt->free = pair->next;
    if (--rt->free_count < rt->free_least)
      rt->free_least = rt->free_count;
    greenlet_renew(pair->g);
  } else {
    pair = pair_new(L, rt);
  }
  if (handle->pair || handle->state != HANDLE_NEW) { /* a finalizer was faster */
    give_back(rt, pair);
    luaL_error(L, "the greenlet was started meanwhile");
  }
  if (pinned && !l_pin(&pair->own, true)) {
    give_back(rt, pair);
    l_no_stack(L);
  }
  pair->at = pair->L;
  pair->handle = handle;
  pair->demoted = pair->dying = pair->ending = pair->aside = false;
  handle->pair = pair;
  pair->g->ident = handle->ident - 1;
  lua_pushvalue(L, idx);
  lua_xmove(L, rt->store, 1);
  l_anchor(pair);
  /* A hook set for the thread that starts it holds in the greenlet too. */
  if (lua_gethook(L) != lua_gethook(pair->L))
    lua_sethook(pair->L, lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L));
  return pair;
}

/* core: dead, told, nobody's parent. */
static void released(struct greenlet *g) {
  struct pair *pair = l_pair(g);
  struct runtime *rt = l_rt(pair);
  if (pair->owner)
    l_owner_gone(rt, pair);
  if (pair->handle) {
    pair->handle->pair = NULL;
    pair->handle->state = HANDLE_DEAD;
    pair->handle = NULL;
  }
  greenlet_term(g);
  l_dismiss_sentinel(pair);
  l_detach_notice(pair);
  if (rt->hub.traced) {
    l_push_handle(rt->store, pair);
    lua_rawsetp(rt->store, LUA_REGISTRYINDEX, &l_ended_key); /* a place that is there */
  }
  unanchor(pair);
  if (rt->hub.origin == g)
    rt->hub.origin = NULL;
  if (pair->demoted || pair->spoilt || rt->free_count == POOL_LIMIT) {
    pair_free(pair);
    return;
  }
  give_back(rt, pair);
}

void l_shrink_pool(struct runtime *rt) {
  for (int excess = rt->free_least - rt->free_least / 4; excess > 0; excess--) {
    struct pair *pair = rt->free;
    rt->free = pair->next;
    rt->free_count--;
    pair_free(pair);
  }
  rt->free_least = rt->free_count;
}

void l_age_pool(struct runtime *rt) {
  if (rt->free_count <= POOL_SMALL || rt->hub.now < rt->pool_ages)
    return;
  l_shrink_pool(rt);
  rt->pool_ages = rt->hub.now + POOL_SECONDS;
}

void l_mark_threads(struct runtime *rt) {
  struct list *list = &rt->hub.greenlets;
  rt->mark_threads = true;
  for (struct list *node = list->next; node != list; node = node->next) {
    struct pair *pair = l_pair(container_of(node, struct greenlet, all));
    l_mark_base(pair->L);
  }
  for (struct pair *pair = rt->free; pair; pair = pair->next)
    l_mark_base(pair->L);
}

const struct hub_host l_host = {
    .died_new = l_died_new,
    .released = released,
    .drop_error = l_drop_error,
    .exit_value = l_exit_value,
    .arrived = l_arrived,
    .revived = l_revived,
    .can_leave = l_can_leave,
    .polling = l_polling,
};

void l_pair_open(lua_State *L, struct runtime *rt) {
  /* Place 0 heads the chain of free places, and is there from the start; so are those of main
   * and the hub: an error for want of memory would empty the store. */
  lua_createtable(L, 2, 1);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, 0);
  lua_newtable(L);
  lua_xmove(L, rt->store, 2);
}
