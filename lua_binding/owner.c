#include "lua_binding/owner.h"

#include <stdlib.h>

#include "lua_binding/runtime.h"

enum { REMEMBERED = 64, MOST_OWNERS = 1 << 24 };

static char dead_key; /* registry: {number, name, number, name ...} of the dead */

static l_owner number_at(const struct owners *owners, uint32_t place) {
  return (l_owner)owners->of[place].generation << 32 | (place + 1);
}

static bool grow(struct owners *owners) {
  uint32_t room = owners->room ? 2 * owners->room : 64;
  struct owner *of = room > MOST_OWNERS ? NULL : realloc(owners->of, room * sizeof *of);
  if (!of)
    return false;
  owners->of = of;
  owners->room = room;
  return true;
}

l_owner l_new_owner(struct runtime *rt, struct pair *pair) {
  struct owners *owners = &rt->owners;
  uint32_t place = owners->free - 1;
  if (owners->free) {
    owners->free = owners->of[place].next;
  } else {
    if (owners->count == owners->room && !grow(owners))
      return 0;
    place = owners->count++;
    owners->of[place].generation = 0;
  }
  owners->of[place].pair = pair;
  return pair->owner = number_at(owners, place);
}

struct pair *l_find_owner(const struct runtime *rt, l_owner owner) {
  uint32_t place = (uint32_t)owner - 1;
  if (!owner || place >= rt->owners.count || number_at(&rt->owners, place) != owner)
    return NULL;
  struct pair *pair = rt->owners.of[place].pair;
  return pair && pair->g->state != GREENLET_DEAD ? pair : NULL;
}

/* ---- The dead ---- */

/* (light pair): it dies with locks in its hands. In a protected call, on aux. */
static int remember(lua_State *L) {
  struct pair *pair = lua_touserdata(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &dead_key) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &dead_key);
    lua_replace(L, 2);
  }
  lua_Integer place = 2 * (lua_Integer)(l_rt(pair)->dead_owners++ % REMEMBERED) + 1;
  l_push_handle(L, pair);
  l_push_label(L, -1);
  lua_rawseti(L, 2, place + 1);
  lua_pushinteger(L, (lua_Integer)pair->owner);
  lua_rawseti(L, 2, place);
  return 0;
}

void l_push_dead_owner(lua_State *L, struct runtime *rt, l_owner owner) {
  (void)rt;
  int top = lua_gettop(L);
  bool known = lua_rawgetp(L, LUA_REGISTRYINDEX, &dead_key) == LUA_TTABLE;
  for (lua_Integer i = 1; known && i < 2LL * REMEMBERED; i += 2) {
    lua_rawgeti(L, top + 1, i);
    if (lua_isinteger(L, -1) && (l_owner)lua_tointeger(L, -1) == owner) {
      lua_rawgeti(L, top + 1, i + 1);
      lua_replace(L, top + 1);
      lua_settop(L, top + 1);
      return;
    }
    lua_pop(L, 1);
  }
  lua_settop(L, top);
  lua_pushnil(L);
}

void l_owner_gone(struct runtime *rt, struct pair *pair) {
  struct owners *owners = &rt->owners;
  uint32_t place = (uint32_t)pair->owner - 1;
  lua_State *aux = rt->aux;
  if (pair->permits > 0 && lua_checkstack(aux, 4)) {
    lua_pushcfunction(aux, remember);
    lua_pushlightuserdata(aux, pair);
    rt->still++;
    if (lua_pcall(aux, 1, 0, 0) != LUA_OK)
      lua_pop(aux, 1);
    rt->still--;
  }
  owners->of[place].pair = NULL;
  owners->of[place].generation++;
  owners->of[place].next = owners->free;
  owners->free = place + 1;
  pair->owner = 0;
  pair->permits = 0;
}

void l_owners_term(struct owners *owners) {
  free(owners->of);
  *owners = (struct owners){.count = 0};
}
