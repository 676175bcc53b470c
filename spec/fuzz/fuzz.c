#include "spec/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

static void check(lua_State *L, int status) {
  if (status == LUA_OK)
    return;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(EXIT_FAILURE);
}

void fuzz_load(lua_State *L, const char *name) {
  check(L, luaL_loadfile(L, name));
  check(L, lua_pcall(L, 0, 1, 0));
}

struct text { char *bytes; size_t length; };

static int append(lua_State *L, const void *piece, size_t bytes, void *data) {
  struct text *text = data;
  char *longer = realloc(text->bytes, text->length + bytes);
  (void)L;
  if (!longer)
    return 1;
  memcpy(longer + text->length, piece, bytes);
  text->bytes = longer;
  text->length += bytes;
  return 0;
}

char *fuzz_compile(lua_State *L, const char *name, size_t *length) {
  struct text text = {NULL, 0};
  check(L, luaL_loadfile(L, name));
  lua_dump(L, append, &text, 0);
  lua_pop(L, 1);
  *length = text.length;
  return text.bytes;
}
