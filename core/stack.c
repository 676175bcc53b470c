#define _GNU_SOURCE /* pthread_getattr_np */
#include "core/stack.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/slot.h"
#include "core/switch.h"

#ifdef GREENLUA_ASAN
#include <pthread.h>
#endif

/* Kept out of line of the switches, which are inlined in hot functions. */
#define COLD __attribute__((cold, noinline))

/* A copy of the used part of a stack. */
struct image {
  struct image *next; /* free list */
  size_t bytes;       /* a multiple of STACK_IMAGE_UNIT */
  _Alignas(64) char data[];
};

/* ---- Images ---- */

static size_t used_bytes(const struct stack *stack) {
  uintptr_t low = (uintptr_t)stack->sp & ~(uintptr_t)(STACK_IMAGE_UNIT - 1);
  return (size_t)((uintptr_t)stack->slot->top - low);
}

static struct image *image_new(struct stack_pool *pool, size_t bytes) {
  size_t class = bytes / STACK_IMAGE_UNIT;
  if (class < STACK_IMAGE_CLASSES && pool->images[class]) {
    struct image *image = pool->images[class];
    pool->images[class] = image->next;
    pool->images_kept--;
    return image;
  }
  struct image *image = NULL;
  size_t all = sizeof *image + bytes;
  if (posix_memalign((void **)&image, _Alignof(struct image), all) != 0)
    return NULL;
  image->bytes = bytes;
  return image;
}

static void image_free(struct stack_pool *pool, struct image *image) {
  size_t class = image->bytes / STACK_IMAGE_UNIT;
  if (class >= STACK_IMAGE_CLASSES || pool->images_kept == STACK_IMAGES_KEPT) {
    free(image);
    return;
  }
  image->next = pool->images[class];
  pool->images[class] = image;
  pool->images_kept++;
}

/*
 * Copy in units of 64 bytes. Not memcpy: the sanitizers' one checks what it
 * copies, and here that is whole frames with their red zones.
 */
typedef long long unit __attribute__((vector_size(STACK_IMAGE_UNIT), may_alias));

NO_SANITIZE static void copy(void *to, const void *from, size_t bytes) {
  unit *t = to;
  const unit *f = from;
  for (size_t i = 0; i < bytes / sizeof(unit); i++)
    t[i] = f[i];
}

NO_SANITIZE static void exchange(void *a, void *b, size_t bytes) {
  unit *x = a, *y = b;
  for (size_t i = 0; i < bytes / sizeof(unit); i++) {
    unit kept = x[i];
    x[i] = y[i];
    y[i] = kept;
  }
}

static void slot_forget(const struct slot *slot) {
  __asan_unpoison_memory_region(slot->low, (size_t)(slot->top - slot->low));
  annotate_noaccess(slot->low, (size_t)(slot->top - slot->low));
}

/* Valgrind takes what lies below the stack pointer for inaccessible. */
static void slot_expect(const struct slot *slot, size_t bytes) {
  annotate_undefined(slot->top - bytes - 128, bytes + 128);
}

static int copy_out(struct stack_pool *pool, struct stack *stack) {
  size_t bytes = used_bytes(stack);
  struct image *image = image_new(pool, bytes);
  if (!image)
    return -ENOMEM;
  copy(image->data, stack->slot->top - bytes, bytes);
  slot_forget(stack->slot);
  stack->image = image;
  stack->slot->owner = NULL;
  return 0;
}

static void copy_in(struct stack_pool *pool, struct stack *stack) {
  size_t bytes = stack->image->bytes;
  slot_forget(stack->slot);
  slot_expect(stack->slot, bytes);
  copy(stack->slot->top - bytes, stack->image->data, bytes);
  image_free(pool, stack->image);
  stack->image = NULL;
  stack->slot->owner = stack;
}

/* The owner of a slot and the image that wants it have the same size: swap
 * them in place, and neither needs a block. */
