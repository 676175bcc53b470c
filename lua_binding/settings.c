/*
 * settings.c: what the Lua parts set and read in C: greenlet.config, and
 * attributes of classes.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "lua_binding/attention.h"
#include "lua_binding/cycle.h"
#include "lua_binding/ending.h"
#include "lua_binding/profile.h"
#include "lua_binding/runtime.h"
#include "lua_binding/tracer.h"
#include "lua_binding/watchdog.h"

enum setting { TRACK_TREE, STACK_SLOTS, STACK_SIZE, STACK_MOVE, TRAIL_LIMIT, SPAWN_CALLBACKS,
               PINNING, DUMP, WATCHDOG, WHY_ALIVE, LEAKS, REPORT, DEADLOCK, TRACE, FLIGHT,
               PROFILE };

static const char *const leaks_words[] = {"off", "warn", "error", NULL};
static const char *const deadlock_words[] = {"off", "warn", "error", NULL}; /* DEADLOCK_OFF ... */
static const char *const report_words[] = {"now", "unobserved", NULL};

enum { MOST_LEVELS = 250 }; /* of a spawning stack */

static enum setting check_setting(lua_State *L, int idx) {
  static const char *const names[] = {"track_greenlet_tree", "stack_slots", "stack_size",
                                      "stack_move", "spawning_stack_limit", "spawn_callbacks",
                                      "pinning", "dump", "watchdog", "why_alive", "leaks",
                                      "report", "deadlock", "trace", "flight_recorder",
                                      "profile", NULL};
  return (enum setting)luaL_checkoption(L, idx, NULL, names);
}

#define SLOTS_RANGE "is out of range (1 to 1048576)"
_Static_assert(STACK_MOST_SLOTS == 1048576, "as SLOTS_RANGE says");
#define SIZE_RANGE "is out of range (64 KB to 1 GB)"

/* Why it cannot be so; NULL: it is. */
static const char *set_stacks(struct runtime *rt, lua_Integer slots, lua_Integer bytes,
                              const char *range) {
  const struct stack_pool *pool = &rt->hub.stacks;
  if (slots == pool->limit && bytes == (lua_Integer)pool->slot_bytes)
    return NULL;
  int result = slots < 0 || slots > UINT_MAX || bytes < 0
                   ? -EINVAL
                   : hub_set_stacks(&rt->hub, (unsigned)slots, (size_t)bytes);
  switch (result) {
    case 0: return NULL;
    case -EINVAL: return range;
    case -EBUSY: return "cannot be changed any more: greenlets have run";
    default: return "finds not enough memory";
  }
}

/* core.set(name, value): nil, or why the setting cannot have this value. Checks
 * no types. */
static int core_set(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  const struct stack_pool *pool = &rt->hub.stacks;
  const char *problem = NULL;
  switch (check_setting(L, 1)) {
    case TRACK_TREE: rt->track_tree = lua_toboolean(L, 2); break;
    case STACK_SLOTS:
      problem = set_stacks(rt, lua_tointeger(L, 2), (lua_Integer)pool->slot_bytes, SLOTS_RANGE);
      break;
    case STACK_SIZE:
      problem = set_stacks(rt, pool->limit, lua_tointeger(L, 2), SIZE_RANGE);
      break;
    case STACK_MOVE: rt->hub.stacks.move_always = lua_toboolean(L, 2); break;
    case TRAIL_LIMIT: {
      lua_Integer limit = luaL_checkinteger(L, 2);
      luaL_argcheck(L, limit >= 0 && limit <= MOST_LEVELS, 2, "limit out of range");
      rt->trail.limit = (unsigned)limit;
      l_trail_forget(rt);
      break;
    }
    case SPAWN_CALLBACKS: rt->spawn_callbacks = lua_toboolean(L, 2); break;
    case PINNING: rt->pinning = lua_toboolean(L, 2); break;
    case DUMP: l_listen(rt, lua_toboolean(L, 2)); break;
    case WATCHDOG: problem = l_set_watchdog(rt, lua_tonumber(L, 2)); break;
    case WHY_ALIVE: rt->why_alive = lua_toboolean(L, 2); break;
    case LEAKS: rt->leaks = (uint8_t)luaL_checkoption(L, 2, NULL, leaks_words); break;
    case DEADLOCK:
      rt->deadlock = (uint8_t)luaL_checkoption(L, 2, NULL, deadlock_words);
      break;
    case TRACE: problem = l_set_trace(L, rt, luaL_checkstring(L, 2)); break;
    case FLIGHT: problem = l_set_flight(L, rt, luaL_checkstring(L, 2)); break;
    case PROFILE: problem = l_set_profile(L, rt, luaL_checkstring(L, 2)); break;
    case REPORT: rt->report_late = luaL_checkoption(L, 2, NULL, report_words) == 1; break;
  }
  lua_pushstring(L, problem);
  return 1;
}

