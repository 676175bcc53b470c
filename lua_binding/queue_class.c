/*
 * queue_class.c: the classes of queues and channels: making them, looking at them,
 * tasks, shutting down.
 *
 * PriorityQueue's own parts are in queue.lua.
 */
#include "lua_binding/queue.h"

static bool is_ready(const struct l_waitable *waitable) {
  return l_queue_can_get((const struct l_queue *)waitable);
}

static const struct l_waitable_type queue_type = {"queue", is_ready, false},
                                    channel_type = {"Channel", is_ready, false};

struct l_queue *l_test_queue(lua_State *L, int idx) {
  struct l_waitable *waitable = l_test_waitable(L, idx);
  bool ours = waitable && (waitable->type == &queue_type || waitable->type == &channel_type);
  return ours ? (struct l_queue *)waitable : NULL;
}

static struct l_queue *check(lua_State *L, bool holding) {
  l_unhide(L, 1);
  struct l_queue *queue = l_test_queue(L, 1);
  if (!queue || (holding && l_queue_is_channel(queue)))
    luaL_typeerror(L, 1, "queue");
  return queue;
}

struct l_queue *l_check_queue(lua_State *L) {
  return check(L, false);
}

struct l_queue *l_check_holding(lua_State *L) {
  return check(L, true);
}

/* For who wakes others: raises when the state is being closed. */
static struct l_queue *living(lua_State *L, struct l_queue *queue) {
  l_check_started(L, queue->waitable.rt);
  return queue;
}

/* ---- Making ---- */

/* A mark of our own classes, whose objects get bound methods. Others' do not, so
 * that methods which are assigned to a class later on are found. */
static const char BOUND[] = "__bound";

/* If the class at 1 has `method` under that name, make a closure of `bound` for
 * the userdata at 3 and keep it there and in the table at 2. */
static void bind(lua_State *L, const char *name, lua_CFunction method, lua_CFunction bound,
                 int user_value) {
  lua_getfield(L, 1, name);
  bool ours = lua_tocfunction(L, -1) == method;
  lua_pop(L, 1);
  if (!ours)
    return;
  lua_pushvalue(L, 3);
  lua_pushnil(L); /* the ring: see l_items_set */
  lua_pushcclosure(L, bound, 2);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 3, user_value);
  lua_setfield(L, 2, name);
}

/* (class) -> object */
static int allocate(lua_State *L, enum l_order order, const struct l_waitable_type *type) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_createtable(L, 0, 3);
  struct l_queue *queue = l_new_hidden(L, sizeof *queue, UV_QUEUE_COUNT, type);
  list_init(&queue->putters);
  list_init(&queue->joiners);
  queue->table = lua_topointer(L, 2);
  queue->order = (uint8_t)order;
  queue->maxsize = queue->limit = type == &channel_type ? 0 : SIZE_MAX;
  lua_pushstring(L, BOUND);
  if (lua_rawget(L, 1) != LUA_TNIL) {
    bind(L, "put", l_queue_put_method, l_queue_bound_put, UV_PUT);
    bind(L, "get", l_queue_get_method, l_queue_bound_get, UV_GET);
  }
  l_push_meta(L, 1);
  lua_setmetatable(L, 2);
  lua_settop(L, 2);
  return 1;
}

static int allocate_fifo(lua_State *L) {
  return allocate(L, ORDER_FIFO, &queue_type);
}

static int allocate_lifo(lua_State *L) {
  return allocate(L, ORDER_LIFO, &queue_type);
}

static int allocate_sorted(lua_State *L) {
  allocate(L, ORDER_SORTED, &queue_type);
  lua_pushvalue(L, 2);
  l_unhide(L, 3);
  l_sorted_new(L);
  l_items_set(L, 3);
  lua_settop(L, 2);
  return 1;
}

static int allocate_channel(lua_State *L) {
  return allocate(L, ORDER_FIFO, &channel_type);
}

