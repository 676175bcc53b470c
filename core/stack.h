/*
 * stack.h: C stacks, big in address space and small in memory.
 *
 * A pool has a bounded number of slots: ranges of address space (a megabyte or
 * more each) with a guard at the low end, of which only touched pages are
 * memory. Greenlets share them. While slots suffice each greenlet keeps one
 * and switching is a plain exchange of registers. When they are short, a
 * resting greenlet's used part of the stack, a kilobyte or so, moves to a heap
 * block (its image) and comes back to the same addresses before it runs.
 *
 *        slot
 *     low +-----------------+
 *         | guard           |  a touch ends in SIGSEGV, not in the neighbour
 *         +-----------------+
 *         | never touched   |
 *         +-----------------+ <- sp & ~63
 *         | used: an image  |
 *         | is a copy       |
 *     top +-----------------+
 *
 * Invariants:
 * 1. slot->owner == s exactly when the frames of s are on that slot.
 * 2. A stack with an image is bound to its slot: the image returns only to the
 *    addresses that it left. A fresh stack (no image, no slot) may take any.
 * 3. A slot on the free list may have an owner again (a bound image came
 *    back); such an entry is stale and skipped.
 * 4. A copy runs on the pool's scratch stack, never on a slot, and has all the
 *    memory that it needs before it touches anything.
 *
 * So nothing that others follow by pointer may live in a C frame of a greenlet
 * that rests. A greenlet that cannot keep to that (a C library which hands
 * out pointers into its stack and then calls back) is pinned: its slot is its
 * own and its frames never move.
 */
#ifndef CORE_STACK_H
#define CORE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/annotate.h"
#include "core/list.h"

struct slot;
struct image;

/* The stack of one greenlet. It is running, resident (on its slot), an image,
 * or fresh: not begun, all NULL. */
struct stack {
  void *sp;           /* where it continues, unless it runs or is fresh */
  struct slot *slot;  /* the slot that it is on or bound to */
  struct image *image; /* its frames while they are not on the slot */
  bool pinned;        /* set before the first switch: a slot of its own */
#ifdef GREENLUA_ASAN
  void *fake_stack;
#endif
};

/* Since the clock hand passed; since it was last trimmed. */
enum { SLOT_FOR_HAND = 1, SLOT_TO_TRIM = 2, SLOT_RAN = SLOT_FOR_HAND | SLOT_TO_TRIM };

struct slot {
  struct stack *owner;
  char *low, *top;     /* usable range, guard excluded */
  struct slot *next;   /* free list */
  struct list all_own; /* node of pool->own */
  bool free;           /* on the free list, perhaps stale */
  bool own;            /* belongs to one pinned stack or to the thread */
  uint8_t ran;         /* somebody ran on it: flags, cleared by who looks at them */
  unsigned valgrind_id;
  uint32_t guard_bytes; /* below `low` */
};

enum { STACK_MOST_SLOTS = 1 << 20 };
enum { STACK_IMAGE_CLASSES = 64, STACK_IMAGE_UNIT = 64, STACK_IMAGES_KEPT = 1024 };

struct stack_pool {
  struct slot *slots;      /* `limit` of them, the first `count` in use */
  unsigned count, limit;
  size_t slot_bytes, page_bytes;
  char *memory;            /* limit * slot_bytes, reserved on first need */
  struct slot *free;
  struct slot *free_own;   /* idle slots of pinned stacks that have ended */
  struct list own;         /* all slots outside the array, in use or not */
  unsigned hand;           /* of the clock that looks for a slot to clear */
  unsigned trim_hand;      /* the slot that was trimmed last */
  bool move_always;        /* debugging: copy out at every switch */
  bool advice_tried, no_advice; /* how guards are made: slot.c */
  void (*begin)(struct stack_pool *); /* runs on each fresh stack, must not return */
  struct slot native;      /* the thread's own stack */
  /* A switch that needs copying is carried out on the scratch stack; this is
   * what it works on, and the answer to the one who asked. */
  struct slot *scratch;
  struct stack *from, *to;
  bool leaving;            /* `from` is never switched to again */
  int result;
  struct image *images[STACK_IMAGE_CLASSES]; /* free blocks by size */
  unsigned images_kept;
};

