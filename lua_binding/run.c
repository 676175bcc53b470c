/*
 * run.c: the body of every greenlet.
 *
 * l_run stands on the greenlet's own C stack, outside any protected call: what
 * it calls must not raise. Where memory is needed, the work is done by a C
 * function under lua_pcall.
 */
#include <errno.h>

#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"

/* C code yielded at the bottom of a greenlet, where there is no coroutine.
 * Resume it into a hook that raises what lua_yield would have. */
static void raise_yield(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  lua_pushliteral(L, "attempt to yield from outside a coroutine");
  lua_error(L); /* without a position, as lua_yield's */
}

COLD static int refuse_yield(lua_State *L, int *results) {
  lua_Hook hook = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_pop(L, *results);
  lua_sethook(L, raise_yield, LUA_MASKCOUNT | LUA_MASKRET | LUA_MASKLINE, 1);
  int status = lua_resume(L, NULL, 0, results);
  lua_sethook(L, hook, mask, count);
  return status;
}

/* (light thread that died of an error, or NULL) -> a reference to its traceback */
static int make_traceback(lua_State *L) {
  lua_State *dead = lua_touserdata(L, 1);
  if (dead)
    luaL_traceback(L, dead, NULL, 0);
  else
    lua_pushliteral(L, "stack traceback:\n\t(its variables were closed, after a kill)");
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

COLD static void ended_raw(struct pair *pair, lua_State *L) {
  struct runtime *rt = l_rt(pair);
  rt->throwing = false;
  if (pair->g->parent != &rt->hub.self && !l_send_values(L, rt, lua_gettop(L)))
    pair->g->error = (void *)(intptr_t)L_NO_MEMORY;
}

/* The arguments are kept until the death, no longer. */
COLD static void drop_arguments(struct pair *pair, lua_State *L) {
  l_push_handle(L, pair);
  lua_getiuservalue(L, -1, UV_RUN);
  lua_rawgeti(L, -1, 1);
  lua_setiuservalue(L, -3, UV_RUN);
  lua_pop(L, 2);
  pair->handle->packed_run = false;
}

/* (error) -> light box: for the parent of a raw greenlet. */
static int box_error(lua_State *L) {
  l_instantiate(L);
  lua_pushlightuserdata(L, l_box(L));
  return 1;
}

static void failed_raw(struct pair *pair, lua_State *L) {
  struct runtime *rt = l_rt(pair);
  if (l_is_exit(L, -1)) {
    l_send_values(L, rt, 1);
    return;
  }
  rt->throwing = true;
  lua_pushcfunction(L, box_error);
  lua_insert(L, 1);
  void *error = (void *)(intptr_t)L_NO_MEMORY;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    error = lua_touserdata(L, -1);
  pair->g->error = error;
}

/* Keep the error, which is alone on L, in the handle. */
static void failed_well(struct pair *pair, lua_State *L, int traceback) {
  lua_pushcfunction(L, l_keep_failure);
  lua_insert(L, 1);
  lua_pushlightuserdata(L, l_rt(pair));
  lua_insert(L, 2);
  l_push_handle(L, pair);
  lua_insert(L, 3);
  lua_rawgeti(L, LUA_REGISTRYINDEX, traceback);
  pair->handle->failed = true;
  if (lua_pcall(L, 4, 0, 0) == LUA_OK)
    return;
  l_report_shortly(pair->handle);
  l_push_handle(L, pair); /* the record failed for want of memory: that is what is left */
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, UV_RESULT);
  lua_pop(L, 1);
}

/* It went well, and there is no memory to keep the values. */
COLD static void lost_values(struct pair *pair, lua_State *L) {
  lua_settop(L, 0);
  lua_pushliteral(L, "not enough memory"); /* Lua has this string since it started */
  failed_well(pair, L, LUA_REFNIL);
}

static void ended_well(struct pair *pair, lua_State *L) {
  struct handle *handle = pair->handle;
  int count = lua_gettop(L);
  if (handle->packed_run && lua_checkstack(L, 4))
    drop_arguments(pair, L);
  if (handle->raw) {
    ended_raw(pair, L);
  } else if (count == 1) {
    l_push_handle(L, pair);
    lua_insert(L, 1);
    l_set_result(L, handle, 1);
  } else if (count > 1 && !lua_checkstack(L, 4)) {
    lost_values(pair, L);
  } else if (count > 1) {
    lua_pushcfunction(L, l_keep_values);
    lua_insert(L, 1);
    l_push_handle(L, pair);
    lua_insert(L, 2);
    if (lua_pcall(L, count + 1, 0, 0) != LUA_OK)
      lost_values(pair, L);
  }
  if (count > 0)
    lua_settop(L, 0);
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
 * and may change the error. For a kill, which has none, a traceback would cost more
 * than all else: should it become an error there, the frames are gone.
 */
COLD static void ended_badly(struct pair *pair, lua_State *L) {
  struct runtime *rt = l_rt(pair);
  lua_checkstack(L, 4);
  bool killed = l_is_exit(L, -1);
  int traceback = killed ? LUA_REFNIL : dead_traceback(rt, L);
  pair->spoilt = pair->spoilt || left_a_hook(L);
  pair->at = rt->L = L;
  lua_resetthread(L);
  lua_settop(L, 1); /* the error */
  if (killed && !l_is_exit(L, 1))
    traceback = dead_traceback(rt, NULL);
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
  l_unbox(L, l_rt(pair), greenlet_take_error(pair->g));
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
  if (__builtin_expect(pair->g == pair->g->hub->root, 0))
    l_end_child(pair, L);
  pair->handle->state = HANDLE_DEAD;
  return l_values;
}

static void fetch(const void *memory, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64)
    __builtin_prefetch((const char *)memory + at, 1);
}

/* Greenlets that have rested for long are out of the cache, and it takes longer
 * to fetch one than to run it. So fetch what the one after the next will need:
 * of its thread the state and the bottom of the stack, which mostly lies behind. */
static void fetch_second(const struct hub *hub) {
  const struct list *second = hub->ready.next->next, *third = second->next;
  if (second == &hub->ready || third == &hub->ready ||
      container_of(second, struct callback, node)->run)
    return;
  const struct pair *pair = l_pair(container_of(second, struct greenlet, ready.node));
  fetch(pair->L, 448);
  fetch(pair->handle, sizeof *pair->handle + 104);
  fetch(third->next, sizeof *pair);
}

/* The body of every greenlet: core calls it on the greenlet's own stack. */
void *l_run(struct greenlet *g, void *arg) {
  struct pair *pair = arg;
  struct runtime *rt = l_rt(pair);
  lua_State *L = pair->L;
  int arguments = pair->arguments;
  rt->L = L;
  if (pair->aside) {
    pair->aside = false;
    fetch_second(&rt->hub);
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

bool l_exit_value(struct hub *hub, void *error, void **value) {
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
