#include "core/waiter.h"

#include <assert.h>
#include <errno.h>

#include "core/clock.h"
#include "core/greenlet.h"
#include "core/hub.h"

const char WAIT_SLEEP[] = "sleep", WAIT_JOIN[] = "join of", WAIT_DEATHS[] = "join of all of",
           WAIT_LINKS[] = "wait for", WAIT_WATCHER[] = "watcher", WAIT_SWITCH[] = "switch",
           WAIT_HUB[] = "end of the loop", WAIT_TURN[] = "turn of the loop";

int waiter_check(const struct hub *hub) {
  return hub->current == &hub->self ? -EPERM : 0;
}

/* End a wait: nothing but the ready queue refers to the greenlet afterwards. */
static void end(struct greenlet *greenlet, int result) {
  assert(greenlet->state == GREENLET_WAITING);
  timer_stop(&greenlet->hub->timers, &greenlet->timer);
  greenlet->wait.result = result;
  greenlet->wait.cancel = NULL;
  hub_ready(greenlet->hub, greenlet);
}

void waiter_wake(struct greenlet *greenlet, int result) {
  assert(result >= 0);
  end(greenlet, result);
}

void waiter_interrupt(struct greenlet *greenlet, int result) {
  if (greenlet->wait.cancel)
    greenlet->wait.cancel(greenlet);
  end(greenlet, result);
}

void waiter_abandon(struct greenlet *greenlet) {
  if (greenlet->state == GREENLET_WAITING && greenlet->wait.cancel)
    greenlet->wait.cancel(greenlet);
  timer_stop(&greenlet->hub->timers, &greenlet->timer);
  callback_stop(&greenlet->ready);
  greenlet->wait = (struct wait){.what = NULL};
  greenlet->state = GREENLET_SUSPENDED;
}

/* A sleeper is woken, anybody else who waits has run out of time. */
static void time_is_up(struct timer *timer) {
  struct greenlet *greenlet = container_of(timer, struct greenlet, timer);
  if (greenlet->wait.what == WAIT_SLEEP)
    waiter_wake(greenlet, 0);
  else
    waiter_interrupt(greenlet, -ETIMEDOUT);
}

int waiter_answer(const struct greenlet *greenlet) {
  int result = greenlet->wait.result;
  if (result == WAITER_HANDED)
    return 0;
  return greenlet->errors ? -ECANCELED : result;
}

static int start_timer(struct greenlet *current, double seconds, bool ref) {
  current->timer.ref = ref;
  current->timer.expire = time_is_up;
  return timer_start(&current->hub->timers, &current->timer, clock_seconds() + seconds);
}

int waiter_begin(struct hub *hub, const char *what, const void *object,
                 void (*cancel)(struct greenlet *), double seconds, bool ref) {
  struct greenlet *current = hub->current;
  int result = waiter_check(hub);
  current->wait = (struct wait){what, object, cancel, hub_time(hub), 0};
  if (result == 0 && current->errors)
    result = -ECANCELED;
  else if (result == 0 && seconds == 0 && what != WAIT_SLEEP)
    result = -ETIMEDOUT;
  else if (result == 0 && seconds >= 0)
    result = start_timer(current, seconds, ref);
  if (result < 0) {
    if (cancel)
      cancel(current);
    return result;
  }
  current->state = GREENLET_WAITING;
  return 0;
}

int waiter_finish(struct hub *hub, bool may_leave) {
  struct greenlet *current = hub->current;
  current->may_leave = may_leave;
  hub_run_next(hub);
  current->may_leave = false;
  if (__builtin_expect(hub->leave_for != NULL, 0))
    return WAITER_LEAVE;
  return waiter_answer(current);
}

int waiter_park(struct hub *hub, const char *what, const void *object,
                void (*cancel)(struct greenlet *), double seconds, bool ref) {
  int result = waiter_begin(hub, what, object, cancel, seconds, ref);
  return result == 0 ? waiter_finish(hub, false) : result;
}

int waiter_begin_turn(struct hub *hub) {
  struct greenlet *current = hub->current;
  if (current == &hub->self)
    return -EPERM;
  if (current->errors)
    return -ECANCELED;
  current->wait.what = WAIT_SLEEP;
  current->wait.result = 0;
  hub_ready(hub, current);
  return 0;
}

int waiter_yield(struct hub *hub) {
  int result = waiter_begin_turn(hub);
  return result == 0 ? waiter_finish(hub, false) : result;
}

int waiter_begin_sleep(struct hub *hub, double seconds, bool ref) {
  if (seconds <= 0)
    return waiter_begin_turn(hub);
  return waiter_begin(hub, WAIT_SLEEP, NULL, NULL, seconds, ref);
}

int waiter_sleep(struct hub *hub, double seconds, bool ref) {
  int result = waiter_begin_sleep(hub, seconds, ref);
  return result == 0 ? waiter_finish(hub, false) : result;
}
