/*
 * profile_shares.c: whose share the time of a greenlet is.
 */
#include <stdlib.h>
#include <string.h>

#include "lua_binding/profile.h"

enum {
  MOST_NAMED = 10000, /* shares of names; from then on they are those of functions */
  FIRST_SHARES = 16,
  FIRST_SIGHTS = 256,
};

static struct profile *const p = &l_profile;

/* ---- Shares ---- */

static struct share *add_share(uint32_t node) {
  if (p->share_count == p->share_room) {
    uint32_t room = p->share_room ? 2 * p->share_room : FIRST_SHARES;
    struct share *shares = realloc(p->shares, room * sizeof *shares);
    if (!shares)
      return NULL;
    p->shares = shares;
    p->share_room = room;
  }
  struct share *share = &p->shares[p->share_count++];
  *share = (struct share){.node = node, .last = CALLTREE_NONE, .ready_node = CALLTREE_NONE};
  return share;
}

/* The number of the share of a root frame, and 1; 0 without memory. */
static uint32_t share_of_frame(uint32_t frame) {
  if (frame == CALLTREE_NONE)
    return 0;
  if (p->tree.frames[frame].share)
    return p->tree.frames[frame].share;
  uint32_t node = calltree_node(&p->tree, CALLTREE_NONE, frame);
  if (node == CALLTREE_NONE || !add_share(node))
    return 0;
  p->named += p->tree.frames[frame].kind == FRAME_GREENLET;
  return p->tree.frames[frame].share = p->share_count;
}

static uint32_t find_share(const struct greenlet *g) {
  struct pair *pair = l_pair(g);
  if (g == &g->hub->self)
    return share_of_frame(calltree_frame(&p->tree, FRAME_HUB, NULL, 0, 0, NULL));
  if (g == &g->hub->main)
    return share_of_frame(calltree_frame(&p->tree, FRAME_MAIN, NULL, 0, 0, NULL));
  const char *name = p->named < MOST_NAMED ? l_given_name(pair) : NULL;
  if (name)
    return share_of_frame(
        calltree_frame(&p->tree, FRAME_GREENLET, name, strlen(name), 0, NULL));
  return share_of_frame(l_walk_function(&p->tree, pair, p->fast));
}

/* ---- Sights ---- */

static struct sight *place_of(struct sight *sights, uint32_t room, const struct greenlet *g) {
  uint32_t at = (uint32_t)(((uintptr_t)g >> 4) * 0x9e3779b97f4a7c15u >> 32) & (room - 1);
  while (sights[at].greenlet && sights[at].greenlet != g)
    at = (at + 1) & (room - 1);
  return &sights[at];
}

static bool more_sights(void) {
  uint32_t room = p->sight_room ? 2 * p->sight_room : FIRST_SIGHTS;
  struct sight *sights = calloc(room, sizeof *sights);
  if (!sights)
    return false;
  for (uint32_t i = 0; i < p->sight_room; i++)
    if (p->sights[i].greenlet)
      *place_of(sights, room, p->sights[i].greenlet) = p->sights[i];
  free(p->sights);
  p->sights = sights;
  p->sight_room = room;
  return true;
}

/* What has ended keeps its place: its memory is used again. */
struct sight *l_sight_of(const struct greenlet *g) {
  if (2 * p->sight_count >= p->sight_room && !more_sights())
    return NULL;
  struct sight *sight = place_of(p->sights, p->sight_room, g);
  if (!sight->greenlet) {
    sight->greenlet = g;
    p->sight_count++;
  }
  return sight;
}

uint32_t l_share_of_sight(struct sight *sight) {
  if (sight && !sight->share) {
    sight->share = find_share(sight->greenlet);
    if (sight->share)
      p->shares[sight->share - 1].greenlets++;
  }
  return sight && sight->share ? sight->share - 1 : CALLTREE_NONE;
}

struct sight *l_find_sight(const struct greenlet *g) {
  struct sight *sight = p->sight_room ? place_of(p->sights, p->sight_room, g) : NULL;
  return sight && sight->greenlet ? sight : NULL;
}
