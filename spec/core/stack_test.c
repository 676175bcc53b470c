#include "core/stack.h"

#include <alloca.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "spec/core/check.h"

/*
 * A little scheduler of its own: `fibers` switch to main, or to each other, and
 * check after each switch that all they had on the stack is still there.
 */
enum { FIBERS = 300, SLOT_BYTES = 256 * 1024, ROUNDS = 8 };

struct fiber {
  struct stack stack;
  void (*run)(struct fiber *);
  unsigned seed, visits;
  bool done;
};

static struct stack_pool pool;
static struct stack native;
static struct fiber fibers[FIBERS], *running;

/* Switch from whoever runs to a fiber, or to main (NULL). */
static int to(struct fiber *fiber) {
  struct fiber *from = running;
  running = fiber;
  int result = stack_switch(&pool, from ? &from->stack : &native,
                            fiber ? &fiber->stack : &native);
  if (result < 0)
    running = from;
  return result;
}

static void begin(struct stack_pool *of) {
  CHECK(of == &pool);
  struct fiber *fiber = running;
  fiber->run(fiber);
  fiber->done = true;
  running = NULL;
  stack_leave(&pool, &fiber->stack, &native);
  abort(); /* the native stack is always there */
}

static void open_pool(unsigned slots, bool move_always) {
  CHECK_EQUAL(stack_pool_init(&pool, slots, SLOT_BYTES, &native, begin), 0);
  pool.move_always = move_always;
  running = NULL;
}

static struct fiber *fiber_init(size_t i, void (*run)(struct fiber *), bool pinned) {
  fibers[i] = (struct fiber){.run = run, .seed = (unsigned)i};
  stack_init(&fibers[i].stack, pinned);
  return &fibers[i];
}

static unsigned scramble(unsigned x) {
  x ^= x << 13, x ^= x >> 17, x ^= x << 5;
  return x * 2654435761u + 1;
}

/* ---- What survives ---- */

static void rest(struct fiber *fiber) {
  fiber->visits++;
  CHECK_EQUAL(to(NULL), 0);
  CHECK(running == fiber);
}

static void __attribute__((noinline)) fill(unsigned char *bytes, size_t count, unsigned seed) {
  for (size_t i = 0; i < count; i++)
    bytes[i] = (unsigned char)(seed + i * 7);
}

static bool __attribute__((noinline)) same(const unsigned char *bytes, size_t count,
                                           unsigned seed) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != (unsigned char)(seed + i * 7))
      return false;
  return true;
}

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

