/*
 * The memory of stacks. Linked with --wrap for mmap, madvise and mprotect, so that
 * the kernel's way of making guards can be another than this machine's.
 */
#include "core/stack.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "spec/core/fiber.h"

enum { GUARD_INSTALL = 102 };

/* As this machine's; as before Linux 6.13; as qemu-user, which takes any advice
 * and does nothing. */
enum kernel { KERNEL_HERE, KERNEL_OLD, KERNEL_LIES, KERNELS };

static enum kernel kernel;
static size_t room = SIZE_MAX; /* what a mapping may have */
static unsigned protections, refused_protections, guards_asked, pages_given_back;

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t bytes, int advice);
int __real_mprotect(void *at, size_t bytes, int protection);
int __wrap_madvise(void *at, size_t bytes, int advice);
int __wrap_mprotect(void *at, size_t bytes, int protection);

int __wrap_madvise(void *at, size_t bytes, int advice) {
  guards_asked += advice == GUARD_INSTALL;
  pages_given_back += advice == MADV_DONTNEED ? (unsigned)(bytes / pool.page_bytes) : 0;
  if (kernel == KERNEL_LIES && advice >= GUARD_INSTALL)
    return 0;
  if (kernel == KERNEL_OLD && advice >= GUARD_INSTALL) {
    errno = EINVAL;
    return -1;
  }
  return __real_madvise(at, bytes, advice);
}

int __wrap_mprotect(void *at, size_t bytes, int protection) {
  if (refused_protections > 0) {
    refused_protections--;
    errno = ENOMEM;
    return -1;
  }
  protections += protection == PROT_NONE;
  return __real_mprotect(at, bytes, protection);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (bytes <= room)
    return __real_mmap(at, bytes, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

/* ---- Address space ---- */

static void fewer_slots_serve_as_well(void) {
  open_pool(64, false);
  room = 5 * SLOT_BYTES;
  for (size_t i = 0; i < 20; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, false)), 0);
  CHECK_EQUAL(pool.limit, 4);
  drive(20);
  room = SIZE_MAX;
  stack_pool_term(&pool);
}

static void no_room_at_all(void) {
  open_pool(64, false);
  room = SLOT_BYTES - 1;
  CHECK_EQUAL(stack_reserve(&pool), -ENOMEM);
  CHECK_EQUAL(to(fiber_init(0, run_rests, false)), -ENOMEM);
  CHECK_EQUAL(stack_begin(&pool, &fiber_init(1, run_rests, true)->stack), -ENOMEM);
  room = SIZE_MAX;
  CHECK_EQUAL(stack_reserve(&pool), 0);
  CHECK_EQUAL(pool.limit, 64);
  drive(2);
  stack_pool_term(&pool);
}

/* ---- Giving back ---- */

enum { DEEP_BYTES = 80 * 1024, SHARED_PAGES = 4 };

