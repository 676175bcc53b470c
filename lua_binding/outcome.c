/*
 * outcome.c: how a greenlet ended, kept in its handle, and who took it.
 */
#include "lua_binding/insist.h"
#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"

void l_set_result(lua_State *L, struct handle *handle, int idx) {
  handle->has_value = true;
  lua_setiuservalue(L, idx, UV_RESULT);
}

/* (handle, values ...): keep what the function returned. */
int l_keep_values(lua_State *L) {
  struct handle *handle = lua_touserdata(L, 1);
  int count = lua_gettop(L) - 1;
  lua_createtable(L, count, 1);
  lua_insert(L, 2);
  for (int i = count; i > 0; i--)
    lua_rawseti(L, 2, i);
  lua_pushinteger(L, count);
  lua_setfield(L, 2, "n");
  handle->packed = true;
  l_set_result(L, handle, 1);
  return 0;
}

static char traceback_key, killer_key;

/* Record the error on top (popped) as what the handle at idx died of. */
static void keep_error(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  struct handle *handle = lua_touserdata(L, idx);
  l_instantiate(L);
  handle->packed = false;
  handle->exited = l_is_exit(L, -1);
  handle->failed = !handle->exited;
  l_set_result(L, handle, idx);
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

void l_report_shortly(struct handle *handle) {
  if (handle->taken || handle->quiet)
    return;
  if (!handle->counted)
    count_failure(handle->rt, handle);
  l_say_no_memory();
}

/* core.report_late(g): print it once the hub runs */
int l_report_late(lua_State *L) {
  struct runtime *rt = l_check_handle(L, 1)->rt;
  if (rt->started && !rt->closing)
    l_schedule_report(L, rt, 1);
  return 0;
}

/* An error that somebody killed it with is known to that somebody. */
void l_note_killer(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_pushvalue(L, -1);
  l_set_private(L, idx, &killer_key);
}

static bool killed_by(lua_State *L, int idx, int error) {
  bool yes = l_get_private(L, idx, &killer_key) != LUA_TNIL && lua_rawequal(L, -1, error);
  lua_pop(L, 1);
  return yes;
}

void l_take(struct handle *handle) {
  handle->taken = true;
  if (handle->counted)
    handle->rt->failures--;
  handle->counted = false;
}

void l_untake(struct handle *handle) {
  handle->taken = false;
  if (handle->failed && !handle->counted)
    count_failure(handle->rt, handle);
}

/* (light runtime, handle, error, traceback or nil) */
int l_keep_failure(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  struct handle *handle = lua_touserdata(L, 2);
  lua_pushvalue(L, 3);
  keep_error(L, 2);
  if (!handle->failed)
    return 0;
  handle->taken = handle->taken || handle->quiet || killed_by(L, 2, 3);
  count_failure(rt, handle);
  lua_pushvalue(L, 4);
  if (lua_isstring(L, -1))
    l_add_origin(L, rt, 3);
  l_set_private(L, 2, &traceback_key);
  if (!handle->quiet)
    l_schedule_report(L, rt, 2);
  return 0;
}

void l_record_new_death(lua_State *L, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  struct runtime *rt = handle->rt;
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, l_keep_failure);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, idx);
  lua_rotate(L, -4, 3); /* the error last */
  lua_pushliteral(L, "stack traceback:\n\t(never ran)");
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
  l_unbox(L, l_rt(pair), error);
  l_record_new_death(L, 3);
  return 0;
}

void l_died_new(struct greenlet *g, void *error) {
  struct pair *pair = l_pair(g);
  struct runtime *rt = l_rt(pair);
  lua_State *aux = rt->aux;
  lua_settop(pair->L, 0);
  pair->handle->state = HANDLE_DEAD;
  pair->handle->exited = true; /* should the record fail for want of memory */
  if (!lua_checkstack(aux, 4))
    return;
  lua_pushcfunction(aux, record_died_new);
  lua_pushlightuserdata(aux, g);
  lua_pushlightuserdata(aux, error);
  rt->still++;
  if (lua_pcall(aux, 2, 0, 0) != LUA_OK)
    lua_pop(aux, 1);
  rt->still--;
}