/* The size at idx: nil, or an integer from 1 on. */
static size_t check_size(lua_State *L, int idx, int argument, const char *function) {
  int integer;
  if (lua_isnoneornil(L, idx))
    return SIZE_MAX;
  lua_Integer size = lua_tointegerx(L, idx, &integer);
  if (!integer && lua_isnumber(L, idx))
    l_argerror(L, argument, function, "number has no integer representation");
  if (!integer)
    l_typeerror(L, idx, argument, function, "number");
  if (size == 0)
    l_argerror(L, argument, function, "a queue has room for one item at least: see Channel");
  if (size < 0)
    l_argerror(L, argument, function, "size must not be negative");
  return (size_t)size;
}

static void set_maxsize(struct l_queue *queue, size_t maxsize) {
  queue->maxsize = maxsize;
  queue->limit = queue->shut ? 0 : maxsize;
  l_items_adjust(queue);
}

/* Set the name at `name`, unless it is nil, of the object at 1. */
static void set_name(lua_State *L, struct l_queue *queue, int name, int argument,
                     const char *function) {
  if (lua_isnoneornil(L, name))
    return;
  l_push_core(L, queue->waitable.rt, "set_name");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, name);
  lua_pushinteger(L, argument);
  lua_pushstring(L, function);
  lua_call(L, 4, 0);
}

/* Queue([maxsize [, items [, name]]]): for sorted ones queue.lua puts the items in. */
static int l_queue_init(lua_State *L) {
  enum { MAXSIZE = 2, ITEMS, NAME };
  struct l_queue *queue = l_check_holding(L);
  size_t maxsize = check_size(L, MAXSIZE, 1, "Queue");
  lua_settop(L, NAME);
  set_name(L, queue, NAME, 3, "Queue");
  lua_settop(L, ITEMS);
  if (!lua_isnil(L, 3) && !lua_istable(L, 3))
    return l_typeerror(L, 3, 2, "Queue", "table");
  if (!lua_isnil(L, 3) && queue->order == ORDER_SORTED)
    return l_argerror(L, 2, "Queue", "items of a PriorityQueue are for its own init");
  if (queue->count > 0 || queue->unfinished > 0 || queue->shut)
    return luaL_error(L, "init of a queue that is in use");
  lua_Integer count = lua_isnil(L, 3) ? 0 : luaL_len(L, 3);
  for (lua_Integer i = 1; i <= count; i++) { /* lua_geti may do anything to the queue */
    lua_pushcfunction(L, l_queue_put_nowait);
    lua_pushvalue(L, 1);
    lua_geti(L, 3, i);
    lua_call(L, 2, 0);
  }
  set_maxsize(queue, maxsize);
  return 0;
}

static int l_channel_init(lua_State *L) {
  struct l_queue *queue = l_check_queue(L);
  if (lua_type(L, 2) == LUA_TSTRING)
    set_name(L, queue, 2, 1, "Channel");
  else if (!lua_isnoneornil(L, 2))
    return l_argerror(L, 1, "Channel", "a channel holds no items: for a size see Queue");
  return 0;
}

/***
 * Copy it: make a queue of the same class with the same items.
 * All of them are unfinished tasks of the copy.
 * @function Queue:copy
 * @function SimpleQueue:copy
 * @treturn Queue the copy
 * @usage for item in lines:copy():iter() do print(item) end
 * @source gevent.queue.Queue.copy
 */
static int l_queue_copy(lua_State *L) {
  lua_settop(L, 1);
  l_show(L, 1);
  luaL_getmetafield(L, 1, "__class");
  struct l_queue *queue = l_check_holding(L);
  lua_getfield(L, 2, "__new");
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);
  struct l_queue *copy = l_test_queue(L, 3);
  if (!copy || copy == queue || copy->order != queue->order || copy->maxsize == 0)
    return luaL_error(L, "the queue's class makes no such queue");
  lua_pushvalue(L, 3);
  l_unhide(L, 4);
  l_items_copy(L, queue, 1, copy, 4);
  copy->unfinished = copy->count;
  set_maxsize(copy, queue->maxsize);
  lua_settop(L, 3);
  return 1;
}

/* ---- Looking ---- */

