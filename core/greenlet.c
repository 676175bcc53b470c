#include "core/greenlet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/hub.h"
#include "core/joins.h"
#include "core/timeout.h"

char greenlet_exit[1];

/* An error on its way to a greenlet. */
struct pending {
  struct pending *next;
  void *error;
};

/* ---- Life ---- */

void greenlet_init(struct greenlet *greenlet, struct hub *hub,
                   void *(*run)(struct greenlet *, void *), void *arg) {
  *greenlet = (struct greenlet){.hub = hub, .parent = &hub->self, .ident = -1,
                                .run = run, .arg = arg, .state = GREENLET_NEW};
  callback_init(&greenlet->ready, NULL);
  stack_init(&greenlet->stack, false);
  list_init(&greenlet->links);
  list_init(&greenlet->join.node);
  list_init(&greenlet->all);
}

/* What an end leaves as it was at the beginning is not touched. */
void greenlet_renew(struct greenlet *greenlet) {
  assert(greenlet->holders == 0 && !greenlet->errors && list_empty(&greenlet->links));
  callback_init(&greenlet->ready, NULL);
  stack_init(&greenlet->stack, false);
  greenlet->state = GREENLET_NEW;
  greenlet->begun = greenlet->may_leave = greenlet->weak = greenlet->told = false;
  greenlet->ident = -1;
  greenlet->serial = 0;
  greenlet->wait.result = 0;
  greenlet->value = greenlet->error = NULL;
  greenlet->parent = &greenlet->hub->self;
}

struct greenlet *greenlet_new(struct hub *hub, void *(*run)(struct greenlet *, void *),
                              void *arg) {
  struct greenlet *greenlet = malloc(sizeof *greenlet);
  if (greenlet)
    greenlet_init(greenlet, hub, run, arg);
  return greenlet;
}

/* The hub and main are never freed: being their child costs no count. */
static bool counts(const struct greenlet *parent) {
  return parent && parent != &parent->hub->self && parent != &parent->hub->main;
}

/* The hub knows of the greenlet from now until its death. */
static void enlist(struct greenlet *greenlet) {
  if (!list_empty(&greenlet->all))
    return;
  list_append(&greenlet->hub->greenlets, &greenlet->all);
  greenlet->hub->greenlet_count++;
}

static void delist(struct greenlet *greenlet) {
  if (list_empty(&greenlet->all))
    return;
  list_remove(&greenlet->all);
  greenlet->hub->greenlet_count--;
}

static void drop_error(struct hub *hub, void *error) {
  if (error && error != greenlet_exit && hub->host->drop_error)
    hub->host->drop_error(hub, error);
}

static void drop_errors(struct greenlet *greenlet) {
  for (void *error; (error = greenlet_take_error(greenlet));)
    drop_error(greenlet->hub, error);
}

void greenlet_term(struct greenlet *greenlet) {
  assert(greenlet->state == GREENLET_NEW || greenlet->state == GREENLET_DEAD);
  if (counts(greenlet->parent))
    greenlet_set_parent(greenlet, &greenlet->hub->self);
  callback_stop(&greenlet->ready);
  stack_term(&greenlet->hub->stacks, &greenlet->stack);
  if (greenlet->state == GREENLET_DEAD) /* it holds nothing else: die */
    return;
  timer_stop(&greenlet->hub->timers, &greenlet->timer);
  delist(greenlet);
  drop_errors(greenlet);
}

void greenlet_free(struct greenlet *greenlet) {
  greenlet_term(greenlet);
  free(greenlet);
}

void greenlet_abandon(struct greenlet *greenlet) {
  delist(greenlet);
  stack_term(&greenlet->hub->stacks, &greenlet->stack);
  while (greenlet_take_error(greenlet))
    continue;
}

void greenlet_start(struct greenlet *greenlet) {
  if (greenlet->state != GREENLET_NEW)
    return;
  timer_stop(&greenlet->hub->timers, &greenlet->timer);
  enlist(greenlet);
  hub_ready(greenlet->hub, greenlet);
}

