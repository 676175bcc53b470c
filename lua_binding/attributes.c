/*
 * attributes.c: what can be read of a Greenlet, and its name.
 */
#include <stdio.h>
#include <string.h>

#include "lua_binding/greenlet.h"
#include "lua_binding/runtime.h"
#include "lua_binding/stuck.h"

static char name_key;

/*** Tell whether the greenlet is dead.
 * @function Greenlet:ready
 * @treturn boolean
 * @switches no
 * @source gevent.Greenlet.ready
 */
int l_greenlet_ready(lua_State *L) {
  lua_pushboolean(L, l_check_handle(L, 1)->state == HANDLE_DEAD);
  return 1;
}

/*** Tell whether the greenlet is dead and ended without an error.
 * A GreenletExit counts as success.
 * @function Greenlet:successful
 * @treturn boolean
 * @switches no
 * @source gevent.Greenlet.successful
 */
int l_greenlet_successful(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  lua_pushboolean(L, handle->state == HANDLE_DEAD && !handle->failed);
  return 1;
}

void l_push_value(lua_State *L, int idx) {
  const struct handle *handle = lua_touserdata(L, idx);
  if (handle->state != HANDLE_DEAD || handle->failed || !handle->has_value) {
    lua_pushnil(L);
    return;
  }
  lua_getiuservalue(L, idx, UV_RESULT);
  if (!handle->packed)
    return;
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
}

static int get_value(lua_State *L) {
  l_check_handle(L, 1);
  l_push_value(L, 1);
  return 1;
}

static int get_exception(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (!handle->failed)
    return 0;
  l_take(handle);
  lua_getiuservalue(L, 1, UV_RESULT);
  return 1;
}

static int get_traceback(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (!handle->failed)
    return 0;
  l_take(handle);
  l_push_death_traceback(L, 1);
  return 1;
}

static int get_exc_info(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
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
  lua_pushboolean(L, l_check_handle(L, 1)->state == HANDLE_DEAD);
  return 1;
}

static int get_started(lua_State *L) {
  lua_pushboolean(L, l_check_handle(L, 1)->state == HANDLE_LIVE);
  return 1;
}

static int get_parent(lua_State *L) {
  l_push_handle(L, &l_check_handle(L, 1)->rt->hub_pair);
  return 1;
}

static int get_loop(lua_State *L) {
  l_push_core(L, l_check_handle(L, 1)->rt, "loop");
  return 1;
}

/* The arguments as a list with n, until the death. */
static int get_args(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
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
  } else if (handle->state != HANDLE_DEAD && l_push_item(L, 1)) {
    count = 1;
    lua_rawseti(L, 2, 1);
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
  lua_pushinteger(L, ident(L, l_check_handle(L, 1)));
  return 1;
}

/* Observers know it by another name from now on. */
static void tell_name(const struct handle *handle) {
  if (handle->rt->watched && handle->pair)
    observers_named(handle->pair->g);
}

/* g.name: a default is fixed when it is first read, as in gevent. */
int l_get_name(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (l_get_private(L, 1, &name_key) != LUA_TNIL)
    return 1;
  lua_pushfstring(L, "Greenlet-%d", ident(L, handle));
  lua_pushvalue(L, -1);
  l_note_name(handle, lua_tostring(L, -1));
  l_set_private(L, 1, &name_key);
  handle->named = true;
  tell_name(handle);
  return 1;
}

const char *l_peek_greenlet_name(lua_State *L, int idx) {
  bool named = l_get_private(L, idx, &name_key) == LUA_TSTRING;
  const char *name = named ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1);
  return name;
}

static bool is_dead(const struct handle *handle) {
  return handle->state == HANDLE_DEAD || (handle->pair && greenlet_dead(handle->pair->g));
}

/* Unlike g.name this leaves no trace; and a number that a dead one never had would be
 * another's. */
void l_push_label(lua_State *L, int idx) {
  struct handle *handle = lua_touserdata(L, idx);
  int top = lua_gettop(L);
  idx = lua_absindex(L, idx);
  if (l_get_private(L, idx, &name_key) == LUA_TNIL && is_dead(handle) && !handle->ident) {
    lua_getiuservalue(L, idx, UV_RUN);
    if (handle->packed_run)
      lua_rawgeti(L, -1, 1);
    l_push_function_name(L, lua_gettop(L));
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
  } else if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushfstring(L, "Greenlet-%d", ident(L, handle));
  } else if (lua_type(L, -1) != LUA_TSTRING) {
    l_push_core(L, handle->rt, "safe_text");
    lua_insert(L, -2);
    lua_call(L, 1, 1);
  }
}

