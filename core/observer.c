#include "core/observer.h"

#include "core/hub.h"

void hub_observe(struct hub *hub, struct observer *observer) {
  observer->next = hub->observers;
  hub->observers = observer;
}

void hub_ignore(struct hub *hub, struct observer *observer) {
  struct observer **place = &hub->observers;
  while (*place && *place != observer)
    place = &(*place)->next;
  if (*place)
    *place = observer->next;
}

/* Each of these is called when somebody observes, which is rare: keep it out of the way. */
#define COLD __attribute__((cold, noinline))

COLD void observers_switched(const struct hub *hub, struct greenlet *origin,
                             struct greenlet *target) {
  for (struct observer *it = hub->observers; it; it = it->next)
    if (it->switched)
      it->switched(it, origin, target);
}

COLD void observers_polling(const struct hub *hub, bool begins) {
  for (struct observer *it = hub->observers; it; it = it->next)
    if (it->polling)
      it->polling(it, begins);
}

#define TELL(what) \
  COLD void observers_##what(struct greenlet *greenlet) { \
    for (struct observer *it = greenlet->hub->observers; it; it = it->next) \
      if (it->what) \
        it->what(it, greenlet); \
  }

TELL(spawned)
TELL(readied)
TELL(killed)
TELL(linked)
TELL(ended)
TELL(named)