/*
 * Prepare a pool of `slots` slots of slot_bytes each (rounded up to pages);
 * `native` is made to stand for the calling thread's stack, `begin` is called
 * on every stack that is switched to for the first time.
 * Returns 0, -EINVAL for sizes that make no sense (no slot, more than
 * STACK_MOST_SLOTS, less than 64 KB, more than 1 GB), or -ENOMEM.
 * Address space is reserved when the first stack begins: for fewer slots, if
 * there is not as much (pool->limit).
 */
int stack_pool_init(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                    struct stack *native, void (*begin)(struct stack_pool *));

/*
 * Have other slots, as long as nobody has one but the pinned stack `begun`,
 * which has begun and not run. Returns 0, -EINVAL as stack_pool_init, -EBUSY
 * when somebody has, or -ENOMEM; then nothing has changed.
 */
int stack_pool_resize(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                      struct stack *begun);

/* Unmap everything. The caller must be on the native stack. */
void stack_pool_term(struct stack_pool *pool);

/* Make a stack fresh. */
void stack_init(struct stack *stack, bool pinned);

/*
 * Make sure that there is a slot at all: from then on every stack that is not
 * pinned finds a place, as soon as there is memory to move another away.
 * Without, the first switch finds out. 0 or -ENOMEM.
 */
int stack_reserve(struct stack_pool *pool);

/* Could another stack begin without moving one? */
static inline bool stack_pool_has_room(const struct stack_pool *pool) {
  return pool->count < pool->limit || pool->free;
}

/* The stack on the slot that the clock's hand finds next to be cleared; NULL if
 * its place is empty. */
struct stack *stack_pool_victim(struct stack_pool *pool);

/* Is there nothing on this stack, so that it could begin on any slot? */
static inline bool stack_fresh(const struct stack *stack) {
  return !stack->slot;
}

/* Give a fresh pinned stack its slot now: the first switch to it cannot fail.
 * 0 or -ENOMEM. */
int stack_begin(struct stack_pool *pool, struct stack *stack);

/*
 * Leave `from`, which runs, for `to`. Returns 0 once somebody has switched
 * back to `from`; -ENOMEM at once, nothing changed, when there is no memory
 * to make room.
 */
int stack_switch(struct stack_pool *pool, struct stack *from, struct stack *to);

/*
 * Leave `from`, which runs and has ended, for `to`, for good; `from` becomes
 * fresh. Returns only on failure, with -ENOMEM: `from` runs on.
 */
int stack_leave(struct stack_pool *pool, struct stack *from, struct stack *to);

/*
 * `from`, which runs and has ended, hands its place to the fresh `to`, which
 * runs from here on without any switch. False when either is pinned.
 */
bool stack_adopt(struct stack *from, struct stack *to);

/*
 * `from`, which runs, becomes fresh, and `to` is what runs now. Member by member: the
 * slot was just stored, and to copy all of them at once, by wider loads, would
 * have to wait until the CPU has written that, and whatever missed the cache
 * before.
 */
static inline void stack_pass_on(struct stack *from, struct stack *to) {
  struct slot *slot = from->slot;
  to->slot = slot;
  to->pinned = from->pinned;
  slot->owner = to;
  from->slot = NULL;
  from->sp = NULL;
}

/* Free what a resting or fresh stack holds. What is on it is not unwound. */
void stack_term(struct stack_pool *pool, struct stack *stack);

/*
 * Give memory back to the system: the pages below the stack pointers of stacks
 * that rest, those of free slots, and the slots of pinned stacks that have ended
 * if none has begun there since the last call but one. The thread's own stack
 * is the host's: it is left alone. `running` is whose stack the caller is on.
 * Only slots that ran since the last call are looked at, and only some hundreds
 * in one call: false if that was not all.
 */
bool stack_pool_trim(struct stack_pool *pool, const struct stack *running);

/* What a slot takes of the address space, guard included. */
static inline size_t slot_space(const struct slot *slot) {
  return (size_t)(slot->top - slot->low) + slot->guard_bytes;
}

/* Which stack's guard does `address` lie in? NULL if in none. For the report
 * of an overflow; safe in a signal handler. */
const struct stack *stack_pool_guard_of(const struct stack_pool *pool, const void *address);

#endif