static void start_now(struct timer *timer) {
  greenlet_start(container_of(timer, struct greenlet, timer));
}

int greenlet_start_later(struct greenlet *greenlet, double seconds) {
  if (greenlet->state != GREENLET_NEW || timer_active(&greenlet->timer))
    return 0;
  greenlet->timer.ref = true;
  greenlet->timer.expire = start_now;
  double at = clock_seconds() + (seconds > 0 ? seconds : 0);
  if (timer_start(&greenlet->hub->timers, &greenlet->timer, at) < 0)
    return -ENOMEM;
  enlist(greenlet);
  if (greenlet->hub->observers)
    greenlet_serial(greenlet);
  return 0;
}

bool greenlet_started(const struct greenlet *greenlet) {
  return greenlet->state != GREENLET_DEAD &&
         (greenlet->state != GREENLET_NEW || timer_active(&greenlet->timer));
}

/* ---- Death ---- */

static void wake_joiner(struct link *link, void *source) {
  (void)source;
  waiter_wake(container_of(link, struct greenlet, join), 0);
}

/* A loop, not a recursion: a chain of parents may be very long. */
static void release(struct greenlet *greenlet) {
  while (greenlet && greenlet->told && greenlet->holders == 0) {
    struct hub *hub = greenlet->hub;
    struct greenlet *parent = counts(greenlet->parent) ? greenlet->parent : NULL;
    if (parent)
      greenlet->parent = &hub->self;
    if (hub->host->released)
      hub->host->released(greenlet);
    if (parent)
      parent->holders--;
    greenlet = parent;
  }
}

static void told(struct greenlet *greenlet) {
  greenlet->told = true;
  release(greenlet);
}

static void notify_links(struct callback *callback) {
  struct greenlet *greenlet = container_of(callback, struct greenlet, ready);
  while (!list_empty(&greenlet->links)) {
    links_notify_first(&greenlet->links, greenlet);
    if (callback_pending(callback)) /* greenlet_tell_later */
      return;
  }
  told(greenlet);
}

void greenlet_tell_later(struct greenlet *greenlet, struct link *link) {
  list_prepend(&greenlet->links, &link->node);
  hub_call(greenlet->hub, &greenlet->ready);
}

static bool wakes(const struct link *link) {
  return link->notify == wake_joiner || link->notify == joins_wake;
}

/* Let those who wait for several greenlets know, in the order of the deaths. What
 * is in the links afterwards: is it only links that wake somebody? */
static bool note(struct greenlet *greenlet) {
  bool only_joiners = true;
  struct list *links = &greenlet->links, *before = links;
  while (before->next != links) {
    struct link *link = container_of(before->next, struct link, node);
    if (link->notify == joins_note) {
      joins_note(link, greenlet); /* may take off others that follow, or add one */
      continue;
    }
    only_joiners = only_joiners && wakes(link);
    before = before->next;
  }
  return only_joiners;
}

/* Joiners are made ready on the spot; other links are told in the hub, through
 * the greenlet's own place in the ready queue, which it needs no more. */
static void tell_links(struct greenlet *greenlet) {
  if (note(greenlet)) {
    links_notify(&greenlet->links, greenlet);
    told(greenlet);
    return;
  }
  callback_init(&greenlet->ready, notify_links);
  hub_call(greenlet->hub, &greenlet->ready);
}

static void stop_timeouts(struct greenlet *greenlet) {
  while (greenlet->timeouts) {
    struct timeout *timeout = greenlet->timeouts;
    timeout_stop(timeout);
    if (timeout->dropped)
      timeout->dropped(timeout);
  }
}

static void die(struct greenlet *greenlet) {
  greenlet->state = GREENLET_DEAD;
  delist(greenlet);
  if (greenlet->timeouts)
    stop_timeouts(greenlet);
  if (greenlet->errors)
    drop_errors(greenlet);
  hub_release_ident(greenlet->hub, greenlet->ident);
  greenlet->ident = -1;
}

void greenlet_vanish(struct greenlet *greenlet) {
  die(greenlet);
  list_init(&greenlet->links);
}

