/*
 * interrupt.c: Ctrl-C is KeyboardInterrupt in the main greenlet, and what asks a
 * program to end, SIGTERM or SIGHUP, is Terminated there.
 *
 * The signal handler sets a flag, wakes the loop, in case it waits, and sets a
 * hook on the Lua thread that runs, in case one does. Whichever comes first
 * takes the flag. The hook is where a greenlet other than main gives way.
 *
 * Whoever sends SIGTERM relies on it. So if nobody takes that flag in a while, since a
 * C function does not return, the signal has its default action after all.
 *
 * A host may decide itself what becomes of Ctrl-C, and of Ctrl-Z: it is told of
 * them in the same way (binding_attend).
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "lua_binding/attention.h"
#include "lua_binding/binding.h"
#include "lua_binding/profile.h"
#include "lua_binding/runtime.h"
#include "lua_binding/stuck.h"
#include "lua_binding/ticker.h"
#include "lua_binding/tracer.h"

/* The signals: of a terminal's keys, and those that ask to end. */
enum key { INTERRUPT, TERMINATE, HANGUP, SUSPEND, KEYS };

static const struct {
  int number;
  const char *name;
} signals[KEYS] = {[INTERRUPT] = {SIGINT, "SIGINT"},
                   [TERMINATE] = {SIGTERM, "SIGTERM"},
                   [HANGUP] = {SIGHUP, "SIGHUP"},
                   [SUSPEND] = {SIGTSTP, "SIGTSTP"}};

/* After which one that was not taken never will be: keys repeat, machines are busy, and
 * timeout(1) and closing terminals send theirs twice. */
static const double DEAF_SECONDS = 0.2;

static struct runtime *_Atomic owner; /* a process has one SIGINT */
static atomic_int pressed[KEYS];
static double pressed_at[KEYS];       /* seconds; the signal handler's alone */
static volatile sig_atomic_t asked;   /* to end, by the number; once and for all */
static struct ticker unheard = {.value = TICK_UNHEARD}; /* nobody has taken it yet */
/* Functions of the host's, in the registry. */
static int takers[KEYS] = {LUA_NOREF, LUA_NOREF, LUA_NOREF, LUA_NOREF};
static void (*last_resort)(void);                 /* the host's, before a default action */
static lua_Hook saved_hook;
static int saved_mask, saved_count;

/* Push what is raised. */
static void push_error(lua_State *L, struct runtime *rt, enum key key) {
  if (key == INTERRUPT) {
    l_push_core(L, rt, "KeyboardInterrupt");
    lua_call(L, 0, 1);
  } else {
    l_push_core(L, rt, "Terminated");
    lua_pushstring(L, signals[key].name);
    lua_pushinteger(L, signals[key].number);
    lua_call(L, 2, 1);
  }
}

/* Make it pending in main, and main the next to run. */
static void kill_main(lua_State *L, struct runtime *rt, enum key key) {
  struct greenlet *main = rt->hub.root;
  push_error(L, rt, key);
  void *box = l_box(L);
  if (greenlet_kill(main, box) < 0)
    l_drop_error(&rt->hub, box);
  if (callback_pending(&main->ready)) {
    callback_stop(&main->ready);
    list_prepend(&rt->hub.ready, &main->ready.node);
  }
}

/* (light runtime, light pair or nil, function) */
static int call_taker(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  struct pair *running = lua_touserdata(L, 2);
  if (running)
    l_push_handle(L, running);
  else
    lua_pushnil(L);
  lua_pushnumber(L, running ? clock_seconds() - rt->hub.now : 0);
  lua_call(L, 2, 0);
  return 0;
}

/* Push it with its arguments. */
static void push_taker(lua_State *L, struct runtime *rt, enum key key, struct pair *running) {
  lua_pushcfunction(L, call_taker);
  lua_pushlightuserdata(L, rt);
  if (running)
    lua_pushlightuserdata(L, running);
  else
    lua_pushnil(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, takers[key]);
}

