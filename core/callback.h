/*
 * callback.h: an entry of the hub's ready queue.
 *
 * With `run` set it is a call in the hub at its turn. With `run` NULL it is
 * the `ready` member of a greenlet whose turn it is (greenlet.h).
 */
#ifndef CORE_CALLBACK_H
#define CORE_CALLBACK_H

#include "core/list.h"

struct callback {
  struct list node;
  void (*run)(struct callback *);
};

static inline void callback_init(struct callback *callback, void (*run)(struct callback *)) {
  list_init(&callback->node);
  callback->run = run;
}

static inline bool callback_pending(const struct callback *callback) {
  return !list_empty(&callback->node);
}

/* Take a queued callback off; no effect on others. */
static inline void callback_stop(struct callback *callback) {
  list_remove(&callback->node);
}

#endif
