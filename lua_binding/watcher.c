/*
 * watcher.c: watcher objects, and the classes of all kinds of them.
 *
 * An active watcher is held by the registry, so its memory stays where libev
 * knows it; the last reference of the scripts' may go meanwhile.
 */
#include "lua_binding/watcher.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

const char watcher_kind_tag;

/*** What tells of events outside: the base of all watchers.
 * The loop's constructors make them, active only when they are started. `local w <close> = ...`
 * closes one at the end of a scope. Not only can a watcher call a function:
 * `greenlet.get_hub():wait(w)` waits for its next event.
 * @class watcher
 * @within loop
 * @order start stop close
 * @tfield boolean watcher.active it is started and not stopped
 * @tfield boolean watcher.pending its event has happened and is not told
 * @tfield boolean watcher.ref it keeps the program running while it is active; assignable
 * @tfield integer watcher.priority -2 to 2; assignable while it is not active
 * @tfield function watcher.callback what it calls, nil when not active; assignable
 * @tfield table watcher.args the arguments of that, with `n`, nil when not active
 * @tfield loop watcher.loop the hub's loop
 * @source gevent.core.watcher
 */
static const char *const kind_names[] = {"io",    "timer", "signal",  "child", "stat",
                                         "async", "idle",  "prepare", "check", "fork"};

struct l_watcher *l_check_watcher(lua_State *L, int idx) {
  return l_check_kind(L, idx, &watcher_kind_tag, "watcher");
}

static struct l_watcher *self(lua_State *L) {
  struct l_watcher *watcher = l_check_watcher(L, 1);
  l_check_started(L, watcher->rt);
  return watcher;
}

/* Self of what only one kind has: methods can be taken from their class. */
static struct l_watcher *self_of(lua_State *L, enum watcher_kind kind) {
  struct l_watcher *watcher = self(L);
  if (watcher->watcher.kind != kind)
    luaL_typeerror(L, 1, kind_names[kind]);
  return watcher;
}

/* ---- Function and arguments ---- */

void l_keep_callback(lua_State *L, int idx, int first) {
  l_pack_call(L, first);
  lua_setiuservalue(L, idx, UV_CALLBACK);
}

int l_push_callback(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_CALLBACK);
  int table = lua_gettop(L);
  lua_getfield(L, table, "n");
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, count + 1, "too many arguments");
  for (int i = 0; i <= count; i++)
    lua_rawgeti(L, table, i + 1);
  lua_remove(L, table);
  return count;
}

int l_push_callback_args(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (lua_getiuservalue(L, idx, UV_CALLBACK) != LUA_TTABLE)
    return 0;
  int table = lua_gettop(L);
  lua_newtable(L);
  lua_getfield(L, table, "n");
  for (lua_Integer i = lua_tointeger(L, -1); i > 0; i--) {
    lua_rawgeti(L, table, i + 1);
    lua_rawseti(L, table + 1, i);
  }
  lua_setfield(L, table + 1, "n");
  return 1;
}

/* ---- Events ---- */

static void drop_self(struct l_watcher *watcher) {
  luaL_unref(watcher->rt->aux, LUA_REGISTRYINDEX, watcher->self);
  watcher->self = LUA_NOREF;
}

/* (object): as a protected call, for the arguments need stack */
static int call_callback(lua_State *L) {
  lua_call(L, l_push_callback(L, 1), 0);
  return 0;
}

static void happened(struct watcher *core, int events) {
  struct l_watcher *watcher = container_of(core, struct l_watcher, watcher);
  lua_State *L = watcher->rt->hub_L;
  (void)events;
  if (watcher->self == LUA_NOREF)
    return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, watcher->self);
  if (!core->active) /* it has stopped by itself */
    drop_self(watcher);
  bool callable = lua_getiuservalue(L, -1, UV_CALLBACK) == LUA_TTABLE;
  lua_pop(L, 1);
  if (!callable) {
    lua_pop(L, 1);
    return;
  }
  lua_pushcfunction(L, call_callback);
  lua_pushvalue(L, -2);
  l_call_in_hub(watcher->rt, 1);
}

/* ---- Methods ---- */

