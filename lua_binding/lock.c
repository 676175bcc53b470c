/*
 * lock.c: what Semaphore, BoundedSemaphore, Lock and RLock are made of.
 *
 * A lock has permits. One that is released goes straight to the first greenlet
 * that waits for one. So nobody waits while counter > 0, and who releases and
 * acquires again queues behind those who wait. A re-entrant lock has one permit,
 * and an owner who may take it again. What needs no C is in lock.lua.
 */
#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "lua_binding/cycle.h"
#include "lua_binding/waitable.h"

/* Who has a permit, and where it took it. */
struct l_hold {
  l_owner owner;
  l_site site;
};

struct l_lock {
  struct l_waitable waitable; /* its waiters are those who acquire */
  struct list watchers;       /* greenlets that only want to know when they could */
  lua_Integer counter;        /* permits that nobody has */
  lua_Integer bound;          /* how many there are in all; -1: any number */
  bool made;                  /* init has been called */
  bool reentrant;
  bool foreign;               /* released by one who had not acquired it */
  uint8_t room;               /* so many holds can be noted */
  uint8_t held;               /* so many are */
  lua_Integer unnoted;        /* permits taken that are not */
  lua_Integer depth;          /* re-entrant: how often its owner has it */
  struct l_hold holds[];      /* in the order in which they were taken */
};

enum { MOST_HOLDS = 8 };

static bool is_ready(const struct l_waitable *waitable) {
  return ((const struct l_lock *)waitable)->counter > 0;
}

const char WAIT_ACQUIRE[] = "acquire of";

static const struct l_waitable_type lock_type = {"lock", is_ready, false};

static struct l_lock *new_lock(lua_State *L, uint8_t room) {
  size_t bytes = sizeof(struct l_lock) + room * sizeof(struct l_hold);
  struct l_lock *lock = l_new_waitable(L, bytes, &lock_type);
  list_init(&lock->watchers);
  lock->counter = 1;
  lock->bound = -1;
  lock->room = room;
  return lock;
}

static int l_semaphore_allocate(lua_State *L) {
  new_lock(L, MOST_HOLDS);
  return 1;
}

static int l_lock_allocate(lua_State *L) {
  new_lock(L, 1);
  return 1;
}

static int l_rlock_allocate(lua_State *L) {
  new_lock(L, 1)->reentrant = true;
  return 1;
}

/* ---- Who has it ---- */

/* The current greenlet is about to acquire: it gets a number if it has none, and is
 * known to be here. May run finalizers. */
static struct pair *come(lua_State *L, struct runtime *rt) {
  l_site site = l_here(L, rt);
  struct pair *pair = l_current(rt);
  if (__builtin_expect(!pair->owner, 0) && !l_new_owner(rt, pair))
    luaL_error(L, "not enough memory");
  pair->site = site;
  return pair;
}

static void note(struct l_lock *lock, struct pair *pair) {
  if (lock->held == lock->room) {
    lock->unnoted++;
    return;
  }
  lock->holds[lock->held++] = (struct l_hold){pair->owner, pair->site};
  pair->permits++;
}

/* `pair` is whose hold it is, NULL if that one is dead. */
static void forget(struct l_lock *lock, unsigned i, struct pair *pair) {
  if (pair)
    pair->permits--;
  if (i < --lock->held)
    memmove(&lock->holds[i], &lock->holds[i + 1], (lock->held - i) * sizeof *lock->holds);
}

/*
 * Whoever releases without having acquired may be a producer, who counts something
 * up: then nobody can say who has what. Of a single permit one can.
 */
COLD static void release_for_others(struct l_lock *lock) {
  if (lock->unnoted > 0) {
    lock->unnoted--;
    return;
  }
  while (lock->held > 0)
    forget(lock, 0, l_find_owner(lock->waitable.rt, lock->holds[0].owner));
  lock->foreign = true;
  if (lock->bound != 1)
    lock->room = 0;
}

/* The greenlet gives a permit back: the last that it took. */
static void drop(struct l_lock *lock, struct pair *pair) {
  for (unsigned i = lock->held; i-- > 0;)
    if (lock->holds[i].owner == pair->owner) {
      forget(lock, i, pair);
      return;
    }
  release_for_others(lock);
}

static bool owned_by(const struct l_lock *lock, const struct pair *pair) {
  return lock->held > 0 && lock->holds[0].owner == pair->owner;
}

static struct pair *owner_of(const struct l_lock *lock) {
  return lock->held > 0 ? l_find_owner(lock->waitable.rt, lock->holds[0].owner) : NULL;
}

