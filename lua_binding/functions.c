/*
 * functions.c: the functions of the module that are on a hot path, and what
 * the Lua parts wait with.
 */
#include <signal.h>

#include "core/clock.h"
#include "lua_binding/runtime.h"

/* After a sleep without a stack. */
static int slept(lua_State *L, int status, lua_KContext context) {
  (void)status;
  l_answer(L, (struct runtime *)context);
  return 0;
}

static double check_sleep(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, 0);
  if (!(seconds >= 0) && seconds != -1)
    luaL_argerror(L, 1, "seconds must not be negative");
  return seconds;
}

/*** Wait for so many seconds.
 * `sleep(0)` lets every other greenlet that is ready run first; it need not poll for events, which
 * happens when nobody is ready, and about every `greenlet.getswitchinterval()`.
 * @function greenlet.sleep
 * @tparam[opt=0] number seconds fractions allowed; -1 is 0
 * @tparam[opt=true] boolean ref false: this sleep does not keep `greenlet.wait()`, and so the
 *   program, from ending
 * @raise bad argument: negative seconds
 * @switches yes
 * @usage greenlet.sleep(0.1)
 * @source gevent.sleep
 */
HOT static int l_sleep(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  int is_number, result;
  bool turn = lua_tointegerx(L, 1, &is_number) == 0 && is_number;
  double seconds = turn ? 0 : check_sleep(L);
  l_enter(L, rt);
  if (turn) /* no more is looked at where a switch is all that is wanted */
    result = waiter_begin_turn(&rt->hub);
  else
    result = waiter_begin_sleep(&rt->hub, seconds, lua_isnoneornil(L, 2) || lua_toboolean(L, 2));
  if (result == 0)
    result = l_finish(rt);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, slept);
  l_leave(L, rt, result);
  return 0;
}

/*** Raise an error in a greenlet soon, without waiting for it.
 * It may be a raw one or the main greenlet, too. A raw greenlet that ends so passes the
 * GreenletExit to its parent's switch, as always.
 * @function greenlet.kill
 * @tparam greenlet g not the hub
 * @tparam[opt=GreenletExit] any exception a class stands for a new instance
 * @raise bad argument: the hub
 * @switches no
 * @usage greenlet.kill(g)
 * @source gevent.kill
 */
static int l_kill_function(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  lua_settop(L, 2);
  if (handle->state == HANDLE_DEAD)
    return 0;
  if (handle->pair == &handle->rt->hub_pair)
    return luaL_argerror(L, 1, "the hub cannot be killed");
  l_kill(L, 1, lua_isnil(L, 2) ? 0 : 2);
  return 0;
}

/* ---- For the Lua parts ---- */

static int parked(lua_State *L, int status, lua_KContext context) {
  (void)status;
  lua_pushboolean(L, l_answer(L, (struct runtime *)context) == 0);
  return 1;
}

bool l_was_woken(lua_State *L, int idx) {
  lua_pushliteral(L, "waiting");
  lua_rawget(L, idx);
  bool woken = !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return woken;
}

/*
 * core.park(description, timeout, object): wait for core.unpark. True when woken, false
 * when the time is up. The description is what reports show; the object, a table, is for
 * waits.lua, and for whoever is woken before the wait: see l_was_woken.
 */
static int core_park(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  const char *description = luaL_checkstring(L, 1);
  struct l_time time = l_check_time(L, 2);
  l_enter(L, rt);
  l_start_time(L, rt, &time);
  bool woken = l_was_woken(L, 3);
  /* The string stays on the Lua stack, so its address is good. */
  int result = woken ? 0 : waiter_begin(&rt->hub, WAIT_LINKS, description, NULL, time.seconds,
                                        true);
  if (result == 0 && !woken)
    result = time.timeout ? waiter_finish(&rt->hub, false) : l_finish(rt);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, parked);
  lua_pushboolean(L, l_leave_time(L, rt, &time, result) == 0);
  return 1;
}

/* core.unpark(g): end that wait; false if g does not wait so */
static int core_unpark(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  struct greenlet *g = handle->pair ? handle->pair->g : NULL;
  bool waits = g && g->state == GREENLET_WAITING && g->wait.what == WAIT_LINKS;
  if (waits)
    waiter_wake(g, 0);
  lua_pushboolean(L, waits);
  return 1;
}