static void __attribute__((noinline)) use_deep(void) {
  unsigned char block[DEEP_BYTES];
  fill(block, sizeof block, 1);
  CHECK(same(block, sizeof block, 1));
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

/* An emulator's mincore does not tell. */
static bool pages_are_seen(const struct slot *slot) {
  return resident_pages(slot) >= DEEP_BYTES / pool.page_bytes;
}

/* What a stack that rests needs, and no more; of a shared slot at least four. */
static size_t needed_pages(const struct stack *stack) {
  size_t used = (size_t)(stack->slot->top - (char *)stack->sp) + 128;
  size_t pages = (used + pool.page_bytes - 1) / pool.page_bytes;
  return stack->slot->own || pages > SHARED_PAGES ? pages : SHARED_PAGES;
}

static void trim(void) {
  CHECK(stack_pool_trim(&pool, &native));
}

static void run_deep(struct fiber *fiber) {
  use_deep();
  rest(fiber);
  use_deep();
}

/* It was deep and rests in a shallow frame. */
static void resting_stacks_give_back(bool pinned) {
  open_pool(2, false);
  struct fiber *fiber = fiber_init(0, run_deep, pinned);
  CHECK_EQUAL(to(fiber), 0);
  const struct slot *slot = fiber->stack.slot;
  bool seen = pages_are_seen(slot);
  trim();
  CHECK(!seen || resident_pages(slot) <= needed_pages(&fiber->stack));
  drive(1);
  CHECK(!seen || pages_are_seen(slot));
  trim();
  if (!pinned)
    CHECK(!seen || resident_pages(slot) <= SHARED_PAGES);
  stack_pool_term(&pool);
}

static void __attribute__((noinline)) rest_deep(struct fiber *fiber) {
  unsigned char block[DEEP_BYTES];
  fill(block, sizeof block, fiber->seed);
  use_deep();
  for (int i = 0; i < 3; i++) {
    rest(fiber);
    CHECK(same(block, sizeof block, fiber->seed));
  }
}

/* It rests in a deep frame, of which nothing may be taken. */
static void deep_frames_stay(bool pinned) {
  open_pool(2, false);
  struct fiber *fiber = fiber_init(0, rest_deep, pinned);
  for (int i = 0; i < 3; i++) {
    CHECK_EQUAL(to(fiber), 0);
    bool seen = pages_are_seen(fiber->stack.slot);
    trim();
    CHECK(!seen || resident_pages(fiber->stack.slot) == needed_pages(&fiber->stack));
  }
  drive(1);
  stack_pool_term(&pool);
}

/* The stack of the one who calls has frames, too. */
static void __attribute__((noinline)) trim_below(struct fiber *fiber) {
  unsigned char block[5000];
  fill(block, sizeof block, 3);
  CHECK(stack_pool_trim(&pool, &fiber->stack));
  CHECK(same(block, sizeof block, 3));
}

static void run_trimmer(struct fiber *fiber) {
  rest(fiber); /* so that there is an sp to be mistaken for its place now */
  use_deep();
  bool seen = pages_are_seen(fiber->stack.slot);
  trim_below(fiber);
  CHECK(!seen || !pages_are_seen(fiber->stack.slot));
}

static void the_running_stack_gives_back(bool pinned) {
  open_pool(1, false);
  fiber_init(0, run_trimmer, pinned);
  drive(1);
  stack_pool_term(&pool);
}

/* A slot that an image came back to after a trim is trimmed again, and so is one
 * whose owner is dropped. */
static void trim_after_return(void) {
  open_pool(1, false);
  struct fiber *bound = fiber_init(0, run_deep, false), *other = fiber_init(1, run_rests, false);
  CHECK_EQUAL(to(bound), 0);
  CHECK_EQUAL(to(other), 0);
  CHECK_EQUAL(to(other), 0);
  CHECK(other->done && bound->stack.image);
  trim();
  CHECK(resident_pages(&pool.slots[0]) <= SHARED_PAGES);
  CHECK_EQUAL(to(bound), 0);
  CHECK(bound->done);
  trim();
  CHECK(resident_pages(&pool.slots[0]) <= SHARED_PAGES);
  struct fiber *dropped = fiber_init(0, rest_deep, false);
  CHECK_EQUAL(to(dropped), 0);
  trim();
  stack_term(&pool, &dropped->stack);
  trim();
  CHECK(resident_pages(&pool.slots[0]) <= SHARED_PAGES);
  stack_pool_term(&pool);
}

/* Who has not run costs nothing. */
static void only_what_ran_is_trimmed(void) {
  open_pool(64, false);
  for (size_t i = 0; i < 64; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, i % 4 == 0)), 0);
  trim();
  pages_given_back = 0;
  trim();
  CHECK_EQUAL(pages_given_back, 0);
  CHECK_EQUAL(to(&fibers[1]), 0);
  CHECK_EQUAL(to(fiber_init(64, run_rests, false)), 0); /* takes over its slot */
  trim();
  CHECK_EQUAL(pages_given_back, (pool.slots[0].top - pool.slots[0].low) / pool.page_bytes -
                                    SHARED_PAGES);
  drive(65);
  stack_pool_term(&pool);
}

