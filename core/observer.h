/*
 * observer.h: who is told of what happens to greenlets.
 *
 * A tracer, a flight recorder or a profiler puts itself into hub->observers.
 * Each function is called on whatever stack runs, in the middle of a switch, so
 * it must neither switch nor raise; members may be NULL. As long as nobody
 * observes, all this costs a look at hub->observers.
 */
#ifndef CORE_OBSERVER_H
#define CORE_OBSERVER_H

#include <stdbool.h>

struct greenlet;
struct hub;

struct observer {
  struct observer *next;
  /* It has a serial from now on, and is told of: it is new, or has not done anything yet. */
  void (*spawned)(struct observer *, struct greenlet *);
  /* Control is about to go from origin to target. What origin does from now on its
   * state tells: READY, or WAITING or SUSPENDED for what its wait says. NULL: it has ended. */
  void (*switched)(struct observer *, struct greenlet *origin, struct greenlet *target);
  /* It is ready from now on, by the current one. */
  void (*readied)(struct observer *, struct greenlet *);
  /* The loop is about to ask the kernel for events, and perhaps to wait; it has done so. */
  void (*polling)(struct observer *, bool begins);
  /* The current one has sent it an error, linked itself to it; it has died. */
  void (*killed)(struct observer *, struct greenlet *);
  void (*linked)(struct observer *, struct greenlet *);
  void (*ended)(struct observer *, struct greenlet *);
  /* The host's: it has got another name. */
  void (*named)(struct observer *, struct greenlet *);
};

/* To begin with, and not to go on. */
void hub_observe(struct hub *hub, struct observer *observer);
void hub_ignore(struct hub *hub, struct observer *observer);

/* ---- Telling all of them: for core, and for a host that has links and names ---- */

void observers_switched(const struct hub *hub, struct greenlet *origin, struct greenlet *target);
void observers_polling(const struct hub *hub, bool begins);
void observers_spawned(struct greenlet *greenlet);
void observers_readied(struct greenlet *greenlet);
void observers_killed(struct greenlet *greenlet);
void observers_linked(struct greenlet *greenlet);
void observers_ended(struct greenlet *greenlet);
void observers_named(struct greenlet *greenlet);

#endif
