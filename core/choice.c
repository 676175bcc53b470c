#include "core/choice.h"

#include "core/greenlet.h"
#include "core/hub.h"
#include "core/waiter.h"

void choice_leave(struct greenlet *greenlet) {
  struct list *choices = &greenlet->join.node;
  while (!list_empty(choices)) {
    struct choice *choice = container_of(choices->next, struct choice, other);
    list_remove(&choice->link.node);
    list_remove(&choice->other);
  }
}

void choice_add(struct hub *hub, struct choice *choice, struct list *links,
                void (*notify)(struct link *, void *)) {
  link_init(&choice->link, notify);
  choice->greenlet = hub->current;
  list_append(links, &choice->link.node);
  list_init(&choice->other);
  list_append(&hub->current->join.node, &choice->other);
}

int choice_begin(struct hub *hub, const char *what, const void *object, double seconds) {
  return waiter_begin(hub, what, object, choice_leave, seconds, true);
}

struct greenlet *choice_take(struct choice *choice) {
  choice_leave(choice->greenlet);
  return choice->greenlet;
}
