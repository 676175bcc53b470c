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

enum { CACHE = 512, MOST_TEXT = LUA_IDSIZE + 16 };

/* Of an instruction in a Lua part of ours: the place is further out. */
#define OURS UINT32_MAX

void l_sites_term(struct sites *sites) {
  l_texts_term(&sites->texts);
  free(sites->cache);
  sites->cache = NULL;
}

const char *l_site_text(const struct runtime *rt, l_site site) {
  return l_text_of(&rt->trail.sites.texts, site & ~SITE_INNER);
}

void l_push_site_text(lua_State *L, const struct runtime *rt, l_site site) {
  lua_pushstring(L, l_site_text(rt, site));
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
  return l_number_of(&sites->texts, text);
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

/* The same by addresses, which are good. */
static inline l_site look(lua_State *L, struct trail *trail) {
  l_site inner = 0;
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

l_site l_here(lua_State *L, struct runtime *rt) {
  struct trail *trail = &rt->trail;
  if (__builtin_expect(rt->closing, 0))
    return 0;
  if (__builtin_expect(!l_trail_ready(L, rt) || !prepare(&trail->sites), 0))
    return ask(L, &trail->sites);
  return look(L, trail);
}

l_site l_here_quietly(lua_State *L, struct runtime *rt) {
  struct trail *trail = &rt->trail;
  if (__builtin_expect(!trail->sites.cache || !l_trail_is_ready(rt), 0))
    return ask(L, &trail->sites);
  return look(L, trail);
}
