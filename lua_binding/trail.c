/*
 * trail.c: where greenlets were spawned, kept cheaply.
 *
 * A traceback string at every spawn would cost more than the spawn. A frame is
 * kept as a few bytes instead, inside the handle, and becomes text when
 * somebody asks. Chunk names are interned for good, at most CHUNKS of them. The
 * one found last for a chunk is tried first: its number is cached by the
 * address of the chunk's name, and the name compared.
 */
#include "lua_binding/trail.h"

#include <stdlib.h>
#include <string.h>

#include "lua_binding/runtime.h"

enum { FRAME_LUA, FRAME_MAIN_CHUNK };

static unsigned hash(const char *name) {
  unsigned h = 2166136261u;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 16777619u;
  return h;
}

static bool make_room(struct trail *trail) {
  if (trail->count < trail->room)
    return true;
  unsigned room = trail->room ? trail->room * 2 : 16;
  void *names = room <= TRAIL_CHUNKS ? realloc(trail->names, room * sizeof *trail->names) : NULL;
  if (!names)
    return false;
  trail->names = names;
  trail->room = room;
  return true;
}

/* The number of a chunk name plus one; 0 when the table is full. */
static uint16_t intern(struct trail *trail, const char *name) {
  unsigned at = hash(name) % TRAIL_BUCKETS;
  for (; trail->buckets[at]; at = (at + 1) % TRAIL_BUCKETS)
    if (strcmp(trail->names[trail->buckets[at] - 1], name) == 0)
      return trail->buckets[at];
  if (!make_room(trail))
    return 0;
  strcpy(trail->names[trail->count], name);
  return trail->buckets[at] = (uint16_t)++trail->count;
}

static uint16_t chunk_number(struct trail *trail, const lua_Debug *ar) {
  uint16_t *cached = &trail->cache[((uintptr_t)ar->source >> 4) % TRAIL_CACHE];
  if (!*cached || strcmp(trail->names[*cached - 1], ar->short_src) != 0)
    *cached = intern(trail, ar->short_src);
  return *cached;
}

unsigned l_trail(lua_State *L, struct runtime *rt, struct trail_frame *frames, unsigned limit) {
  unsigned count = 0;
  lua_Debug ar;
  for (int level = 0; count < limit && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "l", &ar);
    if (ar.currentline < 0) /* C: half of all frames, and "S" is dear */
      continue;
    lua_getinfo(L, "S", &ar);
    if (ar.short_src[0] == '[' && strncmp(ar.short_src, "[greenlet", 9) == 0)
      continue;
    frames[count++] = (struct trail_frame){
        .chunk = chunk_number(&rt->trail, &ar),
        .what = *ar.what == 'm' ? FRAME_MAIN_CHUNK : FRAME_LUA,
        .line = (uint32_t)ar.currentline,
        .defined = (uint32_t)ar.linedefined,
    };
  }
  return count;
}

void l_trail_term(struct trail *trail) {
  free(trail->names);
  *trail = (struct trail){0};
}

void l_push_site(lua_State *L, const struct runtime *rt, const struct trail_frame *frame) {
  const char *chunk = frame->chunk ? rt->trail.names[frame->chunk - 1] : "?";
  if (frame->what == FRAME_MAIN_CHUNK)
    lua_pushfstring(L, "%s:%d: in main chunk", chunk, (int)frame->line);
  else
    lua_pushfstring(L, "%s:%d: in function <%s:%d>", chunk, (int)frame->line, chunk,
                    (int)frame->defined);
}

void l_push_trail(lua_State *L, const struct handle *handle) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  unsigned count = handle->own_frames + handle->spawner_frames;
  if (count > 0)
    luaL_addstring(&text, "stack traceback:");
  for (unsigned i = 0; i < count; i++) {
    luaL_addstring(&text, "\n\t");
    l_push_site(L, handle->rt, &handle->frames[i]);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
}