void l_watcher_error(lua_State *L, int result) {
  static const struct {
    int result;
    const char *message;
  } messages[] = {
      {-EBADF, "bad file descriptor"},
      {-ECHILD, "the pid is no child of this process"},
      {-ENOSYS, "child watchers need Linux 5.3 or later"},
  };
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
    if (messages[i].result == result)
      luaL_error(L, "cannot start the watcher: %s", messages[i].message);
}

/* Keep who starts the watcher at 1, and where, beside its callback. */
static void note_start(lua_State *L, struct runtime *rt) {
  struct pair *current = l_current(rt);
  current->at = L;
  lua_getiuservalue(L, 1, UV_CALLBACK);
  lua_pushliteral(L, "at ");
  l_push_place(L, current);
  lua_pushliteral(L, " by ");
  l_push_handle(L, current);
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  lua_concat(L, 4);
  lua_setfield(L, -2, "start");
  lua_pop(L, 1);
}

int l_watcher_start_site(lua_State *L) {
  l_check_watcher(L, 1);
  if (lua_getiuservalue(L, 1, UV_CALLBACK) == LUA_TTABLE)
    lua_getfield(L, -1, "start");
  return 1;
}

static void start(lua_State *L, struct l_watcher *watcher, int (*how)(struct watcher *)) {
  if (watcher->closed)
    luaL_error(L, "the watcher is closed");
  if (!lua_isnoneornil(L, 2))
    l_check_callable(L, 2);
  else
    luaL_typeerror(L, 2, "function");
  l_keep_callback(L, 1, 2);
  if (watcher->rt->why_alive)
    note_start(L, watcher->rt);
  if (watcher->self == LUA_NOREF) {
    lua_pushvalue(L, 1);
    watcher->self = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  int result = how(&watcher->watcher);
  if (!watcher->watcher.active)
    drop_self(watcher);
  if (result == 0)
    return;
  l_watcher_error(L, result);
  if (result == -EBUSY)
    luaL_error(L, "cannot start the watcher: another hub watches the signal");
  luaL_error(L, "cannot start the watcher: %s", strerror(-result));
}

/*** Have `f(...)` called in the hub at each event.
 * It must not wait there: `greenlet.spawn`, say, is a good *f*. An active one changes its function.
 * @function watcher:start
 * @tparam function f any callable
 * @tparam any ... its arguments
 * @raise an error for a closed watcher, a bad descriptor, a pid that is no child
 * @switches no
 * @source gevent.core.watcher.start
 */
static int l_watcher_start(lua_State *L) {
  start(L, self(L), watcher_start);
  return 0;
}

static void stop(lua_State *L, struct l_watcher *watcher) {
  watcher_stop(&watcher->watcher);
  if (watcher->self != LUA_NOREF)
    drop_self(watcher);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, UV_CALLBACK);
}

void l_stop_watchers(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, LUA_REGISTRYINDEX)) {
    struct l_watcher *watcher = (struct l_watcher *)l_test_kind(L, -1, &watcher_kind_tag);
    if (watcher && lua_isinteger(L, -2) && lua_tointeger(L, -2) == watcher->self &&
        watcher->watcher.kind != WATCHER_FORK) {
      watcher_stop(&watcher->watcher);
      drop_self(watcher); /* a field that is there */
    }
    lua_pop(L, 1);
  }
}

/*** Stop it; it may be started again.
 * @function watcher:stop
 * @switches no
 * @source gevent.core.watcher.stop
 */
static int l_watcher_stop(lua_State *L) {
  struct l_watcher *watcher = l_check_watcher(L, 1);
  if (watcher->rt->started)
    stop(L, watcher);
  return 0;
}

/*** Stop it for good.
 * @function watcher:close
 * @switches no
 * @source gevent.core.watcher.close
 */
static int l_watcher_close(lua_State *L) {
  struct l_watcher *watcher = l_check_watcher(L, 1);
  if (!watcher->rt->started)
    return 0;
  stop(L, watcher);
  watcher->closed = true;
  return 0;
}

/*** Start a repeating timer, or restart it, to expire in `repeat_` seconds.
 * @function timer:again
 * @tparam function f any callable
 * @tparam any ... its arguments
 * @switches no
 * @source gevent.core.timer.again
 */