/* Round and round from main, in order, until all are done. */
static void drive(size_t count) {
  bool more = true;
  while (more) {
    more = false;
    for (size_t i = 0; i < count; i++)
      if (!fibers[i].done) {
        more = true;
        CHECK_EQUAL(to(&fibers[i]), 0);
        CHECK(running == NULL);
      }
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

static void all_fresh(size_t count) {
  for (size_t i = 0; i < count; i++)
    CHECK(fibers[i].done && stack_fresh(&fibers[i].stack));
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
  CHECK_EQUAL(stack_pool_init(&pool, 1, 64 * 1024 - 1, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, 1, ((size_t)1 << 30) + 1, &native, begin), -EINVAL);
  CHECK_EQUAL(stack_pool_init(&pool, 1, 100 * 1000, &native, begin), 0);
  CHECK_EQUAL(pool.slot_bytes % pool.page_bytes, 0);
  CHECK(pool.slot_bytes >= 100 * 1000);
  stack_pool_term(&pool);
}

static void run_rests(struct fiber *fiber) {
  volatile char here = 1;
  rest(fiber);
  CHECK(here == 1);
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
  CHECK_EQUAL(stack_reserve(&pool), 0);
  CHECK_EQUAL(to(fiber_init(0, run_rests, true)), 0);
  CHECK(fibers[0].stack.slot == kept); /* the reserved one */
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

/* ---- Giving back ---- */

static void __attribute__((noinline)) use_deep(void) {
  unsigned char block[150 * 1024];
  fill(block, sizeof block, 1);
  CHECK(same(block, sizeof block, 1));
}

static void run_deep(struct fiber *fiber) {
  use_deep();
  rest(fiber);
  use_deep();
}

static size_t resident_pages(const struct slot *slot) {
  static unsigned char pages[SLOT_BYTES / 4096];
  size_t count = 0, bytes = (size_t)(slot->top - slot->low);
  if (mincore(slot->low, bytes, pages) < 0)
    return 0;
  for (size_t i = 0; i < bytes / pool.page_bytes; i++)
    count += pages[i] & 1;
  return count;
}

enum { KEPT_PAGES = 4 };

static void trim(bool pinned) {
  open_pool(2, false);
  struct fiber *fiber = fiber_init(0, run_deep, pinned);
  CHECK_EQUAL(to(fiber), 0);
  struct slot *slot = fiber->stack.slot;
  bool seen = resident_pages(slot) > KEPT_PAGES; /* else mincore does not tell */
  stack_pool_trim(&pool); /* it rests on the slot: nothing is taken from it */
  CHECK(!seen || resident_pages(slot) > KEPT_PAGES);
  drive(1);
  CHECK(!seen || resident_pages(slot) > KEPT_PAGES);
  stack_pool_trim(&pool);
  CHECK(resident_pages(slot) <= KEPT_PAGES);
  stack_pool_term(&pool);
}

/* A slot that an image came back to after a trim is trimmed again. */
static void trim_after_return(void) {
  open_pool(1, false);
  struct fiber *bound = fiber_init(0, run_deep, false), *other = fiber_init(1, run_rests, false);
  CHECK_EQUAL(to(bound), 0);
  CHECK_EQUAL(to(other), 0);
  CHECK_EQUAL(to(other), 0);
  CHECK(other->done && bound->stack.image);
  stack_pool_trim(&pool);
  CHECK(resident_pages(&pool.slots[0]) <= KEPT_PAGES);
  CHECK_EQUAL(to(bound), 0);
  CHECK(bound->done);
  stack_pool_trim(&pool);
  CHECK(resident_pages(&pool.slots[0]) <= KEPT_PAGES);
  stack_pool_term(&pool);
}

/* ---- Guards ---- */

static unsigned __attribute__((noinline)) overflow(unsigned depth) {
  volatile unsigned char block[2048];
  block[0] = 1;
  return depth == 0 ? 0 : overflow(depth - 1) + block[0];
}

static void run_overflow(struct fiber *fiber) {
  (void)fiber;
  overflow(1000000);
}

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  _exit(stack_pool_guard_of(&pool, info->si_addr) == &running->stack ? 42 : 43);
}

static int in_child(bool handled, bool pinned) {
  pid_t pid = fork();
  if (pid == 0) {
    static char alternate[64 * 1024];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_fault;
    if (!handled)
      action = (struct sigaction){.sa_handler = SIG_DFL};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    to(fiber_init(0, run_rests, false));
    to(fiber_init(1, run_overflow, pinned));
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  return status;
}

static void overflow_ends_in_the_guard(void) {
  open_pool(4, false);
  for (int pinned = 0; pinned < 2; pinned++) {
    int status = in_child(false, pinned);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = in_child(true, pinned);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
  }
  CHECK(stack_pool_guard_of(&pool, &pool) == NULL);
  CHECK(stack_pool_guard_of(&pool, NULL) == NULL);
  CHECK_EQUAL(to(fiber_init(0, run_rests, false)), 0);
  CHECK(stack_pool_guard_of(&pool, pool.slots[0].low) == NULL);
  CHECK(stack_pool_guard_of(&pool, pool.slots[0].low - 1) == &fibers[0].stack);
  CHECK(stack_pool_guard_of(&pool, pool.memory) == &fibers[0].stack);
  drive(1);
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
  move_always_leaves_an_image();
  pinned_stacks_never_move(false);
  pinned_stacks_never_move(true);
  term_of_resting_stacks();
  adoption();
  trim(false);
  trim(true);
  trim_after_return();
  overflow_ends_in_the_guard();
  return check_summary();
}
