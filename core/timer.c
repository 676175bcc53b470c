#include "core/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Four children a node: half as deep as a binary heap, and the four share a
 * cache line and a half. */
enum { WIDTH = 4 };

void timers_init(struct timers *timers) {
  *timers = (struct timers){0};
}

void timers_term(struct timers *timers) {
  free(timers->heap);
  timers_init(timers);
}

static bool earlier(const struct timer_entry *a, const struct timer_entry *b) {
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void place(struct timers *timers, size_t i, struct timer_entry entry) {
  timers->heap[i] = entry;
  entry.timer->index = i + 1;
}

static void sift_up(struct timers *timers, size_t i, struct timer_entry entry) {
  while (i > 0) {
    size_t parent = (i - 1) / WIDTH;
    if (!earlier(&entry, &timers->heap[parent]))
      break;
    place(timers, i, timers->heap[parent]);
    i = parent;
  }
  place(timers, i, entry);
}

static size_t earliest_child(const struct timers *timers, size_t i) {
  size_t first = i * WIDTH + 1, best = first;
  size_t end = first + WIDTH < timers->count ? first + WIDTH : timers->count;
  for (size_t child = first + 1; child < end; child++)
    if (earlier(&timers->heap[child], &timers->heap[best]))
      best = child;
  return best;
}

static void sift_down(struct timers *timers, size_t i, struct timer_entry entry) {
  while (i * WIDTH + 1 < timers->count) {
    size_t child = earliest_child(timers, i);
    if (!earlier(&timers->heap[child], &entry))
      break;
    place(timers, i, timers->heap[child]);
    i = child;
  }
  place(timers, i, entry);
}

static int grow(struct timers *timers) {
  size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
  struct timer_entry *heap = realloc(timers->heap, capacity * sizeof *heap);
  if (!heap)
    return -ENOMEM;
  timers->heap = heap;
  timers->capacity = capacity;
  return 0;
}

int timer_start(struct timers *timers, struct timer *timer, double at) {
  assert(!timer_active(timer));
  if (timers->count == timers->capacity && grow(timers) < 0)
    return -ENOMEM;
  struct timer_entry entry = {at, timers->next_order++, timer};
  timers->refs += timer->ref;
  sift_up(timers, timers->count++, entry);
  return 0;
}

void timer_stop(struct timers *timers, struct timer *timer) {
  if (!timer_active(timer))
    return;
  size_t i = timer->index - 1;
  timer->index = 0;
  timers->refs -= timer->ref;
  struct timer_entry last = timers->heap[--timers->count];
  if (last.timer == timer)
    return;
  if (i > 0 && earlier(&last, &timers->heap[(i - 1) / WIDTH]))
    sift_up(timers, i, last);
  else
    sift_down(timers, i, last);
}

void timers_expire(struct timers *timers, double now) {
  /* A timer of 0 seconds that starts itself again must not keep us here. */
  uint64_t end = timers->next_order;
  while (timers->count > 0 && timers->heap[0].at <= now && timers->heap[0].order < end) {
    struct timer *timer = timers->heap[0].timer;
    timer_stop(timers, timer);
    timer->expire(timer);
  }
}
