/*
 * greenlet.h: a thread of control with a C stack of its own.
 *
 *          start            its turn            ends
 *     NEW --------> READY ----------> RUNNING --------> DEAD
 *      |              ^                | |  ^
 *      |              |   a wake  park | |  | a switch to it
 *      |              +----- WAITING <-+ |  |
 *      |                                 v  |
 *      +--- a switch to it --> RUNNING  SUSPENDED
 *
 * A greenlet is on exactly one of: the ready queue, one wait, none. A WAITING
 * one is ended by whoever it waits for, a timer or a kill; a SUSPENDED one has
 * switched to another by greenlet_switch and runs on when it is switched to.
 *
 * Two kinds differ in their parents only. One whose parent is the hub (a
 * Greenlet, in gevent's words) ends by making room for the next ready one. One
 * with another parent is raw: its value or error goes to that parent's switch.
 *
 * A host whose greenlets can leave their stacks (a Lua thread that yields) may
 * set one aside: between waiter_begin and waiter_finish it returns from run
 * instead, with the state not RUNNING. The greenlet rests without a stack, and
 * run is called again, on any stack, when its wait has ended.
 *
 * Errors are opaque pointers that a host gives a meaning to. &greenlet_exit is
 * the error that kills silently. An error is owned by whoever holds it: the
 * sender until the call, then the greenlet, then who takes it.
 */
#ifndef CORE_GREENLET_H
#define CORE_GREENLET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/callback.h"
#include "core/link.h"
#include "core/list.h"
#include "core/stack.h"
#include "core/timer.h"
#include "core/waiter.h"

struct hub;

enum greenlet_state {
  GREENLET_NEW,
  GREENLET_READY,
  GREENLET_RUNNING,
  GREENLET_WAITING,
  GREENLET_SUSPENDED,
  GREENLET_DEAD,
};

/* The default error of a kill. */
extern char greenlet_exit[1];

struct pending;
struct timeout;

/* What a switch needs comes first, within two cache lines. */
struct greenlet {
  struct callback ready;       /* in hub->ready, when READY; run is NULL */
  struct stack stack;
  struct hub *hub;
  uint8_t state;               /* enum greenlet_state */
  bool begun;                  /* has run */
  bool may_leave;              /* it can be asked for its stack: waiter_finish */
  bool weak;                   /* the host wants to know when it is made ready */
  bool told;                   /* dead, and all links know */
  unsigned holders;            /* whose parent this is; kept until they go */
  int ident;                   /* minimal_ident, -1 until asked for */
  struct wait wait;
  struct pending *errors;      /* on their way to it, oldest first */
  void *arg;
  void *(*run)(struct greenlet *, void *arg);
  void *value;                 /* passed in and out, and at last returned */
  void *error;                 /* what it died of, or NULL */
  struct timer timer;          /* ends a sleep or a wait; starts a late one */
  struct greenlet *parent;     /* who gets value and error; NULL: main */
  struct list links;           /* told of the death */
  struct link join;            /* this one's own node in another's links, or in a
                                  list of those who wait (waitlist.h, choice.h) */
  struct timeout *timeouts;    /* started by it */
  struct list all;             /* node of hub->greenlets, while begun or ready */
  uint32_t serial;             /* what observers know it by; 0: they do not yet */
};

/*
 * Prepare a greenlet in memory of the caller's. run(greenlet, arg) is its
 * body: the first value that is passed to it is greenlet->value. It dies of an
 * error when run sets greenlet->error before it returns.
 */
void greenlet_init(struct greenlet *greenlet, struct hub *hub,
                   void *(*run)(struct greenlet *, void *), void *arg);

/* The same in fresh memory; NULL if there is none. */
struct greenlet *greenlet_new(struct hub *hub, void *(*run)(struct greenlet *, void *),
                              void *arg);

/* Prepare one again that was released (hub_host) and terminated. */
void greenlet_renew(struct greenlet *greenlet);

/* Free what a NEW or DEAD greenlet holds, and for greenlet_new itself. */
void greenlet_term(struct greenlet *greenlet);
void greenlet_free(struct greenlet *greenlet);

