/*
 * handle.c: how greenlets are made and started.
 */
#include "lua_binding/greenlet.h"
#include "lua_binding/runtime.h"

struct handle *l_test_handle(lua_State *L, int idx) {
  return l_test_kind(L, idx, &handle_kind);
}

struct handle *l_check_handle(lua_State *L, int idx) {
  return l_check_kind(L, idx, &handle_kind, "greenlet");
}

struct handle *l_new_handle(lua_State *L, struct runtime *rt, int meta) {
  int values = rt->spawns_member ? UV_MEMBERS : UV_COUNT;
  struct handle *handle = lua_newuserdatauv(L, sizeof *handle, values);
  *handle = (struct handle){.kind = &handle_kind, .rt = rt};
  lua_pushvalue(L, meta);
  lua_setmetatable(L, -2);
  if (rt->track_tree) {
    l_push_origin(L, rt);
    lua_setiuservalue(L, -2, UV_ORIGIN);
  }
  return handle;
}

/* (class) -> handle */
int l_greenlet_allocate(lua_State *L) {
  lua_settop(L, 1);
  l_push_meta(L, 1);
  l_new_handle(L, l_runtime(L), 2);
  return 1;
}

/* Greenlet(run, ...): run is called as run(...); without it _run is, as
 * self:_run(...). */
int l_greenlet_init(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (handle->state != HANDLE_NEW || handle->pair)
    return luaL_error(L, "init of a greenlet that has been started");
  l_check_run(L);
  l_pack_call(L, 2);
  handle->packed_run = true;
  lua_setiuservalue(L, 1, UV_RUN);
  return 0;
}

/* Push what the NEW handle at idx runs and its arguments; how many values. */
static int push_arguments(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_RUN);
  int packed = lua_gettop(L);
  lua_getfield(L, packed, "n");
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, count + 6, "too many arguments");
  lua_rawgeti(L, packed, 1);
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    lua_getfield(L, idx, "_run"); /* may run anything */
    lua_pushvalue(L, idx);
  }
  for (int i = 0; i < count; i++)
    lua_rawgeti(L, packed, i + 2);
  lua_remove(L, packed);
  return lua_gettop(L) - packed + 1;
}

struct pair *l_prepare(lua_State *L, struct runtime *rt, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  if (handle->pair)
    return handle->pair;
  idx = lua_absindex(L, idx);
  if (!handle->packed_run)
    luaL_error(L, "the greenlet's init was not called (Sub.super.init(self, ...))");
  int values = push_arguments(L, idx);
  if (handle->pair || handle->state == HANDLE_DEAD)
    luaL_error(L, "the greenlet was started meanwhile");
  struct pair *pair = l_take_pair(L, rt, handle, idx);
  if (!lua_checkstack(pair->L, values + 4))
    luaL_error(L, "not enough memory");
  pair->arguments = values - 1;
  lua_xmove(L, pair->L, values);
  return pair;
}

struct pair *l_prepare_resting(lua_State *L, struct runtime *rt, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  bool fresh = !handle->pair;
  idx = lua_absindex(L, idx);
  struct pair *pair = l_prepare(L, rt, idx);
  if (fresh)
    l_demote(L, pair);
  return pair;
}

COLD static void tell_callbacks(lua_State *L, struct runtime *rt, int idx) {
  idx = lua_absindex(L, idx);
  l_push_core(L, rt, "run_spawn_callbacks");
  lua_pushvalue(L, idx);
  lua_call(L, 1, 0);
}

static void spawn_callbacks(lua_State *L, struct runtime *rt, int idx) {
  if (rt->spawn_callbacks)
    tell_callbacks(L, rt, idx);
}

int l_greenlet_start(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  if (handle->state == HANDLE_NEW) {
    greenlet_start(l_prepare(L, rt, 1)->g);
    handle->state = HANDLE_LIVE;
    spawn_callbacks(L, rt, 1);
  }
  return 0;
}

int l_greenlet_start_later(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  double seconds = l_check_seconds(L, 2);
  if (handle->state == HANDLE_NEW) {
    struct pair *pair = l_prepare(L, rt, 1);
    if (pair->demoted)
      l_revived(pair->g);
    if (greenlet_start_later(pair->g, seconds) < 0)
      greenlet_start(pair->g); /* rather now than never */
    handle->state = HANDLE_LIVE;
    spawn_callbacks(L, rt, 1);
  }
  return 0;
}

/* Schedule run at 1 with the arguments above it in a new handle with the
 * metatable (upvalue 2), and push that: the hot path, without init's table. */
void l_spawn_fast(lua_State *L, struct runtime *rt, bool raw) {
  int values = lua_gettop(L), top = values + 1;
  if (values > LUA_MINSTACK / 4)
    luaL_checkstack(L, values + 4, "too many arguments");
  struct handle *handle = l_new_handle(L, rt, lua_upvalueindex(2));
  handle->raw = raw;
  for (int i = 1; i <= values; i++)
    lua_pushvalue(L, i);
  if (values > 1) { /* keep them for g.args */
    l_pack_call(L, top + 1);
    handle->packed_run = true;
  }
  lua_setiuservalue(L, top, UV_RUN);
  struct pair *pair = l_take_pair(L, rt, handle, top);
  if (values > LUA_MINSTACK / 2 && !lua_checkstack(pair->L, values + 4))
    luaL_error(L, "not enough memory");
  pair->arguments = values - 1;
  lua_insert(L, 1);
  lua_xmove(L, pair->L, values);
  greenlet_start(pair->g);
  handle->state = HANDLE_LIVE;
}

/*** greenlet.spawn(run, ...): run it in a new greenlet, soon. */
HOT int l_spawn(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  l_check_callable(L, 1);
  l_spawn_fast(L, rt, false);
  spawn_callbacks(L, rt, 1);
  return 1;
}