/***
 * Count the items; `#q` is the same.
 * @function Queue:qsize
 * @function SimpleQueue:qsize
 * @function Channel:qsize
 * @treturn integer 0 for a channel
 * @usage print(lines:qsize(), #lines)
 * @source gevent.queue.Queue.qsize
 */
static int l_queue_qsize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)l_check_queue(L)->count);
  return 1;
}

/***
 * Tell whether there are no items.
 * @function Queue:empty
 * @function SimpleQueue:empty
 * @function Channel:empty
 * @treturn boolean true for a channel
 * @usage if lines:empty() then print("nothing to do") end
 * @source gevent.queue.Queue.empty
 */
static int l_queue_empty(lua_State *L) {
  lua_pushboolean(L, l_check_queue(L)->count == 0);
  return 1;
}

/***
 * Tell whether there is no room for one more item.
 * @function Queue:full
 * @function SimpleQueue:full
 * @function Channel:full
 * @treturn boolean true for a channel
 * @usage if lines:full() then print("too fast") end
 * @source gevent.queue.Queue.full
 */
static int l_queue_full(lua_State *L) {
  const struct l_queue *queue = l_check_queue(L);
  lua_pushboolean(L, queue->count + queue->reserved >= queue->maxsize);
  return 1;
}

/***
 * How many items fit; nil: any number.
 * May be assigned. When it is raised those who wait for room are let in at once.
 * @tfield integer Queue.maxsize
 * @tfield integer SimpleQueue.maxsize
 * @source gevent.queue.Queue.maxsize
 */
static int get_maxsize(lua_State *L) {
  const struct l_queue *queue = l_check_holding(L);
  if (queue->maxsize == SIZE_MAX)
    return 0;
  lua_pushinteger(L, (lua_Integer)queue->maxsize);
  return 1;
}

/* (queue, maxsize): those who wait for room are let in at once. */
static int assign_maxsize(lua_State *L) {
  struct l_queue *queue = living(L, l_check_holding(L));
  set_maxsize(queue, check_size(L, 2, 2, "maxsize"));
  l_queue_admit(L, queue, 1);
  while (!list_empty(&queue->putters) && l_queue_can_put(queue)) {
    l_items_grow(L, queue, 1);
    l_queue_admit(L, queue, 1);
  }
  return 0;
}

/* How many wait. When the state is being closed they are gone. */
static lua_Integer length(const struct l_queue *queue, const struct list *links) {
  lua_Integer count = 0;
  if (queue->waitable.rt->started)
    for (const struct list *node = links->next; node != links; node = node->next)
      count++;
  return count;
}

/***
 * How many putters wait, or minus how many getters.
 * @tfield integer Channel.balance
 * @source gevent.queue.Channel.balance
 */
static int get_balance(lua_State *L) {
  const struct l_queue *queue = l_check_queue(L);
  lua_pushinteger(L, length(queue, &queue->putters) -
                         length(queue, &queue->waitable.waiters));
  return 1;
}

/***
 * How many tasks are not done: one more with each item that is put in, one less with each call of
 * `Queue:task_done`.
 * @tfield integer Queue.unfinished_tasks
 * @source gevent.queue.JoinableQueue.unfinished_tasks
 */
static int get_unfinished_tasks(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)l_check_holding(L)->unfinished);
  return 1;
}

static void push_size(lua_State *L, const struct l_queue *queue) {
  if (l_queue_is_channel(queue))
    lua_pushliteral(L, "");
  else if (queue->maxsize == SIZE_MAX)
    lua_pushfstring(L, ": %I item%s", (LUAI_UACINT)queue->count, queue->count == 1 ? "" : "s");
  else
    lua_pushfstring(L, ": %I of %I items", (LUAI_UACINT)queue->count,
                    (LUAI_UACINT)queue->maxsize);
}

static void push_number_of(lua_State *L, lua_Integer count, const char *what,
                           const char *separator) {
  if (count > 0)
    lua_pushfstring(L, "%s%I %s", separator, (LUAI_UACINT)count, what);
  else
    lua_pushliteral(L, "");
}

