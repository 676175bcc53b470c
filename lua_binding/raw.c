/*
 * raw.c: the class greenlet, Python's switching primitive.
 *
 * Values go from switch to switch through rt->transfer. The parent that a
 * script sees is a private field of the handle; core's own pointers are set
 * from it when a greenlet first runs.
 */
#include "lua_binding/runtime.h"

/*** Greenlets that switch to each other by name, without a scheduler.
 * A raw greenlet is the switching primitive, Python's package `greenlet`: a function with a stack
 * of its own, which runs when somebody switches to it. The hub knows of it only while it waits. Any
 * greenlet may be switched to from anywhere, in metamethods, iterators and callbacks of C
 * functions. Raw greenlets may call whatever waits, too: they are woken by the hub like all others.
 *
 * ```lua
 * local main = greenlet.getcurrent()
 * local words = greenlet.greenlet(function(first)
 *   print("started with", first)
 *   print("then got", main:switch("one"))
 *   return "last", "values"
 * end)
 * print(words:switch("a"))
 * print(words:switch("b"))
 * print(words.dead, words:switch("to the parent"))
 * ```
 *
 * ```text
 * started with	a
 * one
 * then got	b
 * last	values
 * true	to the parent
 * ```
 * @page raw Raw greenlets
 */
static char parent_key;

/* ---- Parents ---- */

/* Push the parent of the handle at idx; nil for main. */
static void push_parent(lua_State *L, struct runtime *rt, int idx) {
  const struct handle *handle = lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  if (handle == l_root(rt)->handle)
    lua_pushnil(L);
  else if (handle == rt->hub_pair.handle)
    l_push_handle(L, l_root(rt));
  else if (!handle->raw || l_get_private(L, idx, &parent_key) == LUA_TNIL)
    l_push_handle(L, &rt->hub_pair);
}

/* Push the nearest of the handle at idx and its ancestors that is not dead. */
static struct handle *push_living(lua_State *L, struct runtime *rt, int idx) {
  lua_pushvalue(L, idx);
  for (;;) {
    struct handle *handle = lua_touserdata(L, -1);
    if (handle->state != HANDLE_DEAD)
      return handle;
    push_parent(L, rt, -1);
    lua_remove(L, -2);
  }
}

/*
 * Give the handle at idx, and those of its ancestors that need one, a pair,
 * and tell core of the parents. A loop: a chain of parents may be long.
 */
static struct pair *prepare(lua_State *L, struct runtime *rt, int idx, bool resting) {
  struct pair *below = NULL;
  lua_pushvalue(L, idx);
  for (;;) {
    const struct handle *handle = lua_touserdata(L, -1);
    bool known = handle->pair != NULL;
    /* An ancestor that is not started yet may well be abandoned. */
    struct pair *pair = resting ? l_prepare_resting(L, rt, -1) : l_prepare(L, rt, -1);
    resting = true;
    if (handle->pair != pair)
      luaL_error(L, "a finalizer has ended a parent");
    if (below)
      greenlet_set_parent(below->g, pair->g);
    if (known || !handle->raw)
      break;
    push_parent(L, rt, -1);
    push_living(L, rt, -1);
    lua_replace(L, -3);
    lua_pop(L, 1);
    below = pair;
  }
  lua_pop(L, 1);
  return ((struct handle *)lua_touserdata(L, idx))->pair;
}

static int get_parent(lua_State *L) {
  push_parent(L, l_check_handle(L, 1)->rt, 1);
  return 1;
}

