/*
 * joins.h: one wait for the deaths of several greenlets.
 *
 * The waiter has a node in the links of each of them. A death moves the node to
 * `ready`, at once, so that these are in the order of the deaths. With the death
 * that ends the wait all nodes are off, and the waiter is woken as a joiner is:
 * on the spot, or when it is its turn among other links of that greenlet, by
 * `waker`, which stands in the node's place there.
 *
 *     greenlet A: links --> node 0 --> ...
 *     greenlet B (dead)                       joins: ready --> node 1
 *     greenlet C: links --> ... --> node 2
 *
 * Nothing may die between the first joins_add and joins_begin. The memory is the
 * caller's: it must not move, and live until the wait has ended.
 */
#ifndef CORE_JOINS_H
#define CORE_JOINS_H

#include "core/link.h"

struct greenlet;
struct hub;
struct joins;

struct joined {
  struct link link;         /* in the greenlet's links, in `ready`, or off */
  struct joins *joins;
};

struct joins {
  const void *kind;         /* the host's: this is what reports call the object */
  struct greenlet *waiter;  /* while it waits */
  struct list ready;        /* of the dead, in the order of their deaths */
  struct link waker;        /* in the links of the last of them, or off */
  size_t missing;           /* how many have yet to die */
  size_t linked;            /* how many nodes are in links */
  /* Does the death of this one end the wait, however many are missing? Or NULL. */
  bool (*last)(const struct greenlet *);
  size_t count;
  struct joined of[];
};

/* How many bytes `count` of them take. */
static inline size_t joins_bytes(size_t count) {
  return sizeof(struct joins) + count * sizeof(struct joined);
}

/* Prepare to wait until `missing` of `count` greenlets are dead; it may be fewer if
 * that is set to last. */
void joins_init(struct joins *joins, size_t count, size_t missing,
                bool (*last)(const struct greenlet *));

/* Number i is dead already. Only while some are missing. */
void joins_add_dead(struct joins *joins, size_t i);

/* Number i is this one, which is not dead. */
void joins_add(struct joins *joins, size_t i, struct greenlet *greenlet);

/* Take back all that are not dead: there will be no wait. */
void joins_drop(struct joins *joins);

/* Begin the wait, as waiter_begin. Unless it returns 0, and in all cases when the
 * wait has ended, all nodes are off. */
int joins_begin(struct hub *hub, struct joins *joins, double seconds);

/* Is the wait about to end, because enough are dead? */
static inline bool joins_ending(const struct joins *joins) {
  return !list_empty(&joins->waker.node);
}

/* ---- For greenlet.c: what is in a greenlet's links ---- */

/* A node. It is told before all others, and moves. */
void joins_note(struct link *link, void *source);

/* The waker. */
void joins_wake(struct link *link, void *source);

#endif
