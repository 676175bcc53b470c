#include "core/stack.h"

#include <alloca.h>
#include <errno.h>
#include <setjmp.h>

#include "spec/core/fiber.h"

enum { ROUNDS = 8 };

static unsigned scramble(unsigned x) {
  x ^= x << 13, x ^= x >> 17, x ^= x << 5;
  return x * 2654435761u + 1;
}

/* ---- What survives ---- */

/* Recursion with a block of random size in each frame, resting at each depth. */
static void __attribute__((noinline)) patterns(struct fiber *fiber, unsigned depth) {
  unsigned seed = scramble(fiber->seed * 31 + depth);
  size_t bytes = 1 + seed % (depth == 2 ? 12000 : 700);
  unsigned char *block = alloca(bytes);
  double x = seed, y = 1 / (double)(seed | 1), product = x * y;
  fill(block, bytes, seed);
  rest(fiber);
  CHECK(same(block, bytes, seed));
  if (depth < 4)
    patterns(fiber, depth + 1);
  rest(fiber);
  CHECK(same(block, bytes, seed));
  CHECK(x == seed && y == 1 / (double)(seed | 1) && x * y == product);
}

static void run_patterns(struct fiber *fiber) {
  patterns(fiber, 0);
}

/* longjmp after switches, over frames that hold blocks and rested themselves. */
static void __attribute__((noinline, noreturn)) throw_from_below(struct fiber *fiber,
                                                                 jmp_buf *catch, int depth) {
  unsigned char block[333];
  fill(block, sizeof block, fiber->seed);
  rest(fiber);
  CHECK(same(block, sizeof block, fiber->seed));
  if (depth > 0)
    throw_from_below(fiber, catch, depth - 1);
  longjmp(*catch, 1 + (int)(fiber->seed % 100));
}

static void __attribute__((noinline)) catch_once(struct fiber *fiber, int depth) {
  jmp_buf catch;
  volatile double kept = fiber->seed * 0.5;
  int result = setjmp(catch);
  if (result == 0) {
    rest(fiber);
    throw_from_below(fiber, &catch, depth);
  }
  CHECK_EQUAL(result, 1 + (int)(fiber->seed % 100));
  rest(fiber);
  CHECK(kept == fiber->seed * 0.5);
}

static void run_longjmp(struct fiber *fiber) {
  for (int depth = 0; depth < 3; depth++)
    catch_once(fiber, depth);
}

/* Each passes on to the next fiber that is not done; the last to main. */
static void run_ring(struct fiber *fiber) {
  unsigned char block[900];
  size_t bytes = 1 + scramble(fiber->seed) % sizeof block;
  fill(block, bytes, fiber->seed);
  for (int i = 0; i < ROUNDS; i++) {
    size_t next = (size_t)(fiber - fibers) + 1;
    fiber->visits++;
    CHECK_EQUAL(to(next < FIBERS ? &fibers[next] : NULL), 0);
    CHECK(running == fiber && same(block, bytes, fiber->seed));
  }
}

static void drive_at_random(size_t count, unsigned seed) {
  size_t left = 0;
  for (size_t i = 0; i < count; i++)
    left += !fibers[i].done;
  while (left > 0) {
    seed = scramble(seed);
    struct fiber *fiber = &fibers[seed % count];
    if (fiber->done)
      continue;
    CHECK_EQUAL(to(fiber), 0);
    left -= fiber->done;
  }
}

/* Invariant 1, and that only bound images have no slot. */
static void check_invariants(size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct stack *stack = &fibers[i].stack;
    if (stack->slot)
      CHECK((stack->slot->owner == stack) == !stack->image);
    else
      CHECK(!stack->image);
  }
  for (unsigned i = 0; i < pool.count; i++)
    CHECK(!pool.slots[i].owner || pool.slots[i].owner->slot == &pool.slots[i]);
}

static void contents_survive(unsigned slots, bool move_always) {
  void (*const bodies[])(struct fiber *) = {run_patterns, run_longjmp};
  for (size_t b = 0; b < 2; b++) {
    open_pool(slots, move_always);
    for (size_t i = 0; i < FIBERS; i++)
      fiber_init(i, bodies[b], i % 61 == 60);
    drive(FIBERS / 2);
    check_invariants(FIBERS);
    drive_at_random(FIBERS, 7);
    check_invariants(FIBERS);
    all_fresh(FIBERS);
    stack_pool_term(&pool);
  }
}

static void ring_survives(unsigned slots, bool move_always) {
  open_pool(slots, move_always);
  for (size_t i = 0; i < FIBERS; i++)
    fiber_init(i, run_ring, false);
  for (int i = 0; i < ROUNDS; i++) {
    CHECK_EQUAL(to(&fibers[0]), 0);
    check_invariants(FIBERS);
  }
  drive(FIBERS);
  for (size_t i = 0; i < FIBERS; i++)
    CHECK_EQUAL(fibers[i].visits, ROUNDS);
  all_fresh(FIBERS);
  stack_pool_term(&pool);
}

/* ---- Contracts ---- */

static void sizes_that_make_no_sense(void) {
  CHECK_EQUAL(stack_pool_init(&pool, 0, SLOT_BYTES, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, STACK_MOST_SLOTS + 1, SLOT_BYTES, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, 1, 64 * 1024 - 1, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, 1, ((size_t)1 << 30) + 1, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, 1, 100 * 1000, &native, begin), 0);
  CHECK_EQUAL(pool.slot_bytes % pool.page_bytes, 0);
  CHECK(pool.slot_bytes >= 100 * 1000);
  stack_pool_term(&pool);
}