void greenlet_release(struct greenlet *greenlet) {
  told(greenlet);
}

/* A greenlet that never ran dies of an error, which the host keeps. */
static void die_new(struct greenlet *greenlet, void *error) {
  if (greenlet->weak)
    greenlet->hub->host->revived(greenlet);
  callback_stop(&greenlet->ready);
  timer_stop(&greenlet->hub->timers, &greenlet->timer);
  die(greenlet);
  greenlet->error = error;
  if (greenlet->hub->host->died_new)
    greenlet->hub->host->died_new(greenlet, error);
  if (greenlet->hub->observers)
    observers_ended(greenlet);
  tell_links(greenlet);
}

/* ---- Errors on their way ---- */

static bool add_error(struct greenlet *greenlet, void *error, bool first) {
  struct pending *pending = malloc(sizeof *pending);
  if (!pending)
    return false;
  struct pending **place = &greenlet->errors;
  while (!first && *place)
    place = &(*place)->next;
  *pending = (struct pending){*place, error};
  *place = pending;
  return true;
}

void *greenlet_first_error(const struct greenlet *greenlet) {
  return greenlet->errors ? greenlet->errors->error : NULL;
}

size_t greenlet_count_errors(const struct greenlet *greenlet) {
  size_t count = 0;
  for (const struct pending *pending = greenlet->errors; pending; pending = pending->next)
    count++;
  return count;
}

static void *take(struct pending **place) {
  struct pending *pending = *place;
  void *error = pending->error;
  *place = pending->next;
  free(pending);
  return error;
}

void *greenlet_take_error(struct greenlet *greenlet) {
  return greenlet->errors ? take(&greenlet->errors) : NULL;
}

bool greenlet_retract_error(struct greenlet *greenlet, const void *error) {
  struct pending **place = &greenlet->errors;
  while (*place && (*place)->error != error)
    place = &(*place)->next;
  if (!*place)
    return false;
  take(place);
  return true;
}

int greenlet_kill(struct greenlet *greenlet, void *error) {
  if (greenlet == &greenlet->hub->self)
    return -EPERM;
  if (greenlet->state == GREENLET_DEAD) {
    drop_error(greenlet->hub, error);
    return 0;
  }
  if (greenlet->hub->observers)
    observers_killed(greenlet);
  if (!greenlet->begun) {
    die_new(greenlet, error);
    return 0;
  }
  if (!add_error(greenlet, error, false))
    return -ENOMEM;
  if (greenlet->state == GREENLET_WAITING)
    waiter_interrupt(greenlet, -ECANCELED);
  else if (greenlet->state == GREENLET_SUSPENDED)
    hub_ready(greenlet->hub, greenlet);
  return 0;
}

void greenlet_must_kill(struct greenlet *greenlet, void *error) {
  int result = greenlet_kill(greenlet, error);
  if (result == 0)
    return;
  drop_error(greenlet->hub, error);
  if (result != -ENOMEM)
    return;
  if (greenlet->state == GREENLET_WAITING) {
    waiter_interrupt(greenlet, -ENOMEM);
    return;
  }
  if (greenlet->wait.result != WAITER_HANDED)
    greenlet->wait.result = -ENOMEM;
  if (greenlet->state == GREENLET_SUSPENDED)
    hub_ready(greenlet->hub, greenlet);
}

/* ---- Switching ---- */

struct greenlet *greenlet_living(struct greenlet *greenlet) {
  while (greenlet->state == GREENLET_DEAD)
    greenlet = greenlet->parent;
  return greenlet;
}

/* End whatever a greenlet that is about to be switched to is doing. */
static void interrupt(struct greenlet *greenlet, int result) {
  if (greenlet->state == GREENLET_WAITING)
    waiter_interrupt(greenlet, result);
  else if (greenlet->state == GREENLET_READY && greenlet->wait.result != WAITER_HANDED)
    greenlet->wait.result = result;
  if (greenlet->state == GREENLET_NEW && timer_active(&greenlet->timer)) {
    timer_stop(&greenlet->hub->timers, &greenlet->timer);
    greenlet->state = GREENLET_READY; /* if it cannot be switched to, it still starts */
  }
  callback_stop(&greenlet->ready);
  if (!greenlet->begun)
    enlist(greenlet);
}

