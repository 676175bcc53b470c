/*
 * allocator.h: the allocator of the Lua state that the program greenlua makes.
 */
#ifndef LUA_BINDING_ALLOCATOR_H
#define LUA_BINDING_ALLOCATOR_H

#include <lua.h>

/* A lua_Alloc with a struct slabs as its data, for small blocks. */
void *l_allocate(void *slabs, void *block, size_t before, size_t bytes);

/* Give memory that is not in use back to the system. */
void l_trim_memory(lua_State *L);

#endif
