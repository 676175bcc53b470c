/*
 * event.c: the class Event, a flag that greenlets wait for.
 *
 * AsyncResult, in event.lua, is the same with something to say.
 */
#include "lua_binding/waitable.h"

struct l_event {
  struct l_waitable waitable;
  bool set;
};

static bool is_ready(const struct l_waitable *waitable) {
  return ((const struct l_event *)waitable)->set;
}

/* Latched: `set` tells all, even when `clear` follows at once. */
static const struct l_waitable_type event_type = {"Event", is_ready, true};

/***
 * Make a flag that greenlets wait for. It is clear.
 * Events may be given to `greenlet.wait`, `greenlet.iwait` and `greenlet.select`, several at a
 * time and together with greenlets.
 * @class greenlet.event.Event
 * @order set clear wait is_set
 * @tparam[opt] string name for reports
 * @usage local opened = greenlet.event.Event()
 * @source gevent.event.Event
 */
static int l_event_allocate(lua_State *L) {
  l_new_waitable(L, sizeof(struct l_event), &event_type);
  return 1;
}

/***
 * Set the flag and wake all who wait, in the order in which they came.
 * Each is woken once, even when `Event:clear` follows at once. Who sets goes on first. No effect
 * on a flag that is set.
 * @function Event:set
 * @usage opened:set()
 * @source gevent.event.Event.set
 */
static int l_event_set(lua_State *L) {
  struct l_event *event = l_check_living(L, &event_type);
  event->set = true;
  waitlist_wake_all(&event->waitable.waiters);
  l_tell_links(L, 1);
  return 0;
}

/***
 * Clear the flag. Those whom `Event:set` has woken go on all the same.
 * @function Event:clear
 * @usage opened:set()
 *   opened:clear() -- a pulse: it wakes those who wait now, and no others
 * @source gevent.event.Event.clear
 */
static int l_event_clear(lua_State *L) {
  struct l_event *event = l_check_waitable(L, &event_type);
  event->set = false;
  return 0;
}

/***
 * Tell whether the flag is set.
 * @function Event:is_set
 * @function Event:ready
 * @treturn boolean
 * @usage if not opened:is_set() then print("closed") end
 * @source gevent.event.Event.is_set
 */
static int l_event_is_set(lua_State *L) {
  const struct l_event *event = l_check_waitable(L, &event_type);
  lua_pushboolean(L, event->set);
  return 1;
}

static int waited(lua_State *L, int status, lua_KContext context) {
  (void)status;
  lua_pushboolean(L, l_answer(L, (struct runtime *)context) == 0);
  return 1;
}

/***
 * Wait until the flag is set.
 * @function Event:wait
 * @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
 * @treturn boolean true; false when the timeout expires first
 * @switches yes, unless it is set
 * @usage if not opened:wait(5) then error "still closed" end
 * @source gevent.event.Event.wait
 */
static int l_event_wait(lua_State *L) {
  struct l_event *event = l_check_living(L, &event_type);
  struct l_time time = l_check_time(L, 2);
  struct runtime *rt = event->waitable.rt;
  int result = 0;
  if (!event->set) {
    l_enter(L, rt);
    l_start_time(L, rt, &time);
    if (!event->set) /* still: a finalizer may have set it */
      result = l_wait_in(L, &event->waitable.waiters, "set of", &time);
    if (result == WAITER_LEAVE)
      return lua_yieldk(L, 0, (lua_KContext)rt, waited);
    result = l_leave_time(L, rt, &time, result);
  }
  lua_pushboolean(L, result == 0);
  return 1;
}

static int l_event_tostring(lua_State *L) {
  const struct l_event *event = l_check_waitable(L, &event_type);
  return l_push_state(L, event->set ? "set" : "clear");
}

void l_open_event(lua_State *L, struct runtime *rt) {
  static const luaL_Reg methods[] = {{"set", l_event_set},       {"clear", l_event_clear},
                                     {"is_set", l_event_is_set}, {"ready", l_event_is_set},
                                     {"wait", l_event_wait},     {"__tostring", l_event_tostring},
                                     {NULL, NULL}};
  static const struct l_class event = {"Event", "Waitable", l_event_allocate, methods, NULL, NULL},
                              result = {"AsyncResult", "Waitable", l_event_allocate, NULL, NULL,
                                        NULL};
  l_open_waitable(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_register_class(L, rt, &event);
  lua_setfield(L, -2, "Event");
  l_register_class(L, rt, &result);
  lua_setfield(L, -2, "AsyncResult");
  lua_pop(L, 1);
}
