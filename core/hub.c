#include "core/hub.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/watcher.h"

enum {
  BATCH_SWITCHES = 50,       /* between two looks at the clock, as gevent */
  LONGEST_POLL_SECONDS = 3600,
  KEEP_EVERY = 16,           /* see hub_wants_stack */
  PROBES = 4,                /* of slots, for a greenlet that can leave */
};
static const double DEFAULT_SWITCH_INTERVAL = 0.005;
/* Between two rounds of giving stacks back; when one was not enough. */
static const double TRIM_SECONDS = 1, TRIM_AGAIN_SECONDS = 0.1;

/* ---- The ready queue ---- */

static bool batch_is_over(struct hub *hub) {
  if (--hub->batch_left > 0)
    return false;
  hub->batch_left = BATCH_SWITCHES;
  hub->batch_over = clock_seconds() >= hub->batch_end;
  return hub->batch_over;
}

struct greenlet *hub_next(struct hub *hub) {
  if (list_empty(&hub->ready) || hub->nested)
    return &hub->self;
  struct callback *first = container_of(hub->ready.next, struct callback, node);
  if (first->run || batch_is_over(hub))
    return &hub->self;
  list_remove(&first->node);
  return container_of(first, struct greenlet, ready);
}

void hub_trace(struct hub *hub) {
  struct greenlet *current = hub->current;
  struct wait wait = current->wait;
  void *value = current->value;
  current->may_leave = false;
  hub->host->arrived(hub, hub->origin);
  current->wait = wait;
  current->value = value;
}

bool hub_wants_stack(struct hub *hub) {
  if (list_empty(&hub->ready) || stack_pool_has_room(&hub->stacks))
    return false;
  struct callback *first = container_of(hub->ready.next, struct callback, node);
  if (first->run || !stack_fresh(&container_of(first, struct greenlet, ready)->stack))
    return false;
  return ++hub->set_aside % KEEP_EVERY != 0;
}

/*
 * A greenlet that begins needs a stack and there is none: find a resting one
 * that can leave its own, which is cheaper than moving it. NULL: none at hand.
 */
static struct greenlet *find_leaver(struct hub *hub, const struct greenlet *target) {
  if (!stack_fresh(&target->stack) || target->stack.pinned ||
      stack_pool_has_room(&hub->stacks) || hub->stacks.move_always)
    return NULL;
  for (int i = 0; i < PROBES; i++) {
    struct stack *stack = stack_pool_victim(&hub->stacks);
    struct greenlet *resting = stack ? container_of(stack, struct greenlet, stack) : NULL;
    if (resting && resting->may_leave && resting != hub->current &&
        (!hub->host->can_leave || hub->host->can_leave(resting)))
      return resting;
  }
  return NULL;
}

int hub_transfer(struct hub *hub, struct greenlet *target) {
  struct greenlet *origin = hub->current;
  uint8_t state = target->state;
  if (__builtin_expect(target->weak, 0))
    hub->host->revived(target);
  if (__builtin_expect(hub->observers != NULL, 0))
    observers_switched(hub, origin, target);
  struct greenlet *via = find_leaver(hub, target);
  hub->leave_for = via ? target : NULL;
  hub->origin = origin;
  hub->current = target;
  target->state = GREENLET_RUNNING;
  int result = stack_switch(&hub->stacks, &origin->stack, via ? &via->stack : &target->stack);
  if (result < 0) {
    target->state = state;
    hub->current = origin;
    if (hub->observers)
      observers_switched(hub, target, origin);
  } else if (hub->traced && !hub->leave_for) {
    hub_trace(hub);
  }
  return result;
}

void hub_run_next(struct hub *hub) {
  struct greenlet *current = hub->current, *next = hub_next(hub);
  if (next == current) {
    current->state = GREENLET_RUNNING;
    return;
  }
  if (hub_transfer(hub, next) == 0)
    return;
  /* No memory to bring it back: it stays first in line. The hub never moves. */
  list_prepend(&hub->ready, &next->ready.node);
  hub->batch_over = true;
  hub_transfer(hub, &hub->self);
}

