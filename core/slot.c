#include "core/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum { GUARD_PAGES = 4, TRIM_KEEP_BYTES = 16 * 1024 };

/*
 * Make the lowest pages of a slot trap. A guard of MADV_GUARD_INSTALL lives in
 * the page table; mprotect splits the mapping in two, of which a process may
 * have 65,530. qemu-user accepts any advice and does nothing, so an advice
 * that cannot exist is tried first.
 */
static int guard(const struct stack_pool *pool, char *low) {
  static int advise = -1;
  size_t bytes = GUARD_PAGES * pool->page_bytes;
  if (advise < 0)
    advise = madvise(low, pool->page_bytes, 9999) != 0;
  if (advise && madvise(low, bytes, MADV_GUARD_INSTALL) == 0)
    return 0;
  return mprotect(low, bytes, PROT_NONE) == 0 ? 0 : -ENOMEM;
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

static int slot_init(const struct stack_pool *pool, struct slot *slot, char *memory,
                     size_t bytes, bool own) {
  if (guard(pool, memory) < 0)
    return -ENOMEM;
  *slot = (struct slot){.low = memory + GUARD_PAGES * pool->page_bytes,
                        .top = memory + bytes,
                        .own = own};
  slot->valgrind_id = annotate_stack(slot->low, slot->top);
  return 0;
}

struct slot *slot_new(struct stack_pool *pool) {
  size_t bytes = pool->slot_bytes;
  struct slot *slot = malloc(sizeof *slot);
  char *memory = slot ? map(bytes) : NULL;
  if (!memory)
    goto no_memory;
  if (slot_init(pool, slot, memory, bytes, true) < 0)
    goto no_guard;
  slot->next_own = pool->own;
  pool->own = slot;
  return slot;
no_guard:
  munmap(memory, bytes);
no_memory:
  free(slot);
  return NULL;
}

static void slot_free(const struct stack_pool *pool, struct slot *slot) {
  char *memory = slot->low - GUARD_PAGES * pool->page_bytes;
  annotate_stack_gone(slot->valgrind_id);
  munmap(memory, (size_t)(slot->top - memory));
  free(slot);
}

static struct slot *slot_grow(struct stack_pool *pool) {
  if (pool->count == pool->limit)
    return NULL;
  if (!pool->memory && !(pool->memory = map(pool->limit * pool->slot_bytes)))
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
    slot = pinned ? slot_new(pool) : slot_grow(pool);
  if (slot)
    slot->used = true;
  return slot;
}

struct slot *slot_victim(struct stack_pool *pool) {
  for (;;) {
    struct slot *slot = &pool->slots[pool->hand];
    pool->hand = (pool->hand + 1) % pool->count;
    if (!slot->recent)
      return slot;
    slot->recent = false;
  }
}

struct stack *stack_pool_victim(struct stack_pool *pool) {
  return slot_victim(pool)->owner;
}

void slots_term(struct stack_pool *pool) {
  for (struct slot *slot; (slot = pool->own);) {
    pool->own = slot->next_own;
    slot_free(pool, slot);
  }
  for (unsigned i = 0; i < pool->count; i++)
    annotate_stack_gone(pool->slots[i].valgrind_id);
  if (pool->memory)
    munmap(pool->memory, pool->limit * pool->slot_bytes);
  free(pool->slots);
}

/* ---- Giving back ---- */

static void slot_trim(struct slot *slot) {
  if (slot->owner || !slot->used)
    return;
  char *keep = slot->top - TRIM_KEEP_BYTES;
  madvise(slot->low, (size_t)(keep - slot->low), MADV_DONTNEED);
  slot->used = false;
}

void stack_pool_trim(struct stack_pool *pool) {
  for (unsigned i = 0; i < pool->count; i++)
    slot_trim(&pool->slots[i]);
  for (struct slot *slot = pool->free_own; slot; slot = slot->next)
    slot_trim(slot);
}

/* ---- Overflows ---- */

static bool guards(const struct stack_pool *pool, const struct slot *slot, const char *address) {
  return address < slot->low && address >= slot->low - GUARD_PAGES * pool->page_bytes;
}

const struct stack *stack_pool_guard_of(const struct stack_pool *pool, const void *address) {
  for (unsigned i = 0; i < pool->count; i++)
    if (guards(pool, &pool->slots[i], address))
      return pool->slots[i].owner;
  for (const struct slot *slot = pool->own; slot; slot = slot->next_own)
    if (guards(pool, slot, address))
      return slot->owner;
  return NULL;
}
