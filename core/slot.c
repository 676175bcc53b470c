#include "core/slot.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum {
  GUARD_BYTES = 64 * 1024, /* the largest block that glibc takes from the stack by alloca */
  GUARD_SHARE = 4,         /* of a small slot, the guard is one of so many parts */
  NO_SUCH_ADVICE = 9999,
  TRIM_KEEP_BYTES = 16 * 1024,
  TRIM_MOST = 256,      /* slots in one call: a tenth of a millisecond, or two */
  RED_ZONE_BYTES = 128, /* System V, x86-64; AArch64 has none */
  SMALLEST_SLOT_BYTES = 64 * 1024,
};
#define LARGEST_SLOT_BYTES ((size_t)1 << 30)

static size_t whole_pages(const struct stack_pool *pool, size_t bytes) {
  return (bytes + pool->page_bytes - 1) / pool->page_bytes * pool->page_bytes;
}

/*
 * Make the lowest pages of a slot trap. A guard of MADV_GUARD_INSTALL lives in
 * the page table; mprotect splits the mapping in two, of which a process may
 * have 65,530. qemu-user accepts any advice and does nothing, so an advice
 * that cannot exist is tried first. Who has refused or lied is not asked again.
 */
static int guard(struct stack_pool *pool, char *low, size_t bytes) {
  if (!pool->advice_tried)
    pool->no_advice = madvise(low, pool->page_bytes, NO_SUCH_ADVICE) == 0;
  pool->advice_tried = true;
  if (!pool->no_advice && madvise(low, bytes, MADV_GUARD_INSTALL) == 0)
    return 0;
  pool->no_advice = true;
  return mprotect(low, bytes, PROT_NONE) == 0 ? 0 : -ENOMEM;
}

/* A frame that is larger than the guard and is not touched page by page passes it. */
static size_t guard_bytes(const struct stack_pool *pool, size_t bytes) {
  return whole_pages(pool, bytes / GUARD_SHARE < GUARD_BYTES ? bytes / GUARD_SHARE : GUARD_BYTES);
}

static char *map(size_t bytes) {
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED)
    return NULL;
  /* With transparent huge pages on, the first touch would take 2 MB. */
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  return memory;
}

static int slot_init(struct stack_pool *pool, struct slot *slot, char *memory,
                     size_t bytes, bool own) {
  size_t guarded = guard_bytes(pool, bytes);
  if (guard(pool, memory, guarded) < 0)
    return -ENOMEM;
  *slot = (struct slot){.low = memory + guarded,
                        .top = memory + bytes,
                        .guard_bytes = (uint32_t)guarded,
                        .own = own};
  slot->valgrind_id = annotate_stack(slot->low, slot->top);
  return 0;
}

/* A slot outside the array, for a pinned stack or as scratch. */
static struct slot *slot_new(struct stack_pool *pool, size_t bytes) {
  struct slot *slot = malloc(sizeof *slot);
  char *memory = slot ? map(bytes) : NULL;
  if (!memory)
    goto no_memory;
  if (slot_init(pool, slot, memory, bytes, true) < 0)
    goto no_guard;
  list_append(&pool->own, &slot->all_own);
  return slot;
no_guard:
  munmap(memory, bytes);
no_memory:
  free(slot);
  return NULL;
}

/* Give memory of stacks back: other memory may come to be there. */
static void unmap(char *memory, size_t bytes) {
  __asan_unpoison_memory_region(memory, bytes);
  munmap(memory, bytes);
}

static void slot_free(struct slot *slot) {
  list_remove(&slot->all_own);
  annotate_stack_gone(slot->valgrind_id);
  unmap(slot->low - slot->guard_bytes, slot_space(slot));
  free(slot);
}

/* Where address space is limited, fewer slots serve as well. */
static bool reserve(struct stack_pool *pool) {
  for (unsigned slots = pool->limit; !pool->memory && slots > 0; slots /= 2)
    if ((pool->memory = map(slots * pool->slot_bytes)))
      pool->limit = slots;
  return pool->memory != NULL;
}