/* ---- Polling ---- */

static void nothing(struct ev_loop *loop, ev_timer *timer, int events) {
  (void)loop, (void)timer, (void)events; /* it has ended the poll, no more */
}

/* When the hub has something to do, if no event comes before; INFINITY: never. */
static double deadline(struct hub *hub) {
  double timer = hub->timers.count ? timers_earliest(&hub->timers) : INFINITY;
  return hub->untrimmed && hub->trim_at < timer ? hub->trim_at : timer;
}

/* Set the one libev timer to the deadline. False if that has passed. */
static bool arm(struct hub *hub) {
  double at = deadline(hub);
  double now = at < INFINITY ? clock_seconds() : 0;
  if (at <= now)
    return false;
  if (ev_is_active(&hub->earliest) && at == hub->armed_for)
    return true;
  ev_timer_stop(hub->loop, &hub->earliest);
  if (at < INFINITY) {
    double seconds = at - now;
    ev_now_update(hub->loop);
    seconds = seconds < LONGEST_POLL_SECONDS ? seconds : LONGEST_POLL_SECONDS;
    ev_timer_set(&hub->earliest, seconds > 0 ? seconds : 0, 0);
    ev_timer_start(hub->loop, &hub->earliest);
    hub->armed_for = at;
  }
  return true;
}

static void wake_turns(struct hub *hub) {
  while (!list_empty(&hub->turns)) {
    struct greenlet *greenlet =
        container_of(hub->turns.next, struct greenlet, join.node);
    list_remove(&greenlet->join.node);
    waiter_wake(greenlet, 0);
  }
}

/* The child of a fork shares its parent's epoll descriptor until libev knows. */
static unsigned forks;

static void forked(void) {
  forks++;
}

/*
 * libev calls this before it polls, prepare watchers' callbacks done, and after.
 * What has become ready in the former must not wait for the latter.
 */
static void invoke_pending(struct ev_loop *loop) {
  struct hub *hub = ev_userdata(loop);
  ev_invoke_pending(loop);
  watchers_check(hub);
  if (hub->waiting && !list_empty(&hub->ready))
    ev_break(loop, EVBREAK_ONE);
}

/* libev is about to ask the kernel, which it has told what to look for. */
static void told_kernel(struct ev_loop *loop) {
  struct hub *hub = ev_userdata(loop);
  watchers_told(hub);
  if (hub->observers)
    observers_polling(hub, true);
}

/* What errno says of that libev has yet to look at. */
static void asked_kernel(struct ev_loop *loop) {
  const struct hub *hub = ev_userdata(loop);
  int error = errno;
  if (hub->observers)
    observers_polling(hub, false);
  errno = error;
}

/* The hub is about to wait: a good time to give back what stacks do not use.
 * Once for each time that something has run, so a long wait is not disturbed. */
static void trim_stacks(struct hub *hub) {
  if (!hub->untrimmed || hub->now < hub->trim_at)
    return;
  hub->untrimmed = !stack_pool_trim(&hub->stacks, &hub->self.stack);
  hub->trim_at = hub->now + (hub->untrimmed ? TRIM_AGAIN_SECONDS : TRIM_SECONDS);
}

