#include "core/timeout.h"

#include <errno.h>

#include "core/clock.h"
#include "core/greenlet.h"
#include "core/hub.h"

static void expire(struct timer *timer) {
  struct timeout *timeout = container_of(timer, struct timeout, timer);
  list_remove(&timeout->node);
  if (timeout->expired)
    timeout->expired(timeout);
  greenlet_must_kill(timeout->target, timeout->error);
}

void timeout_init(struct timeout *timeout) {
  *timeout = (struct timeout){.timer.expire = expire};
  list_init(&timeout->node);
}

int timeout_start(struct hub *hub, struct timeout *timeout, double seconds, bool ref) {
  timeout->timer.ref = ref;
  timeout->target = hub->current;
  double at = clock_seconds() + (seconds > 0 ? seconds : 0);
  if (timer_start(&hub->timers, &timeout->timer, at) < 0)
    return -ENOMEM;
  list_append(&hub->current->timeouts, &timeout->node);
  return 0;
}

void timeout_stop(struct timeout *timeout) {
  if (!timeout_pending(timeout))
    return;
  timer_stop(&timeout->target->hub->timers, &timeout->timer);
  list_remove(&timeout->node);
}

bool timeout_pending(const struct timeout *timeout) {
  return timer_active(&timeout->timer);
}
