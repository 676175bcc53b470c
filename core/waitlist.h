/*
 * waitlist.h: the greenlets that wait for an object, in the order in which
 * they came.
 *
 * The list is a member of the object; the nodes are in the greenlets (their
 * `join`, since a greenlet is in one wait at a time). Whoever leaves early, by
 * its timeout or a kill, takes its node off itself: so every greenlet on the
 * list waits, and to wake one always wakes one.
 *
 * What a waker hands over belongs to the greenlet from then on, though that has
 * not run yet. An error may reach it before it does: then it has both, and
 * says by waitlist_refuses that the thing must go to the next.
 */
#ifndef CORE_WAITLIST_H
#define CORE_WAITLIST_H

#include <stdbool.h>

#include "core/list.h"

struct greenlet;
struct hub;

/*
 * Append the current greenlet and begin its wait, as waiter_begin: 0 when it is
 * to give up the CPU now (waiter_finish). In the hub: -EPERM.
 */
int waitlist_begin(struct hub *hub, struct list *list, const char *what, const void *object,
                   double seconds);

/* Does the greenlet wait on such a list, or on several (choice.h)? Then its
 * wait.object is that of the call which began the wait. */
bool waitlist_waits(const struct greenlet *greenlet);

/* Wake the first one, handing it what it waits for; NULL if nobody waits. The
 * answer of its wait is 0, even if a kill arrives before it runs. */
struct greenlet *waitlist_hand(struct list *list);

/* After such a wait, in the greenlet: was it handed something, and then sent an
 * error? Pass on what it was handed, and raise the error. */
bool waitlist_refuses(const struct greenlet *greenlet);

/* Wake all, in their order, without handing them anything. */
void waitlist_wake_all(struct list *list);

#endif
