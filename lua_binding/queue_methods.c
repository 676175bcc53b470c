/*
 * queue_methods.c: put, get and peek, which may wait.
 */
#include <errno.h>

#include "lua_binding/queue.h"

/* Where the userdata is: the methods that are bound to their queue have it, and its
 * ring, as upvalues. */
enum { SELF = 1, BOUND = lua_upvalueindex(1), BOUND_RING = lua_upvalueindex(2) };

static const char GET[] = "get from", PEEK[] = "peek at", PUT[] = "put to";

/* ---- Waiting ---- */

int l_raise_new(lua_State *L, struct runtime *rt, const char *class) {
  l_push_core(L, rt, class);
  l_instantiate(L);
  return l_error(L);
}

/* The arguments [block=true [, timeout]] from idx on; 0 seconds: do not wait. */
static struct l_time check_limit(lua_State *L, int idx) {
  struct l_time time = l_check_time(L, idx + 1);
  if (!lua_isnoneornil(L, idx) && !lua_toboolean(L, idx))
    time = (struct l_time){.seconds = 0};
  return time;
}

/* Wait in a list, which whoever serves it takes the current greenlet off, by
 * calling notify. */
static int wait_in(struct l_queue *queue, struct list *list,
                   void (*notify)(struct link *, void *), const char *what,
                   const struct l_time *time) {
  struct runtime *rt = queue->waitable.rt;
  rt->hub.current->join.notify = notify;
  int result = waitlist_begin(&rt->hub, list, what, queue, time->seconds);
  if (result < 0)
    return result;
  return time->timeout ? waiter_finish(&rt->hub, false) : l_finish(rt);
}

/* After it: was the greenlet served? If not, the queue is shut down. All else is
 * raised, the class `late` if it took too long. */
static bool served(lua_State *L, struct l_queue *queue, struct l_time *time, int result,
                   const char *late) {
  struct runtime *rt = queue->waitable.rt;
  bool handed = rt->hub.current->wait.result == WAITER_HANDED;
  result = l_leave_time(L, rt, time, result);
  if (result == -ETIMEDOUT && time->timeout)
    l_raise_expired(L, rt, time);
  if (result == -ETIMEDOUT)
    l_raise_new(L, rt, late);
  return handed;
}

/* Whoever must wait has looked already. Before it waits, what may run finalizers
 * is done here: true if there is reason to look again. */
static bool prepare(lua_State *L, struct l_queue *queue, int state, struct l_time *time,
                    bool putting) {
  struct runtime *rt = queue->waitable.rt;
  l_enter(L, rt);
  bool tell = putting && queue->waitable.linked && l_queue_is_channel(queue);
  if (__builtin_expect(!time->timeout && !tell, 1))
    return false;
  l_start_time(L, rt, time);
  if (tell)
    l_tell_links(L, state);
  return true;
}

/* ---- put(item [, block=true [, timeout]]) ---- */

/* Of core.queue_place: the place, a table of queue.lua's. */
enum { PLACE = 5 };

/* The item is in; or, if items are sorted, a place for it is reserved. */
static int put_done(lua_State *L, const struct l_queue *queue) {
  if (queue->order == ORDER_SORTED) {
    lua_pushboolean(L, true);
    lua_setfield(L, PLACE, "reserved"); /* a field that is there */
  }
  return 0;
}

static int put_waited(lua_State *L, struct l_queue *queue, struct l_time *time, int result) {
  if (!served(L, queue, time, result, "Full"))
    return l_raise_new(L, queue->waitable.rt, "ShutDown");
  return put_done(L, queue);
}

static int put_resumed(lua_State *L, int status, lua_KContext context) {
  struct l_queue *queue = (struct l_queue *)context;
  struct l_time time = {.seconds = -1};
  (void)status;
  return put_waited(L, queue, &time, l_outcome(L, queue->waitable.rt));
}

