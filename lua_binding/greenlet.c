/*
 * greenlet.c: the class Greenlet.
 *
 * Links, spawn callbacks and the rest that is not on a hot path are in
 * greenlet.lua.
 */
#include <errno.h>
#include <string.h>

#include "lua_binding/runtime.h"
#include "lua_binding/timeout.h"



static char record_key, name_key;


struct handle *l_test_handle(lua_State *L, int idx) {
  return l_test_kind(L, idx, &handle_kind);
}

struct handle *l_check_handle(lua_State *L, int idx) {
  return l_check_kind(L, idx, &handle_kind, "greenlet");
}

/* A method's self: wrong ones are told apart from wrong arguments. */
static struct handle *self(lua_State *L) {
  return l_check_kind(L, 1, &handle_kind, "Greenlet");
}

/* ---- Making ---- */

/*
 * Push a new record of the handle, which the children of that greenlet share:
 * `weak` holds the handle weakly, `tree` is {locals} of its spawn tree. A tree
 * begins at each child of the main greenlet; `of_main` marks main's record.
 */
static void push_new_record(lua_State *L, int handle) {
  lua_createtable(L, 0, 2);
  int record = lua_gettop(L);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, handle);
  lua_rawseti(L, -2, 1);
  luaL_setmetatable(L, "greenlet.weak");
  lua_setfield(L, -2, "weak");
  if (lua_getiuservalue(L, handle, UV_SPAWNER) != LUA_TTABLE ||
      lua_getfield(L, -1, "of_main") != LUA_TNIL)
    lua_newtable(L);
  else
    lua_getfield(L, -2, "tree");
  lua_setfield(L, record, "tree");
  lua_settop(L, record);
}