static void slots_bound_the_number_of_residents(void) {
  open_pool(2, false);
  for (size_t i = 0; i < 5; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, false)), 0);
  size_t images = 0;
  for (size_t i = 0; i < 5; i++)
    images += fibers[i].stack.image != NULL;
  CHECK_EQUAL(images, 3);
  CHECK_EQUAL(pool.count, 2);
  check_invariants(5);
  drive(5);
  stack_pool_term(&pool);
}

static void reserve_finds_one_slot(void) {
  open_pool(3, false);
  CHECK_EQUAL(stack_reserve(&pool), 0);
  CHECK_EQUAL(stack_reserve(&pool), 0);
  CHECK_EQUAL(pool.count, 1);
  CHECK_EQUAL(to(fiber_init(0, run_rests, false)), 0);
  CHECK(fibers[0].stack.slot == &pool.slots[0]);
  drive(1);
  stack_pool_term(&pool);
}

/* The debugging aid may be switched on and off while stacks rest. */
static void move_always_at_times(void) {
  open_pool(3, false);
  for (size_t i = 0; i < 20; i++)
    fiber_init(i, run_patterns, i == 7);
  for (unsigned round = 0; !fibers[19].done; round++) {
    pool.move_always = round % 3 == 1;
    for (size_t i = 0; i < 20; i++)
      if (!fibers[i].done)
        CHECK_EQUAL(to(&fibers[i]), 0);
    check_invariants(20);
  }
  drive(20);
  stack_pool_term(&pool);
}

static void move_always_leaves_an_image(void) {
  open_pool(64, true);
  CHECK_EQUAL(to(fiber_init(0, run_rests, false)), 0);
  CHECK(fibers[0].stack.image != NULL);
  CHECK(!stack_fresh(&fibers[0].stack));
  drive(1);
  all_fresh(1);
  stack_pool_term(&pool);
}

static void *pinned_at[8];

static void run_pinned(struct fiber *fiber) {
  volatile int here = 1;
  size_t i = (size_t)(fiber - fibers);
  pinned_at[i] = (void *)&here;
  rest(fiber);
  CHECK(here == 1 + (int)i); /* changed by main through the pointer */
}

static void pinned_stacks_never_move(bool move_always) {
  open_pool(1, move_always);
  for (size_t i = 0; i < 8; i++)
    CHECK_EQUAL(to(fiber_init(i, run_pinned, true)), 0);
  for (size_t i = 8; i < 40; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, false)), 0);
  for (size_t i = 0; i < 8; i++) {
    CHECK(!fibers[i].stack.image && fibers[i].stack.slot->own);
    CHECK(fibers[i].stack.slot->owner == &fibers[i].stack);
    *(volatile int *)pinned_at[i] += (int)i;
  }
  drive(40);
  all_fresh(40);
  CHECK(pool.free_own != NULL);
  const struct slot *kept = pool.free_own;
  struct fiber *begun = fiber_init(0, run_rests, true);
  CHECK_EQUAL(stack_begin(&pool, &begun->stack), 0);
  CHECK(begun->stack.slot == kept); /* used again */
  drive(1);
  stack_pool_term(&pool);
}

static void term_of_resting_stacks(void) {
  open_pool(1, false);
  struct fiber *image = fiber_init(0, run_rests, false), *here = fiber_init(1, run_rests, false),
               *pinned = fiber_init(2, run_rests, true), *fresh = fiber_init(3, run_rests, false);
  CHECK_EQUAL(to(image), 0);
  CHECK_EQUAL(to(here), 0);
  CHECK_EQUAL(to(pinned), 0);
  CHECK(image->stack.image && !here->stack.image);
  for (size_t i = 0; i < 4; i++) {
    stack_term(&pool, &fibers[i].stack);
    CHECK(stack_fresh(&fibers[i].stack));
    stack_term(&pool, &fibers[i].stack);
  }
  CHECK(pinned->stack.pinned);
  CHECK_EQUAL(to(fresh), 0); /* the slot is free for it */
  CHECK(!fresh->stack.image && fresh->stack.slot == &pool.slots[0]);
  stack_term(&pool, &fresh->stack);
  stack_pool_term(&pool);
}

/* Ends, and lets the next fiber run in its place. */
static void run_adopted(struct fiber *fiber) {
  fiber->done = true;
  note("%u", fiber->seed);
  struct fiber *next = fiber + 1;
  struct slot *slot = fiber->stack.slot;
  if (next->run != run_adopted)
    return;
  CHECK(stack_adopt(&fiber->stack, &next->stack));
  CHECK(stack_fresh(&fiber->stack));
  CHECK(next->stack.slot == slot && slot->owner == &next->stack);
  running = next;
  next->run(next);
  running = NULL;
  stack_leave(&pool, &next->stack, &native);
}

static void adoption(void) {
  open_pool(1, false);
  for (size_t i = 0; i < 3; i++)
    fiber_init(i, run_adopted, false);
  fiber_init(3, run_rests, false);
  CHECK_EQUAL(to(&fibers[0]), 0);
  CHECK_NOTES("0 1 2");
  struct stack a, b;
  stack_init(&a, true), stack_init(&b, false);
  CHECK(!stack_adopt(&a, &b));
  CHECK(!stack_adopt(&b, &a));
  stack_pool_term(&pool);
}

int main(void) {
  check_begin();
  sizes_that_make_no_sense();
  const unsigned slots[] = {1, 2, 4, 64};
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
    for (int move_always = 0; move_always < 2; move_always++) {
      contents_survive(slots[i], move_always);
      ring_survives(slots[i], move_always);
    }
  slots_bound_the_number_of_residents();
  reserve_finds_one_slot();
  move_always_at_times();
  move_always_leaves_an_image();
  pinned_stacks_never_move(false);
  pinned_stacks_never_move(true);
  term_of_resting_stacks();
  adoption();
  return check_summary();
}
