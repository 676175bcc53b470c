/*
 * pair.c: the life of a greenlet's C half and Lua thread.
 *
 * A pair is taken when a greenlet starts and goes back to a free list when it
 * is dead and told; its thread stays in `threads`, so that only the handle is
 * put in `anchors` and taken out again. The list is capped: each thread costs
 * the collector time in every cycle.
 *
 * run() below stands on the greenlet's own C stack, outside any protected
 * call: what it calls must not raise. Where memory is needed, the work is done
 * by a C function under lua_pcall.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lua_binding/runtime.h"

const char handle_kind;

enum { POOL_LIMIT = 1024 };
enum { ANCHORS = 1, THREADS = 2 }; /* stack of rt->store */

/* ---- Anchors ---- */

/* Put the handle on top of store (popped) in the pair's place. No allocation:
 * the place exists since the pair was made. */
void l_anchor(struct pair *pair) {
  lua_rawseti(pair->rt->store, ANCHORS, pair->anchor);
}

static void unanchor(struct pair *pair) {
  lua_pushboolean(pair->rt->store, false);
  l_anchor(pair);
}

void l_push_handle(lua_State *L, struct pair *pair) {
  if (pair->demoted) {
    l_push_demoted(L, pair);
    return;
  }
  lua_State *store = pair->rt->store;
  lua_rawgeti(store, ANCHORS, pair->anchor);
  if (store != L)
    lua_xmove(store, L, 1);
}

/* ---- Pairs ---- */

static void *run(struct greenlet *g, void *arg);

static void pair_free(struct pair *pair) {
  lua_State *store = pair->rt->store;
  /* false, not nil: a place that is there can be filled without allocating. */
  lua_pushboolean(store, false);
  lua_rawseti(store, THREADS, pair->anchor);
  lua_rawgeti(store, ANCHORS, 0);
  lua_pushinteger(store, pair->anchor); /* chain of free places through 0 */
  lua_rawseti(store, ANCHORS, 0);
  lua_rawseti(store, ANCHORS, pair->anchor);
  free(pair);
}

/* A place in anchors and threads: a freed one, or a new one at the end. */
static int take_place(lua_State *L, struct runtime *rt) {
  lua_State *store = rt->store;
  (void)L;
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

/* In a protected call (light pair) -> nothing. */
static int make_thread(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  struct runtime *rt = pair->rt;
  lua_State *store = rt->store;
  pair->L = lua_newthread(L);
  if (rt->mark_threads)
    l_mark_base(pair->L);
  lua_pushvalue(store, ANCHORS);
  lua_xmove(store, L, 1);
  lua_pushvalue(store, THREADS);
  lua_xmove(store, L, 1); /* thread, anchors, threads */
  pair->anchor = take_place(L, rt);
  lua_pushboolean(L, false);
  lua_rawseti(L, -3, pair->anchor);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, pair->anchor);
  return 0;
}

static struct pair *pair_new(lua_State *L, struct runtime *rt) {
  struct pair *pair = calloc(1, sizeof *pair);
  if (!pair)
    luaL_error(L, "not enough memory");
  pair->rt = rt;
  lua_pushcfunction(L, make_thread);
  lua_pushlightuserdata(L, pair);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    free(pair);
    lua_error(L);
  }
  return pair;
}

struct pair *l_take_pair(lua_State *L, struct runtime *rt, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  struct pair *pair = rt->free;
  if (pair) {
    rt->free = pair->next;
    rt->free_count--;
  } else {
    pair = pair_new(L, rt);
  }
  greenlet_init(&pair->own, &rt->hub, run, pair);
  pair->g = &pair->own;
  pair->at = pair->L;
  pair->handle = handle;
  pair->demoted = pair->dying = pair->aside = false;
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
  struct runtime *rt = pair->rt;
  if (pair->handle) {
    pair->handle->pair = NULL;
    pair->handle->state = HANDLE_DEAD;
    pair->handle = NULL;
  }
  greenlet_term(g);
  l_dismiss_sentinel(pair);
  if (rt->hub.traced) {
    l_push_handle(rt->store, pair);
    lua_rawsetp(rt->store, LUA_REGISTRYINDEX, &l_ended_key); /* a place that is there */
  }
  unanchor(pair);
  if (pair->demoted || pair->spoilt || rt->free_count == POOL_LIMIT) {
    pair_free(pair);
    return;
  }
  pair->next = rt->free;
  rt->free = pair;
  rt->free_count++;
}