static int put(lua_State *L, struct l_queue *queue, int state) {
  struct l_time time = {.seconds = -1};
  struct runtime *rt = queue->waitable.rt;
  if (lua_gettop(L) != L_PUT_ITEM) {
    luaL_checkany(L, L_PUT_ITEM);
    time = check_limit(L, L_PUT_ITEM + 1);
    lua_settop(L, PLACE);
    lua_pushvalue(L, L_PUT_ITEM);
  }
  l_check_started(L, rt);
  enum l_tried tried = l_queue_put(L, queue, state);
  if (tried == TRIED_WAIT && time.seconds != 0 && prepare(L, queue, state, &time, true)) {
    tried = l_queue_put(L, queue, state);
    if (tried != TRIED_WAIT)
      l_leave_time(L, rt, &time, 0);
  }
  if (tried == TRIED_SHUT)
    return l_raise_new(L, rt, "ShutDown");
  if (tried == TRIED_DONE)
    return put_done(L, queue);
  if (time.seconds == 0)
    return l_raise_new(L, rt, "Full");
  int result = wait_in(queue, &queue->putters, l_turn_give, PUT, &time);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)queue, put_resumed);
  return put_waited(L, queue, &time, result);
}

/* The method of a class that may not be the object's own. */
static int put_any(lua_State *L, struct l_queue *queue) {
  if (queue->order != ORDER_SORTED)
    return put(L, queue, SELF);
  l_push_core(L, queue->waitable.rt, "sorted_put");
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

/***
 * Put an item in; if there is no room, wait for it.
 * Into a channel: hand it to a get, and wait for that.
 * @function Queue:put
 * @function SimpleQueue:put
 * @function Channel:put
 * @tparam any item any value, nil and false too
 * @tparam[opt=true] boolean block false: do not wait
 * @tparam[opt] number|Timeout timeout seconds; nil waits for ever
 * @raise Full when the timeout expires, or at once with `block=false`, and nothing is put in then;
 *   ShutDown when it is shut down
 * @switches yes, if there is no room and *block* is not false
 * @usage lines:put("a line")
 *   lines:put("another", true, 5)
 * @source gevent.queue.Queue.put
 */
int l_queue_put_method(lua_State *L) {
  return put_any(L, l_check_queue(L));
}

/***
 * Put an item in without waiting: `q:put(item, false)`.
 * @function Queue:put_nowait
 * @function SimpleQueue:put_nowait
 * @function Channel:put_nowait
 * @tparam any item any value
 * @raise Full when there is no room; ShutDown when it is shut down
 * @usage lines:put_nowait("a line")
 * @source gevent.queue.Queue.put_nowait
 */
int l_queue_put_nowait(lua_State *L) {
  struct l_queue *queue = l_check_queue(L);
  luaL_checkany(L, L_PUT_ITEM);
  lua_settop(L, L_PUT_ITEM);
  lua_pushboolean(L, false);
  return put_any(L, queue);
}

/* ---- get([block=true [, timeout]]) and its kin ---- */

static int get_waited(lua_State *L, struct l_queue *queue, struct l_time *time, int result) {
  if (!served(L, queue, time, result, "Empty"))
    return l_raise_new(L, queue->waitable.rt, "ShutDown");
  return 1; /* what it was handed is on top */
}

static int get_resumed(lua_State *L, int status, lua_KContext context) {
  struct l_queue *queue = (struct l_queue *)context;
  struct l_time time = {.seconds = -1};
  (void)status;
  return get_waited(L, queue, &time, l_outcome(L, queue->waitable.rt));
}

static enum l_tried peek(lua_State *L, struct l_queue *queue, int state) {
  if (queue->count == 0)
    return l_queue_drained(queue) ? TRIED_SHUT : TRIED_WAIT;
  l_items_peek(L, queue, state);
  return TRIED_DONE;
}

static enum l_tried get_or_peek(lua_State *L, struct l_queue *queue, int state, bool taking) {
  return taking ? l_queue_get(L, queue, state) : peek(L, queue, state);
}

static int get(lua_State *L, struct l_queue *queue, int state, bool taking) {
  struct l_time time = {.seconds = -1};
  struct runtime *rt = queue->waitable.rt;
  if (lua_gettop(L) != 1) {
    time = check_limit(L, 2);
    lua_settop(L, 3);
  }
  l_check_started(L, rt);
  enum l_tried tried = get_or_peek(L, queue, state, taking);
  if (tried == TRIED_WAIT && time.seconds != 0 && prepare(L, queue, state, &time, false)) {
    tried = get_or_peek(L, queue, state, taking);
    if (tried != TRIED_WAIT)
      l_leave_time(L, rt, &time, 0);
  }
  if (tried == TRIED_SHUT)
    return l_raise_new(L, rt, "ShutDown");
  if (tried == TRIED_DONE)
    return 1;
  if (time.seconds == 0)
    return l_raise_new(L, rt, "Empty");
  int result = wait_in(queue, &queue->waitable.waiters, taking ? l_turn_receive : l_turn_look,
                       taking ? GET : PEEK, &time);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)queue, get_resumed);
  return get_waited(L, queue, &time, result);
}

