/*
 * waiter.h: the one way to wait.
 *
 * Whatever makes a greenlet wait (a join, a watcher, a queue) does this, in
 * the greenlet:
 *
 *     register    put a node that lives in the greenlet or on the heap where
 *                 the waker will find it
 *     waiter_park give up the CPU
 *     answer      0: woken; -ETIMEDOUT: time is up; -ECANCELED: an error is
 *                 pending (greenlet_take_error); -EBADE: somebody switched
 *                 into the wait; -EDEADLK: nothing can wake the main greenlet
 *
 * and the waker, who has taken the node off its own list, calls waiter_wake.
 * A wait ends by exactly one of these. Whoever ends it other than by
 * waiter_wake calls `cancel` first, which must take the node off: so nothing
 * is left behind, and what a waker handed over is never lost.
 */
#ifndef CORE_WAITER_H
#define CORE_WAITER_H

#include <stdbool.h>

struct greenlet;
struct hub;

/* What a greenlet waits for; part of the greenlet, kept until the next wait. */
struct wait {
  const char *what;                  /* "sleep", "join of": for reports */
  const void *object;                /* what `what` is about, or NULL */
  void (*cancel)(struct greenlet *); /* unregister; NULL: nothing to do */
  float since;                       /* hub_time when it began */
  int result;
};

/* waiter_wake's result for a wake that handed something over: a kill that
 * arrives before the greenlet runs stays pending until its next wait. */
enum { WAITER_HANDED = 1, WAITER_LEAVE = 2 };

extern const char WAIT_SLEEP[], WAIT_JOIN[], WAIT_DEATHS[], WAIT_LINKS[], WAIT_WATCHER[],
    WAIT_SWITCH[], WAIT_HUB[], WAIT_TURN[];

/* May the current greenlet wait? 0, or -EPERM in the hub. */
int waiter_check(const struct hub *hub);

/*
 * Park the current greenlet, which has registered itself, for at most
 * `seconds` (negative: for ever; 0: not at all). Returns as above, WAITER_HANDED
 * as 0, or -ENOMEM, -EPERM. Unless it returns 0, the node is off:
 * `cancel` has been called, or a waker had taken it and a kill came after.
 */
int waiter_park(struct hub *hub, const char *what, const void *object,
                void (*cancel)(struct greenlet *), double seconds, bool ref);

/*
 * The same in two halves, for a host that can leave the stack in between
 * (greenlet.h: setting aside). Begin returns 0 when the current greenlet is to
 * give up the CPU now, else what waiter_park would return; finish gives it up.
 * With may_leave finish may return WAITER_LEAVE long before the wait has ended:
 * another greenlet wants the stack. The host must leave it then.
 * waiter_answer is what finish returns, for who was away meanwhile.
 */
int waiter_begin(struct hub *hub, const char *what, const void *object,
                 void (*cancel)(struct greenlet *), double seconds, bool ref);
int waiter_begin_turn(struct hub *hub);
int waiter_begin_sleep(struct hub *hub, double seconds, bool ref);
int waiter_finish(struct hub *hub, bool may_leave);
int waiter_answer(const struct greenlet *greenlet);

/* End the wait of a greenlet that waits, by what it waited for. */
void waiter_wake(struct greenlet *greenlet, int result);

/* End the wait otherwise, with a negative result: unregister, make it ready. */
void waiter_interrupt(struct greenlet *greenlet, int result);

/* Whatever the greenlet, not the current one, waits for, it never comes back from it:
 * nothing refers to it afterwards. */
void waiter_abandon(struct greenlet *greenlet);

/* Let every other ready greenlet run first. 0, -ECANCELED, -EBADE, -EPERM. */
int waiter_yield(struct hub *hub);

/* Wait `seconds`; without `ref` that does not keep the hub alive. */
int waiter_sleep(struct hub *hub, double seconds, bool ref);

#endif
