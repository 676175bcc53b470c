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

/*** A thread of control that the hub schedules.
 * `greenlet.spawn(f, ...)` is the usual way to make one. The constructor alone does not start it;
 * its arguments are those of *run*, which is called as `run(...)`. Without *run* the object's
 * method `_run` is called as `self:_run(...)`: so classes derived from it do their work.
 *
 * `local g <close> = greenlet.spawn(f)` ties a greenlet to a scope: leaving the scope joins it,
 * leaving it by an error kills it with that error; both switch. `tostring(g)` shows the class, the
 * name once that was read or assigned, the address, and what it runs. Objects take any other fields
 * that you assign.
 *
 * ```lua
 * local Beeper = greenlet.Greenlet:extend("Beeper")
 * function Beeper:init(text, seconds)
 *   Beeper.super.init(self)
 *   self.text, self.seconds = text, seconds
 * end
 * function Beeper:_run()
 *   greenlet.sleep(self.seconds)
 *   return self.text:upper()
 * end
 * function Beeper:__tostring() return ("Beeper(%q)"):format(self.text) end
 *
 * local b = Beeper.spawn("beep", 0.01)
 * print(b, b:get())
 * ```
 *
 * ```text
 * Beeper("beep")	BEEP
 * ```
 *
 * The state of one, as its attributes tell it:
 *
 * ```lua
 * local g = greenlet.spawn(function(n) return n, n + 1 end, 6)
 * print(g.started, g.dead, g:ready(), g.args[1], g.args.n)
 * g:join()
 * print(g.started, g.dead, g:ready(), g.value, g.args.n)
 * g.name = "six"
 * print(g)
 * ```
 *
 * ```text
 * true	false	false	6	1
 * false	true	true	6	0
 * <Greenlet "six" at 0x563099cc94c8: function <script.lua:1>>
 * ```
 * @class greenlet.Greenlet
 * @tparam[opt] function run any callable; may be left out where the class has `_run`
 * @tparam any ... the arguments of *run*
 * @raise bad argument: neither *run* nor `_run`
 * @switches no
 * @super greenlet.greenlet
 * @within greenlet_class
 * @order spawn spawn_later start start_later join get kill throw ready successful link link_value
 *   link_exception rawlink unlink unlink_all has_links
 * @source gevent.Greenlet
 */
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
  /* Not a second time, unless there was no memory for the first. */
  bool fresh = !handle->pair || (handle->pair->g->state == GREENLET_NEW && !handle->pair->demoted &&
                                 !greenlet_started(handle->pair->g));
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

/*** Schedule the greenlet to run in this turn of the loop.
 * No effect on one that is started or dead.
 * @function Greenlet:start
 * @raise not enough memory for a stack, if it is pinned: it may be started later
 * @switches no
 * @usage local g = greenlet.Greenlet(print, "hi")
 *   g:start()
 * @source gevent.Greenlet.start
 */
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

/*** Schedule the greenlet to run later.
 * No effect on one that is started or dead.
 * @function Greenlet:start_later
 * @tparam number seconds from now
 * @raise not enough memory for a stack, if it is pinned
 * @switches no
 * @usage g:start_later(0.5)
 * @source gevent.Greenlet.start_later
 */
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

/*** Start `run(...)` in a new greenlet, soon.
 * The new greenlet does not run before the current one waits. For a class derived from Greenlet,
 * `Sub.spawn(...)` passes its arguments to the constructor.
 * @function greenlet.spawn
 * @function Greenlet.spawn
 * @tparam function run any callable
 * @tparam any ... its arguments
 * @treturn Greenlet the new one
 * @raise bad argument: *run* cannot be called
 * @switches no
 * @usage local g = greenlet.spawn(print, "hi")
 * @source gevent.spawn
 */
HOT int l_spawn(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  l_check_callable(L, 1);
  l_spawn_fast(L, rt, false);
  spawn_callbacks(L, rt, 1);
  return 1;
}
