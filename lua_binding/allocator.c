#include "lua_binding/allocator.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/annotate.h"
#include "core/slab.h"
#include "lua_binding/binding.h"

/* Tools that watch memory must see every block. */
#if defined(GREENLUA_ASAN) || defined(GREENLUA_VALGRIND)
enum { LARGEST = 0 };
#else
enum { LARGEST = SLAB_LARGEST };
#endif

static void *take(struct slabs *slabs, size_t bytes) {
  return bytes <= LARGEST ? slab_alloc(slabs, bytes) : malloc(bytes);
}

static void give(struct slabs *slabs, void *block, size_t bytes) {
  if (bytes <= LARGEST)
    slab_free(slabs, block, bytes);
  else
    free(block);
}

static void *move(struct slabs *slabs, void *block, size_t before, size_t bytes) {
  void *moved = take(slabs, bytes);
  if (moved) {
    memcpy(moved, block, before < bytes ? before : bytes);
    give(slabs, block, before);
    return moved;
  }
  /* Lua would rather not hear that a block cannot shrink. */
  return bytes < before && before <= LARGEST ? block : NULL;
}

void *l_allocate(void *data, void *block, size_t before, size_t bytes) {
  struct slabs *slabs = data;
  if (!block)
    return bytes > 0 ? take(slabs, bytes) : NULL;
  if (bytes == 0) {
    give(slabs, block, before);
    return NULL;
  }
  if (before > LARGEST && bytes > LARGEST)
    return realloc(block, bytes);
  if (before <= LARGEST && bytes <= LARGEST && slab_fits(before, bytes))
    return block;
  return move(slabs, block, before, bytes);
}

void l_trim_memory(lua_State *L) {
  void *data;
  if (lua_getallocf(L, &data) == l_allocate)
    slabs_trim(data);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

lua_State *binding_newstate(void) {
  struct slabs *slabs = malloc(sizeof *slabs);
  if (!slabs)
    return NULL;
  slabs_init(slabs);
  lua_State *L = lua_newstate(l_allocate, slabs);
  if (!L)
    free(slabs);
  return L;
}

void binding_close(lua_State *L) {
  void *data;
  lua_getallocf(L, &data);
  lua_close(L);
  slabs_term(data);
  free(data);
}
