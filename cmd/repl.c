#include "cmd/repl.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "cmd/console.h"
#include "cmd/line.h"
#include "cmd/script.h"

/* load_line's answer when there is no more input; no status of Lua's. */
enum { NO_INPUT = -1 };

/* Push the prompt: a global of any type, or its default. */
static const char *push_prompt(lua_State *L, bool first) {
  if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
    return first ? "> " : ">> ";
  const char *prompt = luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  return prompt;
}

/* Terminals and pipes are served alike, as in Debian's lua5.4. At the prompt
 * Ctrl-C ends the program, as there, and so do signals that ask to end: no Lua
 * runs that the binding's handler could interrupt. */
static char *read_line(const char *prompt) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  enum { COUNT = sizeof numbers / sizeof *numbers };
  struct sigaction during = {.sa_handler = SIG_DFL}, before[COUNT];
  for (int i = 0; i < COUNT; i++) {
    sigaction(numbers[i], NULL, &before[i]);
    if (before[i].sa_handler != SIG_IGN)
      sigaction(numbers[i], &during, NULL);
  }
  char *line = line_read(prompt);
  for (int i = 0; i < COUNT; i++)
    sigaction(numbers[i], &before[i], NULL);
  return line;
}

/* Ask for a line and push it: false, with nothing pushed, when there is none. */
static bool push_line(lua_State *L, bool first) {
  char *line = read_line(push_prompt(L, first));
  lua_pop(L, 1);
  if (!line)
    return false;
  if (first && line[0] == '=') /* the older way to ask for a value */
    lua_pushfstring(L, "return %s", line + 1);
  else
    lua_pushstring(L, line);
  free(line);
  return true;
}

/* Load the line on top as an expression: pushes the chunk, or nothing. */
static int load_expression(lua_State *L) {
  const char *line = lua_tostring(L, -1);
  const char *code = lua_pushfstring(L, "return %s;", line);
  int status = luaL_loadbuffer(L, code, strlen(code), "=stdin");
  lua_remove(L, -2);
  if (status != LUA_OK)
    lua_pop(L, 1);
  else if (line[0] != '\0')
    line_remember(line);
  return status;
}

/* Does the syntax error on top say that the statement needs more lines? */
static bool is_incomplete(lua_State *L, int status) {
  static const char mark[] = "<eof>";
  if (status != LUA_ERRSYNTAX)
    return false;
  size_t length;
  const char *message = lua_tolstring(L, -1, &length);
  return length >= strlen(mark) && strcmp(message + length - strlen(mark), mark) == 0;
}

/* Load the line on top as a statement, with as many more lines as it takes:
 * pushes the chunk, or the error. */
static int load_statement(lua_State *L) {
  for (;;) {
    size_t length;
    const char *code = lua_tolstring(L, -1, &length);
    int status = luaL_loadbuffer(L, code, length, "=stdin");
    bool incomplete = is_incomplete(L, status);
    if (!incomplete || !push_line(L, false)) {
      line_remember(code);
      return status;
    }
    lua_remove(L, -2); /* the error */
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
}

/* Read a line, or several, and leave the chunk or the error alone on the stack. */
static int load_line(lua_State *L) {
  lua_settop(L, 0);
  if (!push_line(L, true))
    return NO_INPUT;
  int status = load_expression(L);
  if (status != LUA_OK)
    status = load_statement(L);
  lua_remove(L, 1);
  return status;
}

/* Print all values on the stack by whatever `print` is now. */
static void print_values(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0)
    return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_getglobal(L, "print");
  lua_insert(L, 1);
  if (lua_pcall(L, count, 0, 0) != LUA_OK)
    script_message(lua_pushfstring(L, "error calling 'print' (%s)", lua_tostring(L, -1)));
}

/* As stock lua's. Returns the exit status. */
static int run_plainly(lua_State *L) {
  int status, exit_status = EXIT_SUCCESS;
  while ((status = load_line(L)) != NO_INPUT) {
    if (status == LUA_OK)
      status = script_call(L, 0, LUA_MULTRET);
    if (status == LUA_OK)
      print_values(L);
    else
      exit_status = script_report(L, status);
    if (script_signal(exit_status))
      return exit_status;
  }
  lua_settop(L, 0);
  lua_writeline();
  return EXIT_SUCCESS;
}

int repl_run(lua_State *L, bool *left) {
  const char *program = script_name_program(NULL);
  *left = console_run(L);
  int status = *left ? EXIT_SUCCESS : run_plainly(L);
  script_name_program(program);
  return status;
}
