#include "core/timeout.h"

#include <errno.h>

#include "core/clock.h"
#include "core/greenlet.h"
#include "core/hub.h"

static void unlist(struct timeout *timeout) {
  *timeout->link = timeout->next;
  if (timeout->next)
    timeout->next->link = timeout->link;
}

static void enlist(struct timeout *timeout, struct timeout **head) {
  timeout->next = *head;
  if (timeout->next)
    timeout->next->link = &timeout->next;
  timeout->link = head;
  *head = timeout;
}

static void expire(struct timer *timer) {
  struct timeout *timeout = container_of(timer, struct timeout, timer);
  unlist(timeout);
  if (timeout->expired)
    timeout->expired(timeout);
  greenlet_must_kill(timeout->target, timeout->error);
}

void timeout_init(struct timeout *timeout) {
  *timeout = (struct timeout){.timer.expire = expire};
}

int timeout_start(struct hub *hub, struct timeout *timeout, double seconds, bool ref) {
  timeout->timer.ref = ref;
  timeout->target = hub->current;
  double at = clock_seconds() + (seconds > 0 ? seconds : 0);
  if (timer_start(&hub->timers, &timeout->timer, at) < 0)
    return -ENOMEM;
  enlist(timeout, &hub->current->timeouts);
  return 0;
}

void timeout_stop(struct timeout *timeout) {
  if (!timeout_pending(timeout))
    return;
  timer_stop(&timeout->target->hub->timers, &timeout->timer);
  unlist(timeout);
}

bool timeout_pending(const struct timeout *timeout) {
  return timer_active(&timeout->timer);
}