/* Push the greenlet that holds the lock; nil if nobody does, or a dead one. */
static void push_owner(lua_State *L, const struct l_lock *lock) {
  struct pair *owner = lock->reentrant ? owner_of(lock) : NULL;
  if (owner)
    l_push_handle(L, owner);
  else
    lua_pushnil(L);
}

struct pair *l_sure_owner(const void *object, const struct pair *waiter) {
  const struct l_lock *lock = object;
  if (lock->held != 1 || lock->foreign || !(lock->reentrant || lock->bound == 1))
    return NULL;
  struct pair *owner = owner_of(lock);
  if (lock->reentrant || l_site_is_inner(lock->holds[0].site) || !owner)
    return owner;
  /* A Lock may be a signal, which another one gives, if its owner takes it once more or
   * joins those who wait for it; but not if the end of a scope is to release it. */
  return owner == waiter || owner->g->wait.what != WAIT_ACQUIRE ? NULL : owner;
}

/* ---- Permits ---- */

/* Take a permit for the greenlet, if there is one. */
static bool take(struct l_lock *lock, struct pair *pair) {
  if (lock->counter == 0) {
    if (!lock->reentrant || !owned_by(lock, pair))
      return false;
    lock->depth++;
    return true;
  }
  lock->counter--;
  lock->depth = 1;
  note(lock, pair);
  return true;
}

/* A permit of the lock at idx is free: it goes to the first who waits. */
static void give(lua_State *L, int idx, struct l_lock *lock) {
  const struct greenlet *next = waitlist_hand(&lock->waitable.waiters);
  lock->depth = 1;
  if (next) {
    note(lock, l_pair(next));
    return;
  }
  lock->counter++;
  waitlist_wake_all(&lock->watchers);
  if (lock->waitable.linked)
    l_tell_links(L, idx);
}

bool l_take_permit(lua_State *L, int idx) {
  struct l_lock *lock = lua_touserdata(L, idx);
  return take(lock, l_current(lock->waitable.rt));
}

void l_give_permit(lua_State *L, int idx) {
  struct l_lock *lock = lua_touserdata(L, idx);
  drop(lock, l_current(lock->waitable.rt));
  give(L, idx, lock);
}

/* The wait for a permit has come to `result`: 0 or -ETIMEDOUT, or raises. A
 * permit handed to one that is killed goes to the next. */
static int settle(lua_State *L, struct l_lock *lock, struct l_time *time, int result) {
  struct runtime *rt = lock->waitable.rt;
  if (result == 0 && waitlist_refuses(rt->hub.current)) {
    drop(lock, l_current(rt));
    give(L, 1, lock);
    result = -ECANCELED;
  }
  return l_leave_time(L, rt, time, result);
}

static int acquired(lua_State *L, int status, lua_KContext context) {
  struct l_lock *lock = (struct l_lock *)context;
  struct l_time time = {.seconds = -1};
  (void)status;
  lua_pushboolean(L, settle(L, lock, &time, l_outcome(L, lock->waitable.rt)) == 0);
  return 1;
}

/***
 * Take a permit; if none is free, wait for one.
 * An RLock's owner takes it again without waiting. A DummySemaphore always gives one.
 * @function Semaphore:acquire
 * @function RLock:acquire
 * @function DummySemaphore:acquire
 * @tparam[opt=true] boolean blocking false: do not wait
 * @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
 * @treturn boolean true; false when the timeout expires first, or at once with `blocking=false`
 * @switches yes, unless a permit is free or *blocking* is false
 * @usage if connections:acquire(true, 5) then ... end
 *   local held <close> = connections:hold() -- safer: releases at the end of the scope
 * @source gevent.lock.Semaphore.acquire
 */
int l_lock_acquire(lua_State *L) {
  struct l_lock *lock = l_check_living(L, &lock_type);
  struct runtime *rt = lock->waitable.rt;
  bool block = true;
  struct l_time time = {.seconds = -1};
  if (lua_gettop(L) != 1) {
    block = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
    time = l_check_time(L, 3);
  }
  struct pair *pair = come(L, rt);
  bool taken = take(lock, pair);
  if (!taken && block) {
    l_enter(L, rt);
    l_start_time(L, rt, &time);
    if (time.seconds < 0 && !time.timeout)
      l_check_cycle(L, rt, WAIT_ACQUIRE, lock, l_sure_owner(lock, pair));
    taken = take(lock, pair); /* a finalizer may have given one back */
    int result = taken ? 0 : l_wait_in(L, &lock->waitable.waiters, WAIT_ACQUIRE, &time);
    if (result == WAITER_LEAVE)
      return lua_yieldk(L, 0, (lua_KContext)lock, acquired);
    result = taken ? l_leave_time(L, rt, &time, 0) : settle(L, lock, &time, result);
    taken = result == 0;
  }
  lua_pushboolean(L, taken);
  return 1;
}