static int l_timer_again(lua_State *L) {
  start(L, self_of(L, WATCHER_TIMER), watcher_again);
  return 0;
}

/*** Make its event happen.
 * Safe from signal handlers and other threads. No effect on one that is not active.
 * @function async:send
 * @switches no
 * @source gevent.core.async.send
 */
static int l_async_send(lua_State *L) {
  struct l_watcher *watcher = self_of(L, WATCHER_ASYNC);
  if (watcher->watcher.active)
    watcher_send(&watcher->watcher);
  return 0;
}

/* ---- Attributes ---- */

static int get_active(lua_State *L) {
  lua_pushboolean(L, self(L)->watcher.active);
  return 1;
}

static int get_pending(lua_State *L) {
  const struct watcher *watcher = &self(L)->watcher;
  lua_pushboolean(L, watcher->kind != WATCHER_TIMER && watcher->active &&
                         ev_is_pending(&watcher->of.any));
  return 1;
}

static int get_ref(lua_State *L) {
  lua_pushboolean(L, self(L)->watcher.ref);
  return 1;
}

static int set_ref(lua_State *L) {
  watcher_set_ref(&self(L)->watcher, lua_toboolean(L, 2));
  return 0;
}

static int get_priority(lua_State *L) {
  lua_pushinteger(L, self(L)->watcher.priority);
  return 1;
}

static int set_priority(lua_State *L) {
  struct watcher *watcher = &self(L)->watcher;
  int integer;
  lua_Integer priority = lua_tointegerx(L, 2, &integer);
  if (!integer)
    return l_typeerror(L, 2, 1, "priority", "integer");
  if (priority < EV_MINPRI || priority > EV_MAXPRI)
    return l_argerror(L, 1, "priority", "priority out of range");
  if (watcher->active)
    return luaL_error(L, "the priority of an active watcher is fixed");
  watcher->priority = (int)priority;
  return 0;
}

static int get_callback(lua_State *L) {
  self(L);
  if (lua_getiuservalue(L, 1, UV_CALLBACK) != LUA_TTABLE)
    return 0;
  lua_rawgeti(L, -1, 1);
  return 1;
}

static int set_callback(lua_State *L) {
  self(L);
  if (!l_callable(L, 2))
    return l_typeerror(L, 2, 1, "callback", "function");
  if (lua_getiuservalue(L, 1, UV_CALLBACK) != LUA_TTABLE) {
    lua_settop(L, 2);
    l_keep_callback(L, 1, 2);
    return 0;
  }
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 1);
  return 0;
}

static int get_args(lua_State *L) {
  self(L);
  return l_push_callback_args(L, 1);
}

static int get_loop(lua_State *L) {
  l_push_core(L, self(L)->rt, "loop");
  return 1;
}

static int get_fd(lua_State *L) {
  lua_pushinteger(L, self_of(L, WATCHER_IO)->watcher.of.io.fd);
  return 1;
}

static int get_events(lua_State *L) {
  int events = self_of(L, WATCHER_IO)->watcher.of.io.events & (EV_READ | EV_WRITE);
  lua_pushstring(L, events == EV_READ ? "r" : events == EV_WRITE ? "w" : "rw");
  return 1;
}

static int get_signum(lua_State *L) {
  lua_pushinteger(L, self_of(L, WATCHER_SIGNAL)->watcher.of.signal.signum);
  return 1;
}

static int get_pid(lua_State *L) {
  lua_pushinteger(L, self_of(L, WATCHER_CHILD)->watcher.of.child.pid);
  return 1;
}

static int get_rpid(lua_State *L) {
  lua_pushinteger(L, self_of(L, WATCHER_CHILD)->watcher.of.child.rpid);
  return 1;
}

static int get_rstatus(lua_State *L) {
  lua_pushinteger(L, self_of(L, WATCHER_CHILD)->watcher.of.child.rstatus);
  return 1;
}

static int get_path(lua_State *L) {
  self_of(L, WATCHER_STAT);
  lua_getiuservalue(L, 1, UV_PATH);
  return 1;
}

static int get_interval(lua_State *L) {
  lua_pushnumber(L, self_of(L, WATCHER_STAT)->watcher.of.stat.interval);
  return 1;
}

