/*
 * link.h: who is told when an object becomes ready, in the order of asking.
 *
 * A link is a node inside whoever asks. When the object becomes ready each
 * link is taken off the list and its notify is called, in the hub; a link
 * added meanwhile is notified in the same round, one removed meanwhile is not.
 * The links of greenlets that join end a wait, on the spot where no other link is
 * in between (greenlet.c); all others call back, and must not block.
 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include "core/list.h"

struct link {
  struct list node;
  void (*notify)(struct link *, void *source);
};

static inline void link_init(struct link *link, void (*notify)(struct link *, void *)) {
  list_init(&link->node);
  link->notify = notify;
}

/* Remove and call the first link of `links`, which has one. */
static inline void links_notify_first(struct list *links, void *source) {
  struct link *link = container_of(links->next, struct link, node);
  list_remove(&link->node);
  link->notify(link, source);
}

/* Call and remove every link of `links`. */
static inline void links_notify(struct list *links, void *source) {
  while (!list_empty(links))
    links_notify_first(links, source);
}

#endif