/* Many are trimmed in several rounds, each in its turn. */
static void rounds_are_short(void) {
  open_pool(1, false);
  for (size_t i = 0; i < FIBERS; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, true)), 0);
  CHECK(!stack_pool_trim(&pool, &native));
  CHECK_EQUAL(to(&fibers[0]), 0); /* one that ran again waits for the others */
  CHECK(stack_pool_trim(&pool, &native));
  for (size_t i = 1; i < FIBERS; i++)
    CHECK_EQUAL(fibers[i].stack.slot->ran, 0);
  drive(FIBERS);
  CHECK(stack_pool_trim(&pool, &native)); /* so far they are only idle */
  CHECK(pool.free_own != NULL);
  CHECK(!stack_pool_trim(&pool, &native));
  CHECK(stack_pool_trim(&pool, &native));
  CHECK(pool.free_own == NULL);
  CHECK(pool.own.next == &pool.scratch->all_own && pool.own.prev == pool.own.next);
  CHECK_EQUAL(to(fiber_init(0, run_rests, true)), 0);
  drive(1);
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
  CHECK(stack_pool_guard_of(&pool, &pool) == NULL);
}

/* The largest block that glibc takes by alloca does not pass it, if slots are not small. */
static void guards_are_of_some_size(void) {
  for (size_t bytes = 64 * 1024; bytes <= 4 << 20; bytes *= 4) {
    size_t guard = bytes / 4 < 64 * 1024 ? bytes / 4 : 64 * 1024;
    CHECK_EQUAL(stack_pool_init(&pool, 2, bytes, &native, begin), 0);
    running = NULL;
    CHECK_EQUAL(to(fiber_init(0, run_rests, false)), 0);
    char *low = pool.slots[0].low;
    CHECK_EQUAL(slot_space(&pool.slots[0]), bytes);
    CHECK(stack_pool_guard_of(&pool, low - guard) == &fibers[0].stack);
    CHECK(stack_pool_guard_of(&pool, low - guard - 1) == NULL);
    drive(1);
    stack_pool_term(&pool);
  }
}

/* Whoever cannot make guards, or claims to, is asked once. */
static void guards_are_made_in_one_way(void) {
  protections = guards_asked = 0;
  open_pool(4, false);
  for (size_t i = 0; i < 4; i++)
    CHECK_EQUAL(to(fiber_init(i, run_rests, i % 2)), 0);
  drive(4);
  unsigned slots = pool.count + 3; /* two pinned, and the scratch */
  stack_pool_term(&pool);
  if (kernel == KERNEL_OLD)
    CHECK(guards_asked == 1 && protections == slots);
  else if (kernel == KERNEL_LIES)
    CHECK(guards_asked == 0 && protections == slots);
  else
    CHECK(guards_asked == slots || protections == slots);
}

/* No slot is begun without its guard. */
static void no_guard_no_slot(void) {
  if (kernel == KERNEL_HERE)
    return;
  refused_protections = 1;
  CHECK_EQUAL(stack_pool_init(&pool, 2, SLOT_BYTES, &native, begin), -ENOMEM);
  open_pool(2, false);
  for (int pinned = 0; pinned < 2; pinned++) {
    refused_protections = 2; /* a switch that finds no slot tries to make room */
    CHECK_EQUAL(to(fiber_init(0, run_rests, pinned)), -ENOMEM);
    CHECK(stack_fresh(&fibers[0].stack));
    drive(1);
  }
  stack_pool_term(&pool);
}

int main(void) {
  check_begin();
  fewer_slots_serve_as_well();
  no_room_at_all();
  for (int pinned = 0; pinned < 2; pinned++) {
    resting_stacks_give_back(pinned);
    deep_frames_stay(pinned);
    the_running_stack_gives_back(pinned);
  }
  trim_after_return();
  only_what_ran_is_trimmed();
  rounds_are_short();
  for (kernel = KERNEL_HERE; kernel < KERNELS; kernel++) {
    overflow_ends_in_the_guard();
    guards_are_of_some_size();
    guards_are_made_in_one_way();
    no_guard_no_slot();
  }
  return check_summary();
}
