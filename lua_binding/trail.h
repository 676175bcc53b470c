/*
 * trail.h: the table of chunk names that spawning stacks refer to.
 */
#ifndef LUA_BINDING_TRAIL_H
#define LUA_BINDING_TRAIL_H

#include <lua.h>
#include <stdint.h>

enum { TRAIL_CHUNKS = 4096, TRAIL_BUCKETS = 8192, TRAIL_CACHE = 64 };

struct trail {
  char (*names)[LUA_IDSIZE];
  unsigned count, room;
  uint16_t buckets[TRAIL_BUCKETS]; /* open addressing: number + 1 */
  uint16_t cache[TRAIL_CACHE];     /* by address: number + 1 */
};

/* Where a frame was. */
struct trail_frame {
  uint32_t chunk : 16, what : 1, : 15;
  uint32_t line, defined;
};

void l_trail_term(struct trail *trail);

#endif