/* Push the record of the handle, made at its first spawn. */
static void push_record(lua_State *L, int handle) {
  handle = lua_absindex(L, handle);
  if (l_get_private(L, handle, &record_key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  push_new_record(L, handle);
  lua_pushvalue(L, -1);
  l_set_private(L, handle, &record_key);
}

/* Note who spawned the handle on top. */
static void set_spawner(lua_State *L, struct runtime *rt) {
  l_push_handle(L, l_current(rt));
  push_record(L, -1);
  lua_setiuservalue(L, -3, UV_SPAWNER);
  lua_pop(L, 1);
}

struct handle *l_new_handle(lua_State *L, struct runtime *rt, int class) {
  struct trail_frame frames[2 * L_MOST_FRAMES];
  unsigned own = 0, spawner = 0;
  class = lua_absindex(L, class);
  if (rt->track_tree) {
    struct handle *parent = l_current(rt)->handle;
    own = l_trail(L, rt, frames, rt->trail_limit);
    spawner = parent->own_frames < rt->trail_limit ? parent->own_frames : rt->trail_limit;
    memcpy(frames + own, parent->frames, spawner * sizeof *frames);
  }
  size_t bytes = sizeof(struct handle) + (own + spawner) * sizeof *frames;
  struct handle *handle = l_new_object(L, class, bytes, UV_COUNT, &handle_kind);
  handle->rt = rt;
  handle->own_frames = (uint8_t)own;
  handle->spawner_frames = (uint8_t)spawner;
  memcpy(handle->frames, frames, (own + spawner) * sizeof *frames);
  if (rt->track_tree)
    set_spawner(L, rt);
  return handle;
}

/* (class) -> handle */
static int l_greenlet_allocate(lua_State *L) {
  l_new_handle(L, l_runtime(L), 1);
  return 1;
}

/* Replace run and the arguments above it by {run or false, arguments ..., n}. */
static void pack(lua_State *L, int run) {
  int arguments = lua_gettop(L) - run;
  lua_createtable(L, arguments + 1, 1);
  lua_insert(L, run);
  for (int i = arguments; i >= 0; i--)
    lua_rawseti(L, run, i + 1);
  lua_pushinteger(L, arguments);
  lua_setfield(L, run, "n");
}

/* Greenlet(run, ...): run is called as run(...); without it _run is, as
 * self:_run(...). */
static int l_greenlet_init(lua_State *L) {
  struct handle *handle = self(L);
  if (handle->state != HANDLE_NEW || handle->pair)
    return luaL_error(L, "init of a greenlet that has been started");
  l_check_run(L);
  pack(L, 2);
  handle->packed_run = true;
  lua_setiuservalue(L, 1, UV_RUN);
  return 0;
}

/* Move function and arguments of the NEW handle at idx to its pair's thread. */
static void load_arguments(lua_State *L, int idx, struct pair *pair) {
  lua_getiuservalue(L, idx, UV_RUN);
  int packed = lua_gettop(L);
  lua_getfield(L, packed, "n");
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_rawgeti(L, packed, 1);
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    lua_getfield(L, idx, "_run");
    lua_pushvalue(L, idx);
  }
  for (int i = 0; i < count; i++)
    lua_rawgeti(L, packed, i + 2);
  int values = lua_gettop(L) - packed;
  pair->arguments = values - 1;
  lua_xmove(L, pair->L, values);
  lua_pop(L, 1);
}

struct pair *l_prepare(lua_State *L, struct runtime *rt, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  if (handle->pair)
    return handle->pair;
  idx = lua_absindex(L, idx);
  if (!handle->packed_run)
    luaL_error(L, "the greenlet's init was not called (Sub.super.init(self, ...))");
  lua_getiuservalue(L, idx, UV_RUN);
  lua_getfield(L, -1, "n");
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  luaL_checkstack(L, count + 4, "too many arguments");
  struct pair *pair = l_take_pair(L, rt, idx);
  if (!lua_checkstack(pair->L, count + 4))
    luaL_error(L, "not enough memory");
  load_arguments(L, idx, pair);
  if (handle->linked)
    l_attach_notice(pair);
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

static void spawn_callbacks(lua_State *L, struct runtime *rt, int idx) {
  if (!rt->spawn_callbacks)
    return;
  idx = lua_absindex(L, idx);
  l_push_core(L, rt, "run_spawn_callbacks");
  lua_pushvalue(L, idx);
  lua_call(L, 1, 0);
}

static int l_greenlet_start(lua_State *L) {
  struct handle *handle = self(L);
  struct runtime *rt = handle->rt;
  if (handle->state == HANDLE_NEW) {
    greenlet_start(l_prepare(L, rt, 1)->g);
    handle->state = HANDLE_LIVE;
    spawn_callbacks(L, rt, 1);
  }
  return 0;
}

static int l_greenlet_start_later(lua_State *L) {
  struct handle *handle = self(L);
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

/* Schedule run at 1 with the arguments above it in a new handle of the class
 * (upvalue 2), which replaces them: the hot path, without init's table. */
struct pair *l_spawn_fast(lua_State *L, struct runtime *rt, bool raw) {
  int values = lua_gettop(L);
  luaL_checkstack(L, 2 * values + 4, "too many arguments");
  struct handle *handle = l_new_handle(L, rt, lua_upvalueindex(2));
  handle->raw = raw;
  lua_insert(L, 1); /* handle, run, arguments ... */
  for (int i = 0; values > 1 && i < values; i++)
    lua_pushvalue(L, 2 + i);
  if (values > 1) { /* keep them for g.args */
    pack(L, 2 + values);
    handle->packed_run = true;
  } else {
    lua_pushvalue(L, 2);
  }
  lua_setiuservalue(L, 1, UV_RUN);
  struct pair *pair = l_take_pair(L, rt, 1);
  if (!lua_checkstack(pair->L, values + 4))
    luaL_error(L, "not enough memory");
  pair->arguments = values - 1;
  lua_xmove(L, pair->L, values);
  greenlet_start(pair->g);
  handle->state = HANDLE_LIVE;
  return pair;
}

/*** greenlet.spawn(run, ...): run it in a new greenlet, soon. */
static int l_spawn(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  l_check_callable(L, 1);
  l_spawn_fast(L, rt, false);
  spawn_callbacks(L, rt, 1);
  return 1;
}

/* ---- Waiting ---- */

/* Wait for the death of the handle at 1: 0 or -ETIMEDOUT; or WAITER_LEAVE (only
 * if `may_leave`). */
static int join(lua_State *L, struct handle *handle, struct l_time *time, bool may_leave) {
  struct runtime *rt = handle->rt;
  if (handle->state == HANDLE_DEAD)
    return 0;
  l_enter(L, rt);
  struct pair *pair = l_prepare_resting(L, rt, 1);
  l_start_time(L, rt, time);
  int result = greenlet_begin_join(pair->g, time->seconds);
  if (result == 0)
    result = may_leave && !time->timeout ? l_finish(L, rt) : waiter_finish(&rt->hub, false);
  if (result == WAITER_LEAVE)
    return result;
  return l_leave_time(L, rt, time, result);
}

static int joined(lua_State *L, int status, lua_KContext context) {
  (void)status;
  l_answer(L, (struct runtime *)context);
  return 0;
}

/*** Wait until the greenlet has finished or the timeout expires. */
static int l_greenlet_join(lua_State *L) {
  struct handle *handle = self(L);
  struct l_time time = l_check_time(L, handle->rt, 2);
  if (join(L, handle, &time, true) == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)handle->rt, joined);
  return 0;
}

/* Push the values of a dead, unfailed handle at 1. */
static int push_values(lua_State *L, const struct handle *handle) {
  if (!handle->has_value)
    return 0;
  lua_getiuservalue(L, 1, UV_RESULT);
  if (!handle->packed)
    return 1;
  int table = lua_gettop(L);
  lua_getfield(L, table, "n");
  int count = (int)lua_tointeger(L, -1);
  luaL_checkstack(L, count, "too many results");
  for (int i = 1; i <= count; i++)
    lua_rawgeti(L, table, i);
  return count;
}

/* The outcome of the dead handle at 1. */
static int push_outcome(lua_State *L, struct handle *handle) {
  if (!handle->failed)
    return push_values(L, handle);
  l_take(handle);
  lua_getiuservalue(L, 1, UV_RESULT);
  return l_error(L);
}

static int got(lua_State *L, int status, lua_KContext context) {
  struct runtime *rt = (struct runtime *)context;
  struct l_time time = {.seconds = lua_tonumber(L, 3)};
  (void)status;
  if (l_answer(L, rt) == -ETIMEDOUT)
    return l_raise_expired(L, rt, &time);
  return push_outcome(L, lua_touserdata(L, 1));
}

/*** All values that the greenlet returned, or its error raised. */
static int l_greenlet_get(lua_State *L) {
  struct handle *handle = self(L);
  struct runtime *rt = handle->rt;
  bool block = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
  struct l_time time = l_check_time(L, rt, 3);
  if (!block && handle->state != HANDLE_DEAD) {
    time = (struct l_time){.seconds = 0};
    return l_raise_expired(L, rt, &time);
  }
  lua_settop(L, 3);
  int result = join(L, handle, &time, true);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, got);
  if (result == -ETIMEDOUT)
    return l_raise_expired(L, rt, &time);
  return push_outcome(L, handle);
}

/* ---- Killing ---- */

void l_push_exception(lua_State *L, struct runtime *rt, int idx) {
  if (lua_isnoneornil(L, idx)) {
    l_push_core(L, rt, "GreenletExit");
    lua_call(L, 0, 1);
  } else {
    lua_pushvalue(L, idx);
    l_instantiate(L, rt);
  }
}

void l_kill(lua_State *L, int idx, int error) {
  struct handle *handle = lua_touserdata(L, idx);
  struct runtime *rt = handle->rt;
  void *box = greenlet_exit;
  struct pair *pair = l_prepare(L, rt, idx);
  if (error && !lua_isnoneornil(L, error)) {
    l_push_exception(L, rt, error);
    handle->taken = handle->taken || !handle->raw;
    box = l_box(L, rt);
  }
  int result = greenlet_kill(pair->g, box);
  if (result < 0) {
    if (box != greenlet_exit)
      l_drop_error(&rt->hub, box);
    l_leave(L, rt, result);
  }
}

/*** Raise an exception in the greenlet; see the manual. */
static int l_greenlet_kill(lua_State *L) {
  struct handle *handle = self(L);
  struct runtime *rt = handle->rt;
  bool block = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);
  struct l_time time = l_check_time(L, rt, 4);
  if (handle->state == HANDLE_DEAD)
    return 0;
  if (handle->pair == l_current(rt) && block) {
    handle->taken = true;
    l_push_exception(L, rt, 2);
    return l_error(L);
  }
  if (block)
    l_enter(L, rt);
  l_kill(L, 1, lua_isnoneornil(L, 2) ? 0 : 2);
  if (block && handle->state != HANDLE_DEAD)
    join(L, handle, &time, false);
  return 0;
}

