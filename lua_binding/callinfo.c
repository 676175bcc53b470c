#include "lua_binding/callinfo.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(offsetof(struct call_info, status) == 62, "as Lua 5.4 has it");

enum { CALLS = 4, DEPTH = 3 };

struct probe {
  uintptr_t at[2 * CALLS];
  int count;
  bool wrong;
};

/* Lua calls this on lines that follow each other, twice in all. */
static int note(lua_State *L) {
  struct probe *probe = lua_touserdata(L, lua_upvalueindex(1));
  const struct call_info *ci = callinfo_innermost(L);
  lua_Debug ar;
  for (int level = 0; level < DEPTH && lua_getstack(L, level, &ar); level++) {
    probe->wrong |= (const void *)ci != (const void *)ar.i_ci;
    if (probe->wrong)
      return 0;
    lua_getinfo(L, "S", &ar);
    probe->wrong |= (*ar.what == 'C') != !!(ci->status & CALL_IS_C);
    if (level == 1)
      probe->at[probe->count++] = (uintptr_t)ci->saved_pc;
    ci = ci->previous;
  }
  return 0;
}

/* The calls are compiled alike, so from each to the next it must be as far; and
 * the second time must look like the first. */
static bool plausible(const struct probe *probe) {
  if (probe->wrong || probe->count != 2 * CALLS)
    return false;
  uintptr_t stride = probe->at[1] - probe->at[0];
  for (int i = 1; i < CALLS; i++)
    if (probe->at[i] - probe->at[i - 1] != stride)
      return false;
  return stride > 0 && stride <= 64 &&
         memcmp(probe->at, probe->at + CALLS, CALLS * sizeof *probe->at) == 0;
}

bool callinfo_probe(lua_State *L) {
  static const char code[] = "local note = ...\n"
                             "local function f() note() note() note() note() end\n"
                             "f() f()";
  struct probe probe = {.count = 0};
  int top = lua_gettop(L);
  bool ran = luaL_loadbufferx(L, code, sizeof code - 1, "=[greenlet.probe]", "t") == LUA_OK;
  if (ran) {
    lua_pushlightuserdata(L, &probe);
    lua_pushcclosure(L, note, 1);
    ran = lua_pcall(L, 1, 0, 0) == LUA_OK;
  }
  lua_settop(L, top);
  return ran && plausible(&probe);
}
