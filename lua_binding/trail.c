/*
 * trail.c: where greenlets are made, noted cheaply.
 *
 * To put together a traceback for every greenlet would cost three times what
 * else there is to spawn it. But most are made in few places, so the origins
 * of the last few are kept, and found again by who makes it and the addresses
 * of the instructions that are under way: callinfo.h.
 *
 * An address tells a place only as long as the function that it is in lives. The
 * collector frees functions in its sweep, after a mark that ends in clearing
 * weak tables. So an entry is good as long as the canary, an object that only
 * a weak table refers to and that is older than the entry, is still there.
 */
#include "lua_binding/trail.h"

#include <stdlib.h>
#include <string.h>

#include "lua_binding/callinfo.h"
#include "lua_binding/greenlet.h"
#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"

enum { CANARY = 1, ALL_SITES = 0x80 };

/* ---- The cache ---- */

void l_trail_open(lua_State *L, struct runtime *rt) {
  lua_createtable(L, 1, 0); /* ORIGINS: by index of the entry, from 1 */
  lua_createtable(L, 1, 0); /* CANARIES */
  luaL_setmetatable(L, "greenlet.weak");
  lua_xmove(L, rt->store, 2);
}

void l_trail_term(struct trail *trail) {
  l_sites_term(&trail->sites);
  free(trail->cache);
  trail->cache = NULL;
}

void l_trail_forget(struct runtime *rt) {
  lua_pushnil(rt->store);
  lua_rawseti(rt->store, CANARIES, CANARY);
}

/* It is the only one in its table. */
static bool canary_lives(lua_State *store) {
  return lua_rawlen(store, CANARIES) >= CANARY;
}

/*
 * Make all entries void, and those made from now on good. The canary is a thread,
 * since Lua lets the collector work before it makes one, and after it makes anything
 * else: then it would mark what is on the stack, and the canary outlive functions
 * that are freed at the end of this cycle.
 */
static void set_canary(lua_State *L, struct runtime *rt) {
  lua_newthread(L);
  lua_xmove(L, rt->store, 1);
  lua_rawseti(rt->store, CANARIES, CANARY);
  rt->trail.generation++;
}

static bool probe(lua_State *L, struct trail *trail) {
  trail->probed = true;
  if (callinfo_probe(L))
    trail->cache = calloc(TRAIL_CACHE, sizeof *trail->cache);
  return trail->cache;
}

/* The active Lua functions' sites, innermost first. */
static void read_sites(lua_State *L, struct trail_entry *key) {
  const struct call_info *ci = callinfo_innermost(L);
  key->count = 0;
  for (; ci && ci->previous; ci = ci->previous) {
    if (ci->status & CALL_IS_C)
      continue;
    if (key->count == TRAIL_SITES)
      return;
    key->sites[key->count++] = ci->saved_pc;
  }
  key->count |= ALL_SITES;
}

/* Are those of the entry the ones that are active? */
static bool is_here(lua_State *L, const struct trail_entry *entry) {
  const struct call_info *ci = callinfo_innermost(L);
  unsigned seen = 0, count = entry->count & ~ALL_SITES;
  for (; ci && ci->previous; ci = ci->previous) {
    if (ci->status & CALL_IS_C)
      continue;
    if (seen == count)
      return seen == TRAIL_SITES && !(entry->count & ALL_SITES);
    if (entry->sites[seen++] != ci->saved_pc)
      return false;
  }
  return seen == count && (entry->count & ALL_SITES);
}

static size_t sites_bytes(const struct trail_entry *key) {
  return (key->count & ~ALL_SITES) * sizeof *key->sites;
}

static unsigned place_of(const struct trail_entry *key) {
  uintptr_t h = (uintptr_t)key->spawner;
  for (unsigned i = 0; i < (key->count & ~ALL_SITES); i++)
    h = (h ^ (uintptr_t)key->sites[i]) * 0x9E3779B97F4A7C15u;
  return (unsigned)(h >> 40) % TRAIL_CACHE;
}

static bool equal(const struct trail_entry *a, const struct trail_entry *b) {
  return a->spawner == b->spawner && a->count == b->count &&
         memcmp(a->sites, b->sites, sites_bytes(a)) == 0;
}

/* ---- Making origins ---- */

