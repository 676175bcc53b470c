/*
 * fork.c: the child of a fork, in which one greenlet goes on.
 *
 * The others vanish: their stacks are given up as they are, nothing is unwound and nobody is
 * told, for what they have open is the parent's to close.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/hub.h"
#include "core/waiter.h"
#include "core/watcher.h"

static void abandon(struct greenlet *greenlet) {
  if (greenlet->state == GREENLET_WAITING && greenlet->wait.what == WAIT_WATCHER)
    watcher_stop((struct watcher *)greenlet->wait.object);
  waiter_abandon(greenlet);
}

/* The current greenlet has the place of main: whatever main was the parent of is its. */
static void replace_main(struct hub *hub) {
  struct greenlet *current = hub->current;
  if (current == &hub->main)
    return;
  abandon(&hub->main);
  greenlet_set_parent(current, &hub->self); /* it holds none back */
  greenlet_vanish(&hub->main);
  current->parent = NULL;
  hub->self.parent = hub->main.parent = current;
  hub->root = current;
}

/* The hub is in the middle of a callback, which is the parent's. There is room for its stack:
 * that which it gives up. */
static void restart_self(struct hub *hub) {
  stack_term(&hub->stacks, &hub->self.stack);
  stack_init(&hub->self.stack, true);
  if (stack_begin(&hub->stacks, &hub->self.stack) < 0)
    abort();
  hub->nested = hub->waiting = false;
}

void hub_keep_current(struct hub *hub, void (*gone)(struct greenlet *)) {
  struct list vanished, *all = &hub->greenlets;
  assert(hub->current != &hub->self);
  if (hub->nested)
    restart_self(hub);
  hub_fork_loop(hub);
  list_init(&vanished);
  if (hub->current != &hub->main) { /* as main, it is none of those who can be ended */
    list_remove(&hub->current->all);
    hub->greenlet_count -= hub->root != hub->current;
  }
  for (struct list *node = all->next; node != all; node = node->next)
    abandon(container_of(node, struct greenlet, all));
  replace_main(hub);
  while (!list_empty(&hub->ready))
    list_remove(hub->ready.next);
  while (!list_empty(all)) {
    struct greenlet *greenlet = container_of(all->next, struct greenlet, all);
    greenlet_vanish(greenlet);
    list_append(&vanished, &greenlet->all);
  }
  for (struct list *node = vanished.next; node != &vanished; node = node->next)
    gone(container_of(node, struct greenlet, all));
  while (!list_empty(&vanished)) {
    struct list *node = vanished.next;
    list_remove(node);
    greenlet_release(container_of(node, struct greenlet, all));
  }
}
