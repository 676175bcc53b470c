#include "core/joins.h"

#include <assert.h>

#include "core/greenlet.h"
#include "core/hub.h"
#include "core/waiter.h"

void joins_init(struct joins *joins, size_t count, size_t missing,
                bool (*last)(const struct greenlet *)) {
  joins->waiter = NULL;
  list_init(&joins->ready);
  link_init(&joins->waker, joins_wake);
  joins->missing = missing;
  joins->linked = 0;
  joins->last = last;
  joins->count = count;
  for (size_t i = 0; i < count; i++) {
    link_init(&joins->of[i].link, NULL);
    joins->of[i].joins = joins;
  }
}

void joins_add_dead(struct joins *joins, size_t i) {
  list_append(&joins->ready, &joins->of[i].link.node);
  joins->missing--;
}

void joins_add(struct joins *joins, size_t i, struct greenlet *greenlet) {
  assert(!greenlet_dead(greenlet));
  joins->of[i].link.notify = joins_note;
  list_append(&greenlet->links, &joins->of[i].link.node);
  joins->linked++;
}

/* Those in links have a notify. */
void joins_drop(struct joins *joins) {
  for (size_t i = 0; joins->linked > 0; i++) {
    struct link *link = &joins->of[i].link;
    if (!link->notify)
      continue;
    list_remove(&link->node);
    link->notify = NULL;
    joins->linked--;
  }
}

static void leave(struct greenlet *greenlet) {
  struct joins *joins = (struct joins *)greenlet->wait.object;
  joins_drop(joins);
  list_remove(&joins->waker.node);
}

int joins_begin(struct hub *hub, struct joins *joins, double seconds) {
  joins->waiter = hub->current;
  return waiter_begin(hub, WAIT_DEATHS, joins, leave, seconds, true);
}

void joins_note(struct link *link, void *source) {
  struct joins *joins = container_of(link, struct joined, link)->joins;
  bool last = --joins->missing == 0 || (joins->last && joins->last(source));
  if (last)
    list_append(&link->node, &joins->waker.node); /* just before it */
  list_remove(&link->node);
  link->notify = NULL;
  joins->linked--;
  list_append(&joins->ready, &link->node);
  if (last)
    joins_drop(joins);
  /* What the host has had the dead one hold is to be held otherwise now. */
  if (joins->waiter->weak)
    joins->waiter->hub->host->revived(joins->waiter);
}

void joins_wake(struct link *link, void *source) {
  (void)source;
  waiter_wake(container_of(link, struct joins, waker)->waiter, 0);
}
