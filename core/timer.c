#include "core/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/list.h"

/* Four children a node: half as deep as a binary heap, and the four share a
 * cache line and a half. */
enum { WIDTH = 4 };
static const double TICKS = 1024; /* a second */
static const double FARTHEST = 1e15;

/* The timers of one tick. */
struct timer_bucket {
  struct timer_heap timers;
  struct timer node;         /* in timers->buckets */
  int64_t tick;
  bool ordered;              /* is a heap */
  struct timer_bucket *next; /* in the table or the list of unused ones */
};

/* ---- Heaps ---- */

static bool earlier(const struct timer_entry *a, const struct timer_entry *b) {
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void place(struct timer_heap *heap, uint32_t i, struct timer_entry entry) {
  heap->entries[i] = entry;
  entry.timer->in = heap;
  entry.timer->place = i;
}

static void sift_up(struct timer_heap *heap, uint32_t i, struct timer_entry entry) {
  while (i > 0) {
    uint32_t parent = (i - 1) / WIDTH;
    if (!earlier(&entry, &heap->entries[parent]))
      break;
    place(heap, i, heap->entries[parent]);
    i = parent;
  }
  place(heap, i, entry);
}

static uint32_t earliest_child(const struct timer_heap *heap, uint32_t i) {
  uint32_t first = i * WIDTH + 1, best = first;
  uint32_t end = first + WIDTH < heap->count ? first + WIDTH : heap->count;
  for (uint32_t child = first + 1; child < end; child++)
    if (earlier(&heap->entries[child], &heap->entries[best]))
      best = child;
  return best;
}

static void sift_down(struct timer_heap *heap, uint32_t i, struct timer_entry entry) {
  while (i * WIDTH + 1 < heap->count) {
    uint32_t child = earliest_child(heap, i);
    if (!earlier(&heap->entries[child], &entry))
      break;
    place(heap, i, heap->entries[child]);
    i = child;
  }
  place(heap, i, entry);
}

static int make_room(struct timer_heap *heap) {
  if (heap->count < heap->capacity)
    return 0;
  if (heap->count > UINT32_MAX / (2 * WIDTH))
    return -ENOMEM;
  uint32_t capacity = heap->capacity ? heap->capacity * 2 : 4;
  struct timer_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
  if (!entries)
    return -ENOMEM;
  heap->entries = entries;
  heap->capacity = capacity;
  return 0;
}

/* Take a timer off whose entry is the last, or is replaced by the last. */
static void heap_remove(struct timer_heap *heap, struct timer *timer) {
  uint32_t i = timer->place;
  struct timer_entry last = heap->entries[--heap->count];
  timer->in = NULL;
  if (last.timer == timer)
    return;
  if (i > 0 && earlier(&last, &heap->entries[(i - 1) / WIDTH]))
    sift_up(heap, i, last);
  else
    sift_down(heap, i, last);
}

static void bag_remove(struct timer_heap *bag, struct timer *timer) {
  struct timer_entry last = bag->entries[--bag->count];
  uint32_t i = timer->place;
  timer->in = NULL;
  if (last.timer != timer)
    place(bag, i, last);
}

static void heapify(struct timer_heap *heap) {
  /* The entries lie in the order of their start, mostly that of their deadlines. */
  for (uint32_t i = 0; i < heap->count; i++)
    sift_up(heap, i, heap->entries[i]);
}

/* ---- Buckets ---- */

static int64_t tick_of(double at) {
  double tick = at * TICKS;
  return (int64_t)(tick < FARTHEST ? tick > -FARTHEST ? tick : -FARTHEST : FARTHEST);
}

static struct timer_bucket **chain_of(const struct timers *timers, int64_t tick) {
  return &timers->table[(uint64_t)tick & (timers->table_size - 1)];
}

static struct timer_bucket *bucket_find(const struct timers *timers, int64_t tick) {
  if (timers->table_size == 0)
    return NULL;
  struct timer_bucket *bucket = *chain_of(timers, tick);
  while (bucket && bucket->tick != tick)
    bucket = bucket->next;
  return bucket;
}

/* Double the table. Without memory for it the chains grow longer. */
static int table_grow(struct timers *timers) {
  uint32_t size = timers->table_size ? timers->table_size * 2 : 64, before = timers->table_size;
  struct timer_bucket **old = timers->table, **table = calloc(size, sizeof *table);
  if (!table)
    return before ? 0 : -ENOMEM;
  timers->table = table;
  timers->table_size = size;
  for (uint32_t i = 0; i < before; i++)
    for (struct timer_bucket *bucket; (bucket = old[i]);) {
      old[i] = bucket->next;
      struct timer_bucket **chain = chain_of(timers, bucket->tick);
      bucket->next = *chain;
      *chain = bucket;
    }
  free(old);
  return 0;
}

static struct timer_bucket *bucket_take(struct timers *timers) {
  struct timer_bucket *bucket = timers->unused;
  if (!bucket)
    return calloc(1, sizeof *bucket);
  timers->unused = bucket->next;
  return bucket;
}

static void bucket_give_back(struct timers *timers, struct timer_bucket *bucket) {
  bucket->next = timers->unused;
  timers->unused = bucket;
}

/* Take a bucket out of the heap and the table. */
static void bucket_detach(struct timers *timers, struct timer_bucket *bucket) {
  struct timer_bucket **link = chain_of(timers, bucket->tick);
  while (*link != bucket)
    link = &(*link)->next;
  *link = bucket->next;
  heap_remove(&timers->buckets, &bucket->node);
  if (timers->idle == bucket)
    timers->idle = NULL;
}

static struct timer_bucket *bucket_make(struct timers *timers, int64_t tick) {
  if (timers->buckets.count >= timers->table_size && table_grow(timers) < 0)
    return NULL;
  if (make_room(&timers->buckets) < 0)
    return NULL;
  struct timer_bucket *bucket = bucket_take(timers);
  if (!bucket)
    return NULL;
  struct timer_bucket **chain = chain_of(timers, tick);
  bucket->tick = tick;
  bucket->ordered = false;
  bucket->next = *chain;
  *chain = bucket;
  struct timer_entry entry = {(double)tick, 0, &bucket->node};
  sift_up(&timers->buckets, timers->buckets.count++, entry);
  return bucket;
}

/* An empty bucket stays until there is another: timers that are started and
 * stopped again and again would make the same one each time. */
static void bucket_emptied(struct timers *timers, struct timer_bucket *bucket) {
  struct timer_bucket *before = timers->idle;
  if (before && before != bucket && before->timers.count == 0) {
    bucket_detach(timers, before);
    bucket_give_back(timers, before);
  }
  timers->idle = bucket;
}

/* The earliest bucket that is not empty, in order. There is one. */
static struct timer_bucket *first_bucket(struct timers *timers) {
  for (;;) {
    struct timer_bucket *bucket =
        container_of(timers->buckets.entries[0].timer, struct timer_bucket, node);
    if (bucket->timers.count > 0) {
      if (!bucket->ordered)
        heapify(&bucket->timers);
      bucket->ordered = true;
      return bucket;
    }
    bucket_detach(timers, bucket);
    bucket_give_back(timers, bucket);
  }
}

/* ---- Timers ---- */

void timers_init(struct timers *timers) {
  *timers = (struct timers){0};
}

static void free_buckets(struct timer_bucket *bucket) {
  while (bucket) {
    struct timer_bucket *next = bucket->next;
    free(bucket->timers.entries);
    free(bucket);
    bucket = next;
  }
}

void timers_term(struct timers *timers) {
  for (uint32_t i = 0; i < timers->table_size; i++)
    free_buckets(timers->table[i]);
  free_buckets(timers->unused);
  free(timers->table);
  free(timers->buckets.entries);
  timers_init(timers);
}

int timer_start(struct timers *timers, struct timer *timer, double at) {
  assert(!timer_active(timer));
  struct timer_entry entry = {at, timers->next_order, timer};
  int64_t tick = tick_of(at);
  struct timer_bucket *bucket = bucket_find(timers, tick);
  if (!bucket && !(bucket = bucket_make(timers, tick)))
    return -ENOMEM;
  if (make_room(&bucket->timers) < 0)
    return -ENOMEM; /* an empty bucket is dropped when it is the first */
  uint32_t last = bucket->timers.count++;
  if (bucket->ordered)
    sift_up(&bucket->timers, last, entry);
  else
    place(&bucket->timers, last, entry);
  timers->next_order++;
  timers->count++;
  timers->refs += timer->ref;
  return 0;
}

void timer_stop(struct timers *timers, struct timer *timer) {
  if (!timer_active(timer))
    return;
  struct timer_bucket *bucket = container_of(timer->in, struct timer_bucket, timers);
  if (bucket->ordered)
    heap_remove(&bucket->timers, timer);
  else
    bag_remove(&bucket->timers, timer);
  timers->count--;
  timers->refs -= timer->ref;
  if (bucket->timers.count == 0)
    bucket_emptied(timers, bucket);
}

double timers_earliest(struct timers *timers) {
  return first_bucket(timers)->timers.entries[0].at;
}

void timers_expire(struct timers *timers, double now) {
  /* A timer of 0 seconds that starts itself again must not keep us here. */
  uint64_t end = timers->next_order;
  while (timers->count > 0) {
    const struct timer_entry *first = &first_bucket(timers)->timers.entries[0];
    if (first->at > now || first->order >= end)
      return;
    struct timer *timer = first->timer;
    timer_stop(timers, timer);
    timer->expire(timer);
  }
}