/* core.get(name): what is in effect */
static int core_get(lua_State *L) {
  const struct runtime *rt = l_runtime(L);
  switch (check_setting(L, 1)) {
    case TRACK_TREE: lua_pushboolean(L, rt->track_tree); break;
    case STACK_SLOTS: lua_pushinteger(L, rt->hub.stacks.limit); break;
    case STACK_SIZE: lua_pushinteger(L, (lua_Integer)rt->hub.stacks.slot_bytes); break;
    case STACK_MOVE: lua_pushboolean(L, rt->hub.stacks.move_always); break;
    case TRAIL_LIMIT: lua_pushinteger(L, rt->trail.limit); break;
    case SPAWN_CALLBACKS: lua_pushboolean(L, rt->spawn_callbacks); break;
    case PINNING: lua_pushboolean(L, rt->pinning); break;
    case DUMP: lua_pushboolean(L, l_listens(rt)); break;
    case WATCHDOG: lua_pushnumber(L, l_get_watchdog(rt)); break;
    case WHY_ALIVE: lua_pushboolean(L, rt->why_alive); break;
    case LEAKS: lua_pushstring(L, leaks_words[rt->leaks]); break;
    case DEADLOCK: lua_pushstring(L, deadlock_words[rt->deadlock]); break;
    case TRACE: lua_pushstring(L, l_get_trace(rt)); break;
    case FLIGHT: lua_pushstring(L, l_get_flight(rt)); break;
    case REPORT: lua_pushstring(L, report_words[rt->report_late]); break;
    case PROFILE: lua_pushstring(L, l_get_profile(rt)); break;
  }
  return 1;
}

void l_set_by_text(lua_State *L, struct runtime *rt, const char *name, const char *source,
                   const char *text) {
  l_push_core(L, rt, "settings");
  lua_getfield(L, -1, "from_environment");
  lua_pushstring(L, name);
  lua_pushstring(L, source);
  lua_pushstring(L, text);
  lua_call(L, 3, 0);
  lua_pop(L, 1);
}

/* The Lua part, which few programs need, is loaded only if there is anything. */
void l_read_environment(lua_State *L, struct runtime *rt) {
  static const struct {
    const char *name, *variable;
  } settings[] = {{"track_greenlet_tree", "GREENLUA_TRACK_GREENLET_TREE"},
                  {"stack_slots", "GREENLUA_STACK_SLOTS"},
                  {"stack_size", "GREENLUA_STACK_SIZE"},
                  {"stack_move", "GREENLUA_STACK_MOVE"},
                  {"dump", "GREENLUA_DUMP"},
                  {"watchdog", "GREENLUA_WATCHDOG"},
                  {"why_alive", "GREENLUA_WHY_ALIVE"},
                  {"leaks", "GREENLUA_LEAKS"},
                  {"report", "GREENLUA_REPORT"},
                  {"deadlock", "GREENLUA_DEADLOCK"},
                  {"trace", "GREENLUA_TRACE"},
                  {"flight_recorder", "GREENLUA_FLIGHT_RECORDER"},
                  {"profile", "GREENLUA_PROFILE"}};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const char *text = getenv(settings[i].variable);
    if (text)
      l_set_by_text(L, rt, settings[i].name, settings[i].variable, text);
  }
}

void l_open_settings(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"set", core_set}, {"get", core_get}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