static int get_after(lua_State *L) {
  lua_pushnumber(L, self_of(L, WATCHER_TIMER)->watcher.of.timer.after);
  return 1;
}

static int get_repeat(lua_State *L) {
  lua_pushnumber(L, self_of(L, WATCHER_TIMER)->watcher.of.timer.repeat);
  return 1;
}

static int set_repeat(lua_State *L) {
  struct watcher *watcher = &self_of(L, WATCHER_TIMER)->watcher;
  if (!lua_isnumber(L, 2))
    return l_typeerror(L, 2, 1, "repeat_", "number");
  if (!(lua_tonumber(L, 2) >= 0))
    return l_argerror(L, 1, "repeat_", "seconds must not be negative");
  watcher->of.timer.repeat = lua_tonumber(L, 2);
  return 0;
}

static void set_number(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_time(lua_State *L, const char *name, const struct timespec *time) {
  lua_pushnumber(L, (double)time->tv_sec + (double)time->tv_nsec * 1e-9);
  lua_setfield(L, -2, name);
}

/* A table of what stat(2) says, or nil: libev marks an absent file so. */
static int push_attributes(lua_State *L, const ev_statdata *data) {
  if (data->st_nlink == 0)
    return 0;
  lua_createtable(L, 0, 10);
  set_number(L, "dev", (lua_Integer)data->st_dev);
  set_number(L, "ino", (lua_Integer)data->st_ino);
  set_number(L, "mode", data->st_mode);
  set_number(L, "nlink", (lua_Integer)data->st_nlink);
  set_number(L, "uid", data->st_uid);
  set_number(L, "gid", data->st_gid);
  set_number(L, "size", data->st_size);
  set_time(L, "atime", &data->st_atim);
  set_time(L, "mtime", &data->st_mtim);
  set_time(L, "ctime", &data->st_ctim);
  return 1;
}

static int get_attr(lua_State *L) {
  return push_attributes(L, &self_of(L, WATCHER_STAT)->watcher.of.stat.attr);
}

static int get_prev(lua_State *L) {
  return push_attributes(L, &self_of(L, WATCHER_STAT)->watcher.of.stat.prev);
}

void l_describe_watcher(const struct watcher *watcher, char *text, size_t size) {
  switch (watcher->kind) {
    case WATCHER_IO: {
      int events = watcher->of.io.events & (EV_READ | EV_WRITE);
      const char *what = events == EV_READ ? "read" : events == EV_WRITE ? "write" : "read/write";
      snprintf(text, size, "%s fd %d", what, watcher->of.io.fd);
      return;
    }
    case WATCHER_SIGNAL:
      snprintf(text, size, "signal %d", watcher->of.signal.signum);
      return;
    case WATCHER_CHILD:
      snprintf(text, size, "child %d", watcher->of.child.pid);
      return;
    case WATCHER_STAT:
      snprintf(text, size, "stat %s", watcher->of.stat.path);
      return;
    default:
      snprintf(text, size, "%s", kind_names[watcher->kind]);
  }
}

void l_push_watcher_wait(lua_State *L, const struct watcher *watcher) {
  if (watcher->kind == WATCHER_STAT) {
    lua_pushfstring(L, "stat %s", watcher->of.stat.path);
  } else {
    char text[64];
    l_describe_watcher(watcher, text, sizeof text);
    lua_pushstring(L, text);
  }
}

static int l_watcher_tostring(lua_State *L) {
  const struct l_watcher *watcher = self(L);
  l_push_watcher_wait(L, &watcher->watcher);
  lua_pushfstring(L, "<%s at %p: %s%s>", kind_names[watcher->watcher.kind], (void *)watcher,
                  lua_tostring(L, -1),
                  watcher->closed ? ", closed" : watcher->watcher.active ? ", active" : "");
  return 1;
}

/* ---- Making: methods of the loop ---- */

static void push_class(lua_State *L, struct runtime *rt, enum watcher_kind kind);

/* A new watcher. Its class is upvalue 2 of the constructor, from the first on. */
static struct l_watcher *new_watcher(lua_State *L, enum watcher_kind kind) {
  struct runtime *rt = l_runtime(L);
  l_check_kind(L, 1, &loop_kind, "loop");
  if (lua_isnil(L, lua_upvalueindex(2))) {
    push_class(L, rt, kind);
    lua_replace(L, lua_upvalueindex(2));
  }
  struct l_watcher *watcher = l_new_object(L, lua_upvalueindex(2), sizeof *watcher,
                                           UV_WATCHER_COUNT, &watcher_kind_tag);
  watcher->rt = rt;
  l_check_started(L, rt);
  watcher->self = LUA_NOREF;
  return watcher;
}

/* After its init: the arguments [ref=true [, priority]] at idx. */
static int finish(lua_State *L, struct l_watcher *watcher, int idx) {
  watcher->watcher.callback = happened;
  watcher->watcher.ref = lua_isnoneornil(L, idx) || lua_toboolean(L, idx);
  lua_Integer priority = luaL_optinteger(L, idx + 1, 0);
  luaL_argcheck(L, priority >= EV_MINPRI && priority <= EV_MAXPRI, idx + 1,
                "priority out of range");
  watcher->watcher.priority = (int)priority;
  return 1;
}

/*** A watcher that tells when a descriptor can be read or written.
 * @class io
 * @within loop
 * @super watcher
 * @tfield integer io.fd the descriptor
 * @tfield string io.events `"r"`, `"w"` or `"rw"`
 * @source gevent.core.io
 */

/*** Make a watcher of a descriptor: it can be read, or written.
 * @function loop:io
 * @tparam integer fd an open descriptor
 * @tparam string events `"r"`, `"w"` or `"rw"`
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn io
 * @raise bad argument
 * @switches no
 * @usage local input <close> = loop:io(0, "r")
 * @source gevent.core.loop.io
 */
static int l_loop_io(lua_State *L) {
  static const char *const names[] = {"r", "w", "rw", NULL};
  static const int masks[] = {EV_READ, EV_WRITE, EV_READ | EV_WRITE};
  lua_Integer fd = luaL_checkinteger(L, 2);
  int events = masks[luaL_checkoption(L, 3, NULL, names)];
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 2, "file descriptor out of range");
  lua_settop(L, 5);
  struct l_watcher *watcher = new_watcher(L, WATCHER_IO);
  watcher_init_io(&watcher->watcher, &watcher->rt->hub, (int)fd, events);
  return finish(L, watcher, 4);
}

