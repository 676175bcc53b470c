/*
 * guarded.h: reading, in a signal handler, what may be in any state.
 *
 * The frames of a thread that is in C do not change, unless the C function calls Lua's
 * interface just now. Should what is read then make no sense, better nothing is said
 * than that the program dies of it.
 */
#ifndef LUA_BINDING_GUARDED_H
#define LUA_BINDING_GUARDED_H

#include <stdbool.h>

/* Call read(data); false if a fault has ended that. */
bool l_guarded(void (*read)(void *data), void *data);

#endif
