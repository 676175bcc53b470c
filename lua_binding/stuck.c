#include "lua_binding/stuck.h"

#include <stdint.h>
#include <string.h>

#include "core/clock.h"
#include "lua_binding/guarded.h"

/* ---- Names ---- */

/* Where the name of a greenlet is depends on Lua's tables, which a handler must not
 * touch. So the names that were given last are kept here, too: each in the place that
 * its handle's address says. */
enum { NAMES = 1024, NAME_BYTES = 56 };

static struct {
  const struct handle *handle;
  char name[NAME_BYTES];
} names[NAMES];

static size_t place_of(const struct handle *handle) {
  return ((uintptr_t)handle >> 4) % NAMES;
}

void l_note_name(const struct handle *handle, const char *name) {
  size_t place = place_of(handle);
  names[place].handle = NULL; /* should a handler look now */
  __asm__ volatile("" ::: "memory");
  strncpy(names[place].name, name, NAME_BYTES - 1);
  __asm__ volatile("" ::: "memory");
  names[place].handle = handle;
}

void l_add_current(const struct runtime *rt, struct text *text) {
  const struct handle *handle = l_current(rt)->handle;
  size_t place = place_of(handle);
  l_add_text(text, "greenlet ");
  if (handle && handle->named && names[place].handle == handle) {
    l_add_text(text, "\"");
    l_add_text(text, names[place].name);
    l_add_text(text, "\"");
  } else if (handle && handle->named) { /* by what is no string, or long ago */
    l_add_text(text, "at 0x");
    l_add_number(text, (uintptr_t)handle, 16);
  } else {
    int ident = handle && handle->ident ? handle->ident - 1 : hub_next_ident(&rt->hub);
    l_add_text(text, "\"Greenlet-");
    l_add_number(text, (uintmax_t)ident, 10);
    l_add_text(text, "\"");
  }
}

/* ---- Places ---- */

static void add_position(struct text *text, const lua_Debug *ar) {
  l_add_text(text, ", called at ");
  l_add_text(text, ar->short_src);
  l_add_text(text, ":");
  l_add_number(text, (uintmax_t)ar->currentline, 10);
}

struct place {
  lua_State *L;
  struct text text;
  bool c_function; /* on top */
};

/* The innermost line of a script. */
static void read_frames(void *data) {
  enum { DEEPEST = 50 };
  struct place *place = data;
  struct text *text = &place->text;
  lua_Debug ar;
  for (int level = 0; level < DEEPEST && lua_getstack(place->L, level, &ar); level++) {
    lua_getinfo(place->L, "nSl", &ar);
    if (level == 0)
      place->c_function = *ar.what == 'C';
    if (level == 0 && place->c_function && ar.name) {
      l_add_text(text, " in '");
      l_add_text(text, ar.name);
      l_add_text(text, "'");
    }
    if (ar.currentline > 0 && strncmp(ar.short_src, "[greenlet", 9) != 0) {
      add_position(text, &ar);
      break;
    }
  }
}

bool l_add_c_place(const struct runtime *rt, struct text *text) {
  struct place place = {.L = rt->L};
  if (!l_guarded(read_frames, &place))
    return true;
  for (size_t i = 0; i < place.text.length && text->length < TEXT_BYTES; i++)
    text->bytes[text->length++] = place.text.bytes[i];
  return place.c_function;
}

bool l_describe_stuck(const struct runtime *rt, struct text *text) {
  l_add_text(text, "greenlua: ");
  l_add_current(rt, text);
  l_add_text(text, " runs in C");
  if (!l_add_c_place(rt, text)) {
    text->length = 0;
    return false;
  }
  l_add_text(text, "; the loop has not turned for ");
  l_add_seconds(text, clock_seconds() - rt->hub.now);
  l_add_text(text, "\n");
  return true;
}