static bool exit_value(struct hub *hub, void *error, void **value) {
  if (error == greenlet_exit && !hub->host->exit_value) {
    *value = error;
    return true;
  }
  return hub->host->exit_value && hub->host->exit_value(hub, error, value);
}

/*
 * Find who gets a value or an error (one of them) meant for `target`, and make
 * it ready to be switched to. An error kills those that never ran on its way;
 * what a greenlet inherits from another that is dead is never a silent kill.
 * An error that cannot be kept for want of memory becomes -ENOMEM there.
 */
static struct greenlet *deliver(struct greenlet *first, void *value, void *error,
                                bool inherited) {
  struct greenlet *target = greenlet_living(first);
  while (error && !target->begun) {
    struct greenlet *parent = greenlet_living(target->parent);
    bool last = parent == &target->hub->self; /* the hub takes no errors */
    die_new(target, last ? error : NULL);
    if (last)
      error = NULL;
    target = parent;
  }
  inherited = inherited || target != first;
  if (error && inherited && exit_value(target->hub, error, &value))
    error = NULL;
  if (error && target == &target->hub->self) {
    drop_error(target->hub, error);
    error = NULL;
  }
  if (target == target->hub->current)
    target->wait.result = 0;
  else
    interrupt(target, error ? -ECANCELED : -EBADE);
  if (error && !add_error(target, error, true)) {
    drop_error(target->hub, error);
    if (target->wait.result != WAITER_HANDED)
      target->wait.result = -ENOMEM;
  }
  target->value = value;
  return target;
}

static int switch_to(struct greenlet *target, void *value, void **answer) {
  struct hub *hub = target->hub;
  struct greenlet *current = hub->current;
  if (target != current) {
    current->wait = (struct wait){.what = WAIT_SWITCH, .object = target, .since = hub_time(hub)};
    current->state = GREENLET_SUSPENDED;
    hub->nested = current == &hub->self;
    int result = hub_transfer(hub, target);
    if (current == &hub->self)
      hub->nested = false;
    if (result < 0) {
      current->state = GREENLET_RUNNING;
      if (target->state == GREENLET_READY) /* its wait has been ended */
        hub_ready(hub, target);
      return -ENOMEM;
    }
    value = current->value;
  }
  if (current->errors)
    return -ECANCELED;
  if (answer)
    *answer = value;
  return current->wait.result;
}

int greenlet_switch(struct greenlet *greenlet, void *value, void **answer) {
  return switch_to(deliver(greenlet, value, NULL, false), value, answer);
}

int greenlet_throw(struct greenlet *greenlet, void *error, void **answer) {
  struct greenlet *current = greenlet->hub->current;
  if (greenlet == current)
    return add_error(current, error, true) ? -ECANCELED : -ENOMEM;
  if (greenlet->hub->observers)
    observers_killed(greenlet);
  struct greenlet *target = deliver(greenlet, NULL, error, false);
  return switch_to(target, target->value, answer);
}

int greenlet_set_parent(struct greenlet *greenlet, struct greenlet *parent) {
  for (struct greenlet *above = parent; above; above = above->parent)
    if (above == greenlet)
      return -ELOOP;
  struct greenlet *before = greenlet->parent;
  if (counts(parent))
    parent->holders++;
  greenlet->parent = parent;
  if (counts(before)) {
    before->holders--;
    release(before);
  }
  return 0;
}

/* ---- Ending ---- */

