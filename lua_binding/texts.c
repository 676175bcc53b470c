#include "lua_binding/texts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };

static uint32_t place_of(const struct texts *texts, const char *text) {
  uint32_t hash = 2166136261u, size = 2 * texts->room;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 16777619u;
  return hash & (size - 1);
}

/* The place of the text in the table, or that of the gap where it belongs. */
static uint32_t *find(const struct texts *texts, const char *text) {
  uint32_t place = place_of(texts, text), mask = 2 * texts->room - 1;
  while (texts->table[place] && strcmp(texts->texts[texts->table[place]], text) != 0)
    place = (place + 1) & mask;
  return &texts->table[place];
}

static bool grow(struct texts *texts) {
  uint32_t room = texts->room ? 2 * texts->room : 64, most = texts->most ? texts->most : MOST;
  uint32_t *table = room <= most ? calloc(2UL * room, sizeof *table) : NULL;
  char **list = table ? calloc(room, sizeof *list) : NULL, **before = texts->texts;
  if (!list) {
    free(table);
    return false;
  }
  if (before)
    memcpy(list, before, (texts->count + 1UL) * sizeof *list);
  free(texts->table);
  texts->texts = list;
  __asm__ volatile("" ::: "memory"); /* a signal handler may look now */
  free(before);
  texts->table = table;
  texts->room = room;
  for (uint32_t number = 1; number <= texts->count; number++)
    *find(texts, list[number]) = number;
  return true;
}

uint32_t l_number_of(struct texts *texts, const char *text) {
  if (texts->count + 1 >= texts->room && !grow(texts) && !texts->room)
    return 0;
  uint32_t *place = find(texts, text);
  char *copy = *place || texts->count + 1 >= texts->room ? NULL : strdup(text);
  if (copy) {
    texts->texts[texts->count + 1] = copy;
    *place = ++texts->count;
  }
  return *place;
}

uint32_t l_find_text(const struct texts *texts, const char *text) {
  return texts->room ? *find(texts, text) : 0;
}

const char *l_text_of(const struct texts *texts, uint32_t number) {
  return number && number <= texts->count ? texts->texts[number] : NULL;
}

void l_texts_term(struct texts *texts) {
  for (uint32_t number = 1; number <= texts->count; number++)
    free(texts->texts[number]);
  free(texts->texts);
  free(texts->table);
  *texts = (struct texts){.most = texts->most};
}
