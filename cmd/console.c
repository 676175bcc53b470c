#include "cmd/console.h"

#include <signal.h>

#include <lauxlib.h>

#include "cmd/edit.h"
#include "cmd/output.h"
#include "cmd/parts.h"
#include "cmd/script.h"
#include "cmd/terminal.h"
#include "lua_binding/binding.h"

static int attend(lua_State *L, int number) {
  lua_settop(L, 1);
  lua_pushinteger(L, number);
  lua_insert(L, 1);
  return binding_attend(L);
}

/* on_interrupt(f), on_suspend(f): call f(running, seconds) at Ctrl-C, at Ctrl-Z */
static int on_interrupt(lua_State *L) {
  return attend(L, SIGINT);
}

static int on_suspend(lua_State *L) {
  return attend(L, SIGTSTP);
}

/* A lua_CFunction: cmd.console.run() */
static int run(lua_State *L) {
  static const luaL_Reg functions[] = {{"on_interrupt", on_interrupt},
                                       {"on_suspend", on_suspend},
                                       {"slice", binding_slice},
                                       {"quiet", binding_quiet},
                                       {"watch_aside", binding_watch_aside},
                                       {NULL, NULL}};
  parts_push(L);
  luaL_setfuncs(L, functions, 0);
  terminal_open(L);
  output_open(L);
  edit_open(L);
  lua_getfield(L, -1, "console");
  lua_getfield(L, -1, "run");
  lua_call(L, 0, 0);
  return 0;
}

bool console_run(lua_State *L) {
  if (!terminal_usable())
    return false;
  binding_heed_termination(L, false); /* terminal.c has its own way with them */
  if (!terminal_start() || !edit_start()) {
    binding_heed_termination(L, true);
    return false;
  }
  script_run_function(L, run);
  output_end();
  return true;
}