/* <Queue at 0x5581: 2 of 2 items, 1 putting> */
static int l_queue_tostring(lua_State *L) {
  lua_settop(L, 1);
  l_show(L, 1);
  luaL_getmetafield(L, 1, "__name");
  const struct l_queue *queue = l_check_queue(L);
  const char *first = l_queue_is_channel(queue) ? ": " : ", ";
  l_push_shown_name(L, 1);
  lua_pushfstring(L, "<%s%s at %p", lua_tostring(L, 2), lua_tostring(L, -1), queue->table);
  lua_remove(L, -2);
  push_size(L, queue);
  push_number_of(L, length(queue, &queue->waitable.waiters), "getting", first);
  if (lua_rawlen(L, -1) > 0)
    first = ", ";
  push_number_of(L, length(queue, &queue->putters), "putting", first);
  if (lua_rawlen(L, -1) > 0)
    first = ", ";
  if (queue->shut)
    lua_pushfstring(L, "%sshut down", first);
  else
    lua_pushliteral(L, "");
  lua_pushliteral(L, ">");
  lua_concat(L, lua_gettop(L) - 2);
  return 1;
}

/* ---- Tasks ---- */

/***
 * Tell that a task is done, which an item stood for that was taken out.
 * @function Queue:task_done
 * @raise an error when it is called more often than items were put in
 * @usage local page = pages:get()
 *   fetch(page)
 *   pages:task_done()
 * @source gevent.queue.JoinableQueue.task_done
 */
static int l_queue_task_done(lua_State *L) {
  struct l_queue *queue = living(L, l_check_holding(L));
  if (queue->unfinished == 0)
    return luaL_error(L, "task_done was called too often");
  if (--queue->unfinished == 0)
    waitlist_wake_all(&queue->joiners);
  return 0;
}

static int joined(lua_State *L, int status, lua_KContext context) {
  (void)status;
  lua_pushboolean(L, l_answer(L, (struct runtime *)context) == 0);
  return 1;
}

/***
 * Wait until all tasks are done.
 * @function Queue:join
 * @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
 * @treturn boolean true; false when the timeout expires first
 * @switches yes, unless there are no unfinished tasks
 * @usage if not pages:join(60) then print(pages.unfinished_tasks .. " are left") end
 * @source gevent.queue.JoinableQueue.join
 */
static int l_queue_join(lua_State *L) {
  struct l_queue *queue = living(L, l_check_holding(L));
  struct runtime *rt = queue->waitable.rt;
  struct l_time time = l_check_time(L, 2);
  if (queue->unfinished == 0 || time.seconds == 0) {
    lua_pushboolean(L, queue->unfinished == 0);
    return 1;
  }
  l_enter(L, rt);
  l_start_time(L, rt, &time);
  int result = 0;
  if (queue->unfinished > 0) /* still: a finalizer may have done them */
    result = waitlist_begin(&rt->hub, &queue->joiners, "tasks of", queue, time.seconds);
  if (queue->unfinished > 0 && result == 0)
    result = time.timeout ? waiter_finish(&rt->hub, false) : l_finish(rt);
  if (result == WAITER_LEAVE)
    return lua_yieldk(L, 0, (lua_KContext)rt, joined);
  lua_pushboolean(L, l_leave_time(L, rt, &time, result) == 0);
  return 1;
}

/* ---- The end ---- */

/***
 * End it: nothing can be put in any more, and nothing be taken out once it is empty.
 * Puts raise ShutDown, also those that wait already, which put nothing; gets and peeks raise it as
 * soon as the queue is empty, and loops over `iter` end then.
 * @function Queue:shutdown
 * @function SimpleQueue:shutdown
 * @function Channel:shutdown
 * @tparam[opt=false] boolean immediate drop the items, which count as done then
 * @usage lines:shutdown()
 * @source gevent.queue.Queue.shutdown
 */