static struct slot *slot_grow(struct stack_pool *pool) {
  if (pool->count == pool->limit || !reserve(pool))
    return NULL;
  struct slot *slot = &pool->slots[pool->count];
  if (slot_init(pool, slot, pool->memory + pool->count * pool->slot_bytes, pool->slot_bytes,
                false) < 0)
    return NULL;
  pool->count++;
  return slot;
}

void slot_release(struct stack_pool *pool, struct slot *slot) {
  slot->owner = NULL;
  if (slot->free || slot == &pool->native)
    return;
  struct slot **list = slot->own ? &pool->free_own : &pool->free;
  slot->next = *list;
  slot->free = true;
  *list = slot;
}

static struct slot *slot_pop(struct slot **list) {
  struct slot *slot;
  while ((slot = *list)) {
    *list = slot->next;
    slot->free = false;
    if (!slot->owner) /* invariant 3: an owned entry is stale */
      return slot;
  }
  return NULL;
}

struct slot *slot_take(struct stack_pool *pool, bool pinned) {
  struct slot *slot = slot_pop(pinned ? &pool->free_own : &pool->free);
  if (!slot)
    slot = pinned ? slot_new(pool, pool->slot_bytes) : slot_grow(pool);
  if (slot)
    slot->ran |= SLOT_TO_TRIM;
  return slot;
}

struct slot *slot_victim(struct stack_pool *pool) {
  for (;;) {
    struct slot *slot = &pool->slots[pool->hand];
    pool->hand = (pool->hand + 1) % pool->count;
    if (!(slot->ran & SLOT_FOR_HAND))
      return slot;
    slot->ran &= ~SLOT_FOR_HAND;
  }
}

struct stack *stack_pool_victim(struct stack_pool *pool) {
  return slot_victim(pool)->owner;
}

/* ---- All slots ---- */

static bool make_sense(unsigned slots, size_t slot_bytes) {
  return slots > 0 && slots <= STACK_MOST_SLOTS && slot_bytes >= SMALLEST_SLOT_BYTES &&
         slot_bytes <= LARGEST_SLOT_BYTES;
}

int slots_init(struct stack_pool *pool, unsigned slots, size_t slot_bytes) {
  if (!make_sense(slots, slot_bytes))
    return -EINVAL;
  list_init(&pool->own);
  pool->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  pool->slot_bytes = whole_pages(pool, slot_bytes);
  pool->limit = slots;
  pool->slots = calloc(slots, sizeof *pool->slots);
  pool->scratch = pool->slots ? slot_new(pool, pool->slot_bytes) : NULL;
  if (pool->scratch)
    return 0;
  slots_term(pool);
  return -ENOMEM;
}

static void array_term(struct stack_pool *pool) {
  for (unsigned i = 0; i < pool->count; i++)
    annotate_stack_gone(pool->slots[i].valgrind_id);
  if (pool->memory)
    unmap(pool->memory, pool->limit * pool->slot_bytes);
  free(pool->slots);
}

void slots_term(struct stack_pool *pool) {
  while (!list_empty(&pool->own))
    slot_free(container_of(pool->own.next, struct slot, all_own));
  array_term(pool);
}

/* Does anybody but `but` and the thread have a slot? */
static bool used(const struct stack_pool *pool, const struct stack *but) {
  for (const struct list *node = pool->own.next; node != &pool->own; node = node->next) {
    const struct stack *owner = container_of(node, struct slot, all_own)->owner;
    if (owner && owner != but)
      return true;
  }
  for (unsigned i = 0; i < pool->count; i++)
    if (pool->slots[i].owner)
      return true;
  return false;
}

static void free_own_but(struct stack_pool *pool, const struct slot *a, const struct slot *b) {
  for (struct list *node = pool->own.next, *next; node != &pool->own; node = next) {
    struct slot *slot = container_of(node, struct slot, all_own);
    next = node->next;
    if (slot != a && slot != b)
      slot_free(slot);
  }
}