static void check_cycle(lua_State *L, struct runtime *rt) {
  lua_pushvalue(L, 2);
  while (!lua_isnil(L, -1)) {
    if (lua_rawequal(L, -1, 1))
      luaL_error(L, "cyclic parent chain");
    push_parent(L, rt, -1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
}

static int set_parent(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  if (!l_test_handle(L, 2))
    return luaL_error(L, "the parent of a greenlet must be a greenlet (got %s)",
                      luaL_typename(L, 2));
  if (handle->pair == l_root(rt) || handle->pair == &rt->hub_pair || !handle->raw)
    return luaL_error(L, "the parent of this greenlet cannot be set");
  check_cycle(L, rt);
  lua_pushvalue(L, 2);
  l_set_private(L, 1, &parent_key);
  if (handle->pair && handle->state != HANDLE_DEAD) {
    push_living(L, rt, 2);
    greenlet_set_parent(handle->pair->g, prepare(L, rt, lua_gettop(L), true)->g);
  }
  return 0;
}

/* ---- Switching ---- */

/* Back from a raw switch: push what was passed. */
static int back(lua_State *L, struct runtime *rt, int result, const void *answer) {
  if (result < 0)
    lua_settop(rt->transfer, 0);
  l_leave(L, rt, result);
  return answer == l_values ? l_receive_values(L, rt) : 0;
}

/* Switch to the living handle at idx with the `values` values on top. */
static int switch_to(lua_State *L, struct runtime *rt, int idx, int values) {
  void *answer = NULL;
  struct pair *pair = ((struct handle *)lua_touserdata(L, idx))->pair;
  if (!pair || !pair->g->begun)
    pair = prepare(L, rt, idx, false);
  if (!l_send_values(L, rt, values))
    return luaL_error(L, "too many values in a switch");
  rt->throwing = false;
  pair->handle->state = HANDLE_LIVE;
  int result = greenlet_switch(pair->g, l_values, &answer);
  return back(L, rt, result, answer);
}

/*** Run the greenlet until somebody switches back.
 * What is passed are the arguments of its function the first time, then what its own `switch`
 * returns.
 * @function greenlet.greenlet:switch
 * @tparam any ... values
 * @treturn any what it is switched back with
 * @raise InvalidSwitchError inside `__gc`
 * @switches yes
 * @usage local values = g:switch("hello")
 * @source greenlet.greenlet.switch
 */
static int l_raw_switch(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  int values = lua_gettop(L) - 1;
  l_enter(L, rt);
  if (handle->state == HANDLE_DEAD) {
    push_living(L, rt, 1);
    lua_replace(L, 1);
  }
  return switch_to(L, rt, 1, values);
}

/* A dead one passes the error on: an exit as a value. */
static int throw_up(lua_State *L, struct runtime *rt) {
  push_living(L, rt, 1);
  lua_replace(L, 1);
  l_push_exception(L, rt, 2);
  const struct handle *living = lua_touserdata(L, 1);
  if (l_is_exit(L, -1))
    return switch_to(L, rt, 1, 1);
  if (living->pair == &rt->hub_pair) /* which takes no errors */
    return l_error(L);
  lua_replace(L, 2);
  return -1;
}

/*** Raise an exception in the greenlet, now, and run it until somebody switches back.
 * For Greenlets it is for experts: as `kill` for one that never ran, no effect on a dead one.
 * @function greenlet.greenlet:throw
 * @function Greenlet:throw
 * @tparam[opt=GreenletExit] any exception a class (an instance is made), an instance, or any value
 * @treturn any what it is switched back with
 * @raise InvalidSwitchError inside `__gc`, and for the hub
 * @switches yes
 * @source greenlet.greenlet.throw
 */
static int l_raw_throw(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  void *answer = NULL;
  lua_settop(L, 2);
  if (handle->pair == &rt->hub_pair)
    return l_raise(L, rt, "InvalidSwitchError", "cannot throw into the hub");
  if (!handle->raw && handle->state == HANDLE_DEAD)
    return 0;
  if (!handle->raw && (!handle->pair || !handle->pair->g->begun)) {
    l_kill(L, 1, 2);
    return 0;
  }
  l_enter(L, rt);
  if (handle->state == HANDLE_DEAD) {
    int values = throw_up(L, rt);
    if (values >= 0)
      return values;
  }
  l_push_exception(L, rt, 2); /* may run anything: before the pair is looked at */
  if (handle->state == HANDLE_DEAD) {
    lua_replace(L, 2);
    return l_raw_throw(L);
  }
  struct pair *pair = prepare(L, rt, 1, false);
  l_note_killer(L, 1);
  void *box = l_box(L);
  rt->throwing = true;
  lua_settop(rt->transfer, 0);
  int result = greenlet_throw(pair->g, box, &answer);
  return back(L, rt, result, answer);
}

/* ---- State ---- */

static int get_dead(lua_State *L) {
  lua_pushboolean(L, l_check_handle(L, 1)->state == HANDLE_DEAD);
  return 1;
}

static int get_active(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  lua_pushboolean(L, handle->state != HANDLE_DEAD && handle->pair && handle->pair->g->begun);
  return 1;
}

static int get_loop(lua_State *L) {
  l_push_core(L, l_check_handle(L, 1)->rt, "loop");
  return 1;
}

/* ---- Making ---- */

static int l_raw_allocate(lua_State *L) {
  lua_settop(L, 1);
  l_push_meta(L, 1);
  l_new_handle(L, l_runtime(L), 2)->raw = true;
  return 1;
}

/* Check the run argument at 2: a callable, or absent where the class has _run,
 * which makes it false. */
void l_check_run(lua_State *L) {
  if (lua_gettop(L) < 2)
    lua_settop(L, 2);
  bool absent = lua_isnil(L, 2);
  bool good = absent ? lua_getfield(L, 1, "_run") != LUA_TNIL : l_callable(L, 2);
  if (!good) {
    lua_getmetatable(L, 1);
    lua_getfield(L, -1, "__name");
    l_typeerror(L, 2, 1, lua_tostring(L, -1), "function");
  }
  if (absent) {
    lua_pushboolean(L, false);
    lua_replace(L, 2);
    lua_pop(L, 1);
  }
}

/*** The class of raw greenlets.
 * The constructor makes one; nothing runs. When *run* returns, its values go to the parent's
 * `switch`; an error that it did not catch is raised there; a GreenletExit is returned there, as a
 * value. A dead greenlet passes on what it is sent to its nearest living ancestor. One that never
 * started is started by values, and dies of an error, which goes on to that ancestor. A parent that
 * is not in a `switch` but waits for something gets InvalidSwitchError there.
 * @class greenlet.greenlet
 * @within raw
 * @tparam function run any callable; may be left out where a derived class has `_run`
 * @tparam[opt=getcurrent()] greenlet parent any greenlet
 * @raise bad argument
 * @switches no
 * @super greenlet.class
 * @order switch throw
 * @tfield greenlet greenlet.greenlet.parent where it goes when it ends; assignable: a cycle, or a
 *   parent that is no greenlet, is an error
 * @tfield boolean greenlet.greenlet.dead it has ended
 * @tfield boolean greenlet.greenlet.active it has begun and is not dead
 * @tfield loop greenlet.greenlet.loop the hub's loop
 * @tfield string greenlet.greenlet.name as of a [Greenlet](greenlet_class.md)
 * @tfield boolean greenlet.greenlet.pinned as of a [Greenlet](greenlet_class.md)
 * @source greenlet.greenlet
 */
static int l_raw_init(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  struct runtime *rt = handle->rt;
  if (handle->state != HANDLE_NEW || handle->pair || handle->packed_run)
    return luaL_error(L, "init of a greenlet that has been made already");
  lua_settop(L, 3);
  l_check_run(L);
  if (lua_isnil(L, 3))
    l_push_handle(L, l_current(rt));
  else if (!l_test_handle(L, 3))
    return l_typeerror(L, 3, 2, "greenlet", "greenlet");
  else
    lua_pushvalue(L, 3);
  l_set_private(L, 1, &parent_key);
  lua_settop(L, 2);
  l_pack_call(L, 2);
  handle->packed_run = true;
  lua_setiuservalue(L, 1, UV_RUN);
  return 0;
}

/*** Schedule `f(...)` in a [raw greenlet](raw.md) under the hub.
 * It is a little cheaper than `greenlet.spawn` and has no links, no value and no `get`. An error in
 * it is reported.
 * @function greenlet.spawn_raw
 * @within greenlet
 * @tparam function f any callable
 * @tparam any ... its arguments
 * @treturn greenlet the raw greenlet
 * @raise bad argument: *f* cannot be called
 * @switches no
 * @usage greenlet.spawn_raw(print, "hi")
 * @source gevent.spawn_raw
 */
static int l_spawn_raw(lua_State *L) {
  l_check_callable(L, 1);
  l_spawn_fast(L, l_runtime(L), true);
  return 1;
}

/*** Return the running greenlet.
 * In the main chunk that is the main greenlet, in a callback the hub.
 * @function greenlet.getcurrent
 * @within greenlet
 * @treturn greenlet
 * @switches no
 * @usage print(greenlet.getcurrent().name)
 * @source gevent.getcurrent
 */
static int l_getcurrent(lua_State *L) {
  l_push_handle(L, l_current(l_runtime(L)));
  return 1;
}

/* ---- Tracing ---- */

/* (light runtime, light origin) */
static int call_trace(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  struct greenlet *origin = lua_touserdata(L, 2);
  bool thrown = rt->throwing || greenlet_first_error(rt->hub.current);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->trace_ref);
  lua_pushstring(L, thrown ? "throw" : "switch");
  if (origin && l_pair(origin)->handle)
    l_push_handle(L, l_pair(origin));
  else
    lua_rawgetp(L, LUA_REGISTRYINDEX, &l_ended_key);
  l_push_handle(L, l_current(rt));
  lua_call(L, 3, 0);
  return 0;
}

/* (light runtime, error) -> light box; the trace ends. */
static int box_trace_error(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, rt->trace_ref);
  rt->trace_ref = LUA_NOREF;
  lua_pushlightuserdata(L, l_box(L));
  return 1;
}