/***
 * Take the next item out; if there is none, wait for one.
 * @function Queue:get
 * @function SimpleQueue:get
 * @function Channel:get
 * @tparam[opt=true] boolean block false: do not wait
 * @tparam[opt] number|Timeout timeout seconds; nil waits for ever
 * @treturn any the item
 * @raise Empty when the timeout expires, or at once with `block=false`, and nothing is taken out
 *   then; ShutDown when it is shut down and empty
 * @switches yes, if there is no item and *block* is not false
 * @usage local line = lines:get()
 *   local ok, next_one = pcall(lines.get, lines, true, 5)
 * @source gevent.queue.Queue.get
 */
int l_queue_get_method(lua_State *L) {
  return get(L, l_check_queue(L), SELF, true);
}

/***
 * Return the next item and leave it where it is; if there is none, wait for one.
 * @function Queue:peek
 * @function SimpleQueue:peek
 * @tparam[opt=true] boolean block false: do not wait
 * @tparam[opt] number|Timeout timeout seconds; nil waits for ever
 * @treturn any the item
 * @raise Empty when the timeout expires, or at once with `block=false`; ShutDown when it is shut
 *   down and empty
 * @switches yes, if there is no item and *block* is not false
 * @usage if lines:peek() == "end" then return end
 * @source gevent.queue.Queue.peek
 */
int l_queue_peek(lua_State *L) {
  return get(L, l_check_holding(L), SELF, false);
}

/***
 * Take the next item out without waiting: `q:get(false)`.
 * @function Queue:get_nowait
 * @function SimpleQueue:get_nowait
 * @function Channel:get_nowait
 * @treturn any the item
 * @raise Empty when there is none; ShutDown when it is shut down and empty
 * @usage while #lines > 0 do print(lines:get_nowait()) end
 * @source gevent.queue.Queue.get_nowait
 */
int l_queue_get_nowait(lua_State *L) {
  lua_settop(L, 1);
  lua_pushboolean(L, false);
  return get(L, l_check_queue(L), SELF, true);
}

/***
 * Return the next item without waiting, and leave it where it is: `q:peek(false)`.
 * @function Queue:peek_nowait
 * @function SimpleQueue:peek_nowait
 * @treturn any the item
 * @raise Empty when there is none; ShutDown when it is shut down and empty
 * @usage print(#lines > 0 and lines:peek_nowait())
 * @source gevent.queue.Queue.peek_nowait
 */
int l_queue_peek_nowait(lua_State *L) {
  struct l_queue *queue = l_check_holding(L);
  lua_settop(L, 1);
  lua_pushboolean(L, false);
  return get(L, queue, SELF, false);
}

/* ---- for item in queue:iter() ---- */

