/*
 * interrupt.c: Ctrl-C is KeyboardInterrupt in the main greenlet.
 *
 * The signal handler sets a flag, wakes the loop, in case it waits, and sets a
 * hook on the Lua thread that runs, in case one does. Whichever comes first
 * takes the flag. The hook is where a greenlet other than main gives way.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "lua_binding/attention.h"
#include "lua_binding/runtime.h"

static struct runtime *_Atomic owner; /* a process has one SIGINT */
static atomic_int interrupted;
static lua_Hook saved_hook;
static int saved_mask, saved_count;

static void *box_interrupt(lua_State *L, struct runtime *rt) {
  l_push_core(L, rt, "KeyboardInterrupt");
  lua_call(L, 0, 1);
  return l_box(L);
}

/* Make it pending in main, and main the next to run. */
static void kill_main(lua_State *L, struct runtime *rt) {
  struct greenlet *main = &rt->hub.main;
  void *box = box_interrupt(L, rt);
  if (greenlet_kill(main, box) < 0)
    l_drop_error(&rt->hub, box);
  if (callback_pending(&main->ready)) {
    callback_stop(&main->ready);
    list_prepend(&rt->hub.ready, &main->ready.node);
  }
}

void l_on_interrupt_hook(lua_State *L, lua_Debug *ar) {
  struct runtime *rt = owner;
  (void)ar;
  lua_sethook(L, saved_hook, saved_mask, saved_count);
  if (rt)
    l_serve(L, rt);
  if (!rt || !atomic_exchange(&interrupted, 0))
    return;
  if (rt->hub.current == &rt->hub.main && lua_gc(L, LUA_GCCOUNT) >= 0) {
    l_push_core(L, rt, "KeyboardInterrupt");
    lua_call(L, 0, 1);
    l_error(L);
  }
  kill_main(L, rt);
  if (waiter_check(&rt->hub) < 0 || lua_gc(L, LUA_GCCOUNT) < 0 || rt->tracing_aside || rt->closing)
    return;
  l_enter(L, rt);
  l_leave(L, rt, waiter_yield(&rt->hub));
}

/* (light runtime) */
static int deliver(lua_State *L) {
  kill_main(L, lua_touserdata(L, 1));
  return 0;
}

/* The loop has woken. */
static void on_async(struct watcher *watcher, int events) {
  struct runtime *rt = container_of(watcher, struct runtime, interrupt);
  lua_State *L = rt->hub_L;
  (void)events;
  if (!atomic_exchange(&interrupted, 0))
    return;
  lua_pushnil(L);
  lua_pushcfunction(L, deliver);
  lua_pushlightuserdata(L, rt);
  l_call_in_hub(rt, 1);
}

static void on_signal(int number) {
  struct runtime *rt = owner;
  int kept = errno;
  if (!rt || atomic_exchange(&interrupted, 1)) {
    /* The one before was not taken yet: whatever runs does not listen. */
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  lua_State *L = rt->L;
  if (lua_gethook(L) != l_on_interrupt_hook) {
    saved_hook = lua_gethook(L);
    saved_mask = lua_gethookmask(L);
    saved_count = lua_gethookcount(L);
  }
  lua_sethook(L, l_on_interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
              1);
  watcher_send(&rt->interrupt);
  errno = kept;
}

/* core.install_interrupt(): take SIGINT, unless it is ignored (nohup) */
static int core_install(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct sigaction action;
  if (sigaction(SIGINT, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
    return 0;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  owner = rt;
  sigaction(SIGINT, &action, NULL);
  return 0;
}

/* core.default_interrupt(): from now on Ctrl-C ends the process at once */
static int core_default(lua_State *L) {
  struct sigaction action;
  (void)L;
  owner = NULL; /* should a watcher of the signal give it back to us */
  if (sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == on_signal)
    signal(SIGINT, SIG_DFL);
  return 0;
}

void l_close_interrupt(struct runtime *rt) {
  if (owner == rt)
    owner = NULL;
}

void l_open_interrupt(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"install_interrupt", core_install},
                                       {"default_interrupt", core_default},
                                       {NULL, NULL}};
  watcher_init(&rt->interrupt, &rt->hub, WATCHER_ASYNC);
  rt->interrupt.ref = false;
  rt->interrupt.callback = on_async;
  watcher_start(&rt->interrupt);
  rt->hub.active--; /* scripts need not know of it */
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_getfield(L, -1, "install_interrupt");
  lua_call(L, 0, 0);
  lua_pop(L, 1);
}
