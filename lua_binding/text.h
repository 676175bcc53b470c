/*
 * text.h: texts for signal handlers: in memory of a fixed size, written at once.
 */
#ifndef LUA_BINDING_TEXT_H
#define LUA_BINDING_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_BYTES = 500 };

struct text {
  size_t length;
  char bytes[TEXT_BYTES];
};

/* Add to the text what there is room for. */
void l_add_text(struct text *text, const char *more);
void l_add_number(struct text *text, uintmax_t number, unsigned base);
void l_add_seconds(struct text *text, double seconds); /* "1.2 s" */

void l_write_text(int fd, const struct text *text);

#endif
