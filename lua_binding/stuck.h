/*
 * stuck.h: what a signal handler can say of the greenlet that runs in C.
 *
 * Everything here is safe in signal handlers: no allocation, no locks, texts in
 * memory of a fixed size.
 */
#ifndef LUA_BINDING_STUCK_H
#define LUA_BINDING_STUCK_H

#include "lua_binding/runtime.h"

enum { TEXT_BYTES = 500 };

struct text {
  size_t length;
  char bytes[TEXT_BYTES];
};

/* Add to the text what there is room for. */
void l_add_text(struct text *text, const char *more);
void l_add_seconds(struct text *text, double seconds); /* "1.2 s" */

/*
 * Add `greenlua: greenlet "name" runs in C (called at file:line) ...` if it does so:
 * false, with nothing added, if the top function is one of Lua's, which will give
 * way to a hook.
 */
bool l_describe_stuck(const struct runtime *rt, struct text *text);

/* Add `greenlet "name"` for the running one. */
void l_add_current(const struct runtime *rt, struct text *text);
/* Add ` in 'f', called at file:line` as far as it is known; is it a C function? */
bool l_add_c_place(const struct runtime *rt, struct text *text);

bool l_write_all(int fd, const char *bytes, size_t length);
void l_write_text(int fd, const struct text *text);

/* Greenlets of these names are called so in signal handlers: attributes.c tells. */
void l_note_name(const struct handle *handle, const char *name);

#endif
