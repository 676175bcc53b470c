#include "cmd/state.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "lua_binding/binding.h"

static int panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  lua_writestringerror("PANIC: unprotected error in call to Lua API (%s)\n",
                       message ? message : "error object is not a string");
  return 0; /* Lua aborts */
}

/* Warnings as luaL_newstate's: off until "@on", pieces joined into a line. */
struct warnings {
  bool on, continued;
};

static bool control(struct warnings *warnings, const char *message) {
  if (strcmp(message, "@on") == 0)
    warnings->on = true;
  else if (strcmp(message, "@off") == 0)
    warnings->on = false;
  return message[0] == '@';
}

static void warn(void *data, const char *message, int to_continue) {
  struct warnings *warnings = data;
  bool first = !warnings->continued;
  warnings->continued = to_continue;
  if ((first || !warnings->on) && !to_continue && control(warnings, message))
    return;
  if (!warnings->on)
    return;
  if (first)
    lua_writestringerror("%s", "Lua warning: ");
  lua_writestringerror("%s", message);
  if (!to_continue)
    lua_writestringerror("%s", "\n");
}

lua_State *state_new(void) {
  static struct warnings warnings;
  lua_State *L = binding_newstate();
  if (L) {
    lua_atpanic(L, panic);
    lua_setwarnf(L, warn, &warnings);
  }
  return L;
}
