/*
 * runtime.c: opening and closing, and what a host program calls.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "lua_binding/cycle.h"
#include "lua_binding/attention.h"
#include "lua_binding/binding.h"
#include "lua_binding/ending.h"
#include "lua_binding/fault.h"
#include "lua_binding/pair.h"
#include "lua_binding/profile.h"
#include "lua_binding/tracer.h"

enum { DEFAULT_SLOTS = 64, DEFAULT_SLOT_BYTES = 4 << 20, DEFAULT_TRAIL = 10 };
enum { CORE_FIELDS = 128 }; /* about as many as the Lua parts share */

static char runtime_key;
struct runtime *l_only_runtime;

struct runtime *l_find_runtime(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &runtime_key);
  struct runtime *rt = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return rt;
}

/* ---- Opening ---- */

static lua_State *new_thread(lua_State *L) {
  lua_State *thread = lua_newthread(L);
  luaL_ref(L, LUA_REGISTRYINDEX);
  return thread;
}

static void start_hub(lua_State *L, struct runtime *rt) {
  int result = hub_init(&rt->hub, DEFAULT_SLOTS, DEFAULT_SLOT_BYTES, &l_host, rt);
  if (result < 0)
    luaL_error(L, "cannot start the hub: %s", strerror(-result));
  rt->started = true;
}

/* Give main or the hub its handle, an object of the class core.<class>. */
static void adopt(lua_State *L, struct runtime *rt, struct pair *pair, struct greenlet *g,
                  lua_State *thread, const char *class) {
  pair->own.hub = &rt->hub;
  pair->g = g;
  pair->L = pair->at = thread;
  pair->anchor = ++rt->anchors;
  g->arg = pair;
  l_push_core(L, rt, class);
  struct handle *handle =
      l_new_object(L, -1, sizeof *handle, UV_COUNT, &handle_kind);
  handle->rt = rt;
  handle->raw = true;
  handle->state = HANDLE_LIVE;
  handle->pair = pair;
  pair->handle = handle;
  lua_pushvalue(L, -1);
  lua_xmove(L, rt->store, 1);
  l_anchor(pair);
  lua_pop(L, 2);
}

static void name_it(lua_State *L, struct pair *pair, const char *name) {
  l_push_handle(L, pair);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_pop(L, 1);
}

/* The handle in a place of the anchors: NULL if that is free. */
static struct handle *anchored(struct runtime *rt, int place) {
  int top = lua_gettop(rt->store);
  if (lua_rawgeti(rt->store, ANCHORS, place) == LUA_TTABLE) { /* demoted: the key of a cell */
    lua_pushnil(rt->store);
    if (lua_next(rt->store, -2))
      lua_pop(rt->store, 1);
  }
  struct handle *handle = lua_touserdata(rt->store, -1);
  lua_settop(rt->store, top);
  return handle;
}

/* Not the hub's list: those that have not begun, or whose links wait to be told, are not there. */
static void free_pairs(struct runtime *rt) {
  for (int place = 1; place <= rt->anchors; place++) {
    struct handle *handle = anchored(rt, place);
    struct pair *pair = handle ? handle->pair : NULL;
    if (!pair || pair == &rt->main_pair || pair == &rt->hub_pair)
      continue;
    greenlet_abandon(pair->g);
    handle->pair = NULL; /* later finalizers may ask */
    handle->state = HANDLE_DEAD;
    l_detach_notice(pair);
    l_delete(rt, pair, sizeof *pair);
  }
  for (struct pair *pair; (pair = rt->free);) {
    rt->free = pair->next;
    l_delete(rt, pair, sizeof *pair);
  }
}

/* __gc of the runtime: the state is being closed. Finalizers run in reverse
 * order of their creation, so this one is among the last. */
static int l_runtime_gc(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  rt->closing = true;
  l_close_traces(rt);
  l_profile_close(rt);
  l_close_interrupt(rt);
  l_close_attention(rt);
  l_close_faults(rt);
  /* os.exit(code, true) in a greenlet: we stand on one of the stacks. */
  if (!rt->started || rt->hub.current != &rt->hub.main)
    return 0;
  rt->started = false;
  rt->track_tree = false; /* later finalizers may spawn */
  free_pairs(rt);
  l_detach_notice(&rt->main_pair);
  l_detach_notice(&rt->hub_pair);
  if (rt->spare_notice)
    l_delete(rt, rt->spare_notice, sizeof *rt->spare_notice);
  l_trail_term(&rt->trail);
  l_owners_term(&rt->owners);
  hub_term(&rt->hub);
  return 0;
}

/* Before anything of the second runs: it may be in another thread. */
static void count_runtime(struct runtime *rt) {
  static atomic_uint count;
  l_only_runtime = atomic_fetch_add(&count, 1) == 0 ? rt : NULL;
}

static struct runtime *new_runtime(lua_State *L) {
  struct runtime *rt = lua_newuserdatauv(L, sizeof *rt, 0);
  memset(rt, 0, sizeof *rt);
  count_runtime(rt);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_runtime_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &runtime_key);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  rt->main_L = lua_tothread(L, -1);
  lua_pop(L, 1);
  rt->L = L;
  rt->transfer = new_thread(L);
  rt->store = new_thread(L);
  rt->aux = new_thread(L);
  rt->hub_L = new_thread(L);
  rt->trail.limit = DEFAULT_TRAIL;
  lua_createtable(L, 0, CORE_FIELDS);
  rt->core_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return rt;
}

