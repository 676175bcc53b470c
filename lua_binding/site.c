/*
 * site.c: the lines at which locks are taken and objects made, as numbers.
 *
 * To put "bank.lua:29" together takes ten times as long as to take a lock. But
 * there are few such places, so each has a number, which the address of the
 * instruction that is under way tells: as in trail.c, whose canary says how long
 * an address is good for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_binding/callinfo.h"
#include "lua_binding/runtime.h"

enum { CACHE = 512, MOST_SITES = 1 << 16, MOST_TEXT = LUA_IDSIZE + 16 };

/* Of an instruction in a Lua part of ours: the place is further out. */
#define OURS UINT32_MAX

/* ---- Texts ---- */

static l_site place_of(const struct sites *sites, const char *text) {
  uint32_t hash = 2166136261u, size = 2 * sites->room;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 16777619u;
  return hash & (size - 1);
}

/* The place of the text in the table, or that of the gap where it belongs. */
static l_site *find(const struct sites *sites, const char *text) {
  l_site place = place_of(sites, text), mask = 2 * sites->room - 1;
  while (sites->table[place] && strcmp(sites->texts[sites->table[place]], text) != 0)
    place = (place + 1) & mask;
  return &sites->table[place];
}

static bool grow(struct sites *sites) {
  l_site room = sites->room ? 2 * sites->room : 64;
  l_site *table = room <= MOST_SITES ? calloc(2UL * room, sizeof *table) : NULL;
  char **texts = table ? realloc(sites->texts, room * sizeof *texts) : NULL;
  if (!texts) {
    free(table);
    return false;
  }
  free(sites->table);
  sites->texts = texts;
  sites->table = table;
  sites->room = room;
  for (l_site site = 1; site <= sites->count; site++)
    *find(sites, texts[site]) = site;
  return true;
}

/* The number of a text: 0 if it is new, and there is no room for it. */
static l_site number_of(struct sites *sites, const char *text) {
  if (sites->count + 1 >= sites->room && !grow(sites) && !sites->room)
    return 0;
  l_site *place = find(sites, text);
  char *copy = *place || sites->count + 1 >= sites->room ? NULL : strdup(text);
  if (copy) {
    *place = ++sites->count;
    sites->texts[*place] = copy;
  }
  return *place;
}

void l_sites_term(struct sites *sites) {
  for (l_site site = 1; site <= sites->count; site++)
    free(sites->texts[site]);
  free(sites->texts);
  free(sites->table);
  free(sites->cache);
  *sites = (struct sites){.count = 0};
}

void l_push_site_text(lua_State *L, const struct runtime *rt, l_site site) {
  const struct sites *sites = &rt->trail.sites;
  site &= ~SITE_INNER;
  lua_pushstring(L, site && site <= sites->count ? sites->texts[site] : NULL);
}

/* ---- Places ---- */

/* The number of the line at which the active Lua function is. */
static l_site site_of(lua_State *L, struct sites *sites, lua_Debug *ar) {
  char text[MOST_TEXT];
  lua_getinfo(L, "Sl", ar);
  if (strncmp(ar->short_src, "[greenlet", 9) == 0)
    return OURS;
  if (ar->currentline <= 0)
    return 0;
  snprintf(text, sizeof text, "%s:%d", ar->short_src, ar->currentline);
  return number_of(sites, text);
}

static l_site look_up(lua_State *L, struct trail *trail, const struct call_info *ci) {
  uintptr_t address = (uintptr_t)ci->saved_pc >> 2;
  struct site_entry *entry = &trail->sites.cache[(address ^ address >> 9) % CACHE];
  if (__builtin_expect(entry->pc != ci->saved_pc || entry->generation != trail->generation, 0)) {
    lua_Debug ar = {.i_ci = (struct CallInfo *)ci};
    *entry = (struct site_entry){ci->saved_pc, trail->generation,
                                 site_of(L, &trail->sites, &ar)};
  }
  return entry->site;
}

static bool prepare(struct sites *sites) {
  if (!sites->cache)
    sites->cache = calloc(CACHE, sizeof *sites->cache);
  return sites->cache;
}

COLD static l_site ask(lua_State *L, struct sites *sites) {
  l_site site, inner = 0;
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "S", &ar);
    if (*ar.what == 'C')
      continue;
    if ((site = site_of(L, sites, &ar)) != OURS)
      return site | inner;
    inner = SITE_INNER;
  }
  return inner;
}

l_site l_here(lua_State *L, struct runtime *rt) {
  struct trail *trail = &rt->trail;
  l_site inner = 0;
  if (__builtin_expect(rt->closing, 0))
    return 0;
  if (__builtin_expect(!l_trail_ready(L, rt) || !prepare(&trail->sites), 0))
    return ask(L, &trail->sites);
  const struct call_info *ci = callinfo_innermost(L);
  for (; ci && ci->previous; ci = ci->previous) {
    if (ci->status & CALL_IS_C)
      continue;
    l_site site = look_up(L, trail, ci);
    if (__builtin_expect(site != OURS, 1))
      return site | inner;
    inner = SITE_INNER;
  }
  return inner;
}