static void check_owner(lua_State *L, const struct l_lock *lock) {
  if (lock->counter > 0)
    luaL_error(L, "cannot release an RLock that nobody holds");
  if (!owned_by(lock, l_current(lock->waitable.rt)))
    luaL_error(L, "cannot release an RLock that another greenlet holds");
}

/***
 * Give a permit back. While others wait it is handed to the first of them, there and then.
 * @function Semaphore:release
 * @function RLock:release
 * @function DummySemaphore:release
 * @treturn integer how many permits are free then
 * @raise an error when a BoundedSemaphore, or a Lock, is released more often than acquired; when an
 *   RLock is released by a greenlet that does not hold it
 * @usage connections:release()
 * @source gevent.lock.Semaphore.release
 */
static int l_lock_release(lua_State *L) {
  struct l_lock *lock = l_check_living(L, &lock_type);
  if (lock->reentrant)
    check_owner(L, lock);
  else if (lock->bound >= 0 && lock->counter >= lock->bound)
    return luaL_error(L, "the lock was released more often than acquired");
  if (!lock->reentrant || --lock->depth == 0) {
    drop(lock, l_current(lock->waitable.rt));
    give(L, 1, lock);
  }
  lua_pushinteger(L, lock->counter);
  return 1;
}

/* ---- Watching ---- */

static int watched(lua_State *L, int status, lua_KContext context);

/*
 * Wait until a permit is free at the moment when this returns: another greenlet
 * may take it before this one has its turn. The deadline is at index 3, or nil.
 */
static int watch(lua_State *L, struct l_lock *lock, struct l_time *time, int result) {
  while (result == 0 && lock->counter == 0) {
    if (!lua_isnil(L, 3)) {
      double left = lua_tonumber(L, 3) - clock_seconds();
      time->seconds = left > 0 ? left : 0;
    }
    result = l_wait_in(L, &lock->watchers, "release of", time);
    if (result == WAITER_LEAVE)
      return lua_yieldk(L, 0, (lua_KContext)lock, watched);
  }
  l_leave_time(L, lock->waitable.rt, time, result);
  lua_pushinteger(L, lock->counter);
  return 1;
}

static int watched(lua_State *L, int status, lua_KContext context) {
  struct l_lock *lock = (struct l_lock *)context;
  struct l_time time = {.seconds = -1};
  (void)status;
  return watch(L, lock, &time, l_outcome(L, lock->waitable.rt));
}

/***
 * Wait until a permit is free, and take none.
 * @function Semaphore:wait
 * @function RLock:wait
 * @function DummySemaphore:wait
 * @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
 * @treturn integer how many permits are free; 0 when the timeout expires
 * @switches yes, unless a permit is free
 * @usage if connections:wait(0) == 0 then print("busy") end
 * @source gevent.lock.Semaphore.wait
 */
static int l_lock_wait(lua_State *L) {
  struct l_lock *lock = l_check_living(L, &lock_type);
  struct runtime *rt = lock->waitable.rt;
  struct l_time time = l_check_time(L, 2);
  lua_settop(L, 2);
  if (time.seconds >= 0)
    lua_pushnumber(L, clock_seconds() + time.seconds);
  else
    lua_pushnil(L);
  if (lock->counter == 0) {
    l_enter(L, rt);
    l_start_time(L, rt, &time);
  }
  return watch(L, lock, &time, 0);
}

/* ---- What can be asked ---- */

/***
 * Tell whether a permit is free.
 * @function Semaphore:ready
 * @function RLock:ready
 * @function DummySemaphore:ready
 * @treturn boolean
 * @usage print(connections:ready())
 * @source gevent.lock.Semaphore.ready
 */
static int l_lock_ready(lua_State *L) {
  const struct l_lock *lock = l_check_waitable(L, &lock_type);
  lua_pushboolean(L, lock->counter > 0);
  return 1;
}

/***
 * Tell whether no permit is free.
 * @function Semaphore:locked
 * @function RLock:locked
 * @function DummySemaphore:locked
 * @treturn boolean
 * @usage if printer:locked() then print("somebody prints") end
 * @source gevent.lock.Semaphore.locked
 */
static int l_lock_locked(lua_State *L) {
  const struct l_lock *lock = l_check_waitable(L, &lock_type);
  lua_pushboolean(L, lock->counter == 0);
  return 1;
}