/* core.check_may_wait(): the error that a wait would raise here and now */
static int core_check_may_wait(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  l_enter(L, rt);
  l_leave(L, rt, waiter_check(&rt->hub));
  return 0;
}

static int check_seconds(lua_State *L, int idx, int argument, const char *function) {
  if (!lua_isnumber(L, idx))
    return l_typeerror(L, idx, argument, function, "number");
  if (!(lua_tonumber(L, idx) >= 0))
    return l_argerror(L, argument, function, "seconds must not be negative");
  return 0;
}

/* core.check_time(value, argument, function): a timeout argument, or an error */
static int core_check_time(lua_State *L) {
  if (lua_isnoneornil(L, 1) || l_test_kind(L, 1, &timeout_kind))
    return 0;
  return check_seconds(L, 1, (int)luaL_checkinteger(L, 2), luaL_checkstring(L, 3));
}

/* core.check_number(argument, function, value): seconds */
static int core_check_number(lua_State *L) {
  return check_seconds(L, 3, (int)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
}

/* core.check_integer(argument, function, value) */
static int core_check_integer(lua_State *L) {
  int integer, argument = (int)luaL_checkinteger(L, 1);
  const char *function = luaL_checkstring(L, 2);
  lua_tointegerx(L, 3, &integer);
  if (!integer && lua_isnumber(L, 3))
    return l_argerror(L, argument, function, "number has no integer representation");
  if (!integer)
    return l_typeerror(L, 3, argument, function, "number");
  return 0;
}

/* core.raise_expired(timeout): what an expiry of it raises */
static int core_raise_expired(lua_State *L) {
  struct l_time time = l_check_time(L, 1);
  return l_raise_expired(L, l_runtime(L), &time);
}

static int core_callable(lua_State *L) {
  lua_pushboolean(L, l_callable(L, 1));
  return 1;
}

/* core.clock(): the timers' clock */
static int core_clock(lua_State *L) {
  lua_pushnumber(L, clock_seconds());
  return 1;
}

/* core.count_failure(): a link or callback died of an error */
static int core_count_failure(lua_State *L) {
  l_runtime(L)->failures++;
  return 0;
}

/* core.signal_numbers(): {INT = 2, ...} */
static int core_signal_numbers(lua_State *L) {
  static const struct {
    const char *name;
    int number;
  } signals[] = {
#define SIGNAL(name) {#name, SIG##name}
      SIGNAL(HUP),  SIGNAL(INT),  SIGNAL(QUIT),   SIGNAL(ILL),   SIGNAL(TRAP),   SIGNAL(ABRT),
      SIGNAL(BUS),  SIGNAL(FPE),  SIGNAL(KILL),   SIGNAL(USR1),  SIGNAL(SEGV),   SIGNAL(USR2),
      SIGNAL(PIPE), SIGNAL(ALRM), SIGNAL(TERM),   SIGNAL(CHLD),  SIGNAL(CONT),   SIGNAL(STOP),
      SIGNAL(TSTP), SIGNAL(TTIN), SIGNAL(TTOU),   SIGNAL(URG),   SIGNAL(XCPU),   SIGNAL(XFSZ),
      SIGNAL(PROF), SIGNAL(IO),   SIGNAL(VTALRM), SIGNAL(WINCH), SIGNAL(PWR),    SIGNAL(SYS),
#undef SIGNAL
  };
  lua_newtable(L);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    lua_pushinteger(L, signals[i].number);
    lua_setfield(L, -2, signals[i].name);
  }
  return 1;
}

void l_open_functions(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {
      {"sleep", l_sleep},         {"kill", l_kill_function}, {"park", core_park},
      {"unpark", core_unpark},    {"check_may_wait", core_check_may_wait},
      {"check_time", core_check_time},
      {"check_number", core_check_number}, {"check_integer", core_check_integer},
      {"raise_expired", core_raise_expired}, {"callable", core_callable}, {"clock", core_clock},
      {"count_failure", core_count_failure}, {"signal_numbers", core_signal_numbers},
      {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_getglobal(L, "tostring");
  lua_setfield(L, -2, "tostring");
  lua_pushliteral(L, "greenlet " GREENLUA_VERSION);
  lua_setfield(L, -2, "version");
  lua_pop(L, 1);
}
