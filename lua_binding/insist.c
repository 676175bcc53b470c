#include "lua_binding/insist.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lua_binding/stuck.h"

static const char insistent_kind;

enum { UV_FUNCTION = UV_FIELDS + 1, UV_OBJECT, UV_LAST = UV_OBJECT };

static const long PAUSE_NANOSECONDS = 1000000;

/* Does the error on top, which came with `status`, say that there is no memory? */
static bool is_memory_error(lua_State *L, int status) {
  if (status != LUA_ERRRUN) /* what core had no memory for is raised as any error */
    return status == LUA_ERRMEM;
  return lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "not enough memory") == 0;
}

bool l_try_call(lua_State *L, int arguments) {
  struct timespec pause = {.tv_nsec = PAUSE_NANOSECONDS};
  int status = lua_pcall(L, arguments, 0, 0);
  bool again = is_memory_error(L, status);
  if (status != LUA_OK)
    lua_pop(L, 1);
  if (again)
    nanosleep(&pause, NULL); /* to those who may give some back */
  return !again;
}

void l_say_no_memory(void) {
  struct text text = {.length = 0};
  l_add_text(&text, "greenlua: something failed, and there is no memory to report it\n");
  l_write_text(STDERR_FILENO, &text);
}

/* ---- The call ---- */

static void set_slot(lua_State *L, int slot) {
  lua_rawseti(L, LUA_REGISTRYINDEX, slot); /* a place that is there */
}

/* (the call) */
static int call(lua_State *L) {
  lua_getiuservalue(L, 1, UV_FUNCTION);
  lua_getiuservalue(L, 1, UV_OBJECT);
  lua_call(L, 1, 0);
  return 0;
}

static void run(struct callback *callback) {
  struct l_insistent *it = container_of(callback, struct l_insistent, callback);
  struct runtime *rt = it->rt;
  lua_State *L = rt->hub_L;
  rt->L = L;
  lua_pushcfunction(L, call);
  lua_rawgeti(L, LUA_REGISTRYINDEX, it->slot);
  bool done = l_try_call(L, 1);
  if (callback_pending(callback))
    return;
  if (!done) {
    hub_call(&rt->hub, callback);
    return;
  }
  lua_pushboolean(L, false);
  set_slot(L, it->slot);
}

void l_insist(lua_State *L, int idx) {
  struct l_insistent *it = lua_touserdata(L, idx);
  if (callback_pending(&it->callback) || it->rt->closing)
    return;
  lua_pushvalue(L, idx);
  set_slot(L, it->slot);
  hub_call(&it->rt->hub, &it->callback);
}

/* ---- Making one ---- */

struct l_insistent *l_new_insistent(lua_State *L, size_t bytes, int object) {
  struct l_insistent *it = lua_newuserdatauv(L, bytes, UV_LAST);
  memset(it, 0, bytes);
  it->rt = l_runtime(L);
  callback_init(&it->callback, run);
  lua_pushvalue(L, object);
  lua_setiuservalue(L, -2, UV_OBJECT);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, UV_FUNCTION);
  lua_pushboolean(L, false);
  it->slot = luaL_ref(L, LUA_REGISTRYINDEX);
  it->kind = &insistent_kind;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &insistent_kind);
  lua_setmetatable(L, -2);
  return it;
}

void l_push_insistent_object(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_OBJECT);
}

static int collected(lua_State *L) {
  struct l_insistent *it = l_test_kind(L, 1, &insistent_kind);
  if (!it)
    return 0;
  it->kind = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, it->slot);
  return 0;
}

/* core.insist(f, object): have f(object) called in the hub, soon and for certain. It
 * must raise nothing but for want of memory. */
static int core_insist(lua_State *L) {
  lua_settop(L, 2);
  lua_insert(L, 1);
  l_new_insistent(L, sizeof(struct l_insistent), 1);
  l_insist(L, 2);
  return 0;
}

void l_open_insist(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"insist", core_insist}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", collected}, {NULL, NULL}};
  luaL_newlib(L, meta);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &insistent_kind);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