static int l_queue_shutdown(lua_State *L) {
  struct l_queue *queue = living(L, l_check_queue(L));
  l_tell_links(L, 1);
  queue->shut = true;
  queue->limit = 0;
  l_items_adjust(queue);
  if (lua_toboolean(L, 2) && !l_queue_is_channel(queue)) {
    queue->cut = true;
    queue->unfinished -= queue->count < queue->unfinished ? queue->count : queue->unfinished;
    l_items_drop(L, queue, 1);
    if (queue->unfinished == 0)
      waitlist_wake_all(&queue->joiners);
  }
  l_queue_tell_shut(queue);
  return 0;
}

/***
 * Iterate over the items, taking them out and waiting for them, until there will be no more.
 * That is: until the queue is shut down and empty, or the item is `greenlet.queue.StopIteration`. A
 * nil ends the loop as well, as in every Lua loop: use `get` where nil is an item. Any number of
 * greenlets may iterate over one queue: each item goes to one of them.
 * @function Queue:iter
 * @function SimpleQueue:iter
 * @function Channel:iter
 * @treturn function for a generic `for`
 * @switches yes, in the loop, while there is no item
 * @usage for line in lines:iter() do print(line) end
 * @source for item in gevent.queue.Queue
 */
static int l_queue_iter(lua_State *L) {
  lua_pushvalue(L, 1);
  struct l_queue *queue = l_check_queue(L);
  lua_pushlightuserdata(L, queue->waitable.rt);
  l_push_core(L, queue->waitable.rt, "StopIteration");
  lua_pushcclosure(L, l_queue_next, 2);
  lua_insert(L, -2);
  return 2;
}

/* ---- Opening ---- */

#define BOTH_HAVE \
  {"put", l_queue_put_method}, {"get", l_queue_get_method}, \
  {"put_nowait", l_queue_put_nowait}, {"get_nowait", l_queue_get_nowait}, \
  {"qsize", l_queue_qsize}, {"__len", l_queue_qsize}, {"empty", l_queue_empty}, \
  {"full", l_queue_full}, {"shutdown", l_queue_shutdown}, {"iter", l_queue_iter}, \
  {"__tostring", l_queue_tostring}

static const luaL_Reg simple_methods[] = {
    BOTH_HAVE, {"init", l_queue_init}, {"copy", l_queue_copy}, {"peek", l_queue_peek},
    {"peek_nowait", l_queue_peek_nowait}, {NULL, NULL}};
static const luaL_Reg channel_methods[] = {BOTH_HAVE, {"init", l_channel_init}, {NULL, NULL}};
static const luaL_Reg queue_methods[] = {
    {"task_done", l_queue_task_done}, {"join", l_queue_join}, {NULL, NULL}};

static const luaL_Reg simple_getters[] = {{"maxsize", get_maxsize}, {NULL, NULL}};
static const luaL_Reg simple_setters[] = {{"maxsize", assign_maxsize}, {NULL, NULL}};
static const luaL_Reg queue_getters[] = {{"unfinished_tasks", get_unfinished_tasks}, {NULL, NULL}};
static const luaL_Reg channel_getters[] = {{"balance", get_balance}, {NULL, NULL}};

static const struct l_class classes[] = {
    {"SimpleQueue", "Waitable", allocate_fifo, simple_methods, simple_getters, simple_setters},
    {"Queue", "SimpleQueue", allocate_fifo, queue_methods, queue_getters, NULL},
    {"UnboundQueue", "Queue", allocate_fifo, NULL, NULL, NULL},
    {"LifoQueue", "Queue", allocate_lifo, NULL, NULL, NULL},
    {"PriorityQueue", "Queue", allocate_sorted, NULL, NULL, NULL},
    {"Channel", "Waitable", allocate_channel, channel_methods, channel_getters, NULL},
};

void l_open_queue(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"queue_place", l_queue_place},
                                       {"queue_try_place", l_queue_try_place},
                                       {"queue_give_up", l_queue_give_up},
                                       {NULL, NULL}};
  l_open_waitable(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    l_register_table_class(L, rt, &classes[i]);
    lua_pushstring(L, BOUND);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    lua_setfield(L, -2, classes[i].name);
  }
  lua_pop(L, 1);
  l_open_sorted(L, rt);
}
