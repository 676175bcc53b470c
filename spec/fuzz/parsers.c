/*
 * parsers.c: fuzz what reads text that others wrote: the prompt's lexer, compiler, completion and
 * history, what shows values, the values of settings, help, and the answer of another process.
 *
 * An input's first byte says which, the rest is the text. What must hold is in parsers.lua; an
 * error there ends the process. One state does for all inputs.
 */
#include "cmd/ask.c" /* for what is static there; it says first what it wants of libc */

#include <lualib.h>

#include "cmd/parts.h"
#include "cmd/screen.h"
#include "spec/fuzz/coverage.h"
#include "spec/fuzz/fuzz.h"

enum { ANSWER = 250, SCREEN = 251, MOST_TEXT = 1 << 16 };

static lua_State *L;
static int check_ref;
static FILE *nowhere, *nowhere_else;

/* (name, text): true, or false and the message */
static int set(lua_State *state) {
  const char *name = luaL_checkstring(state, 1), *text = luaL_checkstring(state, 2);
  bool fine = binding_set(state, name, "GREENLUA_FUZZ", text);
  lua_pushboolean(state, fine);
  if (!fine)
    lua_insert(state, -2);
  return fine ? 1 : 2;
}

static int width(lua_State *state) {
  size_t length;
  const char *text = luaL_checklstring(state, 1, &length);
  lua_pushinteger(state, (lua_Integer)screen_width(text, length));
  return 1;
}

static int start(lua_State *state) {
  static const luaL_Reg functions[] = {{"set", set}, {"width", width}, {NULL, NULL}};
  luaL_openlibs(state);
  binding_install(state);
  parts_push(state);
  if (luaL_loadfile(state, "spec/fuzz/parsers.lua") != LUA_OK)
    lua_error(state);
  lua_insert(state, -2);
  luaL_newlib(state, functions);
  lua_call(state, 2, 1);
  check_ref = luaL_ref(state, LUA_REGISTRYINDEX);
  return 0;
}

static int traceback(lua_State *state) {
  luaL_traceback(state, state, luaL_tolstring(state, 1, NULL), 1);
  return 1;
}

static void call(int arguments) {
  int handler = lua_gettop(L) - arguments;
  lua_pushcfunction(L, traceback);
  lua_insert(L, handler);
  if (lua_pcall(L, arguments, 0, handler) == LUA_OK) {
    lua_settop(L, 0);
    return;
  }
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static char directory[] = "/tmp/greenlua-fuzz-XXXXXX";
  (void)argc, (void)argv;
  if (!mkdtemp(directory))
    exit(EXIT_FAILURE);
  setenv("XDG_STATE_HOME", directory, 1);
  nowhere = fopen("/dev/null", "w");
  nowhere_else = fopen("/dev/null", "w");
  L = binding_newstate();
  lua_pushcfunction(L, start);
  call(0);
  fuzz_cover_lines(L);
  return 0;
}

/* The text is what another process sends. */
static void read_answer(const uint8_t *text, size_t length) {
  int ends[2];
  if (length > MOST_TEXT || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
    return;
  FILE *out = stdout, *err = stderr;
  ssize_t sent = send(ends[1], text, length, MSG_DONTWAIT);
  close(ends[1]);
  stdout = nowhere;
  stderr = nowhere_else;
  int status = copy(ends[0], 1);
  stdout = out;
  stderr = err;
  close(ends[0]);
  bool fine = sent > 0 && text[0] == BINDING_ANSWER;
  if (status != (fine ? EXIT_SUCCESS : EXIT_FAILURE)) {
    fprintf(stderr, "the status of an answer is %d\n", status);
    abort();
  }
}

/* The text is edited, and shown: the first byte says where the cursor is. */
static void show(const uint8_t *text, size_t length) {
  if (length == 0)
    return;
  char *bytes = malloc(length);
  memcpy(bytes, text + 1, length - 1);
  struct screen_text shown = {.prompt = "\033[1m> \033[0m", .more = ">> ", .bytes = bytes,
                              .length = length - 1, .point = text[0] % length};
  int kept = dup(STDOUT_FILENO);
  dup2(fileno(nowhere), STDOUT_FILENO);
  screen_show(&shown);
  shown.point = 0;
  screen_show(&shown);
  screen_hide();
  screen_leave(&shown, "^C");
  dup2(kept, STDOUT_FILENO);
  close(kept);
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  if (data[0] == ANSWER) {
    read_answer(data + 1, size - 1);
  } else if (data[0] == SCREEN) {
    show(data + 1, size - 1);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, check_ref);
    lua_pushinteger(L, data[0]);
    lua_pushlstring(L, (const char *)data + 1, size - 1);
    call(2);
  }
  return 0;
}