int slots_resize(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                 const struct stack *begun) {
  if (!make_sense(slots, slot_bytes))
    return -EINVAL;
  if (used(pool, begun))
    return -EBUSY;
  size_t bytes = whole_pages(pool, slot_bytes);
  struct slot *array = calloc(slots, sizeof *array);
  struct slot *slot = array ? slot_new(pool, bytes) : NULL;
  if (!slot) {
    free(array);
    return -ENOMEM;
  }
  free_own_but(pool, slot, pool->scratch);
  array_term(pool);
  pool->slots = array;
  pool->limit = slots;
  pool->slot_bytes = bytes;
  pool->count = pool->hand = pool->trim_hand = 0;
  pool->memory = NULL;
  pool->free = pool->free_own = NULL;
  slot_release(pool, slot);
  return 0;
}

/* ---- Giving back ---- */

/*
 * Where that begins which must stay: the frames and, for those of the host who
 * use it, the red zone below them. A shared slot keeps a little more, lest each
 * use of it begin with page faults; those of pinned stacks may be very many.
 */
static char *kept(const struct stack_pool *pool, const struct slot *slot,
                  const struct stack *running) {
  char *low = slot->own ? slot->top : slot->top - TRIM_KEEP_BYTES;
  char *sp = low;
  if (slot->owner == running) /* whose sp is of the last time that it rested */
    sp = (char *)__builtin_frame_address(0) - TRIM_KEEP_BYTES;
  else if (slot->owner)
    sp = (char *)slot->owner->sp - RED_ZONE_BYTES;
  low = sp < low ? sp : low;
  return low - (uintptr_t)low % pool->page_bytes;
}

/* False if it has not run since it was last looked at. */
static bool slot_trim(const struct stack_pool *pool, struct slot *slot,
                      const struct stack *running) {
  if (!(slot->ran & SLOT_TO_TRIM))
    return false;
  slot->ran &= ~SLOT_TO_TRIM;
  char *low = kept(pool, slot, running);
  if (low > slot->low)
    madvise(slot->low, (size_t)(low - slot->low), MADV_DONTNEED);
  return true;
}

/* Unmap what pinned stacks have left and none has begun on since the last time. */
static void free_idle(struct stack_pool *pool, unsigned *left) {
  struct slot **link = &pool->free_own;
  while (*link && *left > 0) {
    struct slot *slot = *link;
    if (slot->owner || slot->ran & SLOT_TO_TRIM) { /* invariant 3, or too early */
      slot->ran &= ~SLOT_TO_TRIM;
      link = &slot->next;
      continue;
    }
    *link = slot->next;
    slot_free(slot);
    (*left)--;
  }
}

bool stack_pool_trim(struct stack_pool *pool, const struct stack *running) {
  unsigned left = TRIM_MOST;
  free_idle(pool, &left);
  for (unsigned i = 0; i < pool->count && left > 0; i++) {
    pool->trim_hand = (pool->trim_hand + 1) % pool->count;
    left -= slot_trim(pool, &pool->slots[pool->trim_hand], running);
  }
  struct list *node = pool->own.next;
  for (; node != &pool->own && left > 0; node = node->next)
    left -= slot_trim(pool, container_of(node, struct slot, all_own), running);
  if (node != &pool->own) { /* who was not reached comes first the next time */
    list_remove(&pool->own);
    list_append(node, &pool->own);
  }
  return left > 0;
}

/* ---- Overflows ---- */

static bool guards(const struct slot *slot, const char *address) {
  return address < slot->low && address >= slot->low - slot->guard_bytes;
}

const struct stack *stack_pool_guard_of(const struct stack_pool *pool, const void *address) {
  for (unsigned i = 0; i < pool->count; i++)
    if (guards(&pool->slots[i], address))
      return pool->slots[i].owner;
  for (const struct list *node = pool->own.next; node != &pool->own; node = node->next) {
    const struct slot *slot = container_of(node, struct slot, all_own);
    if (guards(slot, address))
      return slot->owner;
  }
  return NULL;
}
