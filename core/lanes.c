#include "core/lanes.h"

#include <sys/mman.h>

enum { FIRST_ROOM = 1 << 10 };

static size_t home(const struct lanes *lanes, uint32_t serial) {
  uint32_t hash = serial * UINT32_C(2654435769);
  return hash & (lanes->room - 1);
}

/* The place of the serial, or the gap where it belongs. */
static struct lane *place_of(const struct lanes *lanes, uint32_t serial) {
  size_t at = home(lanes, serial);
  while (lanes->table[at].serial && lanes->table[at].serial != serial)
    at = (at + 1) & (lanes->room - 1);
  return &lanes->table[at];
}

struct lane *lanes_find(const struct lanes *lanes, uint32_t serial) {
  if (!lanes->room || !serial)
    return NULL;
  struct lane *lane = place_of(lanes, serial);
  return lane->serial ? lane : NULL;
}

static bool grow(struct lanes *lanes) {
  size_t room = lanes->room ? 2 * lanes->room : FIRST_ROOM;
  void *table = mmap(NULL, room * sizeof *lanes->table, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED)
    return false;
  struct lanes before = *lanes;
  *lanes = (struct lanes){table, room, before.count};
  for (size_t i = 0; i < before.room; i++)
    if (before.table[i].serial)
      *place_of(lanes, before.table[i].serial) = before.table[i];
  lanes_term(&before);
  return true;
}

struct lane *lanes_make(struct lanes *lanes, uint32_t serial) {
  struct lane *lane = lanes_find(lanes, serial);
  if (lane)
    return lane;
  if (2 * lanes->count >= lanes->room && !grow(lanes))
    return NULL;
  lane = place_of(lanes, serial);
  *lane = (struct lane){.serial = serial};
  lanes->count++;
  return lane;
}

/* Those that have stepped aside for it move up, so that no gap is on their way. */
void lanes_remove(struct lanes *lanes, uint32_t serial) {
  struct lane *lane = lanes_find(lanes, serial);
  if (!lane)
    return;
  size_t mask = lanes->room - 1, gap = (size_t)(lane - lanes->table);
  for (size_t at = (gap + 1) & mask; lanes->table[at].serial; at = (at + 1) & mask) {
    size_t away = (at - home(lanes, lanes->table[at].serial)) & mask;
    if (away < ((at - gap) & mask))
      continue;
    lanes->table[gap] = lanes->table[at];
    gap = at;
  }
  lanes->table[gap].serial = 0;
  lanes->count--;
}

void lanes_term(struct lanes *lanes) {
  if (lanes->table)
    munmap(lanes->table, lanes->room * sizeof *lanes->table);
  *lanes = (struct lanes){.table = NULL};
}
