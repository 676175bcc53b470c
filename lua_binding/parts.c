/*
 * parts.c: the parts of the binding that are written in Lua: embedded.S.
 */
#include <string.h>

#include "lua_binding/binding.h"
#include "lua_binding/runtime.h"

struct part {
  struct binding_part in;
  bool late; /* few programs need it: it runs when core.<name> is asked for */
};

#define PARTS \
  PART(class, false) PART(hub, false) PART(greenlet, false) PART(wait, false) \
  PART(timeout, false) PART(signal, false) PART(module, false) \
  PART(monkey, false) PART(event, false) PART(lock, false) PART(local, false) \
  PART(util, false) PART(waitable, false) PART(queue, false) PART(select, false) \
  PART(mapping, false) PART(pool, false) PART(scope, false) PART(trace, false) \
  PART(profile, false) \
  PART(report, true) PART(waits, true) PART(cycle, true) PART(waiter, true) PART(handler, true) \
  PART(settings, true) PART(dump, true) PART(unobserved, true) PART(process, true) \
  PART(datafile, true)

#define PART(name, late) BINDING_DECLARE_PART(name)
PARTS
#undef PART

static const struct part parts[] = {
#define PART(name, late) {BINDING_PART(name), late},
    PARTS
#undef PART
};

/* The banner of the Lua that compiled the parts; empty if none did. */
extern const char compiler[];

/* That of the Lua that runs: the module may meet any, and a program that embeds
 * Lua need not show it. */
extern const char lua_ident[] __attribute__((weak));

/* The header of bytecode tells 5.4 from 5.3, but not 5.4.4 from 5.4.6. */
static bool compiled_for_us(void) {
  return compiler[0] && lua_ident && strstr(lua_ident, compiler);
}

static int load(lua_State *L, const char *name, const char *from, const char *to) {
  return luaL_loadbuffer(L, from, (size_t)(to - from), name);
}

/* Bytecode that does not fit costs time, no more. */
void binding_push_part(lua_State *L, const struct binding_part *part) {
  const char *name = lua_pushfstring(L, "=[greenlet.%s]", part->name);
  int status = LUA_ERRSYNTAX;
  if (compiled_for_us()) {
    status = load(L, name, part->code, part->code_end);
    if (status == LUA_ERRSYNTAX)
      lua_pop(L, 1);
  }
  if (status == LUA_ERRSYNTAX)
    status = load(L, name, part->text, part->text_end);
  if (status != LUA_OK)
    lua_error(L);
  lua_remove(L, -2);
}

static const struct part *find(const char *name) {
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(parts[i].in.name, name) == 0)
      return &parts[i];
  }
  return NULL;
}

void l_run_part(lua_State *L, struct runtime *rt, const char *name, int results) {
  binding_push_part(L, &find(name)->in);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  lua_call(L, 1, results);
}

/* (core, key): a late part's value, from now on a field of core */
static int core_index(lua_State *L) {
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  const struct part *part = find(key);
  if (!part || !part->late)
    return 0;
  l_run_part(L, l_runtime(L), key, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

void l_open_parts(lua_State *L, struct runtime *rt) {
  static const luaL_Reg events[] = {{"__index", core_index}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  lua_createtable(L, 0, 1);
  l_functions(L, rt, events);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}