/* The host cannot fail in the middle of whatever runs. */
static void tell_in_hook(lua_State *L, struct runtime *rt, enum key key) {
  push_taker(L, rt, key, l_current(rt));
  if (lua_pcall(L, 3, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

static bool is_taken(enum key key) {
  return takers[key] != LUA_NOREF;
}

static bool may_raise(lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT) >= 0; /* not inside a finalizer */
}

/* May what runs give way here? */
static bool may_yield(lua_State *L, struct runtime *rt) {
  return waiter_check(&rt->hub) == 0 && may_raise(L) && !rt->tracing_aside && !rt->closing;
}

/* Give way in a hook. An error that is raised there and caught nowhere leaves a thread on
 * which hooks are off for good. */
static void give_way(lua_State *L, struct runtime *rt, int (*wait)(struct hub *)) {
  struct pair *pair = l_current(rt);
  bool spoilt = pair->spoilt;
  pair->spoilt = true;
  l_enter(L, rt);
  l_leave(L, rt, wait(&rt->hub));
  pair->spoilt = spoilt;
}

void l_on_interrupt_hook(lua_State *L, lua_Debug *ar) {
  struct runtime *rt = owner;
  bool any = false;
  (void)ar;
  lua_sethook(L, saved_hook, saved_mask, saved_count);
  if (rt)
    l_serve(L, rt);
  if (!rt || !lua_checkstack(L, LUA_MINSTACK))
    return;
  for (enum key key = 0; key < KEYS; key++) {
    if (!atomic_exchange(&pressed[key], 0))
      continue;
    any = true;
    if (is_taken(key)) {
      tell_in_hook(L, rt, key);
    } else if (rt->hub.current == rt->hub.root && may_raise(L)) {
      push_error(L, rt, key);
      l_error(L);
    } else {
      kill_main(L, rt, key);
    }
  }
  if (any && may_yield(L, rt))
    give_way(L, rt, waiter_yield);
}

/* (light runtime, key) */
static int deliver(lua_State *L) {
  kill_main(L, lua_touserdata(L, 1), (enum key)lua_tointeger(L, 2));
  return 0;
}

/* The loop has woken. */
static void on_async(struct watcher *watcher, int events) {
  struct runtime *rt = container_of(watcher, struct runtime, interrupt);
  lua_State *L = rt->hub_L;
  (void)events;
  for (enum key key = 0; key < KEYS; key++) {
    if (!atomic_exchange(&pressed[key], 0))
      continue;
    lua_pushnil(L);
    if (is_taken(key)) {
      push_taker(L, rt, key, NULL);
      l_call_in_hub(rt, 3);
    } else {
      lua_pushcfunction(L, deliver);
      lua_pushlightuserdata(L, rt);
      lua_pushinteger(L, key);
      l_call_in_hub(rt, 2);
    }
  }
}

static void arm_hook(lua_State *L) {
  l_unhook(L);
  if (lua_gethook(L) != l_on_interrupt_hook) {
    saved_hook = lua_gethook(L);
    saved_mask = lua_gethookmask(L);
    saved_count = lua_gethookcount(L);
  }
  lua_sethook(L, l_on_interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
              1);
}

void l_last_resort(void) {
  l_traces_last_resort();
  l_profile_last_resort();
  if (last_resort)
    last_resort();
}

static void die_by(int number) {
  signal(number, SIG_DFL);
  raise(number);
}

static void act_by_default(int number) {
  l_last_resort();
  die_by(number);
}

void binding_die_by(int number) {
  fflush(NULL);
  die_by(number);
}

static bool asks_to_end(enum key key) {
  return key == TERMINATE || key == HANGUP;
}

/* Is it one that came a moment ago, once more? */
static bool repeats(enum key key) {
  double since = clock_seconds() - DEAF_SECONDS;
  if (asks_to_end(key))
    return pressed_at[TERMINATE] > since || pressed_at[HANGUP] > since;
  return pressed_at[key] > since;
}

static void press(struct runtime *rt, enum key key) {
  bool untaken = atomic_load(&pressed[key]);
  if (untaken || (asked && asks_to_end(key))) {
    if (!repeats(key)) /* whatever runs does not listen, or takes too long to end */
      act_by_default(signals[key].number);
    return;
  }
  pressed_at[key] = clock_seconds();
  atomic_store(&pressed[key], 1);
  if (asks_to_end(key)) {
    asked = signals[key].number;
    l_arm_ticks();
    ticker_set(&unheard, DEAF_SECONDS, 0);
  }
  arm_hook(rt->L);
  watcher_send(&rt->interrupt);
  /* Should what runs give way to another before its hook is called, the hub is next. */
  rt->hub.batch_left = 0;
  rt->hub.batch_end = 0;
}

static enum key key_of(int number) {
  enum key key = INTERRUPT;
  while (signals[key].number != number)
    key++;
  return key;
}

/* Without an owner the program is at its end, or over. */
static void on_signal(int number) {
  struct runtime *rt = owner;
  enum key key = key_of(number);
  int kept = errno;
  if (rt)
    press(rt, key);
  else if (!repeats(key))
    act_by_default(number);
  errno = kept;
}

void l_unheard_tick(struct runtime *rt) {
  struct text text = {.length = 0};
  if (!atomic_load(&pressed[TERMINATE]) && !atomic_load(&pressed[HANGUP]))
    return;
  if (l_add_c_place(rt, &text))
    act_by_default(asked);
  ticker_set(&unheard, DEAF_SECONDS, 0); /* it is only the machine that is busy */
}

void l_forget_signals(void) {
  for (enum key key = 0; key < KEYS; key++)
    atomic_store(&pressed[key], 0);
  asked = 0;
  ticker_forget(&unheard);
}

static void uninstall(enum key key) {
  struct sigaction action;
  if (sigaction(signals[key].number, NULL, &action) == 0 && action.sa_handler == on_signal)
    signal(signals[key].number, SIG_DFL);
}

void l_forget_takers(void) {
  for (enum key key = 0; key < KEYS; key++)
    takers[key] = LUA_NOREF;
  uninstall(SUSPEND);
}

/* Take the signal, unless it is ignored (nohup, a shell without job control). */
static void install(enum key key) {
  struct sigaction action;
  if (sigaction(signals[key].number, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
    return;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  l_mask_hookers(&action.sa_mask);
  sigaction(signals[key].number, &action, NULL);
}

void binding_heed_termination(lua_State *L, bool on) {
  if (on)
    l_expect_ticks(l_find_runtime(L));
  for (enum key key = TERMINATE; key <= HANGUP; key++) {
    if (on)
      install(key);
    else
      uninstall(key);
  }
}

/* What a Ctrl-Z left pending when it stopped the process at once is forgotten. */
int binding_attend(lua_State *L) {
  enum key key = luaL_checkinteger(L, 1) == SIGINT ? INTERRUPT : SUSPEND;
  struct runtime *rt = l_find_runtime(L);
  lua_settop(L, 2);
  luaL_unref(L, LUA_REGISTRYINDEX, takers[key]);
  takers[key] = LUA_NOREF;
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TFUNCTION);
    takers[key] = luaL_ref(L, LUA_REGISTRYINDEX);
    owner = rt;
    atomic_store(&pressed[key], 0);
    install(key);
  } else if (key == SUSPEND) {
    signal(SIGTSTP, SIG_DFL);
  }
  return 0;
}

void binding_last_resort(void (*f)(void)) {
  last_resort = f;
}

/* ---- Taking turns by force ---- */

/* Between two looks at the clock, in instructions of the virtual machine. */
enum { SLICE = 10000 };

static int wait_turn(struct hub *hub) {
  return hub_wait_turn(hub, true);
}

/* The library's own Lua code relies on it that nobody else runs in its midst. */
static bool in_library(lua_State *L, lua_Debug *ar) {
  static const char ours[] = "=[greenlet.";
  lua_getinfo(L, "S", ar);
  return strncmp(ar->source, ours, sizeof ours - 1) == 0;
}

static void on_count(lua_State *L, lua_Debug *ar) {
  struct runtime *rt = l_find_runtime(L);
  l_profile_hooked(L);
  if (clock_seconds() - rt->hub.now >= rt->hub.switch_interval && may_yield(L, rt) &&
      !in_library(L, ar))
    give_way(L, rt, wait_turn);
}

static void slice(lua_State *thread) {
  l_unhook(thread);
  l_profile_unhook(thread);
  if (lua_gethook(thread) == l_on_interrupt_hook) {
    saved_hook = on_count;
    saved_mask = LUA_MASKCOUNT;
    saved_count = SLICE;
  } else if (!lua_gethook(thread)) {
    lua_sethook(thread, on_count, LUA_MASKCOUNT, SLICE);
  }
}

int binding_slice(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (handle->pair && handle->state != HANDLE_DEAD)
    l_each_thread(handle->pair, slice);
  return 0;
}

int binding_quiet(lua_State *L) {
  l_check_handle(L, 1)->quiet = true;
  return 0;
}

/* core.install_interrupt(): take SIGINT, unless it is ignored (nohup) */
static int core_install(lua_State *L) {
  owner = l_runtime(L);
  install(INTERRUPT);
  return 0;
}

void l_default_interrupt(struct runtime *rt) {
  if (owner == rt)
    owner = NULL;
}

void l_raise_untaken(lua_State *L, struct runtime *rt) {
  for (enum key key = INTERRUPT; key <= HANGUP; key++) {
    if (!owner && atomic_exchange(&pressed[key], 0)) {
      push_error(L, rt, key);
      l_error(L);
    }
  }
}

/* core.default_interrupt(): from now on Ctrl-C and such end the process at once */
static int core_default(lua_State *L) {
  l_default_interrupt(l_runtime(L));
  return 0;
}

void l_close_interrupt(struct runtime *rt) {
  if (owner != rt)
    return;
  owner = NULL;
  ticker_end(&unheard);
  takers[INTERRUPT] = takers[SUSPEND] = LUA_NOREF;
}

void l_open_interrupt(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"install_interrupt", core_install},
                                       {"default_interrupt", core_default},
                                       {NULL, NULL}};
  watcher_init(&rt->interrupt, &rt->hub, WATCHER_ASYNC);
  rt->interrupt.ref = false;
  rt->interrupt.callback = on_async;
  int result = watcher_start(&rt->interrupt);
  if (result < 0)
    luaL_error(L, "cannot start the hub: %s", strerror(-result));
  rt->hub.active--; /* scripts need not know of it */
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_getfield(L, -1, "install_interrupt");
  lua_call(L, 0, 0);
  lua_pop(L, 1);
}
