/*
 * trail.c: where greenlets were spawned, kept cheaply.
 *
 * A traceback string at every spawn would cost more than the spawn. A frame is
 * kept as eight or so bytes instead, inside the handle, and becomes text when
 * somebody asks. Chunk names are interned for good, at most CHUNKS of them, in
 * one table per process.
 */
#include <stdlib.h>
#include <string.h>

#include "lua_binding/runtime.h"

enum { CHUNKS = 4096, BUCKETS = 8192 };
enum { FRAME_LUA, FRAME_MAIN_CHUNK };

static char (*chunk_names)[LUA_IDSIZE];
static uint16_t chunk_count, buckets[BUCKETS];

static unsigned hash(const char *name) {
  unsigned h = 2166136261u;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 16777619u;
  return h;
}

/* The number of a chunk name plus one; 0 when the table is full. */
static uint16_t intern(const char *name) {
  unsigned at = hash(name) % BUCKETS;
  for (; buckets[at]; at = (at + 1) % BUCKETS)
    if (strcmp(chunk_names[buckets[at] - 1], name) == 0)
      return buckets[at];
  if (!chunk_names)
    chunk_names = malloc(CHUNKS * sizeof *chunk_names);
  if (!chunk_names || chunk_count == CHUNKS)
    return 0;
  strcpy(chunk_names[chunk_count], name);
  return buckets[at] = ++chunk_count;
}

unsigned l_trail(lua_State *L, struct runtime *rt, struct trail_frame *frames, unsigned limit) {
  unsigned count = 0;
  lua_Debug ar;
  (void)rt;
  for (int level = 0; count < limit && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline < 0 || strncmp(ar.short_src, "[greenlet", 9) == 0)
      continue;
    frames[count++] = (struct trail_frame){
        .chunk = intern(ar.short_src),
        .what = *ar.what == 'm' ? FRAME_MAIN_CHUNK : FRAME_LUA,
        .line = (uint32_t)ar.currentline,
        .defined = (uint32_t)ar.linedefined,
    };
  }
  return count;
}

void l_push_site(lua_State *L, const struct trail_frame *frame) {
  const char *chunk = frame->chunk ? chunk_names[frame->chunk - 1] : "?";
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
    l_push_site(L, &handle->frames[i]);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
}
