/*
 * fiber.h: a little scheduler on bare stacks, for the tests of stack.c and slot.c.
 *
 * Fibers switch to main, or to each other, and check after each switch that all
 * that they had on the stack is still there.
 */
#ifndef SPEC_CORE_FIBER_H
#define SPEC_CORE_FIBER_H

#include <stddef.h>

#include "core/stack.h"
#include "spec/core/check.h"

enum { FIBERS = 300, SLOT_BYTES = 256 * 1024 };

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
static inline int to(struct fiber *fiber) {
  struct fiber *from = running;
  running = fiber;
  int result = stack_switch(&pool, from ? &from->stack : &native,
                            fiber ? &fiber->stack : &native);
  if (result < 0)
    running = from;
  return result;
}

static inline void begin(struct stack_pool *of) {
  CHECK(of == &pool);
  struct fiber *fiber = running;
  fiber->run(fiber);
  fiber->done = true;
  running = NULL;
  stack_leave(&pool, &fiber->stack, &native);
  abort(); /* the native stack is always there */
}

static inline void open_pool(unsigned slots, bool move_always) {
  CHECK_EQUAL(stack_pool_init(&pool, slots, SLOT_BYTES, &native, begin), 0);
  pool.move_always = move_always;
  running = NULL;
}

static inline struct fiber *fiber_init(size_t i, void (*run)(struct fiber *), bool pinned) {
  fibers[i] = (struct fiber){.run = run, .seed = (unsigned)i};
  stack_init(&fibers[i].stack, pinned);
  return &fibers[i];
}

static inline void rest(struct fiber *fiber) {
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

/* Round and round from main, in order, until all are done. */
static inline void drive(size_t count) {
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

static inline void all_fresh(size_t count) {
  for (size_t i = 0; i < count; i++)
    CHECK(fibers[i].done && stack_fresh(&fibers[i].stack));
}

static inline void run_rests(struct fiber *fiber) {
  volatile char here = 1;
  rest(fiber);
  CHECK(here == 1);
}

#endif