/*** A watcher that tells when time has passed.
 * @class timer
 * @within loop
 * @super watcher
 * @tfield number timer.after seconds from the start to the event
 * @tfield number timer.repeat_ seconds between events, or 0; assignable
 * @source gevent.core.timer
 */

/*** Make a watcher of time.
 * @function loop:timer
 * @tparam number after seconds from its start to its event
 * @tparam[opt=0] number repeat_ seconds from each event to the next; 0: there is one
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn timer
 * @raise bad argument: negative seconds
 * @switches no
 * @usage local timer <close> = loop:timer(0.5, 0.5)
 * @source gevent.core.loop.timer
 */
static int l_loop_timer(lua_State *L) {
  double after = l_check_seconds(L, 2);
  double repeat = lua_isnoneornil(L, 3) ? 0 : l_check_seconds(L, 3);
  lua_settop(L, 5);
  struct l_watcher *watcher = new_watcher(L, WATCHER_TIMER);
  watcher_init_timer(&watcher->watcher, &watcher->rt->hub, after, repeat);
  return finish(L, watcher, 4);
}

/*** A watcher that tells of a signal.
 * Usually `greenlet.signal` is what one wants.
 * @class signal
 * @within loop
 * @super watcher
 * @tfield integer signal.signum the signal's number
 * @source gevent.core.signal
 */

/*** Make a watcher of a signal.
 * @function loop:signal
 * @tparam integer number of the signal
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn signal
 * @raise bad argument: no signal that can be watched
 * @switches no
 * @source gevent.core.loop.signal
 */
static int l_loop_signal(lua_State *L) {
  lua_Integer number = luaL_checkinteger(L, 2);
  lua_settop(L, 4);
  struct l_watcher *watcher = new_watcher(L, WATCHER_SIGNAL);
  if (number < 0 || number > INT_MAX ||
      watcher_init_signal(&watcher->watcher, &watcher->rt->hub, (int)number) < 0)
    return luaL_argerror(L, 2, "no signal that can be watched");
  return finish(L, watcher, 3);
}

