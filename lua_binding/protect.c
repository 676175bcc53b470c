/*
 * protect.c: pcall and its kin, which let kills pass.
 *
 * They follow Lua 5.4's lbaselib.c and lcorolib.c to the letter, messages and
 * frames included, but for one thing: an error whose class is marked
 * __uncatchable goes on. The handler of an xpcall must not see it either. Lua
 * calls that handler before it unwinds, and a handler of ours in its place
 * would show in every traceback; so l_error, when it raises a kill, replaces
 * the handler in the innermost xpcall's frame, which will never use it again.
 */
#include <stdlib.h>
#include <string.h>

#include "lua_binding/runtime.h"

/* ---- pcall, xpcall, error ---- */

static int finish(lua_State *L, int status, lua_KContext extra) {
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - (int)extra;
  if (l_is_uncatchable(L, -1))
    return l_error(L);
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

static int finish_all(lua_State *L, int status, lua_KContext extra) {
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - (int)extra;
  if (l_is_exit(L, -1)) /* it resists: see core.finish */
    l_current(l_runtime(L))->ending = false;
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

static int protected_call(lua_State *L, lua_KFunction k) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, k);
  return k(L, status, 0);
}

enum { HANDLER = 2 };

static int protected_call_with(lua_State *L, lua_KFunction k) {
  int n = lua_gettop(L);
  luaL_checktype(L, HANDLER, LUA_TFUNCTION);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  int status = lua_pcallk(L, n - 2, LUA_MULTRET, HANDLER, 2, k);
  return k(L, status, 2);
}

static int l_pcall(lua_State *L) {
  return protected_call(L, finish);
}

static int l_xpcall(lua_State *L) {
  return protected_call_with(L, finish);
}

/*** Call `f(...)` and catch every error, kills, Timeouts and Ctrl-C too.
 * Use it to look at a kill, and raise that again.
 *
 * ```lua
 * local limit = greenlet.Timeout.start_new(0.01)
 * local ok, err = greenlet.pcall(function()
 *   print(pcall(error, "an error")) -- stopped here
 *   print(pcall(greenlet.sleep, 1)) -- passes: never printed
 * end)
 * print(ok, err == limit, err)
 * ```
 *
 * ```text
 * false	an error
 * false	true	Timeout: 0.01 seconds
 * ```
 * @function greenlet.pcall
 * @within errors
 * @tparam function f what to call
 * @tparam any ... its arguments
 * @treturn boolean whether it ended without an error
 * @treturn any what *f* returned, or the error
 * @switches where *f* does
 * @source pcall
 */
static int l_pcall_all(lua_State *L) {
  return protected_call(L, finish_all);
}

/*** Call `f(...)`, catch every error, kills too, and have a handler look at it.
 * @function greenlet.xpcall
 * @within errors
 * @tparam function f what to call
 * @tparam function handler called with the error where it was raised; what it returns is returned
 * @tparam any ... the arguments of *f*
 * @treturn boolean whether it ended without an error
 * @treturn any what *f* returned, or what the handler made of the error
 * @switches where *f* does
 * @usage print(greenlet.xpcall(f, debug.traceback))
 * @source xpcall
 */
static int l_xpcall_all(lua_State *L) {
  return protected_call_with(L, finish_all);
}

static int pass_on(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

/* Take the handler out of the innermost protected call of this thread. Level 0
 * raises: it may be a protected call, but one that is over. */
static void silence_handler(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "f", &ar);
    lua_CFunction function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if (function == l_xpcall) {
      lua_pushcfunction(L, pass_on);
      lua_setlocal(L, &ar, HANDLER);
    }
    if (function == l_xpcall || function == l_pcall || function == l_pcall_all ||
        function == l_xpcall_all)
      return;
  }
}

int l_error(lua_State *L) {
  if (l_is_uncatchable(L, -1) && lua_checkstack(L, 2))
    silence_handler(L);
  return lua_error(L);
}

/* Lua's error, so that a kill which a script raises is a kill, too. */
static int l_base_error(lua_State *L) {
  int level = (int)luaL_optinteger(L, 2, 1);
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING && level > 0) {
    luaL_where(L, level);
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
  }
  return l_error(L);
}

/* ---- coroutine ---- */

/* The bottom thread of a greenlet is no coroutine to scripts. In our program
 * the extra space of such a thread holds this address; others have there what
 * the main thread has. */
static const char base_mark;

void l_mark_base(lua_State *thread) {
  *(const void **)lua_getextraspace(thread) = &base_mark;
}

static bool is_base(lua_State *co) {
  return *(const void **)lua_getextraspace(co) == &base_mark;
}

static lua_State *check_coroutine(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "thread"); /* 5.4.4 says it so */
  return co;
}