/* ---- State ---- */

static int l_greenlet_ready(lua_State *L) {
  lua_pushboolean(L, self(L)->state == HANDLE_DEAD);
  return 1;
}

static int l_greenlet_successful(lua_State *L) {
  const struct handle *handle = self(L);
  lua_pushboolean(L, handle->state == HANDLE_DEAD && !handle->failed);
  return 1;
}

static int get_value(lua_State *L) {
  const struct handle *handle = self(L);
  if (handle->state != HANDLE_DEAD || handle->failed || !handle->has_value)
    return 0;
  lua_getiuservalue(L, 1, UV_RESULT);
  if (handle->packed)
    lua_rawgeti(L, -1, 1);
  return 1;
}

static int get_exception(lua_State *L) {
  struct handle *handle = self(L);
  if (!handle->failed)
    return 0;
  l_take(handle);
  lua_getiuservalue(L, 1, UV_RESULT);
  return 1;
}

static int get_traceback(lua_State *L) {
  struct handle *handle = self(L);
  if (!handle->failed)
    return 0;
  l_take(handle);
  l_push_death_traceback(L, 1);
  return 1;
}

static int get_exc_info(lua_State *L) {
  struct handle *handle = self(L);
  if (!handle->failed)
    return 0;
  l_take(handle);
  lua_createtable(L, 2, 0);
  lua_getiuservalue(L, 1, UV_RESULT);
  lua_rawseti(L, -2, 1);
  l_push_death_traceback(L, 1);
  lua_rawseti(L, -2, 2);
  return 1;
}