/* The current greenlet has returned: bury it and say who runs next. */
static struct greenlet *end(struct greenlet *greenlet) {
  struct hub *hub = greenlet->hub;
  struct greenlet *heir = greenlet_living(greenlet->parent);
  die(greenlet);
  if (__builtin_expect(hub->observers != NULL, 0))
    observers_ended(greenlet);
  /* The dead one's stack lives until the switch, the greenlet may not. */
  stack_pass_on(&greenlet->stack, &hub->ending);
  void *value = greenlet->value, *error = greenlet->error;
  if (heir == &hub->self) {
    if (error && hub->host->failed)
      hub->host->failed(greenlet);
    tell_links(greenlet);
    return hub_next(hub);
  }
  tell_links(greenlet);
  return deliver(heir, value, error, true);
}

/* The current greenlet has left its stack in the middle of a wait. */
static struct greenlet *set_aside(struct greenlet *greenlet) {
  struct hub *hub = greenlet->hub;
  stack_pass_on(&greenlet->stack, &hub->ending);
  struct greenlet *next = hub->leave_for;
  hub->leave_for = NULL;
  return next ? next : hub_next(hub);
}

/* Leave the stack of the greenlet that has ended (origin is NULL) or was set aside, or
 * stay on it for one that has none yet. */
static void go_on(struct hub *hub, struct greenlet *origin, struct greenlet *next) {
  if (__builtin_expect(next->weak, 0))
    hub->host->revived(next);
  if (__builtin_expect(hub->observers != NULL, 0) && next != hub->current)
    observers_switched(hub, origin, next);
  hub->current = next;
  next->state = GREENLET_RUNNING;
  if (stack_fresh(&next->stack) && stack_adopt(&hub->ending, &next->stack))
    return;
  stack_leave(&hub->stacks, &hub->ending, &next->stack);
  /* No memory to bring it back: it stays first in line, and the hub, which
   * never moves, takes over. */
  next->state = GREENLET_READY;
  list_prepend(&hub->ready, &next->ready.node);
  if (hub->observers)
    observers_switched(hub, next, &hub->self);
  hub->current = &hub->self;
  hub->self.state = GREENLET_RUNNING;
  stack_leave(&hub->stacks, &hub->ending, &hub->self.stack);
}

void greenlet_base(struct stack_pool *stacks) {
  struct hub *hub = container_of(stacks, struct hub, stacks);
  for (;;) {
    struct greenlet *greenlet = hub->current;
    greenlet->begun = true;
    if (hub->traced)
      hub_trace(hub);
    greenlet->value = greenlet->run(greenlet, greenlet->arg);
    if (greenlet->state != GREENLET_RUNNING) {
      if (!hub->leave_for)
        hub->origin = greenlet;
      go_on(hub, greenlet, set_aside(greenlet));
    } else {
      hub->origin = greenlet;
      go_on(hub, NULL, end(greenlet));
    }
  }
}

/* ---- Waiting for the end ---- */

static void leave_links(struct greenlet *greenlet) {
  list_remove(&greenlet->join.node);
}

int greenlet_begin_join(struct greenlet *greenlet, double seconds) {
  struct hub *hub = greenlet->hub;
  if (waiter_check(hub) < 0)
    return -EPERM;
  link_init(&hub->current->join, wake_joiner);
  list_append(&greenlet->links, &hub->current->join.node);
  return waiter_begin(hub, WAIT_JOIN, greenlet, leave_links, seconds, true);
}

int greenlet_join(struct greenlet *greenlet, double seconds) {
  if (greenlet_dead(greenlet))
    return 0;
  int result = greenlet_begin_join(greenlet, seconds);
  return result == 0 ? waiter_finish(greenlet->hub, false) : result;
}

bool greenlet_link(struct greenlet *greenlet, struct link *link) {
  if (greenlet->told)
    return false;
  list_append(&greenlet->links, &link->node);
  return true;
}

/* ---- Small numbers ---- */

int greenlet_ident(struct greenlet *greenlet) {
  if (greenlet->ident < 0)
    greenlet->ident = hub_take_ident(greenlet->hub);
  return greenlet->ident;
}

uint32_t greenlet_serial(struct greenlet *greenlet) {
  if (__builtin_expect(!greenlet->serial, 0)) {
    greenlet->serial = ++greenlet->hub->serial;
    observers_spawned(greenlet);
  }
  return greenlet->serial;
}
