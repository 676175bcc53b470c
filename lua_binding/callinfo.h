/*
 * callinfo.h: where Lua keeps what each active function is about to do.
 *
 * To tell where a greenlet was spawned through lua_getinfo takes longer than
 * to spawn it. The addresses of the next instructions tell the same place from
 * all others and can be read in no time, if one knows the layout of Lua's
 * CallInfo. It is private to Lua, though the same in every release of 5.4, so
 * whoever reads it asks callinfo_probe first whether it is what we think.
 */
#ifndef LUA_BINDING_CALLINFO_H
#define LUA_BINDING_CALLINFO_H

#include <lua.h>
#include <stdbool.h>

struct call_info {
  void *function, *top;
  struct call_info *previous, *next;
  const void *saved_pc; /* of a Lua function: its next instruction */
  void *others[2];
  int other;
  short results;
  unsigned short status;
};

enum { CALL_IS_C = 1 << 1 };

/* The innermost active function. Never NULL: below the outermost one there is
 * a CallInfo for the host, whose `previous` is NULL. */
static inline const struct call_info *callinfo_innermost(lua_State *L) {
  lua_Debug ar;
  return lua_getstack(L, 0, &ar) ? (const struct call_info *)ar.i_ci : NULL;
}

/* Is struct call_info right? Runs a few lines of Lua to find out. */
bool callinfo_probe(lua_State *L);

#endif
