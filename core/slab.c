#include "core/slab.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { SLAB_BYTES = 256 * 1024, REGION_SLABS = 16, REGION_BYTES = REGION_SLABS * SLAB_BYTES };

struct block {
  struct block *next;
};

struct slab {
  struct region *region;
  char *fresh;         /* from here on nothing was ever used */
  unsigned used;       /* blocks */
  struct {
    struct list node;  /* in slabs->partial, if there is one */
    struct block *free;
  } classes[SLAB_CLASSES];
  _Alignas(SLAB_UNIT) char blocks[];
};

struct region {
  struct list node;
  char *memory;
  unsigned free;       /* a bit for each slab that is not in use */
  unsigned touched;    /* was used since it was last trimmed */
};
#define ALL_FREE ((1u << REGION_SLABS) - 1)

static struct slab *slab_of(const void *block) {
  return (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_BYTES - 1));
}

/* ---- Regions ---- */

/* Memory aligned to slabs: map a slab more and cut off what sticks out. */
static char *map_aligned(void) {
  size_t bytes = REGION_BYTES + SLAB_BYTES;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return NULL;
  char *start = (char *)slab_of(memory + SLAB_BYTES - 1), *end = start + REGION_BYTES;
  if (start > memory)
    munmap(memory, (size_t)(start - memory));
  if (memory + bytes > end)
    munmap(end, (size_t)(memory + bytes - end));
  return start;
}

static struct region *region_new(struct slabs *slabs) {
  struct region *region = malloc(sizeof *region);
  char *memory = region ? map_aligned() : NULL;
  if (!memory) {
    free(region);
    return NULL;
  }
  *region = (struct region){.memory = memory, .free = ALL_FREE};
  list_init(&region->node);
  list_prepend(&slabs->regions, &region->node);
  return region;
}

static void region_free(struct region *region) {
  list_remove(&region->node);
  munmap(region->memory, REGION_BYTES);
  free(region);
}

/* ---- Slabs ---- */

static void slab_init(struct slab *slab, struct region *region) {
  slab->region = region;
  slab->fresh = slab->blocks;
  slab->used = 0;
  for (unsigned class = 0; class < SLAB_CLASSES; class++) {
    list_init(&slab->classes[class].node);
    slab->classes[class].free = NULL;
  }
}

static struct slab *slab_new(struct slabs *slabs) {
  struct region *region = container_of(slabs->regions.next, struct region, node);
  if (list_empty(&slabs->regions) || !region->free)
    region = region_new(slabs);
  if (!region)
    return NULL;
  unsigned i = (unsigned)__builtin_ctz(region->free);
  region->free &= ~(1u << i);
  region->touched |= 1u << i;
  if (!region->free) {
    list_remove(&region->node);
    list_append(&slabs->regions, &region->node);
  }
  struct slab *slab = (struct slab *)(region->memory + (size_t)i * SLAB_BYTES);
  slab_init(slab, region);
  return slab;
}

/* No block of it is in use any more, and it is not the current one. */
static void slab_release(struct slabs *slabs, struct slab *slab) {
  struct region *region = slab->region;
  for (unsigned class = 0; class < SLAB_CLASSES; class++)
    list_remove(&slab->classes[class].node);
  region->free |= 1u << ((char *)slab - region->memory) / SLAB_BYTES;
  list_remove(&region->node);
  list_prepend(&slabs->regions, &region->node);
  if (region->free == ALL_FREE && slabs->regions.next != slabs->regions.prev)
    region_free(region);
}

/* ---- Blocks ---- */

static unsigned class_of(size_t bytes) {
  return (unsigned)((bytes - 1) / SLAB_UNIT);
}

static void add_free(struct slabs *slabs, struct slab *slab, void *pointer, unsigned class) {
  struct block *block = pointer;
  if (!slab->classes[class].free)
    list_prepend(&slabs->partial[class], &slab->classes[class].node);
  block->next = slab->classes[class].free;
  slab->classes[class].free = block;
}

/* A new current slab; what is left of the one before goes to its free blocks. */
static struct slab *replace_current(struct slabs *slabs) {
  struct slab *before = slabs->current, *slab = slab_new(slabs);
  if (!slab)
    return NULL;
  slabs->current = slab;
  if (!before)
    return slab;
  char *end = (char *)before + SLAB_BYTES;
  if (before->fresh < end)
    add_free(slabs, before, before->fresh, class_of((size_t)(end - before->fresh)));
  before->fresh = end;
  if (before->used == 0)
    slab_release(slabs, before);
  return slab;
}

static void *take_fresh(struct slabs *slabs, unsigned class) {
  size_t bytes = (class + 1UL) * SLAB_UNIT;
  struct slab *slab = slabs->current;
  if (!slab || slab->fresh + bytes > (char *)slab + SLAB_BYTES)
    slab = replace_current(slabs);
  if (!slab)
    return NULL;
  void *block = slab->fresh;
  slab->fresh += bytes;
  slab->used++;
  return block;
}

void *slab_alloc(struct slabs *slabs, size_t bytes) {
  unsigned class = class_of(bytes);
  struct list *partial = &slabs->partial[class];
  if (list_empty(partial))
    return take_fresh(slabs, class);
  struct slab *slab = slab_of(partial->next);
  struct block *block = slab->classes[class].free;
  slab->classes[class].free = block->next;
  slab->used++;
  if (!block->next)
    list_remove(&slab->classes[class].node);
  return block;
}

void slab_free(struct slabs *slabs, void *block, size_t bytes) {
  struct slab *slab = slab_of(block);
  add_free(slabs, slab, block, class_of(bytes));
  if (__builtin_expect(--slab->used == 0, 0) && slab != slabs->current)
    slab_release(slabs, slab);
}

void slabs_trim(struct slabs *slabs) {
  for (struct list *node = slabs->regions.next; node != &slabs->regions; node = node->next) {
    struct region *region = container_of(node, struct region, node);
    unsigned idle = region->free & region->touched;
    for (; idle; idle &= idle - 1)
      madvise(region->memory + (size_t)__builtin_ctz(idle) * SLAB_BYTES, SLAB_BYTES, MADV_DONTNEED);
    region->touched &= ~region->free;
  }
}

void slabs_init(struct slabs *slabs) {
  *slabs = (struct slabs){.current = NULL};
  for (unsigned class = 0; class < SLAB_CLASSES; class++)
    list_init(&slabs->partial[class]);
  list_init(&slabs->regions);
}

void slabs_term(struct slabs *slabs) {
  while (!list_empty(&slabs->regions))
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a freed one has left the list */
    region_free(container_of(slabs->regions.next, struct region, node));
  slabs_init(slabs);
}