/* Upvalue 2: StopIteration, which ends it. */
static int next_item(lua_State *L) {
  if (lua_rawequal(L, -1, lua_upvalueindex(2)))
    return 0;
  return 1;
}

static int next_waited(lua_State *L, struct l_queue *queue, int result) {
  struct l_time time = {.seconds = -1};
  return served(L, queue, &time, result, "Empty") ? next_item(L) : 0;
}

static int next_resumed(lua_State *L, int status, lua_KContext context) {
  struct l_queue *queue = (struct l_queue *)context;
  (void)status;
  return next_waited(L, queue, l_outcome(L, queue->waitable.rt));
}

int l_queue_next(lua_State *L) {
  struct l_queue *queue = l_check_queue(L);
  struct l_time time = {.seconds = -1};
  lua_settop(L, 1);
  l_check_started(L, queue->waitable.rt);
  enum l_tried tried = l_queue_get(L, queue, SELF);
  if (tried != TRIED_WAIT)
    return tried == TRIED_DONE ? next_item(L) : 0;
  l_enter(L, queue->waitable.rt);
  int result = wait_in(queue, &queue->waitable.waiters, l_turn_receive, GET, &time);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)queue, next_resumed);
  return next_waited(L, queue, result);
}

/* ---- The bound methods ---- */

/* The queue, if the method is called for that. The closure holds its userdata. */
static inline struct l_queue *bound(lua_State *L) {
  struct l_queue *queue = lua_touserdata(L, BOUND);
  return lua_topointer(L, SELF) == queue->table ? queue : NULL;
}

int l_queue_bound_put(lua_State *L) {
  struct l_queue *queue = bound(L);
  if (__builtin_expect(!queue, 0))
    return l_queue_put_method(L);
  if (queue->count >= queue->fast || lua_gettop(L) != L_PUT_ITEM ||
      !list_empty(&queue->waitable.waiters) || queue->waitable.linked)
    return put(L, queue, BOUND);
  lua_rawseti(L, BOUND_RING, l_items_place(queue, queue->count));
  queue->count++;
  queue->unfinished++;
  return 0;
}

int l_queue_bound_get(lua_State *L) {
  struct l_queue *queue = bound(L);
  if (__builtin_expect(!queue, 0))
    return l_queue_get_method(L);
  if (queue->count == 0 || lua_gettop(L) != 1 || !list_empty(&queue->putters) ||
      queue->order == ORDER_SORTED)
    return get(L, queue, BOUND, true);
  l_ring_take(L, queue, BOUND_RING);
  if (queue->count == 0)
    l_items_emptied(L, queue, BOUND);
  return 1;
}

/* ---- For queue.lua ---- */

static struct l_queue *check_place(lua_State *L, int place) {
  struct l_queue *queue = l_check_sorted(L);
  luaL_checktype(L, place, LUA_TTABLE);
  return queue;
}

/* core.queue_place(queue, item, block, timeout, place): as put, but only the place
 * is reserved */
int l_queue_place(lua_State *L) {
  return put(L, check_place(L, PLACE), SELF);
}

/* core.queue_try_place(queue, item, nil, nil, place): false: it would have to wait */
int l_queue_try_place(lua_State *L) {
  struct l_queue *queue = check_place(L, PLACE);
  enum l_tried tried = l_queue_put(L, queue, SELF);
  if (tried == TRIED_SHUT)
    return l_raise_new(L, queue->waitable.rt, "ShutDown");
  if (tried == TRIED_DONE)
    put_done(L, queue);
  lua_pushboolean(L, tried == TRIED_DONE);
  return 1;
}

/* core.queue_give_up(queue, place): it is not used after all */
int l_queue_give_up(lua_State *L) {
  struct l_queue *queue = check_place(L, 2);
  lua_pushboolean(L, false);
  lua_setfield(L, 2, "reserved");
  queue->reserved--;
  l_queue_settle(L, queue, SELF);
  return 0;
}