static int get_dead(lua_State *L) {
  lua_pushboolean(L, self(L)->state == HANDLE_DEAD);
  return 1;
}

static int get_started(lua_State *L) {
  lua_pushboolean(L, self(L)->state == HANDLE_LIVE);
  return 1;
}

static int get_parent(lua_State *L) {
  l_push_handle(L, &self(L)->rt->hub_pair);
  return 1;
}

static int get_loop(lua_State *L) {
  l_push_core(L, self(L)->rt, "loop");
  return 1;
}

/* The arguments as a list with n, until the death. */
static int get_args(lua_State *L) {
  const struct handle *handle = self(L);
  int count = 0;
  lua_settop(L, 1);
  lua_newtable(L);
  if (handle->packed_run && handle->state != HANDLE_DEAD) {
    lua_getiuservalue(L, 1, UV_RUN);
    lua_getfield(L, 3, "n");
    count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    for (int i = 1; i <= count; i++) {
      lua_rawgeti(L, 3, i + 1);
      lua_rawseti(L, 2, i);
    }
    lua_pop(L, 1);
  }
  lua_pushinteger(L, count);
  lua_setfield(L, 2, "n");
  return 1;
}

/* The ident, taken at the first question and kept in the handle: that of a
 * dead one is what it was. */
static int ident(lua_State *L, struct handle *handle) {
  if (!handle->ident) {
    struct hub *hub = &handle->rt->hub;
    int taken = handle->pair ? greenlet_ident(handle->pair->g) : hub_take_ident(hub);
    if (taken < 0)
      luaL_error(L, "not enough memory");
    if (handle->state == HANDLE_DEAD)
      hub_release_ident(hub, taken);
    handle->ident = taken + 1;
  }
  return handle->ident - 1;
}

