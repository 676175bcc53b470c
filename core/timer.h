/*
 * timer.h: all timers of a hub.
 *
 * A timer is a node inside whoever waits for it: a sleeping greenlet, a
 * Timeout, a timer watcher. One libev timer stands for the earliest of them all
 * (hub.c): libev never sees the others.
 *
 * One heap of a hundred thousand timers would touch the memory of ten others at
 * every start and expiry, nearly always in vain: to note where in the heap they
 * are now. So timers lie in buckets, one for each tick (about a millisecond)
 * that anybody waits for, and a heap orders the buckets. What is in a bucket is
 * in no order until it is the earliest; then it becomes a heap, too:
 *
 *     heap of buckets --> { tick, timers ... }, { tick, timers ... }, ...
 *
 * Timers expire in the order of their deadlines, equal deadlines in the order of
 * their start.
 *
 * Invariant: timer->in->entries[timer->place].timer == timer, and timer->in is
 * NULL when it is not started.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_heap;
struct timer_bucket;

struct timer {
  struct timer_heap *in;          /* NULL: not started */
  uint32_t place;
  bool ref;                       /* keeps the hub alive; set before start */
  void (*expire)(struct timer *); /* called in the hub, the timer stopped */
};

/* An entry repeats the deadline so that sorting touches no timer's memory
 * but to write its place. */
struct timer_entry {
  double at;
  uint64_t order;
  struct timer *timer;
};

struct timer_heap {
  struct timer_entry *entries;
  uint32_t count, capacity;
};

struct timers {
  struct timer_heap buckets;   /* their nodes; the deadlines are ticks */
  struct timer_bucket **table; /* the same, hashed by tick */
  uint32_t table_size;
  struct timer_bucket *idle;   /* the last to become empty: see timer_stop */
  struct timer_bucket *unused;
  size_t count;
  size_t refs;         /* started timers with ref set */
  uint64_t next_order; /* given to the next timer started */
};

void timers_init(struct timers *timers);

/* Free all memory. Timers still started are forgotten, not called. */
void timers_term(struct timers *timers);

/* Start a stopped timer to expire at `at` (clock_seconds). 0 or -ENOMEM. */
int timer_start(struct timers *timers, struct timer *timer, double at);

/* Stop a timer; no effect on one that is not started. */
void timer_stop(struct timers *timers, struct timer *timer);

static inline bool timer_active(const struct timer *timer) {
  return timer->in != NULL;
}

/* When the timer, which is started, expires. */
static inline double timer_at(const struct timer *timer) {
  return timer->in->entries[timer->place].at;
}

/* When the first of all, of which there is one at least, expires. */
double timers_earliest(struct timers *timers);

/* Stop and call every timer due at `now`, but none started by these calls. */
void timers_expire(struct timers *timers, double now);

#endif
