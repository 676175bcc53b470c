#include "core/slab.h"

#include <stdlib.h>
#include <string.h>

#include "spec/core/check.h"

static struct slabs slabs;

static size_t regions(void) {
  size_t count = 0;
  for (struct list *node = slabs.regions.next; node != &slabs.regions; node = node->next)
    count++;
  return count;
}

static void every_size(void) {
  static char *blocks[SLAB_LARGEST + 1];
  slabs_init(&slabs);
  for (size_t bytes = 1; bytes <= SLAB_LARGEST; bytes++) {
    blocks[bytes] = slab_alloc(&slabs, bytes);
    CHECK(blocks[bytes] && (uintptr_t)blocks[bytes] % SLAB_UNIT == 0);
    memset(blocks[bytes], (int)bytes, bytes);
  }
  for (size_t bytes = 1; bytes <= SLAB_LARGEST; bytes++) {
    for (size_t i = 0; i < bytes; i++)
      if (blocks[bytes][i] != (char)bytes)
        FAIL("a block overlaps another");
    slab_free(&slabs, blocks[bytes], bytes);
  }
  slabs_term(&slabs);
}

static void freed_block_is_used_again(void) {
  slabs_init(&slabs);
  void *a = slab_alloc(&slabs, 100), *b = slab_alloc(&slabs, 100);
  slab_free(&slabs, a, 100);
  CHECK(slab_alloc(&slabs, 97) == a);
  slab_free(&slabs, a, 97);
  CHECK(slab_alloc(&slabs, 96) != a);
  CHECK(slab_alloc(&slabs, 104) == a);
  CHECK(b != a);
  slabs_term(&slabs);
}

static void fresh_blocks_lie_together(void) {
  slabs_init(&slabs);
  char *a = slab_alloc(&slabs, 328), *b = slab_alloc(&slabs, 216), *c = slab_alloc(&slabs, 720);
  CHECK(b == a + 328 && c == b + 216);
  slabs_term(&slabs);
}

/* All the memory of a peak goes back, in whatever order it is freed. */
static void memory_goes_back(void) {
  enum { MANY = 100000, BYTES = 200 };
  static void *blocks[MANY];
  slabs_init(&slabs);
  for (size_t i = 0; i < MANY; i++)
    blocks[i] = slab_alloc(&slabs, BYTES);
  size_t before = regions();
  CHECK(before >= MANY * BYTES / (4 << 20));
  for (size_t i = 0; i < MANY; i++) {
    size_t j = i * 7919 % MANY; /* a prime: each once */
    slab_free(&slabs, blocks[j], BYTES);
  }
  CHECK(regions() <= 2);
  slabs_trim(&slabs);
  CHECK(slab_alloc(&slabs, BYTES) != NULL);
  slabs_term(&slabs);
  CHECK_EQUAL(regions(), 0);
}

/* Against a model: blocks filled with their number. */
static void random_operations(unsigned seed) {
  enum { MODEL = 3000 };
  static struct {
    unsigned char *block;
    size_t bytes;
  } model[MODEL];
  srand(seed);
  slabs_init(&slabs);
  for (unsigned step = 0; step < 200000; step++) {
    size_t i = (size_t)rand() % MODEL, bytes = model[i].bytes;
    if (!model[i].block) {
      bytes = 1 + (size_t)rand() % (step % 7 ? 300 : SLAB_LARGEST);
      model[i].bytes = bytes;
      model[i].block = slab_alloc(&slabs, bytes);
      memset(model[i].block, (int)(i & 255), bytes);
      continue;
    }
    if (model[i].block[0] != (i & 255) || model[i].block[bytes - 1] != (i & 255))
      FAIL("a block was overwritten");
    slab_free(&slabs, model[i].block, bytes);
    model[i].block = NULL;
    if (step % 10000 == 0)
      slabs_trim(&slabs);
  }
  for (size_t i = 0; i < MODEL; i++) {
    if (model[i].block)
      slab_free(&slabs, model[i].block, model[i].bytes);
    model[i].block = NULL;
  }
  CHECK(regions() <= 2);
  slabs_term(&slabs);
}

int main(void) {
  check_begin();
  every_size();
  freed_block_is_used_again();
  fresh_blocks_lie_together();
  memory_goes_back();
  random_operations(1);
  return check_summary();
}
