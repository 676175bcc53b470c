/*
 * operations.c: fuzz the whole API with random programs, against a simple model.
 *
 * An input is the source of all decisions by which program.lua writes a Lua program; that runs
 * in a fresh state, in this process, with the operations of the directory model as its globals.
 * Time is virtual (clock.c), so that a run is short and comes out the same again. What the model
 * finds wrong ends the process, and prints the program.
 *
 * FUZZ_PRINT=1 in the environment prints the program before it runs, and each operation with
 * who begins it, as it happens.
 */
#define _GNU_SOURCE /* pipe2 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua_binding/binding.h"
#include "spec/fuzz/clock.h"
#include "spec/fuzz/coverage.h"
#include "spec/fuzz/fuzz.h"

static lua_State *writer; /* a stock state, in which the registry has the two below */
static int write_ref;
static bool talkative;
static const char *const parts[] = {"base", "greenlets", "objects", "loop", "run"};
enum { PARTS = sizeof parts / sizeof *parts };
static struct { char *bytes; size_t length; } model[PARTS]; /* compiled */
static const char *program; /* that runs now */
static size_t program_length;

/* ---- What the model needs of C ---- */

/* (text): the program did something that must not happen. */
static int l_fail(lua_State *L) {
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
  fprintf(stderr, "%s\n-- the program:\n%s\n", lua_tostring(L, -1), program);
  abort();
}

/* (): the virtual time in seconds, which goes on only where somebody waits */
static int l_now(lua_State *L) {
  lua_pushnumber(L, fuzz_clock_seconds());
  return 1;
}

/* (number, ...): something that the fuzzer should know as new when it is */
static int l_feature(lua_State *L) {
  fuzz_cover((uint32_t)lua_tointeger(L, 1));
  return 0;
}

static int l_pipe(lua_State *L) {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
    return luaL_error(L, "no pipe");
  lua_pushinteger(L, ends[0]);
  lua_pushinteger(L, ends[1]);
  return 2;
}

static int l_write(lua_State *L) {
  lua_pushboolean(L, write((int)lua_tointeger(L, 1), "x", 1) == 1);
  return 1;
}

static int l_read(lua_State *L) {
  char byte;
  lua_pushboolean(L, read((int)lua_tointeger(L, 1), &byte, 1) == 1);
  return 1;
}

static int l_close(lua_State *L) {
  close((int)lua_tointeger(L, 1));
  return 0;
}

static const luaL_Reg functions[] = {
    {"fail", l_fail}, {"now", l_now},   {"feature", l_feature}, {"pipe", l_pipe},
    {"write", l_write}, {"read", l_read}, {"close", l_close},   {NULL, NULL},
};

/* ---- One program ---- */

static const char *write_program(const uint8_t *data, size_t size) {
  lua_settop(writer, 0);
  lua_rawgeti(writer, LUA_REGISTRYINDEX, write_ref);
  lua_pushlstring(writer, (const char *)data, size);
  lua_call(writer, 1, 1);
  return lua_tolstring(writer, 1, &program_length);
}

/* Push the table whose fields are the model's globals. */
static void push_globals(lua_State *L) {
  lua_newtable(L);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "C");
  lua_pushlstring(L, program, program_length);
  lua_setfield(L, -2, "program");
  lua_pushboolean(L, talkative);
  lua_setfield(L, -2, "talkative");
  lua_createtable(L, 0, 1);
  lua_pushglobaltable(L);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

static int run_program(lua_State *L) {
  luaL_openlibs(L);
  binding_install(L);
  if (strncmp(program, "-- lines", 8) == 0)
    fuzz_cover_lines(L);
  push_globals(L);
  for (int i = 0; i < PARTS; i++) {
    if (luaL_loadbuffer(L, model[i].bytes, model[i].length, parts[i]) != LUA_OK)
      return lua_error(L);
    lua_pushvalue(L, 1);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
  }
  lua_settop(L, 0);
  binding_wait(L);
  binding_finish(L);
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  talkative = getenv("FUZZ_PRINT") != NULL;
  writer = luaL_newstate();
  luaL_openlibs(writer);
  fuzz_load(writer, "spec/fuzz/program.lua");
  write_ref = luaL_ref(writer, LUA_REGISTRYINDEX);
  for (int i = 0; i < PARTS; i++) {
    char name[64];
    snprintf(name, sizeof name, "spec/fuzz/model/%s.lua", parts[i]);
    model[i].bytes = fuzz_compile(writer, name, &model[i].length);
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  program = write_program(data, size);
  if (talkative)
    printf("%s\n", program);
  fuzz_clock_start();
  lua_State *L = binding_newstate();
  lua_pushcfunction(L, run_program);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    fprintf(stderr, "the model failed: %s\n-- the program:\n%s\n", luaL_tolstring(L, -1, NULL),
            program);
    abort();
  }
  binding_close(L);
  return 0;
}