/* On L: call the function; an error of its ends the trace and is raised where
 * control arrives. */
static void trace_on(struct runtime *rt, lua_State *L, struct greenlet *origin) {
  struct hub *hub = &rt->hub;
  lua_pushcfunction(L, call_trace);
  lua_pushlightuserdata(L, rt);
  lua_pushlightuserdata(L, origin);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK)
    return;
  hub->traced = false;
  lua_pushcfunction(L, box_trace_error);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, rt);
  lua_insert(L, -2);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && hub->current != &hub->self)
    greenlet_throw(hub->current, lua_touserdata(L, -1), NULL);
  lua_pop(L, 1);
}

/* core: control has arrived. The function is called in the current greenlet, on
 * the thread that it waits on, so it may switch; values in flight are set aside
 * meanwhile. A thread that has yielded cannot be called on: aux is, then. */
void l_arrived(struct hub *hub, struct greenlet *origin) {
  struct runtime *rt = hub->data;
  struct pair *pair = l_current(rt);
  lua_State *L = pair->aside ? rt->aux : l_innermost(pair);
  if (rt->tracing || rt->trace_ref == LUA_NOREF || !lua_checkstack(L, 8))
    return;
  rt->tracing = true;
  rt->tracing_aside = pair->aside;
  rt->L = L;
  int values = l_receive_values(L, rt);
  int below = lua_gettop(L) - values;
  trace_on(rt, L, origin);
  if (pair->aside)
    lua_sethook(L, NULL, 0, 0); /* the function may have set one on aux */
  lua_settop(L, below + values);
  l_send_values(L, rt, values);
  rt->tracing = rt->tracing_aside = false;
}

