/*
 * timeout.h: an error that arrives in a greenlet at a given time.
 *
 * A started timeout belongs to the greenlet that started it and is stopped
 * when that one dies. On expiry the greenlet gets `error` as if killed by it.
 * `expired`, if set, is called in the hub just before, and may set the error.
 */
#ifndef CORE_TIMEOUT_H
#define CORE_TIMEOUT_H

#include "core/timer.h"

struct greenlet;
struct hub;

struct timeout {
  struct timer timer;
  struct timeout *next;    /* in greenlet->timeouts, while started */
  struct timeout **link;   /* what points to this one */
  struct greenlet *target;
  void *error;             /* handed to greenlet_must_kill */
  void (*expired)(struct timeout *);
  void (*dropped)(struct timeout *); /* its greenlet died first; may be NULL */
};

void timeout_init(struct timeout *timeout);

/* Start a stopped timeout for the current greenlet. 0 or -ENOMEM. */
int timeout_start(struct hub *hub, struct timeout *timeout, double seconds, bool ref);

/* Stop it; no effect on a stopped one. */
void timeout_stop(struct timeout *timeout);

/* Is it started and not yet expired? */
bool timeout_pending(const struct timeout *timeout);

#endif
