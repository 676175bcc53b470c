/*
 * texts.h: texts as numbers.
 *
 * What is noted often, a line or a name, is noted as a number. The texts are kept for
 * as long as the table is.
 */
#ifndef LUA_BINDING_TEXTS_H
#define LUA_BINDING_TEXTS_H

#include <stdint.h>

struct texts {
  char **texts;            /* by number, from 1 */
  uint32_t *table;         /* of numbers, hashed by text; twice as large */
  uint32_t count, room;
  uint32_t most;           /* texts that it may have; 0: 65536 */
};

/* The number of a text: 0 if it is new, and there is no room for it. */
uint32_t l_number_of(struct texts *texts, const char *text);

/* The same, but 0 for any new one. */
uint32_t l_find_text(const struct texts *texts, const char *text);

/* The text; NULL for 0, and for one that there is not. Safe in signal handlers. */
const char *l_text_of(const struct texts *texts, uint32_t number);

void l_texts_term(struct texts *texts);

#endif