static void open_classes(lua_State *L, struct runtime *rt) {
  l_open_parts(L, rt);
  l_object_open(L, rt);
  l_run_part(L, rt, "class", 0);
  l_open_errors(L, rt);
  l_open_raw(L, rt);
  l_open_greenlet(L, rt);
  l_open_joinall(L, rt);
  l_open_timeout(L, rt);
  l_open_loop(L, rt);
  l_open_insist(L, rt);
  l_open_links(L, rt);
  l_open_watcher(L, rt);
  l_open_hub(L, rt);
  l_open_report(L, rt);
  l_open_waits(L, rt);
  l_open_cycle(L, rt);
  l_open_ending(L, rt);
  l_open_attention(L, rt);
  l_open_protect(L, rt);
  l_open_functions(L, rt);
  l_open_settings(L, rt);
  l_open_fork(L, rt);
  l_open_trace(L, rt);
}

static void open_lua_parts(lua_State *L, struct runtime *rt) {
  l_run_part(L, rt, "hub", 0);
  l_run_part(L, rt, "greenlet", 0);
  l_run_part(L, rt, "wait", 0);
  l_run_part(L, rt, "timeout", 0);
  l_run_part(L, rt, "signal", 0);
  l_push_core(L, rt, "print_reports");
  rt->print_reports_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct runtime *open_runtime(lua_State *L) {
  struct runtime *rt = new_runtime(L);
  start_hub(L, rt);
  l_pair_open(L, rt);
  open_classes(L, rt);
  l_trail_open(L, rt);
  adopt(L, rt, &rt->main_pair, &rt->hub.main, rt->main_L, "greenlet");
  adopt(L, rt, &rt->hub_pair, &rt->hub.self, rt->hub_L, "Hub");
  name_it(L, &rt->main_pair, "main");
  name_it(L, &rt->hub_pair, "hub");
  l_push_handle(L, &rt->main_pair);
  l_mark_main(L, lua_gettop(L));
  lua_pop(L, 1);
  rt->track_tree = true;
  l_open_garbage(L, rt);
  open_lua_parts(L, rt);
  l_open_interrupt(L, rt);
  l_open_faults(rt);
  l_run_part(L, rt, "module", 1);
  l_open_modules(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "module");
  lua_pop(L, 2);
  l_read_environment(L, rt);
  return rt;
}

L_EXPORTED int luaopen_greenlet(lua_State *L) {
  struct runtime *rt = l_find_runtime(L);
  if (!rt)
    rt = open_runtime(L);
  l_push_core(L, rt, "module");
  return 1;
}

/* ---- For host programs ---- */

void binding_install(lua_State *L) {
  luaL_requiref(L, "greenlet", luaopen_greenlet, 1);
  lua_pop(L, 1);
  l_push_core(L, l_find_runtime(L), "patch_all");
  lua_call(L, 0, 0);
}

int binding_wait(lua_State *L) {
  struct runtime *rt = l_find_runtime(L);
  l_tell_why_alive(L, rt);
  l_push_core(L, rt, "join");
  lua_call(L, 0, 0);
  l_tell_leaks(L, rt);
  return 0;
}

int binding_finish(lua_State *L) {
  struct runtime *rt = l_find_runtime(L);
  l_default_interrupt(rt);
  l_push_core(L, rt, "finish");
  lua_call(L, 0, 0);
  l_print_late_reports(L, rt);
  l_raise_untaken(L, rt);
  return 0;
}

void binding_listen(lua_State *L) {
  l_listen(l_find_runtime(L), true);
}

/* (light array of name, source, text) */
static int set(lua_State *L) {
  const char *const *setting = lua_touserdata(L, 1);
  l_set_by_text(L, l_find_runtime(L), setting[0], setting[1], setting[2]);
  return 0;
}

bool binding_set(lua_State *L, const char *name, const char *source, const char *text) {
  const char *setting[] = {name, source, text};
  lua_pushcfunction(L, set);
  lua_pushlightuserdata(L, setting);
  return lua_pcall(L, 1, 0, 0) == LUA_OK;
}

int binding_failures(lua_State *L) {
  return l_find_runtime(L)->failures;
}

void binding_traceback(lua_State *L, int error, const char *message, int level) {
  struct runtime *rt = l_find_runtime(L);
  error = lua_absindex(L, error);
  luaL_traceback(L, L, NULL, level);
  l_add_origin(L, rt, error);
  lua_pushfstring(L, "%s\n%s", message, lua_tostring(L, -1));
  lua_remove(L, -2);
}

static int signal_of(lua_State *L, int idx) {
  lua_getfield(L, idx, "args");
  lua_rawgeti(L, -1, 2);
  lua_Integer number = lua_tointeger(L, -1);
  lua_pop(L, 2);
  return number > 0 && number < NSIG ? (int)number : SIGTERM;
}

int binding_exit_status(lua_State *L, int idx) {
  struct runtime *rt = l_find_runtime(L);
  if (!rt)
    return 1;
  if (l_is_a(L, rt, idx, "LoopExit"))
    return 3;
  if (l_is_a(L, rt, idx, "Terminated"))
    return BINDING_BY_SIGNAL + signal_of(L, idx);
  if (l_is_a(L, rt, idx, "KeyboardInterrupt"))
    return 130;
  l_flight_write(rt, "error");
  return 1;
}