/***
 * How many permits are free.
 * @tfield integer Semaphore.counter
 * @tfield integer RLock.counter
 * @tfield integer DummySemaphore.counter
 * @source gevent.lock.Semaphore.counter
 */
static int get_counter(lua_State *L) {
  const struct l_lock *lock = l_check_waitable(L, &lock_type);
  lua_pushinteger(L, lock->counter);
  return 1;
}

/***
 * The greenlet that holds the lock; nil if none does, or a dead one.
 * @tfield Greenlet RLock.owner
 */
static int get_owner(lua_State *L) {
  push_owner(L, l_check_waitable(L, &lock_type));
  return 1;
}

static void push_holder(lua_State *L, const struct l_lock *lock) {
  push_owner(L, lock);
  if (lock->counter > 0)
    lua_pushliteral(L, "free");
  else if (lua_isnil(L, -1))
    lua_pushliteral(L, "held by a dead greenlet");
  else {
    l_push_core(L, lock->waitable.rt, "safe_text");
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    lua_pushfstring(L, "held by %s", lua_tostring(L, -1));
  }
}

static int l_lock_tostring(lua_State *L) {
  const struct l_lock *lock = l_check_waitable(L, &lock_type);
  if (lock->reentrant)
    push_holder(L, lock);
  else if (lock->bound >= 0)
    lua_pushfstring(L, "%I of %I free", (LUAI_UACINT)lock->counter, (LUAI_UACINT)lock->bound);
  else
    lua_pushfstring(L, "%I free", (LUAI_UACINT)lock->counter);
  return l_push_state(L, lua_tostring(L, -1));
}

/* core.make_lock(lock, permits, bounded): once, before anybody has it */
static int core_make_lock(lua_State *L) {
  struct l_lock *lock = l_check_waitable(L, &lock_type);
  if (lock->made)
    return luaL_error(L, "init of a lock that has been made already");
  lock->made = true;
  lock->counter = luaL_checkinteger(L, 2);
  if (lua_toboolean(L, 3))
    lock->bound = lock->counter;
  return 0;
}

/* core.note_no_holders(lock): whoever acquires it does so for others */
static int core_note_no_holders(lua_State *L) {
  struct l_lock *lock = l_check_waitable(L, &lock_type);
  lock->room = 0;
  return 0;
}

/* core.holders(object): of a lock, nil for others: a list of {greenlet =, dead =,
 * where =}, with how many permits more are taken as `others`; dead is the name of one
 * that is dead, or true */
static int core_holders(lua_State *L) {
  struct l_waitable *waitable = l_test_waitable(L, 1);
  if (!waitable || waitable->type != &lock_type)
    return 0;
  const struct l_lock *lock = (const struct l_lock *)waitable;
  struct runtime *rt = waitable->rt;
  lua_createtable(L, lock->held, 1);
  for (unsigned i = 0; i < lock->held; i++) {
    struct pair *pair = l_find_owner(rt, lock->holds[i].owner);
    lua_createtable(L, 0, 2);
    if (pair)
      l_push_handle(L, pair);
    else
      l_push_dead_owner(L, rt, lock->holds[i].owner);
    if (lua_isnil(L, -1))
      lua_pushboolean(L, true);
    lua_setfield(L, 3, pair ? "greenlet" : "dead");
    l_push_site_text(L, rt, lock->holds[i].site);
    lua_setfield(L, 3, "where");
    lua_settop(L, 3);
    lua_rawseti(L, 2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, lock->unnoted);
  lua_setfield(L, 2, "others");
  return 1;
}

static void register_class(lua_State *L, struct runtime *rt, const char *name,
                           lua_CFunction allocate) {
  static const luaL_Reg methods[] = {{"acquire", l_lock_acquire}, {"release", l_lock_release},
                                     {"wait", l_lock_wait},       {"ready", l_lock_ready},
                                     {"locked", l_lock_locked},   {"__tostring", l_lock_tostring},
                                     {NULL, NULL}};
  static const luaL_Reg getters[] = {{"counter", get_counter}, {"owner", get_owner},
                                     {NULL, NULL}};
  struct l_class class = {name, "Waitable", allocate, methods, getters, NULL};
  l_register_class(L, rt, &class);
  lua_setfield(L, -2, name);
}

void l_open_lock(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"make_lock", core_make_lock},
                                       {"new_lock", l_lock_allocate},
                                       {"note_no_holders", core_note_no_holders},
                                       {"holders", core_holders},
                                       {NULL, NULL}};
  l_open_waitable(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  register_class(L, rt, "Semaphore", l_semaphore_allocate);
  register_class(L, rt, "RLock", l_rlock_allocate);
  lua_pop(L, 1);
}