/*** A watcher that tells of the end of a child process.
 * @class child
 * @within loop
 * @super watcher
 * @tfield integer child.pid the process
 * @tfield integer child.rpid the same once it has ended, 0 before
 * @tfield integer child.rstatus its status as waitpid(2) gives it, 0 before
 * @source gevent.core.child
 */

/*** Make a watcher of a child process: it ends.
 * @function loop:child
 * @tparam integer pid of a child of this process
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn child
 * @raise bad argument; `start` raises an error if the pid is no child
 * @switches no
 * @source gevent.core.loop.child
 */
static int l_loop_child(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 2);
  luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 2, "pid out of range");
  lua_settop(L, 4);
  struct l_watcher *watcher = new_watcher(L, WATCHER_CHILD);
  watcher_init_child(&watcher->watcher, &watcher->rt->hub, (int)pid);
  return finish(L, watcher, 3);
}

/*** A watcher that tells of changes of a file.
 * @class stat
 * @within loop
 * @super watcher
 * @tfield table stat.attr what stat(2) says of it now: `dev`, `ino`, `mode`, `nlink`, `uid`, `gid`,
 *   `size`, `atime`, `mtime`, `ctime`; nil for no file
 * @tfield table stat.prev the same, before the last change
 * @tfield string stat.path of the file
 * @tfield number stat.interval seconds between two looks
 * @source gevent.core.stat
 */

/*** Make a watcher of a file: it changes, appears or goes.
 * @function loop:stat
 * @tparam string path of the file
 * @tparam[opt=0] number interval seconds between two looks, where they are needed; 0: libev's
 *   choice
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn stat
 * @raise bad argument
 * @switches no
 * @usage local change <close> = loop:stat("/var/log/messages")
 * @source gevent.core.loop.stat
 */
static int l_loop_stat(lua_State *L) {
  size_t length;
  const char *path = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, strlen(path) == length, 2, "path contains zeros");
  double interval = lua_isnoneornil(L, 3) ? 0 : l_check_seconds(L, 3);
  lua_settop(L, 5);
  struct l_watcher *watcher = new_watcher(L, WATCHER_STAT);
  lua_pushvalue(L, 2); /* libev keeps the pointer */
  lua_setiuservalue(L, -2, UV_PATH);
  watcher_init_stat(&watcher->watcher, &watcher->rt->hub, path, interval);
  return finish(L, watcher, 4);
}

static int make_plain(lua_State *L, enum watcher_kind kind) {
  lua_settop(L, 3);
  struct l_watcher *watcher = new_watcher(L, kind);
  watcher_init(&watcher->watcher, &watcher->rt->hub, kind);
  return finish(L, watcher, 2);
}

/*** A watcher whose event comes from another thread or a signal handler.
 * @class async
 * @within loop
 * @super watcher
 * @source gevent.core.async
 */

/*** Make a watcher whose event is a call of its `send`.
 * @function loop:async
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn async
 * @switches no
 * @source gevent.core.loop.async
 */
static int l_loop_async(lua_State *L) { return make_plain(L, WATCHER_ASYNC); }
/*** Make a watcher that tells, in each turn of the loop, that nothing else is pending.
 * @function loop:idle
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn watcher
 * @switches no
 * @source gevent.core.loop.idle
 */
static int l_loop_idle(lua_State *L) { return make_plain(L, WATCHER_IDLE); }
/*** Make a watcher that tells that the loop is about to poll for events.
 * @function loop:prepare
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn watcher
 * @switches no
 * @source gevent.core.loop.prepare
 */
static int l_loop_prepare(lua_State *L) { return make_plain(L, WATCHER_PREPARE); }
/*** Make a watcher that tells that the loop has polled for events.
 * @function loop:check
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn watcher
 * @switches no
 * @source gevent.core.loop.check
 */
static int l_loop_check(lua_State *L) { return make_plain(L, WATCHER_CHECK); }
/*** Make a watcher that tells that the process is a forked child.
 * @function loop:fork
 * @tparam[opt=true] boolean ref while active it keeps the program running
 * @tparam[opt=0] integer priority -2 to 2
 * @treturn watcher
 * @switches no
 * @source gevent.core.loop.fork
 */