void l_abandon_new(struct pair *pair) {
  pair->handle->pair = NULL;
  pair->handle = NULL;
  greenlet_term(pair->g);
  unanchor(pair);
  pair_free(pair);
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

/* ---- How it ended ---- */

static void set_result(lua_State *L, struct handle *handle, int idx) {
  handle->has_value = true;
  lua_setiuservalue(L, idx, UV_RESULT);
}

/* (handle, values ...): keep what the function returned. */
static int keep_values(lua_State *L) {
  struct handle *handle = lua_touserdata(L, 1);
  int count = lua_gettop(L) - 1;
  lua_createtable(L, count, 1);
  lua_insert(L, 2);
  for (int i = count; i > 0; i--)
    lua_rawseti(L, 2, i);
  lua_pushinteger(L, count);
  lua_setfield(L, 2, "n");
  handle->packed = true;
  set_result(L, handle, 1);
  return 0;
}

static char traceback_key;

/* Record the error on top (popped) as what the handle at idx died of. */
static void keep_error(lua_State *L, struct runtime *rt, int idx) {
  idx = lua_absindex(L, idx);
  struct handle *handle = lua_touserdata(L, idx);
  l_instantiate(L, rt);
  handle->packed = false;
  handle->exited = l_is_exit(L, -1);
  handle->failed = !handle->exited;
  set_result(L, handle, idx);
}

/* Put the handle at idx on the list of failures that the hub will print. */
void l_schedule_report(lua_State *L, struct runtime *rt, int idx) {
  idx = lua_absindex(L, idx);
  l_push_core(L, rt, "reports");
  lua_pushvalue(L, idx);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
  if (!callback_pending(&rt->report))
    hub_call(&rt->hub, &rt->report);
}

static void count_failure(struct runtime *rt, struct handle *handle) {
  if (handle->taken)
    return;
  handle->counted = true;
  rt->failures++;
}

void l_take(struct handle *handle) {
  handle->taken = true;
  if (handle->counted)
    handle->rt->failures--;
  handle->counted = false;
}

/* (light runtime, handle, error, traceback or nil) */
static int keep_failure(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  struct handle *handle = lua_touserdata(L, 2);
  lua_pushvalue(L, 3);
  keep_error(L, rt, 2);
  if (!handle->failed)
    return 0;
  count_failure(rt, handle);
  lua_pushvalue(L, 4);
  l_set_private(L, 2, &traceback_key);
  l_schedule_report(L, rt, 2);
  return 0;
}

void l_record_new_death(lua_State *L, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  struct runtime *rt = handle->rt;
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, keep_failure);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, idx);
  lua_rotate(L, -4, 3); /* the error last */
  lua_pushliteral(L, "stack traceback:\n\t(never ran)");
  handle->taken = true; /* somebody killed it with that */
  lua_call(L, 4, 0);
}

int l_push_death_traceback(lua_State *L, int idx) {
  return l_get_private(L, idx, &traceback_key);
}

/* core: a greenlet that never ran dies of `error`. */
static int record_died_new(lua_State *L) {
  struct greenlet *g = lua_touserdata(L, 1);
  void *error = lua_touserdata(L, 2);
  struct pair *pair = l_pair(g);
  l_push_handle(L, pair);
  if (!error) /* it goes to the parent of a raw greenlet */
    return 0;
  l_unbox(L, pair->rt, error);
  l_record_new_death(L, 3);
  return 0;
}

static void died_new(struct greenlet *g, void *error) {
  struct pair *pair = l_pair(g);
  lua_State *aux = pair->rt->aux;
  lua_settop(pair->L, 0);
  pair->handle->state = HANDLE_DEAD;
  pair->handle->exited = true; /* should the record fail for want of memory */
  if (!lua_checkstack(aux, 4))
    return;
  lua_pushcfunction(aux, record_died_new);
  lua_pushlightuserdata(aux, g);
  lua_pushlightuserdata(aux, error);
  if (lua_pcall(aux, 2, 0, 0) != LUA_OK)
    lua_pop(aux, 1);
}

/* ---- Running ---- */

/* C code yielded at the bottom of a greenlet, where there is no coroutine.
 * Resume it into a hook that raises what lua_yield would have. */
