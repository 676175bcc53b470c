/*
 * choice.h: one wait for the first of several things.
 *
 * Each thing has a list of links (link.h) of those who wait for it. A greenlet
 * that waits for several at once has a node of its own in each of these lists,
 * a struct choice; its `join` heads the choices. Whoever makes a thing ready
 * notifies the first link of its list; if that is a choice's, notify calls
 * choice_take, which takes all of them off their lists: so exactly one of the
 * things happens, and the others never know.
 *
 *     thing A: links --> choice 0 --> ...        join --> choice 0 --> choice 1
 *     thing B: links --> ... --> choice 1                   (one greenlet's)
 *
 * The choices are the caller's, in memory that does not move (stack.h), and must
 * live until the wait has ended.
 */
#ifndef CORE_CHOICE_H
#define CORE_CHOICE_H

#include "core/link.h"

struct greenlet;
struct hub;

struct choice {
  struct link link;          /* in the list of what is waited for */
  struct list other;         /* in the greenlet's join */
  struct greenlet *greenlet;
};

/* Wait for `links` as well: link->notify is called when it is this one's turn.
 * The current greenlet begins its wait next. */
void choice_add(struct hub *hub, struct choice *choice, struct list *links,
                void (*notify)(struct link *, void *));

/* Begin the wait for whatever was added, as waiter_begin: unless it returns 0,
 * in the hub for one, all choices are off. */
int choice_begin(struct hub *hub, const char *what, const void *object, double seconds);

/* This one it is: take all choices of the greenlet off. The caller wakes the
 * greenlet, which is returned. */
struct greenlet *choice_take(struct choice *choice);

/* The `cancel` of such a wait. */
void choice_leave(struct greenlet *greenlet);

#endif