static void poll(struct hub *hub, bool wait) {
  if (wait)
    trim_stacks(hub);
  if (hub->host->polling)
    hub->host->polling(hub);
  wait = wait && list_empty(&hub->ready) && !hub->no_wait && arm(hub);
  hub->no_wait = false;
  hub->iteration++;
  if (hub->forks != forks) {
    hub->forks = forks;
    watchers_forked(hub);
  }
  hub->waiting = wait;
  ev_run(hub->loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
  hub->waiting = false;
  hub->untrimmed = true;
  hub->now = clock_seconds();
  timers_expire(&hub->timers, hub->now);
  wake_turns(hub);
}

static bool expects_events(const struct hub *hub) {
  return hub->refs > 0 || hub->timers.refs > 0;
}

bool hub_alive(const struct hub *hub) {
  return !list_empty(&hub->ready) || expects_events(hub) || !list_empty(&hub->turns);
}

/* ---- The hub's own body ---- */

static void run_batch(struct hub *hub) {
  hub->batch_over = false;
  hub->batch_left = BATCH_SWITCHES;
  hub->batch_end = clock_seconds() + hub->switch_interval;
  while (!hub->batch_over && !list_empty(&hub->ready)) {
    struct callback *first = container_of(hub->ready.next, struct callback, node);
    list_remove(&first->node);
    if (first->run) {
      first->run(first);
      batch_is_over(hub);
      continue;
    }
    struct greenlet *greenlet = container_of(first, struct greenlet, ready);
    hub->self.state = GREENLET_SUSPENDED;
    if (hub_transfer(hub, greenlet) < 0) {
      list_append(&hub->ready, &first->node); /* as above: try again later */
      hub->batch_over = true;
    }
  }
}

/* Nothing can happen any more: say so to the main greenlet, or who has its place. */
static void run_dry(struct hub *hub) {
  struct greenlet *root = hub->root;
  if (root->state == GREENLET_WAITING && root->wait.what == WAIT_HUB) {
    waiter_wake(root, 0);
  } else if (root->state == GREENLET_WAITING) {
    waiter_interrupt(root, -EDEADLK);
  } else {
    assert(root->state == GREENLET_SUSPENDED);
    hub_ready(hub, root);
    root->wait.result = -EDEADLK;
  }
}

static void *run(struct greenlet *self, void *arg) {
  struct hub *hub = self->hub;
  (void)arg;
  for (;;) {
    run_batch(hub);
    bool alive = hub_alive(hub);
    poll(hub, list_empty(&hub->ready) && expects_events(hub));
    if (!alive && !hub_alive(hub))
      run_dry(hub);
  }
  return NULL;
}

/* ---- For greenlets ---- */

int hub_join(struct hub *hub, double seconds) {
  if (hub->current != hub->root)
    return -EPERM;
  /* Without ref: its own limit is nothing that is left to run. */
  return waiter_park(hub, WAIT_HUB, NULL, NULL, seconds, false);
}

static void leave_turns(struct greenlet *greenlet) {
  list_remove(&greenlet->join.node);
}

int hub_wait_turn(struct hub *hub, bool nowait) {
  if (waiter_check(hub) < 0)
    return -EPERM;
  list_append(&hub->turns, &hub->current->join.node);
  hub->no_wait = hub->no_wait || nowait;
  hub->batch_over = true;
  return waiter_park(hub, WAIT_TURN, NULL, leave_turns, -1, true);
}

void hub_update_now(struct hub *hub) {
  ev_now_update(hub->loop);
  hub->now = clock_seconds();
}

/* ---- The child of a fork ---- */

static void leave_pending(struct ev_loop *loop) {
  (void)loop;
}

void hub_fork_loop(struct hub *hub) {
  hub->forks = forks;
  watchers_forked(hub);
  watchers_stop_closed(hub);
  ev_set_invoke_pending_cb(hub->loop, leave_pending);
  ev_run(hub->loop, EVRUN_NOWAIT);
  ev_set_invoke_pending_cb(hub->loop, invoke_pending);
}

/* ---- Small numbers ---- */

static int ident_grow(struct hub *hub) {
  size_t words = hub->ident_words ? hub->ident_words * 2 : 4;
  uint64_t *idents = realloc(hub->idents, words * sizeof *idents);
  if (!idents)
    return -ENOMEM;
  for (size_t i = hub->ident_words; i < words; i++)
    idents[i] = 0;
  hub->idents = idents;
  hub->ident_words = words;
  return 0;
}

int hub_next_ident(const struct hub *hub) {
  size_t word = 0;
  while (word < hub->ident_words && !~hub->idents[word])
    word++;
  int bit = word < hub->ident_words ? __builtin_ctzll(~hub->idents[word]) : 0;
  return (int)word * 64 + bit;
}

int hub_take_ident(struct hub *hub) {
  int ident = hub_next_ident(hub);
  size_t word = (size_t)ident / 64;
  if (word == hub->ident_words && ident_grow(hub) < 0)
    return -ENOMEM;
  hub->idents[word] |= 1ull << (ident % 64);
  return ident;
}

void hub_release_ident(struct hub *hub, int ident) {
  if (ident >= 0)
    hub->idents[ident / 64] &= ~(1ull << (ident % 64));
}

/* ---- Life ---- */

/*
 * libev ends the process when it gets no memory, so it always does: when malloc
 * has no more, a reserve is given up for it. All users of libev in a process
 * share this, as they would share the abort.
 */
enum { RESERVE_BYTES = 256 * 1024 };
static void *reserve;

static void *allocate_for_libev(void *block, long bytes) {
  if (bytes == 0) {
    free(block);
    return NULL;
  }
  void *result = realloc(block, (size_t)bytes);
  if (!result && reserve) {
    free(reserve);
    reserve = NULL;
    result = realloc(block, (size_t)bytes);
  }
  return result;
}

static bool keep_reserve(void) {
  if (!reserve)
    reserve = malloc(RESERVE_BYTES);
  ev_set_allocator(allocate_for_libev);
  return reserve != NULL;
}


static void init_main(struct hub *hub) {
  greenlet_init(&hub->main, hub, NULL, NULL);
  hub->main.parent = NULL;
  hub->main.state = GREENLET_RUNNING;
  hub->main.begun = true;
  hub->current = hub->origin = hub->root = &hub->main;
}

static void init_self(struct hub *hub) {
  greenlet_init(&hub->self, hub, run, NULL);
  hub->self.parent = &hub->main;
  hub->self.state = GREENLET_SUSPENDED;
  hub->self.begun = true;
  stack_init(&hub->self.stack, true);
}

int hub_init(struct hub *hub, unsigned slots, size_t slot_bytes, const struct hub_host *host,
             void *data) {
  *hub = (struct hub){.host = host, .data = data};
  list_init(&hub->ready);
  list_init(&hub->greenlets);
  list_init(&hub->turns);
  list_init(&hub->children);
  list_init(&hub->changed_ios);
  init_main(hub);
  init_self(hub);
  greenlet_serial(&hub->main);
  greenlet_serial(&hub->self);
  int result =
      stack_pool_init(&hub->stacks, slots, slot_bytes, &hub->main.stack, greenlet_base);
  if (result < 0)
    return result;
  timers_init(&hub->timers);
  hub->loop = keep_reserve() ? ev_loop_new(EVFLAG_AUTO) : NULL;
  if (!hub->loop || stack_begin(&hub->stacks, &hub->self.stack) < 0) {
    hub_term(hub);
    return -ENOMEM;
  }
  static bool watching_forks;
  watching_forks = watching_forks || pthread_atfork(NULL, NULL, forked) == 0;
  hub->forks = forks;
  ev_set_userdata(hub->loop, hub);
  ev_set_invoke_pending_cb(hub->loop, invoke_pending);
  ev_set_loop_release_cb(hub->loop, told_kernel, asked_kernel);
  ev_timer_init(&hub->earliest, nothing, 0, 0);
  hub->switch_interval = DEFAULT_SWITCH_INTERVAL;
  hub->now = hub->began = clock_seconds();
  hub->trim_at = hub->now + TRIM_SECONDS;
  hub->untrimmed = true;
  hub->batch_left = BATCH_SWITCHES;
  hub->batch_end = hub->now + hub->switch_interval;
  return 0;
}

int hub_set_stacks(struct hub *hub, unsigned slots, size_t slot_bytes) {
  /* Whoever gives way is the origin from then on; main is it as long as nobody did. */
  if (hub->current != &hub->main || hub->origin != &hub->main)
    return -EBUSY;
  return stack_pool_resize(&hub->stacks, slots, slot_bytes, &hub->self.stack);
}

void hub_term(struct hub *hub) {
  assert(hub->current == &hub->main);
  if (hub->loop)
    ev_loop_destroy(hub->loop);
  timers_term(&hub->timers);
  greenlet_abandon(&hub->self);
  greenlet_abandon(&hub->main);
  stack_pool_term(&hub->stacks);
  free(hub->idents);
  free(hub->ios);
}
