#include "cmd/script.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua_binding/binding.h"

static const char *program;

/* What the uncaught error at hand means for the exit status. Only the handler
 * sees the error itself: script_report is left with its message. Errors that
 * reach no handler, those of syntax and of memory, mean failure. */
static int verdict = EXIT_FAILURE;

const char *script_name_program(const char *name) {
  const char *before = program;
  program = name;
  return before;
}

void script_message(const char *message) {
  if (program)
    lua_writestringerror("%s: ", program);
  lua_writestringerror("%s\n", message ? message : "(null)");
}

/* The error at index 1 becomes a message: its own if it has a __tostring, else
 * one with a traceback. Level 1 leaves this function out of that. */
static int handle_error(lua_State *L) {
  verdict = binding_exit_status(L, 1);
  const char *message = lua_tostring(L, 1);
  if (!message) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  binding_traceback(L, 1, message, 1);
  return 1;
}

int script_call(lua_State *L, int nargs, int nresults) {
  int handler = lua_gettop(L) - nargs;
  lua_pushcfunction(L, handle_error);
  lua_insert(L, handler);
  int status = lua_pcall(L, nargs, nresults, handler);
  lua_remove(L, handler);
  return status;
}

int script_report(lua_State *L, int status) {
  int message = lua_gettop(L);
  if (status == LUA_OK)
    return EXIT_SUCCESS;
  if (lua_type(L, -1) == LUA_TUSERDATA || lua_type(L, -1) == LUA_TTABLE)
    verdict = binding_exit_status(L, -1); /* it has reached no handler */
  if (!script_signal(verdict))
    script_message(verdict == EXIT_FAILURE ? lua_tostring(L, -1) : luaL_tolstring(L, -1, NULL));
  lua_settop(L, message - 1);
  int exit_status = verdict;
  verdict = EXIT_FAILURE;
  return exit_status;
}

int script_signal(int exit_status) {
  return exit_status > BINDING_BY_SIGNAL ? exit_status - BINDING_BY_SIGNAL : 0;
}

/* Run the chunk on top, or report why it could not be loaded. */
static int run_loaded(lua_State *L, int status) {
  if (status == LUA_OK)
    status = script_call(L, 0, 0);
  return script_report(L, status);
}

int script_run_file(lua_State *L, const char *name) {
  return run_loaded(L, luaL_loadfile(L, name));
}

int script_run_string(lua_State *L, const char *code, const char *chunk_name) {
  return run_loaded(L, luaL_loadbuffer(L, code, strlen(code), chunk_name));
}

int script_run_function(lua_State *L, lua_CFunction function) {
  lua_pushcfunction(L, function);
  return run_loaded(L, LUA_OK);
}

int script_require(lua_State *L, char *name) {
  char *module = strchr(name, '=');
  if (module)
    *module++ = '\0';
  lua_getglobal(L, "require");
  lua_pushstring(L, module ? module : name);
  int status = script_call(L, 1, 1);
  if (status == LUA_OK)
    lua_setglobal(L, name);
  return script_report(L, status);
}

int script_run_init(lua_State *L) {
  const char *chunk_name = "=LUA_INIT" LUA_VERSUFFIX;
  const char *init = getenv(chunk_name + 1);
  if (!init) {
    chunk_name = "=LUA_INIT";
    init = getenv(chunk_name + 1);
  }
  if (!init)
    return EXIT_SUCCESS;
  return init[0] == '@' ? script_run_file(L, init + 1) : script_run_string(L, init, chunk_name);
}

/* Push arg[1], arg[2] and so on. They come from the table and not from argv:
 * LUA_INIT, -e and -l may have changed them. Returns how many there are. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  int table = lua_gettop(L), count = (int)luaL_len(L, table);
  luaL_checkstack(L, count + 3, "too many arguments to script");
  for (int i = 1; i <= count; i++)
    lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return count;
}

int script_run_main(lua_State *L, char **argv) {
  /* After "--" a dash is a file's name, not standard input. */
  bool from_stdin = strcmp(argv[0], "-") == 0 && strcmp(argv[-1], "--") != 0;
  int status = luaL_loadfile(L, from_stdin ? NULL : argv[0]);
  if (status == LUA_OK)
    status = script_call(L, push_arguments(L), LUA_MULTRET);
  return script_report(L, status);
}
