/*
 * fork.c: greenlet.fork.
 *
 * The child has the parent's greenlets, and their stacks. Only the one that has forked goes
 * on there: the others, main too, vanish without being unwound, since what they have open is
 * the parent's to close. It takes the place of main: it hears of Ctrl-C and of deadlocks,
 * and when it ends the process does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua_binding/attention.h"
#include "lua_binding/binding.h"
#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"
#include "lua_binding/tracer.h"
#include "lua_binding/watcher.h"

/* core: it has vanished, and so have all the others. */
static void gone(struct greenlet *g) {
  struct pair *pair = l_pair(g);
  struct runtime *rt = l_rt(pair);
  lua_State *L = l_current(rt)->at;
  pair->spoilt = true; /* what is on its thread is not to be closed */
  pair->handle->state = HANDLE_DEAD;
  if (!pair->notice || !lua_checkstack(L, 8))
    return;
  l_push_handle(L, pair);
  l_try_tell_members(L); /* there is room in its pool */
}

/* The hub has switched to a greenlet, a link say, from inside a callback, with which it is
 * not to go on: it gets the thread on top of L for its own. */
static void renew_hub(lua_State *L, struct runtime *rt) {
  lua_pushvalue(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX);
  rt->hub_L = rt->hub_pair.L = rt->hub_pair.at = lua_tothread(L, -1);
}

/* With a fresh thread on top of L. */
static void become_child(lua_State *L, struct runtime *rt) {
  if (rt->hub.nested)
    renew_hub(L, rt);
  l_drop_traces(rt);
  l_watch(rt);
  l_forget_takers();
  l_stop_watchers(L);
  hub_keep_current(&rt->hub, gone);
  if (rt->hub.root != &rt->hub.main)
    rt->main_pair.handle->state = HANDLE_DEAD;
  l_current(rt)->handle->raw = false; /* no parent gets what it returns */
  rt->failures = 0;
  rt->L = L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  lua_newtable(L);
  lua_setfield(L, -2, "reports"); /* what is still to be told is told by the parent */
  lua_pop(L, 1);
}

/* With all signals blocked: what has come is the parent's. */
static pid_t fork_process(lua_State *L, struct runtime *rt, bool keep) {
  sigset_t all, mask;
  sigfillset(&all);
  fflush(NULL);
  sigprocmask(SIG_SETMASK, &all, &mask);
  pid_t pid = fork();
  int error = errno;
  if (pid == 0)
    l_forget_signals();
  if (pid == 0 && !keep)
    become_child(L, rt);
  sigprocmask(SIG_SETMASK, &mask, NULL);
  errno = error;
  return pid;
}

static bool check_keep(lua_State *L) {
  if (lua_isnoneornil(L, 1))
    return false;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "keep");
  bool keep = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return keep;
}

/*** Make a child process, in which the current greenlet goes on.
 * Only that one: the other greenlets of the child, main too, are dead, with nothing closed and no
 * link called, which is up to the parent. No watcher (but those of `loop:fork`) is active any more,
 * and callbacks that were queued are not called. Where the greenlet ends the
 * child does, once nothing is left to run: with status 0, or 1 and a report if it failed. What
 * stands in a buffer of `io` is written before, so that it is written once.
 *
 * Locks that other greenlets have are locked in the child, for good; from pools and scopes those
 * greenlets are gone.
 *
 * ```lua
 * local pid = greenlet.fork()
 * if pid == 0 then os.exit(3) end
 * print(greenlet.waitpid(pid))
 * ```
 *
 * ```text
 * nil	exit	3
 * ```
 * @function greenlet.fork
 * @within process
 * @tparam[opt] table options `keep = true`: all greenlets go on in the child, too, and watchers
 *   and timers; who means this has the same thing done twice
 * @treturn integer the child's pid; 0 in the child; nil, a message and an error number if the
 *   system has no more processes, or this one no descriptor left
 * @raise bad argument; InvalidSwitchError where a greenlet must not wait: in the hub, in a
 *   finalizer
 * @switches no
 * @source gevent.os.fork
 */
static int l_fork(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  bool keep = check_keep(L);
  l_check_started(L, rt);
  l_enter(L, rt);
  l_leave(L, rt, waiter_check(&rt->hub));
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_newthread(L);
  errno = -watchers_check_fork(&rt->hub);
  pid_t pid = errno ? -1 : fork_process(L, rt, keep);
  if (pid < 0)
    return luaL_fileresult(L, 0, NULL);
  lua_pushinteger(L, pid);
  return 1;
}

/* ---- Waiting for a child ---- */

static bool has_ended(int pid) {
  siginfo_t info = {.si_pid = 0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* core.wait_child(watcher [, timeout]): its status, as waitpid(2) gives it; nil, "timeout"; or
 * nil, message, number if it cannot be watched */
static int wait_child(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct watcher *watcher = &l_check_watcher(L, 1)->watcher;
  struct l_time time = l_check_time(L, 2);
  int result = watcher_start(watcher);
  if (result < 0) {
    errno = -result;
    return luaL_fileresult(L, 0, NULL);
  }
  if (time.seconds == 0 && has_ended(watcher->of.child.pid))
    time.seconds = -1; /* a turn of the loop is all that it takes */
  l_enter(L, rt);
  l_start_time(L, rt, &time);
  result = l_leave_time(L, rt, &time, watcher_wait(watcher, time.seconds));
  if (result == 0) {
    lua_pushinteger(L, watcher->of.child.rstatus);
    return 1;
  }
  lua_pushnil(L);
  lua_pushliteral(L, "timeout");
  return 2;
}

/* ---- The end of the child ---- */

static int exit_status(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushinteger(L, binding_exit_status(L, 1));
  return 1;
}

static int failures(lua_State *L) {
  lua_pushinteger(L, l_runtime(L)->failures);
  return 1;
}

/* (light pair) -> exit status */
static int end_child(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  l_push_core(L, l_rt(pair), "process");
  lua_getfield(L, -1, "end_child");
  l_push_handle(L, pair);
  lua_call(L, 1, 1);
  return 1;
}

_Noreturn void l_end_child(struct pair *pair, lua_State *L) {
  struct runtime *rt = l_rt(pair);
  int status = EXIT_FAILURE;
  rt->L = pair->at = L;
  if (lua_checkstack(L, LUA_MINSTACK)) {
    lua_pushcfunction(L, end_child);
    lua_pushlightuserdata(L, pair);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
      status = (int)lua_tointeger(L, -1);
  }
  if (status > BINDING_BY_SIGNAL)
    binding_die_by(status - BINDING_BY_SIGNAL);
  exit(status);
}

void l_open_fork(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {
      {"fork", l_fork},         {"wait_child", wait_child}, {"exit_status", exit_status},
      {"failures", failures}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