static int get_minimal_ident(lua_State *L) {
  lua_pushinteger(L, ident(L, self(L)));
  return 1;
}

/* g.name: a default is fixed when it is first read, as in gevent. */
int l_get_name(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (l_get_private(L, 1, &name_key) != LUA_TNIL)
    return 1;
  lua_pushfstring(L, "Greenlet-%d", ident(L, handle));
  lua_pushvalue(L, -1);
  l_set_private(L, 1, &name_key);
  handle->named = true;
  return 1;
}

int l_set_name(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  l_set_private(L, 1, &name_key);
  handle->named = true;
  return 0;
}

void l_push_function_name(lua_State *L, int idx) {
  if (lua_isfunction(L, idx)) {
    lua_Debug ar;
    lua_pushvalue(L, idx);
    lua_getinfo(L, ">S", &ar);
    if (*ar.what == 'C')
      lua_pushfstring(L, "function <%s: %p>", ar.short_src, lua_topointer(L, idx));
    else
      lua_pushfstring(L, "function <%s:%d>", ar.short_src, ar.linedefined);
  } else {
    lua_pushfstring(L, "%s: %p", luaL_typename(L, idx), lua_topointer(L, idx));
  }
}

/* Push what the handle at 1 runs. */
static void push_run(lua_State *L, const struct handle *handle) {
  lua_getiuservalue(L, 1, UV_RUN);
  if (handle->packed_run)
    lua_rawgeti(L, -1, 1);
  if (!lua_toboolean(L, -1))
    lua_getfield(L, 1, "_run");
}

int l_greenlet_tostring(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  lua_settop(L, 1);
  lua_getmetatable(L, 1);
  lua_getfield(L, -1, "__name");
  const char *class = lua_tostring(L, -1);
  const char *name = NULL;
  if (handle->named) {
    l_get_private(L, 1, &name_key);
    name = luaL_tolstring(L, -1, NULL);
  }
  push_run(L, handle);
  if (handle->pair == &handle->rt->main_pair)
    lua_pushliteral(L, "main chunk");
  else if (lua_isnil(L, -1))
    lua_pushliteral(L, "event loop");
  else
    l_push_function_name(L, lua_gettop(L));
  const char *run = lua_tostring(L, -1);
  if (name)
    lua_pushfstring(L, "<%s \"%s\" at %p: %s>", class, name, (void *)handle, run);
  else
    lua_pushfstring(L, "<%s at %p: %s>", class, (void *)handle, run);
  return 1;
}

/* ---- The spawn tree ---- */

/* Push the spawner's handle, or nil: nobody noted, or collected. */
static int get_spawning_greenlet(lua_State *L) {
  self(L);
  if (lua_getiuservalue(L, 1, UV_SPAWNER) != LUA_TTABLE)
    return 0;
  lua_getfield(L, -1, "weak");
  lua_rawgeti(L, -1, 1);
  return 1;
}

/* Push the cell {locals} of the handle's spawn tree: it is in the record that
 * the handle shares with its siblings, unless it has one of its own. */
static void push_tree(lua_State *L, int handle) {
  bool own = l_get_private(L, handle, &record_key) == LUA_TTABLE;
  if (!own) {
    lua_pop(L, 1);
    lua_getiuservalue(L, handle, UV_SPAWNER);
    if (lua_getfield(L, -1, "of_main") != LUA_TNIL)
      push_record(L, handle);
    else
      lua_pop(L, 1);
  }
  lua_getfield(L, -1, "tree");
}

static int get_spawn_tree_locals(lua_State *L) {
  self(L);
  if (lua_getiuservalue(L, 1, UV_SPAWNER) != LUA_TTABLE)
    return 0;
  push_tree(L, 1);
  if (lua_rawgeti(L, -1, 1) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 1);
  }
  return 1;
}

/* Assigning starts a tree for this greenlet and those it spawns from now on:
 * the children that it has keep the record that they share. */
static int set_spawn_tree_locals(lua_State *L) {
  self(L);
  lua_settop(L, 2);
  push_new_record(L, 1);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 1);
  lua_setfield(L, -2, "tree");
  l_set_private(L, 1, &record_key);
  return 0;
}