static bool push_line(lua_State *L, lua_Debug *ar) {
  lua_getinfo(L, "l", ar);
  if (ar->currentline < 0) /* C: half of all frames, and "S" is dear */
    return false;
  lua_getinfo(L, "S", ar);
  if (strncmp(ar->short_src, "[greenlet", 9) == 0)
    return false;
  if (*ar->what == 'm')
    lua_pushfstring(L, "\n\t%s:%d: in main chunk", ar->short_src, ar->currentline);
  else
    lua_pushfstring(L, "\n\t%s:%d: in function <%s:%d>", ar->short_src, ar->currentline,
                    ar->short_src, ar->linedefined);
  return true;
}

/* Push the lines of the stack as it is now. Was all that it shows among the first
 * TRAIL_SITES Lua functions? */
static bool push_trail(lua_State *L, unsigned limit) {
  unsigned lines = 0, seen = 0;
  luaL_Buffer text;
  lua_Debug ar;
  luaL_buffinit(L, &text);
  for (int level = 0; lines < limit && lua_getstack(L, level, &ar); level++) {
    bool line = push_line(L, &ar);
    seen += ar.currentline >= 0;
    if (line)
      luaL_addvalue(&text);
    lines += line;
  }
  luaL_pushresult(&text);
  return seen <= TRAIL_SITES;
}

/* Push a new origin: {trail, record}. */
static bool push_new_origin(lua_State *L, struct runtime *rt) {
  lua_createtable(L, 2, 0);
  bool enough = push_trail(L, rt->trail.limit);
  lua_rawseti(L, -2, ORIGIN_TRAIL);
  l_push_record(L, rt);
  lua_rawseti(L, -2, ORIGIN_SPAWNER);
  return enough;
}

/* Keep the origin on top, unless a function may have been freed meanwhile. */
static void keep_origin(lua_State *L, struct runtime *rt, const struct trail_entry *key,
                        unsigned place) {
  if (!canary_lives(rt->store) || key->generation != rt->trail.generation)
    return; /* a finalizer may have used the place */
  lua_pushvalue(rt->store, ORIGINS);
  lua_xmove(rt->store, L, 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, place + 1);
  lua_pop(L, 1);
  rt->trail.cache[place] = *key;
}

/* Push the origin of the entry at a place of the cache. */
static void push_kept(lua_State *L, struct runtime *rt, unsigned place) {
  lua_rawgeti(rt->store, ORIGINS, place + 1);
  lua_xmove(rt->store, L, 1);
  rt->trail.last = place;
}

static void find_origin(lua_State *L, struct runtime *rt, const struct handle *spawner) {
  struct trail *trail = &rt->trail;
  struct trail_entry key;
  key.generation = trail->generation;
  key.spawner = spawner;
  read_sites(L, &key);
  unsigned place = place_of(&key);
  const struct trail_entry *entry = &trail->cache[place];
  if (entry->generation == key.generation && equal(entry, &key))
    push_kept(L, rt, place);
  else if (push_new_origin(L, rt))
    keep_origin(L, rt, &key, place);
}

bool l_trail_ready(lua_State *L, struct runtime *rt) {
  struct trail *trail = &rt->trail;
  if (__builtin_expect(!trail->cache, 0) && (trail->probed || !probe(L, trail)))
    return false;
  if (!canary_lives(rt->store))
    set_canary(L, rt);
  return true;
}

bool l_trail_is_ready(const struct runtime *rt) {
  return rt->trail.cache && canary_lives(rt->store);
}

void l_push_origin(lua_State *L, struct runtime *rt) {
  struct trail *trail = &rt->trail;
  const struct handle *spawner = l_current(rt)->handle;
  if (!l_trail_ready(L, rt)) {
    push_new_origin(L, rt);
    return;
  }
  const struct trail_entry *last = &trail->cache[trail->last];
  if (last->generation == trail->generation && last->spawner == spawner && is_here(L, last))
    push_kept(L, rt, trail->last);
  else
    find_origin(L, rt, spawner);
}

/* ---- Reading them ---- */

void l_push_trail(lua_State *L, int handle) {
  if (!l_push_spawner(L, handle)) {
    lua_pushliteral(L, "");
    return;
  }
  lua_pushliteral(L, "stack traceback:");
  lua_getiuservalue(L, handle, UV_ORIGIN);
  lua_rawgeti(L, -1, ORIGIN_TRAIL);
  lua_remove(L, -2);
  lua_getfield(L, -3, "trail");
  lua_concat(L, 3);
  lua_remove(L, -2);
}

bool l_push_site(lua_State *L, int handle) {
  l_push_trail(L, handle);
  const char *first = strstr(lua_tostring(L, -1), "\n\t");
  if (first) {
    first += strlen("\n\t");
    lua_pushlstring(L, first, strcspn(first, "\n"));
  }
  lua_remove(L, first ? -2 : -1);
  return first;
}
