#include "lua_binding/attention.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/output.h"
#include "lua_binding/answer.h"
#include "lua_binding/profile.h"
#include "lua_binding/stuck.h"
#include "lua_binding/ticker.h"
#include "lua_binding/watchdog.h"

static const double STUCK_SECONDS = 0.2;

static struct runtime *_Atomic owner; /* signals are the process's */
static int thread;                    /* the owner's, for the kernel */
static bool listening;
static atomic_uint wanted;
static atomic_bool serving;
static struct ticker stuck = {.value = TICK_STUCK};
static bool ticking;                  /* the ticker is set: let it come to its end */

static lua_Hook saved_hook;
static int saved_mask, saved_count;

/* ---- Serving ---- */

/* (light runtime) */
static int serve(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  unsigned what = atomic_exchange(&wanted, 0);
  if (what & WANT_WATCHDOG)
    l_watchdog_report(L, rt);
  if (what & WANT_DUMP) {
    l_push_core(L, rt, "dump");
    lua_getfield(L, -1, "print");
    lua_call(L, 0, 0);
  }
  if (what & WANT_ANSWER)
    l_answer_all(L);
  return 0;
}

void l_serve(lua_State *L, struct runtime *rt) {
  if (!atomic_load(&wanted) || rt->closing || !rt->started || atomic_exchange(&serving, true))
    return;
  double turned = rt->hub.now;
  rt->hub.now = clock_seconds(); /* what waits are measured by */
  bool collecting = lua_gc(L, LUA_GCISRUNNING);
  lua_gc(L, LUA_GCSTOP); /* to collect meanwhile would take as long as all the rest */
  lua_pushcfunction(L, serve);
  lua_pushlightuserdata(L, rt);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) { /* no memory, or no C stack, say */
    struct text text = {.length = 0};
    const char *message = lua_tostring(L, -1);
    l_add_text(&text, "greenlua: cannot tell what greenlets do: ");
    l_add_text(&text, message ? message : "(error object is no string)");
    l_add_text(&text, "\n");
    l_write_text(STDERR_FILENO, &text);
    lua_pop(L, 1); /* the script is not to suffer for it */
  }
  if (collecting)
    lua_gc(L, LUA_GCRESTART);
  rt->hub.now = turned;
  atomic_store(&serving, false);
}

static void on_hook(lua_State *L, lua_Debug *ar) {
  struct runtime *rt = owner;
  (void)ar;
  lua_sethook(L, saved_hook, saved_mask, saved_count);
  if (rt)
    l_serve(L, rt);
}

/* (light runtime) */
static int serve_in_hub(lua_State *L) {
  l_serve(L, lua_touserdata(L, 1));
  return 0;
}

/* The loop has woken. */
static void on_async(struct watcher *watcher, int events) {
  struct runtime *rt = container_of(watcher, struct runtime, attention);
  lua_State *L = rt->hub_L;
  (void)events;
  if (!atomic_load(&wanted))
    return;
  lua_pushnil(L);
  lua_pushcfunction(L, serve_in_hub);
  lua_pushlightuserdata(L, rt);
  l_call_in_hub(rt, 1);
}

/* ---- In signal handlers ---- */

bool l_wanted(unsigned what) {
  return atomic_load(&wanted) & what;
}

void l_unwant(unsigned what) {
  atomic_fetch_and(&wanted, ~what);
}