int l_set_name(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (lua_type(L, 2) == LUA_TSTRING)
    l_note_name(handle, lua_tostring(L, 2));
  l_set_private(L, 1, &name_key);
  handle->named = true;
  tell_name(handle);
  return 0;
}

/* Is it the one that it got because somebody has asked for its name? */
static bool is_default(const struct handle *handle, const char *name) {
  char text[32];
  snprintf(text, sizeof text, "Greenlet-%d", handle->ident - 1);
  return strcmp(name, text) == 0;
}

const char *l_given_name(struct pair *pair) {
  lua_State *store = l_rt(pair)->store;
  if (!pair->handle || !pair->handle->named)
    return NULL;
  l_push_handle(store, pair);
  const char *name = l_peek_greenlet_name(store, -1);
  lua_pop(store, 1);
  return name && !is_default(pair->handle, name) ? name : NULL;
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

/*** Reading exception, traceback or exc_info of one that failed takes the error.
 * @tfield boolean Greenlet.started scheduled, waiting or running: true from start until death
 * @tfield boolean Greenlet.active the same as `started`; what a Python greenlet's truth value says
 * @tfield boolean Greenlet.dead finished, or killed before it ever ran
 * @tfield any Greenlet.value the first value that it returned, or nil; a GreenletExit, if it ended
 *   by one
 * @tfield any Greenlet.exception the error that it died of, or nil; nil, too, after `error(nil)`:
 *   ask `successful`. Reading it [takes](failures.md#who-takes-an-error) the error
 * @tfield string Greenlet.traceback the traceback of that error, or nil. Reading it takes the error
 * @tfield table Greenlet.exc_info `{exception, traceback}`, or nil. Reading it takes the error
 * @tfield table Greenlet.args the list of its arguments, with `n`; empty once it is dead
 * @tfield Hub Greenlet.parent the hub
 * @tfield loop Greenlet.loop the hub's loop
 * @tfield integer Greenlet.minimal_ident at least 0, unique among the living, given at the first
 *   question, used again after the death
 * @tfield string Greenlet.name `"Greenlet-<minimal_ident>"`, or what you assign
 * @tfield boolean Greenlet.pinned its C stack never moves: see [pinned
 *   greenlets](c_modules.md#pinned-greenlets). Assignable until it is started: raises an error for
 *   one that has been started. As a field of a class of greenlets, raw ones too, it is that of its
 *   instances; derived classes inherit it
 * @tfield greenlet Greenlet.spawning_greenlet the greenlet that was current when this was made,
 *   held weakly: nil when it has been collected, and without `greenlet.config.track_greenlet_tree`
 * @tfield string Greenlet.spawning_stack the stack at that moment, in the form of a traceback,
 *   followed by the spawner's own; empty without `greenlet.config.track_greenlet_tree`
 * @tfield integer Greenlet.spawning_stack_limit of the class: how many levels of each stack are
 *   kept, 0 to 250, default 10; assignable
 * @tfield table Greenlet.spawn_tree_locals a table that a greenlet shares with all its descendants:
 *   see [the spawn tree](life.md#the-spawn-tree). Each child of the main greenlet starts a tree of
 *   its own. Assigning a table starts a new one there: for this greenlet and those that it spawns
 *   from then on. Nil without `greenlet.config.track_greenlet_tree`
 */
const luaL_Reg l_greenlet_getters[] = {
    {"value", get_value},         {"exception", get_exception},
    {"traceback", get_traceback}, {"exc_info", get_exc_info},
    {"dead", get_dead},           {"started", get_started},
    {"active", get_started},      {"parent", get_parent},
    {"loop", get_loop},           {"args", get_args},
    {"name", l_get_name},         {"minimal_ident", get_minimal_ident},
    {"spawning_greenlet", l_get_spawning_greenlet},
    {"spawn_tree_locals", l_get_spawn_tree_locals},
    {"spawning_stack", l_get_spawning_stack}, {NULL, NULL}};
const luaL_Reg l_greenlet_setters[] = {{"name", l_set_name},
                                      {"spawn_tree_locals", l_set_spawn_tree_locals},
                                      {NULL, NULL}};
