/*
 * slab.h: small blocks of memory.
 *
 * A greenlet and its Lua thread are six small blocks, and who spawns one a
 * microsecond allocates and frees more often than anything else. Blocks here
 * have no headers: whoever frees one tells its size. Fresh blocks, of whatever
 * sizes, lie one after the other, so that those of one greenlet are on one page:
 * a hundred thousand that rest are out of reach of the TLB. Freed ones are used
 * again for the same size. A slab that has become empty is given back.
 *
 *     region  4 MB from the system, 16 slabs; goes back when all are free
 *     slab    256 KB, aligned: the header of a block's slab is at its address
 *             rounded down
 *     block   of one of the sizes 8, 16, ... SLAB_LARGEST
 *
 * Not for several threads at once.
 */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "core/list.h"

enum { SLAB_LARGEST = 1024, SLAB_UNIT = 8, SLAB_CLASSES = SLAB_LARGEST / SLAB_UNIT };

struct slab;

struct slabs {
  struct list partial[SLAB_CLASSES]; /* slabs with a freed block of each size */
  struct list regions;               /* those with a free slab first */
  struct slab *current;              /* where fresh blocks come from, or NULL */
};

void slabs_init(struct slabs *slabs);

/* Give all memory back, blocks in use too. */
void slabs_term(struct slabs *slabs);

/* A block of 1 to SLAB_LARGEST bytes, or NULL. It is aligned to 8, as
 * Lua has its own blocks. */
void *slab_alloc(struct slabs *slabs, size_t bytes);

/* Free a block of slab_alloc(slabs, bytes). (Of fewer bytes than it was
 * allocated with, in the same or another class: the rest is lost until the slab
 * is empty.) */
void slab_free(struct slabs *slabs, void *block, size_t bytes);

/* Do blocks of these sizes take the same place? */
static inline bool slab_fits(size_t a, size_t b) {
  return (a - 1) / SLAB_UNIT == (b - 1) / SLAB_UNIT;
}

/* Give the pages of free slabs back to the system. */
void slabs_trim(struct slabs *slabs);

#endif