/* Free what one that lives on holds, just before hub_term: it is not unwound
 * and must not run again, its errors are forgotten. */
void greenlet_abandon(struct greenlet *greenlet);

/* Be dead, as if for long: not unwound, nobody is told. It must have been abandoned by
 * waiter.h, and not be current. The hub knows of it no more. */
void greenlet_vanish(struct greenlet *greenlet);

/* One that has vanished is not needed any more, once nobody's parent: host->released. */
void greenlet_release(struct greenlet *greenlet);

/* Schedule a NEW greenlet to run in this loop iteration; else no effect. */
void greenlet_start(struct greenlet *greenlet);

/* Schedule a NEW greenlet to run in `seconds`. 0 or -ENOMEM. */
int greenlet_start_later(struct greenlet *greenlet, double seconds);

static inline bool greenlet_dead(const struct greenlet *greenlet) {
  return greenlet->state == GREENLET_DEAD;
}

/* Is it to run some day: scheduled (also late), or begun and not dead? */
bool greenlet_started(const struct greenlet *greenlet);

/* The nearest of the greenlet and its ancestors that is not dead. */
struct greenlet *greenlet_living(struct greenlet *greenlet);

/*
 * Switch to the greenlet, or to its nearest living ancestor if it is dead,
 * passing `value`; the current one is SUSPENDED until somebody switches to it,
 * and *answer (if not NULL) is what it was passed then. One that waits is
 * switched to with its wait ended by -EBADE. Switching to the current one
 * returns value.
 * Returns 0; -ECANCELED with an error pending; -EDEADLK as a wait; -ENOMEM.
 */
int greenlet_switch(struct greenlet *greenlet, void *value, void **answer);

/*
 * The same with an error, which is raised there. A NEW one dies of it at once
 * and, like a dead one, passes it to its nearest living ancestor (greenlet_exit
 * arrives there as value). Thrown at the current one: returns -ECANCELED.
 */
int greenlet_throw(struct greenlet *greenlet, void *error, void **answer);

/*
 * Make `error` pending in the greenlet and schedule it, without waiting. A
 * wait ends with it at once; a greenlet that is NEW or never ran dies of it
 * without running; the current one gets it at its next wait; on a dead one it
 * is dropped. Returns 0, or -ENOMEM with nothing done.
 */
int greenlet_kill(struct greenlet *greenlet, void *error);

/* The same for who cannot try again: an error that cannot be kept for want of
 * memory is dropped, and the wait that it was to end answers -ENOMEM. */
void greenlet_must_kill(struct greenlet *greenlet, void *error);

/* Take the oldest pending error; NULL if there is none. */
void *greenlet_take_error(struct greenlet *greenlet);

/* Take this error back, wherever in line it is pending. False if it is not. */
bool greenlet_retract_error(struct greenlet *greenlet, const void *error);

/* The oldest pending error, left where it is; NULL if there is none. */
void *greenlet_first_error(const struct greenlet *greenlet);

/* How many are pending. */
size_t greenlet_count_errors(const struct greenlet *greenlet);

/* Wait until the greenlet is dead; as waiter_park and waiter_begin. */
int greenlet_join(struct greenlet *greenlet, double seconds);
int greenlet_begin_join(struct greenlet *greenlet, double seconds);

/*
 * Call link->notify in the hub when the greenlet is dead. False when it is
 * dead and all are told: the caller schedules its own call.
 */
bool greenlet_link(struct greenlet *greenlet, struct link *link);

/* From the notify of such a link that had no memory for what it has to do: it is the
 * first again, and is notified in the hub's next turn. */
void greenlet_tell_later(struct greenlet *greenlet, struct link *link);

/* Set the parent, which is kept in memory (host->released is not called for
 * it) while it is one. 0, or -ELOOP for a cycle. */
int greenlet_set_parent(struct greenlet *greenlet, struct greenlet *parent);

/* A number that no other greenlet of the hub has or had: 1 and 2 are main and the hub. The
 * observers are told of it when it is first asked for. */
uint32_t greenlet_serial(struct greenlet *greenlet);

/* A small number, unique among the living of the hub. -ENOMEM when none. */
int greenlet_ident(struct greenlet *greenlet);

#endif
