/*
 * main.c: greenlua, stock lua's command line with greenlets.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "cmd/ask.h"
#include "cmd/options.h"
#include "cmd/parts.h"
#include "cmd/repl.h"
#include "cmd/script.h"
#include "cmd/state.h"
#include "lua_binding/binding.h"

/* The exit status of a script on standard input that failed, until the very
 * end: such a script stops the program, yet stock lua exits with 0 then. */
enum { FORGIVEN = -1 };

static void print_banner(void) {
  lua_writestring(LUA_COPYRIGHT, sizeof LUA_COPYRIGHT - 1);
  lua_writeline();
}

/* The script is at index 0, its arguments follow, what comes before it has
 * negative indices. With no script the program itself is at 0. */
static void set_arg(lua_State *L, const struct options *options) {
  int script = options_has_script(options) ? options->script : 0;
  lua_createtable(L, options->argc - (script + 1), script + 1);
  for (int i = 0; i < options->argc; i++) {
    lua_pushstring(L, options->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Were a standard stream closed, a descriptor of the loop's would get its
 * number, and scripts would read or write that. So occupy the number as long
 * as the binding starts: it opens its loop then. */
static void install_binding(lua_State *L) {
  int taken[STDERR_FILENO + 1], count = 0;
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
    if (fcntl(stream, F_GETFD) < 0)
      taken[count++] = open("/dev/null", O_RDWR | O_CLOEXEC);
  }
  binding_install(L);
  while (count > 0)
    close(taken[--count]);
}

static void set(lua_State *L, const char *name, const char *source, const char *text) {
  if (text && !binding_set(L, name, source, text))
    lua_error(L);
}

/* Settings of the binding: options count more than the environment. */
static void apply_settings(lua_State *L, const struct options *options) {
  binding_heed_termination(L, true);
  if (!getenv("GREENLUA_DUMP"))
    binding_listen(L);
  set(L, "leaks", "--leaks", options->leaks);
  set(L, "deadlock", "--deadlock", options->deadlock);
  set(L, "report", "--report", options->report);
  set(L, "watchdog", "--watchdog", options->watchdog);
  set(L, "trace", "--trace", options->trace);
  set(L, "flight_recorder", "--flight-recorder",
      options->flight_recorder && !*options->flight_recorder ? "greenlua-flight-%p.html"
                                                            : options->flight_recorder);
  set(L, "why_alive", "--why-alive", options->why_alive ? "on" : NULL);
  set(L, "profile", "--profile", options->profile);
}

static bool may_be_interactive(const struct options *options) {
  return options->interactive || !(options_has_script(options) || options->execute);
}

/* A lua_CFunction: what is there before the first chunk runs. */
static int prepare(lua_State *L) {
  const struct options *options = lua_touserdata(L, 1);
  luaL_checkversion(L);
  if (options->banner)
    print_banner();
  if (options->ignore_environment) { /* tell the libraries, before they open */
    lua_pushboolean(L, true);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  lua_gc(L, LUA_GCSTOP); /* what comes now is here to stay */
  luaL_openlibs(L);
  set_arg(L, options);
  if (options->trace) /* what the binding would begin already */
    unsetenv("GREENLUA_TRACE");
  if (options->profile)
    unsetenv("GREENLUA_PROFILE");
  install_binding(L);
  apply_settings(L, options);
  parts_push(L);
  lua_pushboolean(L, options->watchdog || getenv("GREENLUA_WATCHDOG"));
  lua_setfield(L, -2, "watchdog_is_set"); /* else the console chooses */
  lua_pop(L, 1);
  if (may_be_interactive(options))
    parts_take_globals(L);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCGEN, 0, 0);
  return 0;
}

/* The options that act in their turn: -e, -l and -W. */
static int run_options(lua_State *L, const struct options *options) {
  int status = EXIT_SUCCESS;
  for (int i = 1; i < options->script && status == EXIT_SUCCESS; i++) {
    char letter = options->argv[i][1];
    if (letter == 'W')
      lua_warning(L, "@on", 0);
    if (letter != 'e' && letter != 'l')
      continue;
    char *argument = options->argv[i][2] ? options->argv[i] + 2 : options->argv[++i];
    status = letter == 'e' ? script_run_string(L, argument, "=(command line)")
                           : script_require(L, argument);
  }
  return status;
}

static int run_stdin(lua_State *L) {
  int status = script_run_file(L, NULL);
  return status == EXIT_FAILURE ? FORGIVEN : status;
}

/* -i, or what to do with no script: talk to a terminal, or run what is piped in. Sets
 * *left if the user has left what greenlets are still there. Returns the exit status. */
static int run_interactive(lua_State *L, const struct options *options, bool *left) {
  bool idle = !options_has_script(options) && !options->execute && !options->banner;
  bool terminal = isatty(STDIN_FILENO);
  if (idle && !terminal)
    return run_stdin(L);
  if (idle)
    print_banner();
  if (idle || options->interactive)
    return repl_run(L, left);
  return EXIT_SUCCESS;
}

/* A lua_CFunction: run all chunks until one fails, then run on until no
 * greenlet can. Returns the exit status. */
static int run(lua_State *L) {
  const struct options *options = lua_touserdata(L, 1);
  int status = EXIT_SUCCESS;
  bool left = false;
  if (!options->ignore_environment)
    status = script_run_init(L);
  if (status == EXIT_SUCCESS)
    status = run_options(L, options);
  if (status == EXIT_SUCCESS && options_has_script(options))
    status = script_run_main(L, options->argv + options->script);
  if (status == EXIT_SUCCESS)
    status = run_interactive(L, options, &left);
  if (status == EXIT_SUCCESS && !left)
    status = script_run_function(L, binding_wait);
  lua_pushinteger(L, status);
  return 1;
}

/* Call prepare or run. What escapes from them has no traceback of interest.
 * The second argument keeps chunks at the height of the stack where stock lua
 * has them: a traceback tells how many calls it took to overflow. */
static int protect(lua_State *L, lua_CFunction function, struct options *options) {
  lua_settop(L, 0);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, options);
  lua_pushnil(L);
  int status = lua_pcall(L, 2, 1, 0);
  if (status != LUA_OK)
    return script_report(L, status);
  return (int)lua_tointeger(L, -1);
}

/* End what greenlets are left. The first failure decides the exit status. A Ctrl-C that was
 * on its way to main may come out of the first try. */
static int finish(lua_State *L, int status) {
  int finished = script_run_function(L, binding_finish);
  if (finished != EXIT_SUCCESS)
    script_run_function(L, binding_finish);
  if (status <= EXIT_SUCCESS && finished != EXIT_SUCCESS)
    status = finished;
  if (status <= EXIT_SUCCESS && binding_failures(L) > 0)
    status = EXIT_FAILURE;
  return status;
}

static int run_lua(struct options *options) {
  lua_State *L = state_new();
  if (!L) {
    script_message("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  int status = protect(L, prepare, options);
  if (status == EXIT_SUCCESS)
    status = finish(L, protect(L, run, options));
  binding_close(L);
  if (script_signal(status)) {
    binding_die_by(script_signal(status));
    return 128 + script_signal(status);
  }
  return status == FORGIVEN ? EXIT_SUCCESS : status;
}

int main(int argc, char **argv) {
  struct options options;
  options_read(&options, argc, argv);
  script_name_program(options.program);
  switch (options.action) {
    case OPTIONS_BAD:
      options_print_bad(&options);
      return EXIT_FAILURE;
    case OPTIONS_HELP:
      options_print_help(&options);
      return EXIT_SUCCESS;
    case OPTIONS_VERSION:
      options_print_version();
      return EXIT_SUCCESS;
    default:
      return ask_is_meant(&options) ? ask_run(argv[1], argv[2]) : run_lua(&options);
  }
}