static int l_loop_fork(lua_State *L) { return make_plain(L, WATCHER_FORK); }

/* ---- Classes ---- */

static const luaL_Reg methods[] = {{"start", l_watcher_start},
                                   {"stop", l_watcher_stop},
                                   {"close", l_watcher_close},
                                   {"__close", l_watcher_close},
                                   {"__tostring", l_watcher_tostring},
                                   {NULL, NULL}};
static const luaL_Reg getters[] = {
    {"active", get_active}, {"pending", get_pending}, {"ref", get_ref},
    {"priority", get_priority}, {"callback", get_callback}, {"args", get_args},
    {"loop", get_loop}, {NULL, NULL}};
static const luaL_Reg setters[] = {
    {"ref", set_ref}, {"priority", set_priority}, {"callback", set_callback}, {NULL, NULL}};

static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg timer_methods[] = {{"again", l_timer_again}, {NULL, NULL}};
static const luaL_Reg timer_setters[] = {{"repeat_", set_repeat}, {NULL, NULL}};
static const luaL_Reg async_methods[] = {{"send", l_async_send}, {NULL, NULL}};
static const luaL_Reg io_getters[] = {{"fd", get_fd}, {"events", get_events}, {NULL, NULL}};
static const luaL_Reg timer_getters[] = {{"after", get_after}, {"repeat_", get_repeat},
                                         {NULL, NULL}};
static const luaL_Reg signal_getters[] = {{"signum", get_signum}, {NULL, NULL}};
static const luaL_Reg child_getters[] = {{"pid", get_pid}, {"rpid", get_rpid},
                                         {"rstatus", get_rstatus}, {NULL, NULL}};
static const luaL_Reg stat_getters[] = {{"attr", get_attr}, {"prev", get_prev},
                                        {"path", get_path}, {"interval", get_interval},
                                        {NULL, NULL}};

static const struct {
  const luaL_Reg *methods, *getters, *setters;
  lua_CFunction make;
} kinds[] = {
    [WATCHER_IO] = {none, io_getters, none, l_loop_io},
    [WATCHER_TIMER] = {timer_methods, timer_getters, timer_setters, l_loop_timer},
    [WATCHER_SIGNAL] = {none, signal_getters, none, l_loop_signal},
    [WATCHER_CHILD] = {none, child_getters, none, l_loop_child},
    [WATCHER_STAT] = {none, stat_getters, none, l_loop_stat},
    [WATCHER_ASYNC] = {async_methods, none, none, l_loop_async},
    [WATCHER_IDLE] = {none, none, none, l_loop_idle},
    [WATCHER_PREPARE] = {none, none, none, l_loop_prepare},
    [WATCHER_CHECK] = {none, none, none, l_loop_check},
    [WATCHER_FORK] = {none, none, none, l_loop_fork},
};

/* Register the class that all watchers derive from, unless it is. */
static void register_base(lua_State *L, struct runtime *rt) {
  static const struct l_class base = {"watcher", "class", NULL, methods, getters, setters};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  if (lua_getfield(L, -1, "watcher") == LUA_TNIL) {
    l_register_class(L, rt, &base);
    lua_setfield(L, -3, "watcher");
  }
  lua_pop(L, 2);
}

/* Push the class of a kind, registered: few programs need more than one kind,
 * and eleven classes take as long as all others together. */
static void push_class(lua_State *L, struct runtime *rt, enum watcher_kind kind) {
  const struct l_class class = {kind_names[kind], "watcher", NULL, kinds[kind].methods,
                                kinds[kind].getters, kinds[kind].setters};
  register_base(L, rt);
  l_register_class(L, rt, &class);
}

/* Adds the constructors to core.Loop, which loop.c has made. */
void l_open_watcher(lua_State *L, struct runtime *rt) {
  l_push_core(L, rt, "Loop");
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    lua_pushstring(L, kind_names[kind]);
    lua_pushlightuserdata(L, rt);
    lua_pushnil(L);
    lua_pushcclosure(L, kinds[kind].make, 2);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}
