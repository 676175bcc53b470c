/*
 * hub.h: the scheduler of one thread.
 *
 * A hub owns a libev loop, the ready queue, the timers and the stacks. It is a
 * greenlet itself, pinned, whose body polls libev; its parent is the main
 * greenlet, the thread's own stack.
 *
 * The ready queue holds greenlets and callbacks in the order in which they
 * became ready. A greenlet that gives up the CPU switches straight to the next
 * greenlet in the queue; only when a callback is next, the queue is empty, or
 * a batch has taken switch_interval seconds does it switch to the hub, which
 * calls back, polls, and goes on. So callbacks run in the hub and must not
 * block, and io is never starved.
 *
 * hub_next picks the next greenlet, and clock_seconds tells the time: nothing
 * else decides an order. Every switch passes hub_run_next or greenlet.c's
 * transfer.
 */
#ifndef CORE_HUB_H
#define CORE_HUB_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/callback.h"
#include "core/greenlet.h"
#include "core/list.h"
#include "core/observer.h"
#include "core/stack.h"
#include "core/timer.h"

/* What a host language adds; every member may be NULL. */
struct hub_host {
  /* The greenlet dies of `error` before it ever ran. */
  void (*died_new)(struct greenlet *, void *error);
  /* It is dead, its links are told, it is nobody's parent: free it. */
  void (*released)(struct greenlet *);
  /* It has ended with greenlet->error and its parent is the hub. */
  void (*failed)(struct greenlet *);
  /* An error that nobody will take. */
  void (*drop_error)(struct hub *, void *error);
  /* If the error kills silently, turn it into the value that its parent gets
   * and return true. greenlet_exit becomes its own address by itself. */
  bool (*exit_value)(struct hub *, void *error, void **value);
  /* Control has arrived in the current greenlet. Only while hub->traced. */
  void (*arrived)(struct hub *, struct greenlet *origin);
  /* The loop is about to poll for events. */
  void (*polling)(struct hub *);
  /* A resting one that would leave its stack if it is asked to: can it now? NULL: yes. */
  bool (*can_leave)(const struct greenlet *);
  /* A greenlet with `weak` set is made ready or switched to. */
  void (*revived)(struct greenlet *);
};

struct hub {
  struct greenlet *current;
  struct list ready;
  struct greenlet main;        /* the thread's own stack, never dead */
  struct greenlet self;        /* the hub as a greenlet */
  struct greenlet *root;       /* main; in a forked child whoever has forked: the
                                  one that hears that nothing can happen any more */
  struct stack_pool stacks;
  struct timers timers;
  struct ev_loop *loop;
  ev_timer earliest;           /* stands for the first of timers */
  double armed_for;            /* deadline that `earliest` is set to */
  double now;                  /* clock_seconds at the last poll */
  double switch_interval;      /* seconds a batch may take between polls */
  double batch_end;
  unsigned batch_left;         /* switches until the clock is read again */
  size_t refs;                 /* active watchers that keep the hub alive */
  size_t active;               /* active watchers, all */
  struct list greenlets;       /* all that are ready, begun and not dead */
  size_t greenlet_count;
  uint64_t *idents;            /* bitmap of minimal_idents in use */
  size_t ident_words;
  const struct hub_host *host;
  void *data;                  /* the host's */
  struct greenlet *origin;     /* who ran before the current one; may be
                                  dead and released: to compare, not to read */
  struct stack ending;         /* the stack of the one that ended last */
  struct observer *observers;  /* often none */
  uint32_t serial;             /* that was given out last */
  bool traced;                 /* call host->arrived */
  bool batch_over;
  bool nested;                 /* the hub has switched to a greenlet from inside
                                  a callback, and goes on before all others */
  bool no_wait;                /* poll without waiting, once */
  struct greenlet *leave_for;  /* whom a resting greenlet leaves its stack to */
  unsigned iteration;
  unsigned set_aside;          /* counts answers of hub_wants_stack */
  double began;                /* clock_seconds at the start */
  double trim_at;              /* when unused memory of stacks is given back */
  bool untrimmed;              /* something may have run since it was */
  struct list turns;           /* greenlets waiting for one loop iteration */
  struct list children;        /* active child watchers */
  struct list changed_ios;     /* io watchers to be looked at before the poll */
  struct watcher **ios;        /* by descriptor: the first active watcher of it */
  size_t ios_room;
  bool waiting;                /* the poll that is under way may wait */
  bool has_pipe;               /* libev can be woken by signals: watcher.c */
  unsigned forks;              /* of the process, when the loop was last told */
};