/* The hook of an interrupt serves as well as ours. */
static void set_hook(lua_State *L) {
  lua_Hook hook = lua_gethook(L);
  if (hook == l_on_interrupt_hook)
    return;
  if (hook != on_hook) {
    saved_hook = hook;
    saved_mask = lua_gethookmask(L);
    saved_count = lua_gethookcount(L);
  }
  lua_sethook(L, on_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void l_unhook(lua_State *L) {
  if (lua_gethook(L) == on_hook)
    lua_sethook(L, saved_hook, saved_mask, saved_count);
}

void l_want(struct runtime *rt, unsigned what) {
  atomic_fetch_or(&wanted, what);
  set_hook(rt->L);
  watcher_send(&rt->attention);
}

static void look_later(void) {
  ticking = ticking || ticker_set(&stuck, STUCK_SECONDS, 0);
}

/* It was wanted a while ago. A Lua function will see the hook as soon as it gets
 * the CPU: then it is only the machine that is busy. */
static void look_if_stuck(struct runtime *rt) {
  struct text text = {.length = 0};
  ticking = false;
  if (!l_wanted(WANT_DUMP | WANT_ANSWER))
    return;
  if (atomic_load(&serving) || !l_describe_stuck(rt, &text)) {
    look_later();
    return;
  }
  if (l_wanted(WANT_DUMP)) /* which comes when the function returns */
    l_write_text(STDERR_FILENO, &text);
  if (l_wanted(WANT_ANSWER)) {
    l_unwant(WANT_ANSWER);
    l_answer_stuck(&text);
  }
}

/* A signal to the process may arrive in any of its threads. True if it is ours to
 * handle; else it is sent on. */
static bool is_ours(int number, siginfo_t *info) {
  if (syscall(SYS_gettid) == thread)
    return true;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, number, info);
  return false;
}

static void on_dump(int number, siginfo_t *info, void *context) {
  struct runtime *rt = owner;
  int kept = errno;
  (void)context;
  if (rt && is_ours(number, info)) {
    l_want(rt, WANT_DUMP);
    look_later();
  }
  errno = kept;
}

static void on_urgent(int number, siginfo_t *info, void *context) {
  struct runtime *rt = owner;
  int kept = errno;
  (void)context;
  if (rt && is_ours(number, info)) {
    if (info->si_code == SI_TIMER && info->si_value.sival_int == TICK_STUCK) {
      look_if_stuck(rt);
    } else if (info->si_code == SI_TIMER && info->si_value.sival_int == TICK_WATCHDOG) {
      l_watchdog_tick(rt);
    } else if (info->si_code == SI_TIMER && info->si_value.sival_int == TICK_UNHEARD) {
      l_unheard_tick(rt);
    } else if (info->si_code == SI_TIMER && info->si_value.sival_int == TICK_PROFILE) {
      l_profile_tick(rt);
    } else if (info->si_code == SI_QUEUE && listening) {
      l_note_question((unsigned)info->si_value.sival_int);
      l_want(rt, WANT_ANSWER);
      look_later();
    }
  }
  errno = kept;
}

/* ---- Taking the signals ---- */

static void forked(void) {
  thread = (int)syscall(SYS_gettid);
  ticker_forget(&stuck);
  ticking = false;
  l_watchdog_forked();
  l_profile_forked();
  l_forget_signals();
}

static void own(struct runtime *rt) {
  static bool watching_forks;
  if (!watching_forks)
    watching_forks = pthread_atfork(NULL, NULL, forked) == 0;
  thread = (int)syscall(SYS_gettid);
  owner = rt;
  if (rt->attention.active)
    return;
  watcher_init(&rt->attention, &rt->hub, WATCHER_ASYNC);
  rt->attention.ref = false;
  rt->attention.callback = on_async;
  watcher_start(&rt->attention);
  rt->hub.active--; /* scripts need not know of it */
}

void l_mask_hookers(sigset_t *mask) {
  static const int hookers[] = {SIGUSR1, SIGURG, SIGINT, SIGTSTP, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof hookers / sizeof *hookers; i++)
    sigaddset(mask, hookers[i]);
}

static void take(int number, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  l_mask_hookers(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void give_back(int number, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action;
  if (sigaction(number, NULL, &action) == 0 && action.sa_sigaction == handler)
    signal(number, SIG_DFL);
}

void l_expect_ticks(struct runtime *rt) {
  own(rt);
}

void l_arm_ticks(void) {
  struct sigaction action;
  if (sigaction(SIGURG, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
    take(SIGURG, on_urgent);
}

void l_take_ticks(struct runtime *rt) {
  own(rt);
  take(SIGURG, on_urgent);
}

void l_listen(struct runtime *rt, bool on) {
  struct sigaction action;
  if (on) {
    l_take_ticks(rt);
    if (sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
      take(SIGUSR1, on_dump);
  } else {
    give_back(SIGUSR1, on_dump);
  }
  listening = on;
}

bool l_listens(const struct runtime *rt) {
  return owner == rt && listening;
}

void l_close_attention(struct runtime *rt) {
  if (owner != rt)
    return;
  owner = NULL;
  listening = false;
  ticker_end(&stuck);
  l_watchdog_end();
}

/* core.write(text): to the standard error, whatever scripts have made of io.stderr */
static int core_write(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  fflush(stderr);
  output_write(STDERR_FILENO, text, length);
  return 0;
}

static int core_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

void l_open_attention(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"write", core_write}, {"pid", core_pid}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