static void trade(struct stack *owner, struct stack *stack) {
  struct image *image = stack->image;
  exchange(image->data, stack->slot->top - image->bytes, image->bytes);
  __asan_unpoison_memory_region(stack->slot->low,
                                (size_t)(stack->slot->top - stack->slot->low));
  owner->image = image;
  stack->image = NULL;
  stack->slot->owner = stack;
}

static int come_back(struct stack_pool *pool, struct stack *stack) {
  struct stack *owner = stack->slot->owner;
  if (owner && used_bytes(owner) == stack->image->bytes) {
    trade(owner, stack);
    return 0;
  }
  if (owner && copy_out(pool, owner) < 0)
    return -ENOMEM;
  copy_in(pool, stack);
  return 0;
}

/* ---- Switching ---- */

/* Where every fresh stack begins. */
static void enter(void *arg) {
  struct stack_pool *pool = arg;
#ifdef GREENLUA_ASAN
  __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
  pool->begin(pool);
  abort(); /* begin's contract: it leaves by stack_leave */
}

/* One call site for all switches: see switch_x86_64.S. */
static void go(struct stack *from, bool leaving, void *sp, const struct slot *slot) {
#ifdef GREENLUA_ASAN
  __sanitizer_start_switch_fiber(leaving ? NULL : &from->fake_stack, slot->low,
                                 (size_t)(slot->top - slot->low));
#else
  (void)leaving, (void)slot;
#endif
  switch_stack(&from->sp, sp);
#ifdef GREENLUA_ASAN
  __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static void begin_on(struct stack_pool *pool, struct stack *stack, struct slot *slot) {
  slot_forget(slot); /* who ended there left by no return */
  slot_expect(slot, 2UL * STACK_IMAGE_UNIT);
  stack->slot = slot;
  slot->owner = stack;
  stack->sp = switch_prepare(slot->top, enter, pool);
}

static int begin_somewhere(struct stack_pool *pool, struct stack *stack) {
  struct slot *slot = slot_take(pool, stack->pinned);
  if (!slot && (stack->pinned || pool->count == 0))
    return -ENOMEM;
  if (!slot) {
    slot = slot_victim(pool);
    /* Any other slot without owner would have been on the free list. */
    assert(slot->owner || slot == pool->from->slot);
    if (slot->owner && copy_out(pool, slot->owner) < 0)
      return -ENOMEM;
  }
  begin_on(pool, stack, slot);
  return 0;
}

static bool resident(const struct stack *stack) {
  return stack->slot && stack->slot->owner == stack;
}

static int make_room(struct stack_pool *pool) {
  struct stack *from = pool->from, *to = pool->to;
  int result = 0;
  if (!from->slot)
    __builtin_unreachable(); /* it has just run */
  /* Without memory it just stays: a debugging aid must not make switches fail. */
  if (pool->move_always && !pool->leaving && !from->slot->own)
    copy_out(pool, from);
  if (to->image)
    result = come_back(pool, to);
  else if (stack_fresh(to))
    result = begin_somewhere(pool, to);
  /* Under move_always a failure may find `from` moved: bring it back. Its slot
   * is still without owner, and its image is the memory. */
  if (result < 0 && from->image)
    copy_in(pool, from);
  else if (!from->slot->owner && !pool->leaving && from->image)
    slot_release(pool, from->slot);
  return result;
}

/* Runs on the scratch stack: neither `from` nor `to` is in use. */
static void move(void *arg) {
  struct stack_pool *pool = arg;
#ifdef GREENLUA_ASAN
  __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
  struct slot *left = pool->leaving ? pool->from->slot : NULL;
  if (left)
    slot_release(pool, left);
  pool->result = make_room(pool);
  struct stack *next = pool->result == 0 ? pool->to : pool->from;
  if (left && pool->result == 0) {
    stack_init(pool->from, pool->from->pinned);
    if (!left->owner)
      slot_forget(left);
  } else if (left) {
    left->owner = pool->from;
  }
  next->slot->ran = SLOT_RAN;
  struct stack scratch;
  go(&scratch, true, next->sp, next->slot);
  abort(); /* the scratch stack is laid out anew each time */
}

COLD static int switch_by_scratch(struct stack_pool *pool, struct stack *from, struct stack *to,
                             bool leaving) {
  pool->from = from;
  pool->to = to;
  pool->leaving = leaving;
  slot_expect(pool->scratch, 4096);
  void *sp = switch_prepare(pool->scratch->top, move, pool);
  /* Even when leaving, the sanitizer must keep our fake stack: we may fail. */
  go(from, false, sp, pool->scratch);
  int result = pool->result;
  pool->result = 0;
  return result;
}

int stack_switch(struct stack_pool *pool, struct stack *from, struct stack *to) {
  if (!pool->move_always) {
    if (resident(to)) {
      to->slot->ran = SLOT_RAN;
      go(from, false, to->sp, to->slot);
      return 0;
    }
    struct slot *slot = stack_fresh(to) ? slot_take(pool, to->pinned) : NULL;
    if (slot) {
      begin_on(pool, to, slot);
      go(from, false, to->sp, slot);
      return 0;
    }
  }
  return switch_by_scratch(pool, from, to, false);
}

int stack_leave(struct stack_pool *pool, struct stack *from, struct stack *to) {
  if (!resident(to))
    return switch_by_scratch(pool, from, to, true);
  struct slot *left = from->slot;
  slot_release(pool, left);
  stack_init(from, from->pinned);
  to->slot->ran = SLOT_RAN;
  struct stack nobody;
  go(&nobody, true, to->sp, to->slot);
  abort(); /* nobody holds `nobody` */
}

bool stack_adopt(struct stack *from, struct stack *to) {
  if (from->pinned || to->pinned)
    return false;
  struct slot *slot = from->slot;
  stack_init(from, false);
  to->slot = slot;
  slot->owner = to;
  return true;
}

/* ---- Life ---- */

void stack_init(struct stack *stack, bool pinned) {
  *stack = (struct stack){.pinned = pinned};
}

int stack_begin(struct stack_pool *pool, struct stack *stack) {
  assert(stack->pinned && stack_fresh(stack));
  return begin_somewhere(pool, stack);
}

int stack_reserve(struct stack_pool *pool) {
  if (pool->count > 0)
    return 0;
  struct slot *slot = slot_take(pool, false);
  if (!slot)
    return -ENOMEM;
  slot_release(pool, slot);
  return 0;
}

void stack_term(struct stack_pool *pool, struct stack *stack) {
  if (stack->image)
    image_free(pool, stack->image);
  else if (resident(stack)) {
    stack->slot->ran |= SLOT_TO_TRIM; /* its frames were kept so far */
    slot_release(pool, stack->slot);
  }
  stack_init(stack, stack->pinned);
}

#ifdef GREENLUA_ASAN
static void find_native(struct slot *slot) {
  pthread_attr_t attr;
  void *low;
  size_t bytes;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &low, &bytes);
  pthread_attr_destroy(&attr);
  slot->low = low;
  slot->top = (char *)low + bytes;
}
#endif

int stack_pool_init(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                    struct stack *native, void (*begin)(struct stack_pool *)) {
  *pool = (struct stack_pool){.begin = begin};
  int result = slots_init(pool, slots, slot_bytes);
  if (result < 0)
    return result;
  stack_init(native, true);
  native->slot = &pool->native;
  pool->native = (struct slot){.owner = native, .own = true};
#ifdef GREENLUA_ASAN
  find_native(&pool->native);
#endif
  return 0;
}

int stack_pool_resize(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                      struct stack *begun) {
  int result = slots_resize(pool, slots, slot_bytes, begun);
  if (result < 0)
    return result;
  stack_init(begun, true);
  return stack_begin(pool, begun);
}

void stack_pool_term(struct stack_pool *pool) {
  for (unsigned class = 0; class < STACK_IMAGE_CLASSES; class++)
    for (struct image *image; (image = pool->images[class]);) {
      pool->images[class] = image->next;
      free(image);
    }
  slots_term(pool);
  *pool = (struct stack_pool){0};
  list_init(&pool->own); /* who asks whose guard an address is in may be late */
}
