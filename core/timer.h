/*
 * timer.h: all timers of a hub in one heap.
 *
 * A timer is a node inside whoever waits for it: a sleeping greenlet, a
 * Timeout, a timer watcher. The heap orders by deadline, equal deadlines by
 * start, which keeps the order of expiry defined. One libev timer stands for
 * the earliest of them all (hub.c): libev never sees the others, so a hundred
 * thousand sleepers cost it nothing.
 *
 * Invariant: timer->index is the timer's place in the heap plus one, and 0
 * when it is not started.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
  size_t index;                   /* place in the heap + 1; 0: not started */
  bool ref;                       /* keeps the hub alive; set before start */
  void (*expire)(struct timer *); /* called in the hub, the timer stopped */
};

/* An entry repeats the deadline so that sifting touches no timer's memory
 * but to write its index. */
struct timer_entry {
  double at;
  uint64_t order;
  struct timer *timer;
};

struct timers {
  struct timer_entry *heap;
  size_t count, capacity;
  size_t refs;         /* started timers with ref set */
  uint64_t next_order; /* given to the next timer started */
};

void timers_init(struct timers *timers);

/* Free the heap. Timers still started are forgotten, not called. */
void timers_term(struct timers *timers);

/* Start a stopped timer to expire at `at` (clock_seconds). 0 or -ENOMEM. */
int timer_start(struct timers *timers, struct timer *timer, double at);

/* Stop a timer; no effect on one that is not started. */
void timer_stop(struct timers *timers, struct timer *timer);

static inline bool timer_active(const struct timer *timer) {
  return timer->index != 0;
}

/* When the timer, which is started, expires. */
static inline double timer_at(const struct timers *timers, const struct timer *timer) {
  return timers->heap[timer->index - 1].at;
}

/* Stop and call every timer due at `now`, but none started by these calls. */
void timers_expire(struct timers *timers, double now);

#endif