static void raise_yield(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "attempt to yield from outside a coroutine");
}

static int refuse_yield(lua_State *L, int *results) {
  lua_Hook hook = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_pop(L, *results);
  lua_sethook(L, raise_yield, LUA_MASKCOUNT | LUA_MASKRET | LUA_MASKLINE, 1);
  int status = lua_resume(L, NULL, 0, results);
  lua_sethook(L, hook, mask, count);
  return status;
}

/* (light thread that died of an error) -> a reference to its traceback */
static int make_traceback(lua_State *L) {
  luaL_traceback(L, lua_touserdata(L, 1), NULL, 0);
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

static int dead_traceback(struct runtime *rt, lua_State *dead) {
  lua_State *aux = rt->aux;
  int reference = LUA_REFNIL;
  if (!lua_checkstack(aux, 4))
    return reference;
  lua_pushcfunction(aux, make_traceback);
  lua_pushlightuserdata(aux, dead);
  if (lua_pcall(aux, 1, 1, 0) == LUA_OK)
    reference = (int)lua_tointeger(aux, -1);
  lua_pop(aux, 1);
  return reference;
}

/* Stands in core for the values that are in flight. */
char l_values[1], l_ended_key;

/* Move `count` values on top of L to those in flight. */
bool l_send_values(lua_State *L, struct runtime *rt, int count) {
  lua_settop(rt->transfer, 0);
  if (!lua_checkstack(rt->transfer, count))
    return false;
  lua_xmove(L, rt->transfer, count);
  return true;
}

/* Push the values in flight; returns how many. */
int l_receive_values(lua_State *L, struct runtime *rt) {
  int count = lua_gettop(rt->transfer);
  if (!lua_checkstack(L, count + 1))
    count = 0;
  lua_settop(rt->transfer, count);
  if (count > 0)
    lua_xmove(rt->transfer, L, count);
  return count;
}

static void ended_raw(struct pair *pair, lua_State *L) {
  struct runtime *rt = pair->rt;
  rt->throwing = false;
  if (pair->g->parent != &rt->hub.self && !l_send_values(L, rt, lua_gettop(L)))
    pair->g->error = (void *)(intptr_t)LUA_REFNIL;
}

/* The arguments are kept until the death, no longer. */
static void drop_arguments(struct pair *pair, lua_State *L) {
  l_push_handle(L, pair);
  lua_getiuservalue(L, -1, UV_RUN);
  lua_rawgeti(L, -1, 1);
  lua_setiuservalue(L, -3, UV_RUN);
  lua_pop(L, 2);
  pair->handle->packed_run = false;
}

static void ended_well(struct pair *pair, lua_State *L) {
  struct handle *handle = pair->handle;
  if (!lua_checkstack(L, 4))
    lua_settop(L, 0);
  int count = lua_gettop(L);
  if (handle->packed_run)
    drop_arguments(pair, L);
  if (handle->raw) {
    ended_raw(pair, L);
  } else if (count == 1) {
    l_push_handle(L, pair);
    lua_insert(L, 1);
    set_result(L, handle, 1);
  } else if (count > 1) {
    lua_pushcfunction(L, keep_values);
    lua_insert(L, 1);
    l_push_handle(L, pair);
    lua_insert(L, 2);
    if (lua_pcall(L, count + 1, 0, 0) != LUA_OK)
      lua_pop(L, 1);
  }
  lua_settop(L, 0);
}

/* (light pair, error) -> light box: for the parent of a raw greenlet. */
static int box_error(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  l_instantiate(L, pair->rt);
  lua_pushlightuserdata(L, l_box(L, pair->rt));
  return 1;
}

static void failed_raw(struct pair *pair, lua_State *L) {
  struct runtime *rt = pair->rt;
  if (l_is_exit(L, -1)) {
    l_send_values(L, rt, 1);
    return;
  }
  rt->throwing = true;
  lua_pushcfunction(L, box_error);
  lua_insert(L, 1);
  lua_pushlightuserdata(L, pair);
  lua_insert(L, 2);
  void *error = (void *)(intptr_t)LUA_REFNIL;
  if (lua_pcall(L, 2, 1, 0) == LUA_OK)
    error = lua_touserdata(L, -1);
  pair->g->error = error;
}

/* Keep the error, which is alone on L, in the handle. */
static void failed_well(struct pair *pair, lua_State *L, int traceback) {
  lua_pushcfunction(L, keep_failure);
  lua_insert(L, 1);
  lua_pushlightuserdata(L, pair->rt);
  lua_insert(L, 2);
  l_push_handle(L, pair);
  lua_insert(L, 3);
  lua_rawgeti(L, LUA_REGISTRYINDEX, traceback);
  pair->handle->failed = true; /* should the record fail for want of memory */
  if (lua_pcall(L, 4, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* Did the error leave a debug hook? Then the thread keeps hooks off for good
 * (lua_resetthread does not know), and is of no more use. Of a very deep stack
 * only the top is looked at. */
static bool left_a_hook(lua_State *L) {
  lua_Debug ar;
  int level = 0;
  for (; level < 200 && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "n", &ar);
    if (*ar.namewhat == 'h')
      return true;
  }
  return level == 200;
}

/*
 * The thread died of an error. The traceback first, while its frames are
 * there; then the reset, which closes to-be-closed variables, and may block,
 * and may change the error.
 */
static void ended_badly(struct pair *pair, lua_State *L) {
  struct runtime *rt = pair->rt;
  int traceback = l_is_exit(L, -1) ? LUA_REFNIL : dead_traceback(rt, L);
  pair->spoilt = left_a_hook(L);
  pair->at = rt->L = L;
  lua_resetthread(L);
  lua_settop(L, 1); /* the error */
  if (pair->handle->raw && pair->g->parent != &rt->hub.self)
    failed_raw(pair, L);
  else
    failed_well(pair, L, traceback);
  luaL_unref(L, LUA_REGISTRYINDEX, traceback);
  lua_settop(L, 0);
}

/* (light pair): what a greenlet does whose trace function failed at its start */
static int raise_at_start(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  l_unbox(L, pair->rt, greenlet_take_error(pair->g));
  return l_error(L);
}

/* Resume the thread, until the greenlet ends or leaves its stack. */
static void *run_on(struct pair *pair, lua_State *L, int arguments) {
  int results, status = lua_resume(L, NULL, arguments, &results);
  while (status == LUA_YIELD && !pair->aside)
    status = refuse_yield(L, &results);
  if (status == LUA_YIELD)
    return NULL;
  if (status == LUA_OK)
    ended_well(pair, L);
  else
    ended_badly(pair, L);
  pair->handle->state = HANDLE_DEAD;
  return l_values;
}

/* The body of every greenlet: core calls it on the greenlet's own stack. */
static void *run(struct greenlet *g, void *arg) {
  struct pair *pair = arg;
  struct runtime *rt = pair->rt;
  lua_State *L = pair->L;
  int arguments = pair->arguments;
  rt->L = L;
  if (pair->aside) {
    pair->aside = false;
    return run_on(pair, L, 0);
  }
  if (pair->handle->raw && g->value == l_values)
    arguments += l_receive_values(L, rt);
  if (__builtin_expect(greenlet_first_error(g) != NULL, 0)) {
    lua_settop(L, 0);
    lua_pushcfunction(L, raise_at_start);
    lua_pushlightuserdata(L, pair);
    arguments = 1;
  }
  return run_on(pair, L, arguments);
}

static bool exit_value(struct hub *hub, void *error, void **value) {
  struct runtime *rt = hub->data;
  lua_State *aux = rt->aux;
  *value = l_values;
  if (error == greenlet_exit) {
    lua_settop(rt->transfer, 0);
    return true;
  }
  lua_rawgeti(aux, LUA_REGISTRYINDEX, (lua_Integer)(intptr_t)error);
  if (!l_is_exit(aux, -1)) {
    lua_pop(aux, 1);
    return false;
  }
  luaL_unref(aux, LUA_REGISTRYINDEX, (int)(intptr_t)error);
  rt->throwing = false;
  l_send_values(aux, rt, 1);
  return true;
}

const struct hub_host l_host = {
    .died_new = died_new,
    .released = released,
    .drop_error = l_drop_error,
    .exit_value = exit_value,
    .arrived = l_arrived,
    .revived = l_revived,
    .polling = l_polling,
};

void l_pair_open(lua_State *L, struct runtime *rt) {
  /* Place 0 heads the chain of free places, and is there from the start. */
  lua_newtable(L);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, 0);
  lua_newtable(L);
  lua_xmove(L, rt->store, 2);
}
