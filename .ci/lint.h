/* What Lua's headers do not say of its functions, for who analyses code that calls them. */
#include <lauxlib.h>
#include <lua.h>

__attribute__((noreturn)) int lua_error(lua_State *L);
__attribute__((noreturn)) int luaL_error(lua_State *L, const char *format, ...);
__attribute__((noreturn)) int luaL_argerror(lua_State *L, int arg, const char *message);
__attribute__((noreturn)) int luaL_typeerror(lua_State *L, int arg, const char *name);
__attribute__((returns_nonnull)) void *lua_newuserdatauv(lua_State *L, size_t bytes, int values);
__attribute__((returns_nonnull)) void *luaL_checkudata(lua_State *L, int arg, const char *name);
