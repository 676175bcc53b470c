/*
 * trail.h: where and by whom greenlets are made.
 *
 * Every greenlet knows its origin: a table, shared by all that the same
 * greenlet makes at the same place, as long as the cache below has it. What
 * needs to know the line alone has a number for it: site.c.
 */
#ifndef LUA_BINDING_TRAIL_H
#define LUA_BINDING_TRAIL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "lua_binding/texts.h"

enum {
  ORIGIN_TRAIL = 1, /* the stack at that moment: lines of a traceback, a string */
  ORIGIN_SPAWNER,   /* the record of who made it: tree.c */
};

enum { TRAIL_SITES = 16, TRAIL_CACHE = 256 };

struct handle;

/* An entry of the cache: whom and where from an origin is for. */
struct trail_entry {
  unsigned generation;     /* good while it is trail->generation */
  uint8_t count;           /* of sites; 0x80 is set if they are all there are */
  const struct handle *spawner;
  const void *sites[TRAIL_SITES];
};

/* The number of a place, "bank.lua:29"; 0: not known. The highest bit says that a Lua
 * part of ours was called there. */
typedef uint32_t l_site;

#define SITE_INNER (UINT32_C(1) << 31)

static inline bool l_site_is_inner(l_site site) {
  return site & SITE_INNER;
}

/* What the instruction at an address is at. */
struct site_entry {
  const void *pc;
  unsigned generation;     /* good while it is trail->generation */
  l_site site;
};

/* The texts of places, which are kept: there are as many as a program has lines. */
struct sites {
  struct site_entry *cache;
  struct texts texts;
};

struct trail {
  unsigned limit;          /* levels of a spawning stack */
  unsigned generation;
  bool probed;             /* whether sites can be read: if not, there is no cache */
  struct trail_entry *cache; /* TRAIL_CACHE of them, or NULL */
  unsigned last;           /* the entry that was used last: mostly the next, too */
  struct sites sites;
};

#endif
