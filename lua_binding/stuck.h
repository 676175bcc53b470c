/*
 * stuck.h: what a signal handler can say of the greenlet that runs in C.
 *
 * Everything here is safe in signal handlers: no allocation, no locks.
 */
#ifndef LUA_BINDING_STUCK_H
#define LUA_BINDING_STUCK_H

#include "lua_binding/runtime.h"
#include "lua_binding/text.h"

/*
 * Add `greenlua: greenlet "name" runs in C (called at file:line) ...` if it does so:
 * false, with nothing added, if the top function is one of Lua's, which will give
 * way to a hook.
 */
bool l_describe_stuck(const struct runtime *rt, struct text *text);

/* Add `greenlet "name"` for the running one; the name that reports call it. */
void l_add_current(const struct runtime *rt, struct text *text);
/* Add ` in 'f', called at file:line` as far as it is known; is it a C function? */
bool l_add_c_place(const struct runtime *rt, struct text *text);

/* Greenlets of these names are called so in signal handlers: attributes.c tells. */
void l_note_name(const struct handle *handle, const char *name);

#endif