/*** Return the function that `greenlet.settrace` has set, or nil.
 * @function greenlet.gettrace
 * @within raw
 * @treturn function or nil
 * @switches no
 * @source greenlet.gettrace
 */
static int l_gettrace(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  if (rt->trace_ref == LUA_NOREF)
    return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->trace_ref);
  return 1;
}

/*** Have a function called at each switch, in the greenlet that is switched to.
 * *event* is `"switch"` or `"throw"`. The switches that the function makes itself are not traced;
 * where the target is the hub it must not wait. An error in it ends the tracing and is raised where
 * control has arrived.
 *
 * ```lua
 * local names = {[greenlet.getcurrent()] = "main", [greenlet.get_hub()] = "hub"}
 * local g = greenlet.greenlet(function() end)
 * names[g] = "g"
 * greenlet.settrace(function(event, origin, target)
 *   print(event, names[origin] .. " -> " .. names[target])
 * end)
 * g:switch()
 * greenlet.settrace(nil)
 * ```
 *
 * ```text
 * switch	main -> g
 * switch	g -> main
 * ```
 * @function greenlet.settrace
 * @within raw
 * @tparam[opt] function f called as `f(event, origin, target)`; nil ends it
 * @treturn function the one before, or nil
 * @raise bad argument: *f* cannot be called
 * @switches no
 * @source greenlet.settrace
 */
static int l_settrace(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  if (!lua_isnoneornil(L, 1))
    l_check_callable(L, 1);
  lua_settop(L, 1);
  l_gettrace(L);
  lua_settop(L, 2);
  luaL_unref(L, LUA_REGISTRYINDEX, rt->trace_ref);
  rt->trace_ref = LUA_NOREF;
  rt->hub.traced = !lua_isnil(L, 1);
  if (rt->hub.traced) {
    lua_pushvalue(L, 1);
    rt->trace_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 1;
}

void l_open_raw(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {{"init", l_raw_init},
                                     {"switch", l_raw_switch},
                                     {"throw", l_raw_throw},
                                     {"__tostring", l_greenlet_tostring},
                                     {NULL, NULL}};
  static const luaL_Reg getters[] = {{"parent", get_parent}, {"dead", get_dead},
                                     {"active", get_active}, {"loop", get_loop},
                                     {"name", l_get_name},   {"pinned", l_get_pinned},
                                     {NULL, NULL}};
  static const luaL_Reg setters[] = {{"parent", set_parent}, {"name", l_set_name},
                                     {"pinned", l_set_pinned}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"getcurrent", l_getcurrent},
                                       {"settrace", l_settrace},
                                       {"gettrace", l_gettrace},
                                       {NULL, NULL}};
  static const struct l_class class = {"greenlet", "class", l_raw_allocate,
                                       methods, getters, setters};
  rt->trace_ref = LUA_NOREF;
  lua_pushboolean(L, false);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &l_ended_key);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_register_class(L, rt, &class);
  lua_pushlightuserdata(L, rt);
  lua_getfield(L, -2, "__meta");
  lua_pushcclosure(L, l_spawn_raw, 2);
  lua_setfield(L, -3, "spawn_raw");
  lua_setfield(L, -2, "greenlet");
  lua_pop(L, 1);
}