/* The children of the main greenlet start trees of their own. */
void l_mark_main(lua_State *L, int handle) {
  push_record(L, handle);
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "of_main");
  lua_pop(L, 1);
}

static int get_spawning_stack(lua_State *L) {
  l_push_trail(L, self(L));
  return 1;
}

/* ---- For greenlet.lua ---- */

static void notice(struct link *link, void *source) {
  struct pair *pair = container_of(link, struct pair, notice);
  lua_State *L = pair->rt->hub_L;
  (void)source;
  lua_rawgeti(L, LUA_REGISTRYINDEX, pair->rt->core_ref);
  if (lua_getfield(L, -1, "notify") == LUA_TFUNCTION) {
    l_push_handle(L, pair);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
      lua_pop(L, 1); /* no memory even to report: notify catches all else */
  } else {
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void l_attach_notice(struct pair *pair) {
  link_init(&pair->notice, notice);
  list_append(&pair->g->links, &pair->notice.node);
}

/* core.watch_death(g): have notify(g) called in the hub when it is dead. False
 * if it is dead, and the caller must schedule that. */
static int core_watch_death(lua_State *L) {
  struct handle *handle = self(L);
  bool later = handle->state != HANDLE_DEAD;
  if (later && !handle->linked) {
    handle->linked = true;
    if (handle->pair)
      l_attach_notice(handle->pair);
    else
      l_prepare_resting(L, handle->rt, 1);
  }
  lua_pushboolean(L, later);
  return 1;
}

/* core.take(g): its error, if it has or will have one, is taken care of. */
static int core_take(lua_State *L) {
  l_take(self(L));
  return 0;
}

/* core.failed(g): the error value without taking it, and its traceback. */
static int core_failure(lua_State *L) {
  if (!self(L)->failed)
    return 0;
  lua_getiuservalue(L, 1, UV_RESULT);
  l_push_death_traceback(L, 1);
  return 2;
}

static int core_is_raw(lua_State *L) {
  lua_pushboolean(L, self(L)->raw);
  return 1;
}

static int core_is_handle(lua_State *L) {
  lua_pushboolean(L, l_test_handle(L, 1) != NULL);
  return 1;
}

void l_open_greenlet(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {
      {"init", l_greenlet_init},     {"start", l_greenlet_start},
      {"start_later", l_greenlet_start_later}, {"join", l_greenlet_join},
      {"get", l_greenlet_get},       {"kill", l_greenlet_kill},
      {"ready", l_greenlet_ready},   {"successful", l_greenlet_successful},
      {"__tostring", l_greenlet_tostring}, {NULL, NULL}};
  static const luaL_Reg getters[] = {
      {"value", get_value},         {"exception", get_exception},
      {"traceback", get_traceback}, {"exc_info", get_exc_info},
      {"dead", get_dead},           {"started", get_started},
      {"active", get_started},      {"parent", get_parent},
      {"loop", get_loop},           {"args", get_args},
      {"name", l_get_name},         {"minimal_ident", get_minimal_ident},
      {"spawning_greenlet", get_spawning_greenlet},
      {"spawn_tree_locals", get_spawn_tree_locals},
      {"spawning_stack", get_spawning_stack}, {NULL, NULL}};
  static const luaL_Reg setters[] = {{"name", l_set_name},
                                     {"spawn_tree_locals", set_spawn_tree_locals},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"watch_death", core_watch_death},
                                       {"take", core_take},
                                       {"failure", core_failure},
                                       {"is_greenlet", core_is_handle},
                                       {"is_raw", core_is_raw},
                                       {NULL, NULL}};
  static const struct l_class class = {"Greenlet", "greenlet", l_greenlet_allocate,
                                       methods, getters, setters};
  luaL_newmetatable(L, "greenlet.weak");
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_register_class(L, rt, &class);
  lua_pushlightuserdata(L, rt);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, l_spawn, 2);
  lua_setfield(L, -2, "spawn");
  lua_setfield(L, -2, "Greenlet");
  lua_pop(L, 1);
}
