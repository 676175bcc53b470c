#include "core/waitlist.h"

#include <errno.h>

#include "core/choice.h"
#include "core/greenlet.h"
#include "core/hub.h"
#include "core/waiter.h"

static void leave(struct greenlet *greenlet) {
  list_remove(&greenlet->join.node);
}

int waitlist_begin(struct hub *hub, struct list *list, const char *what, const void *object,
                   double seconds) {
  if (waiter_check(hub) < 0)
    return -EPERM;
  list_append(list, &hub->current->join.node);
  return waiter_begin(hub, what, object, leave, seconds, true);
}

bool waitlist_waits(const struct greenlet *greenlet) {
  return greenlet->state == GREENLET_WAITING &&
         (greenlet->wait.cancel == leave || greenlet->wait.cancel == choice_leave);
}

static struct greenlet *take_first(struct list *list) {
  struct greenlet *first = container_of(list->next, struct greenlet, join.node);
  list_remove(&first->join.node);
  return first;
}

struct greenlet *waitlist_hand(struct list *list) {
  if (list_empty(list))
    return NULL;
  struct greenlet *first = take_first(list);
  waiter_wake(first, WAITER_HANDED);
  return first;
}

bool waitlist_refuses(const struct greenlet *greenlet) {
  return greenlet->wait.result == WAITER_HANDED && greenlet->errors;
}

void waitlist_wake_all(struct list *list) {
  while (!list_empty(list))
    waiter_wake(take_first(list), 0);
}