static int resume(lua_State *L, struct runtime *rt, lua_State *co, int arguments) {
  int results;
  if (is_base(co)) {
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return -1;
  }
  if (!lua_checkstack(co, arguments)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, arguments);
  rt->L = co;
  int status = lua_resume(co, L, arguments, &results);
  rt->L = L;
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

/* Close the to-be-closed variables of a coroutine that a kill has ended, and
 * put what is left of the error on L. */
static void close_killed(lua_State *L, struct runtime *rt, lua_State *co) {
  lua_pushvalue(L, -1);
  lua_xmove(L, co, 1); /* where the thread expects its error */
  rt->L = co;
  int status = lua_resetthread(co);
  rt->L = L;
  if (status != LUA_OK) {
    lua_pop(L, 1);
    lua_xmove(co, L, 1);
  }
}

static int l_resume(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  lua_State *co = check_coroutine(L);
  int results = resume(L, rt, co, lua_gettop(L) - 1);
  if (results >= 0) {
    lua_pushboolean(L, 1);
    lua_insert(L, -(results + 1));
    return results + 1;
  }
  if (l_is_uncatchable(L, -1)) {
    if (lua_status(co) > LUA_YIELD)
      close_killed(L, rt, co);
    return l_error(L);
  }
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

/* Upvalues: the runtime, the coroutine. */
static int wrapped(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  lua_State *co = lua_tothread(L, lua_upvalueindex(2));
  int results = resume(L, rt, co, lua_gettop(L));
  if (results >= 0)
    return results;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushvalue(L, -1);
    lua_xmove(L, co, 1);
    rt->L = co;
    status = lua_resetthread(co);
    rt->L = L;
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return l_error(L);
}

static int l_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushlightuserdata(L, l_runtime(L));
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, wrapped, 2);
  return 1;
}

static int l_yield(lua_State *L) {
  if (is_base(L)) {
    lua_pushliteral(L, "attempt to yield from outside a coroutine");
    return lua_error(L);
  }
  return lua_yield(L, lua_gettop(L));
}

static int l_isyieldable(lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : check_coroutine(L);
  lua_pushboolean(L, !is_base(co) && lua_isyieldable(co));
  return 1;
}

/* Why a coroutine cannot be closed; NULL if it can. */
static const char *busy(lua_State *L, lua_State *co) {
  lua_Debug ar;
  if (L == co)
    return "running";
  if (is_base(co) || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar)))
    return "normal";
  return NULL;
}

static int l_close(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  lua_State *co = check_coroutine(L);
  const char *state = busy(L, co);
  if (state)
    return luaL_error(L, "cannot close a %s coroutine", state);
  rt->L = co;
  int status = lua_resetthread(co);
  rt->L = L;
  if (status == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return l_is_uncatchable(L, -1) ? l_error(L) : 2;
}

/* ---- os.exit ---- */

/* With close, finalizers and __close functions run here, on whatever stack
 * this is, while the others' are frozen: nothing may wait any more. */
static int l_exit(lua_State *L) {
  int status;
  if (lua_isboolean(L, 1))
    status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
  else
    status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  l_print_late_reports(L, l_runtime(L));
  /* The main thread of a forked child is its parent's, and not to be closed. */
  if (lua_toboolean(L, 2) && l_runtime(L)->hub.root == &l_runtime(L)->hub.main) {
    l_runtime(L)->closing = true;
    lua_close(L);
  }
  exit(status);
}

/* ---- Installing ---- */

static void replace(lua_State *L, struct runtime *rt, const char *library,
                    const luaL_Reg *functions) {
  if (lua_getglobal(L, library) == LUA_TTABLE)
    l_functions(L, rt, functions);
  lua_pop(L, 1);
}

/* core.patch_all(): what the program installs by itself */
static int core_patch_all(lua_State *L) {
  static const luaL_Reg base[] = {
      {"pcall", l_pcall}, {"xpcall", l_xpcall}, {"error", l_base_error}, {NULL, NULL}};
  static const luaL_Reg coroutine[] = {{"resume", l_resume}, {"wrap", l_wrap},
                                       {"yield", l_yield},   {"isyieldable", l_isyieldable},
                                       {"close", l_close},   {NULL, NULL}};
  static const luaL_Reg os[] = {{"exit", l_exit}, {NULL, NULL}};
  struct runtime *rt = l_runtime(L);
  memset(lua_getextraspace(rt->main_L), 0, LUA_EXTRASPACE); /* Lua leaves it unset */
  l_mark_threads(rt);
  lua_pushglobaltable(L);
  luaL_setfuncs(L, base, 0); /* no upvalues, as the originals */
  lua_pop(L, 1);
  replace(L, rt, "coroutine", coroutine);
  replace(L, rt, "os", os);
  return 0;
}

void l_open_protect(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"pcall", l_pcall_all},
                                       {"xpcall", l_xpcall_all},
                                       {"patch_all", core_patch_all},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