/*
 * Start a hub for the calling thread, whose current stack becomes the main
 * greenlet's. Returns 0, -EINVAL (see stack_pool_init) or -ENOMEM.
 */
int hub_init(struct hub *hub, unsigned slots, size_t slot_bytes, const struct hub_host *host,
             void *data);

/*
 * Have other stacks, as long as nobody has run but the main greenlet, and none
 * that is pinned has its stack already. Returns 0, -EINVAL as hub_init, -EBUSY
 * when it is too late, or -ENOMEM; then nothing has changed.
 */
int hub_set_stacks(struct hub *hub, unsigned slots, size_t slot_bytes);

/* Free everything; only the main greenlet may call it. Greenlets that live on
 * are not unwound, but must have been abandoned (greenlet_abandon). */
void hub_term(struct hub *hub);

/*
 * Wait until nothing is left to run: 0, or as waiter_park. Only the root
 * may call it; others get -EPERM.
 */
int hub_join(struct hub *hub, double seconds);

/*
 * This process is the child of a fork, where nobody but the current greenlet goes on. The
 * others vanish, main among them; gone(g) is told of each when all have, but not of main. What
 * was queued is dropped; watchers that were waited for stop; the loop is told of the fork. The
 * current one is the root from now on, which must not end. While hub->nested the hub begins
 * anew, on an empty stack: the host must have taken away what its callback was doing.
 */
void hub_keep_current(struct hub *hub, void (*gone)(struct greenlet *));

/* There: have libev begin anew with the kernel now, since to stop a watcher of a file would else
 * stop the parent's. What happens meanwhile stays pending, and is forgotten with its watcher. */
void hub_fork_loop(struct hub *hub);

/* Wait until the loop has polled once. As waiter_park. */
int hub_wait_turn(struct hub *hub, bool nowait);

/* Put a callback that is not queued at the end of the ready queue. */
static inline void hub_call(struct hub *hub, struct callback *callback) {
  list_append(&hub->ready, &callback->node);
}

/*
 * Would the next greenlet to run take a stack away from another? Then it is
 * cheaper for the current one, about to wait, to be set aside and leave its
 * own. Every sixteenth time the answer is no: so those that have rested for
 * long lose their stacks, and those that switch often get them.
 */
bool hub_wants_stack(struct hub *hub);

/* Seconds since the hub began, at the last poll. */
static inline float hub_time(const struct hub *hub) {
  return (float)(hub->now - hub->began);
}

/* Read the clock and let the loop know. */
void hub_update_now(struct hub *hub);

/* The lowest number >= 0 that is not taken; -ENOMEM when there is no room to
 * note it. Released by greenlets when they die; a negative one is ignored. */
int hub_take_ident(struct hub *hub);
void hub_release_ident(struct hub *hub, int ident);

/* What hub_take_ident would return; changes nothing. */
int hub_next_ident(const struct hub *hub);

/* Can anything still happen that would make a greenlet ready? */
bool hub_alive(const struct hub *hub);

/* ---- For core only ---- */

/* Who is next? Takes it off the ready queue. */
struct greenlet *hub_next(struct hub *hub);

/* Switch from the current greenlet, whose state is set, to whoever is next. */
void hub_run_next(struct hub *hub);

/* Switch from the current greenlet, whose state is set, to target. All
 * switches but those of ending greenlets pass here. 0 or -ENOMEM. */
int hub_transfer(struct hub *hub, struct greenlet *target);

/* Tell the host that control has arrived. It may switch: what the current
 * greenlet is about to be told is kept meanwhile. */
void hub_trace(struct hub *hub);

/* The bottom of every stack: runs one greenlet after the other. */
void greenlet_base(struct stack_pool *stacks);

/* Put a greenlet at the end of the ready queue. */
static inline void hub_ready(struct hub *hub, struct greenlet *greenlet) {
  if (__builtin_expect(greenlet->weak, 0))
    hub->host->revived(greenlet);
  greenlet->state = GREENLET_READY;
  list_append(&hub->ready, &greenlet->ready.node);
  if (__builtin_expect(hub->observers != NULL, 0))
    observers_readied(greenlet);
}

#endif
