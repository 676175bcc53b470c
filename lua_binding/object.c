/*
 * object.c: userdata that behave as objects of a class.
 *
 * What obj.key means: a field that the user assigned, else what the class or
 * an ancestor has, else an attribute (a getter), else the class's own __index.
 */
#include <string.h>

#include "lua_binding/runtime.h"

void l_functions(lua_State *L, struct runtime *rt, const luaL_Reg *functions) {
  for (; functions && functions->name; functions++) {
    lua_pushlightuserdata(L, rt);
    lua_pushcclosure(L, functions->func, 1);
    lua_setfield(L, -2, functions->name);
  }
}

void l_push_core(lua_State *L, struct runtime *rt, const char *field) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  lua_getfield(L, -1, field);
  lua_remove(L, -2);
}

/* ---- Arguments ---- */

/* Push "file:line: " of the innermost function that is not of greenlua. */
static void push_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.short_src, "[greenlet", 9) != 0) {
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

int l_argerror(lua_State *L, int argument, const char *function, const char *message) {
  push_where(L);
  if (argument == 0)
    lua_pushfstring(L, "calling '%s' on bad self (%s)", function, message);
  else
    lua_pushfstring(L, "bad argument #%d to '%s' (%s)", argument, function, message);
  lua_concat(L, 2);
  return lua_error(L);
}

static const char *type_name(lua_State *L, int idx) {
  if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
    return lua_tostring(L, -1);
  return lua_type(L, idx) == LUA_TNONE ? "no value" : luaL_typename(L, idx);
}

int l_typeerror(lua_State *L, int idx, int argument, const char *function, const char *type) {
  const char *message = lua_pushfstring(L, "%s expected, got %s", type, type_name(L, idx));
  return l_argerror(L, argument, function, message);
}

bool l_callable(lua_State *L, int idx) {
  if (lua_type(L, idx) == LUA_TFUNCTION)
    return true;
  if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL)
    return false;
  lua_pop(L, 1);
  return true;
}

void l_check_callable(lua_State *L, int idx) {
  if (!l_callable(L, idx))
    luaL_typeerror(L, idx, "function");
}

double l_check_seconds(lua_State *L, int idx) {
  double seconds = luaL_checknumber(L, idx);
  luaL_argcheck(L, seconds >= 0, idx, "seconds must not be negative");
  return seconds;
}

/* core.argerror(argument, function, message) */
static int core_argerror(lua_State *L) {
  return l_argerror(L, (int)luaL_checkinteger(L, 1), luaL_checkstring(L, 2),
                    luaL_checkstring(L, 3));
}

/* core.typename(value): as the messages of Lua's own library call it */
static int core_typename(lua_State *L) {
  lua_pushstring(L, type_name(L, 1));
  return 1;
}

static int core_rawmetatable(lua_State *L) {
  return lua_getmetatable(L, 1) ? 1 : 0;
}

/* ---- Userdata ---- */

void *l_test_kind(lua_State *L, int idx, const void *kind) {
  /* The length of a light userdata is 0. */
  const void **object = lua_touserdata(L, idx);
  return object && lua_rawlen(L, idx) >= sizeof *object && *object == kind ? object : NULL;
}

void *l_check_kind(lua_State *L, int idx, const void *kind, const char *name) {
  void *object = l_test_kind(L, idx, kind);
  if (!object)
    luaL_typeerror(L, idx, name);
  return object;
}

void l_check_started(lua_State *L, const struct runtime *rt) {
  if (!rt->started)
    luaL_error(L, "the interpreter is being closed");
}

void l_push_meta(lua_State *L, int class) {
  if (!lua_istable(L, class) || lua_getfield(L, class, "__meta") != LUA_TTABLE)
    luaL_typeerror(L, class, "class");
}

void *l_new_object(lua_State *L, int class, size_t bytes, int user_values, const void *kind) {
  class = lua_absindex(L, class);
  const void **object = lua_newuserdatauv(L, bytes, user_values);
  memset(object, 0, bytes);
  *object = kind;
  l_push_meta(L, class);
  lua_setmetatable(L, -2);
  return object;
}

void l_pack_call(lua_State *L, int first) {
  int arguments = lua_gettop(L) - first;
  lua_createtable(L, arguments + 1, 1);
  lua_insert(L, first);
  for (int i = arguments; i >= 0; i--)
    lua_rawseti(L, first, i + 1);
  lua_pushinteger(L, arguments);
  lua_setfield(L, first, "n");
}

void l_push_fields(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (lua_getiuservalue(L, idx, UV_FIELDS) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 2);
  if (lua_getiuservalue(L, idx, UV_FIELDS) == LUA_TTABLE) { /* a finalizer was faster */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, idx, UV_FIELDS);
}

/* Push the table under that key in the table on top, made if it is missing. */
static void push_table_in(lua_State *L, const void *key) {
  if (lua_rawgetp(L, -1, key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  if (lua_rawgetp(L, -2, key) == LUA_TTABLE) { /* a finalizer was faster */
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, key);
}

void l_push_private_table(lua_State *L, int idx, const void *key) {
  l_push_fields(L, idx);
  push_table_in(L, key);
  lua_remove(L, -2);
}

int l_get_private(lua_State *L, int idx, const void *key) {
  if (lua_getiuservalue(L, idx, UV_FIELDS) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return LUA_TNIL;
  }
  int type = lua_rawgetp(L, -1, key);
  lua_remove(L, -2);
  return type;
}

void l_set_private(lua_State *L, int idx, const void *key) {
  l_push_fields(L, idx);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, key);
  lua_pop(L, 1);
}

/* core.kept(object): the table that the Lua parts keep in an object. What they
 * know of it goes there, not in a table by object with weak keys: chains of those
 * cost the collector a pass for each link. */
static int core_kept(lua_State *L) {
  static char kept_key;
  if (lua_isuserdata(L, 1)) {
    l_push_private_table(L, 1, &kept_key);
  } else {
    lua_pushvalue(L, 1);
    push_table_in(L, &kept_key);
  }
  return 1;
}

/* core.keep(table, key, value): table[key], which becomes `value` if it is nil. Nobody comes in
 * between. */
static int core_keep(lua_State *L) {
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 1) != LUA_TNIL)
    return 1;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, 1);
  lua_settop(L, 3);
  return 1;
}

/* ---- obj.key ---- */

/* Objects are userdata, and those of some classes tables: whose fields are their
 * own, so that only what is no field comes here. */

/* Upvalues of the accessors: the class, its getters or setters, the getters. */
enum { CLASS = 1, ATTRIBUTES, GETTERS };
#define UP(n) lua_upvalueindex(n)

static bool push_field(lua_State *L) {
  if (lua_getiuservalue(L, 1, UV_FIELDS) != LUA_TTABLE)
    return false;
  lua_pushvalue(L, 2);
  return lua_rawget(L, -2) != LUA_TNIL;
}

/* What a class written in Lua says about keys that nobody knows. */
static int ask_class(lua_State *L, const char *event, int arguments) {
  lua_settop(L, arguments);
  lua_getfield(L, UP(CLASS), event);
  if (lua_isfunction(L, -1)) {
    lua_insert(L, 1);
    lua_call(L, arguments, 1);
    return 1;
  }
  if (!lua_istable(L, -1) || arguments != 2)
    return 0;
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

/* What is no field of the object. */
static int look_up(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_gettable(L, UP(CLASS)) != LUA_TNIL)
    return 1;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, UP(ATTRIBUTES)) == LUA_TNIL)
    return ask_class(L, "__index", 2);
  lua_insert(L, 1);
  lua_settop(L, 2);
  lua_call(L, 1, 1);
  return 1;
}

static int object_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  return push_field(L) ? 1 : look_up(L);
}

static int table_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return look_up(L);
}

/* Assign what is no field, if the class knows it; else leave key and value. */
static bool assign(lua_State *L) {
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, UP(ATTRIBUTES)) != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 3);
    lua_call(L, 2, 0);
    return true;
  }
  lua_pushvalue(L, 2);
  if (lua_rawget(L, UP(GETTERS)) != LUA_TNIL) {
    push_where(L);
    lua_pushfstring(L, "attribute '%s' is read-only", lua_tostring(L, 2));
    lua_concat(L, 2);
    lua_error(L);
  }
  lua_settop(L, 3);
  lua_getfield(L, UP(CLASS), "__newindex");
  if (lua_isfunction(L, -1)) {
    ask_class(L, "__newindex", 3);
    return true;
  }
  lua_settop(L, 3);
  return false;
}

static int object_newindex(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  if (!assign(L)) {
    l_push_fields(L, 1);
    lua_insert(L, 2);
    lua_settable(L, 2);
  }
  return 0;
}

static int table_newindex(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!assign(L))
    lua_rawset(L, 1);
  return 0;
}

static lua_CFunction accessor_of(bool table, bool index) {
  if (table)
    return index ? table_index : table_newindex;
  return index ? object_index : object_newindex;
}

static void push_attributes(lua_State *L, int class, const char *field) {
  if (lua_getfield(L, class, field) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
}

/* Push what the metatable of the class's instances has for the event. */
static void push_accessor(lua_State *L, int class, const char *event) {
  bool index = strcmp(event, "__index") == 0;
  int type = lua_getfield(L, class, "__object"); /* true, or "table" */
  lua_pop(L, 1);
  if (type != LUA_TNIL) {
    lua_pushvalue(L, class);
    push_attributes(L, class, index ? "__getters" : "__setters");
    push_attributes(L, class, "__getters");
    lua_pushcclosure(L, accessor_of(type == LUA_TSTRING, index), 3);
  } else if (lua_getfield(L, class, event) == LUA_TNIL && index) {
    lua_pop(L, 1);
    lua_pushvalue(L, class);
  }
}

/* core.accessor(class, "__index" | "__newindex"): for its metatable */
static int core_accessor(lua_State *L) {
  push_accessor(L, 1, luaL_checkstring(L, 2));
  return 1;
}

static void push_instance(lua_State *L) {
  if (lua_getfield(L, 1, "__new") == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    l_push_meta(L, 1);
    lua_setmetatable(L, -2);
    return;
  }
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
}

/* Class(...): allocate and init. It is the __call of all classes. */
static int core_construct(lua_State *L) {
  int arguments = lua_gettop(L) - 1;
  push_instance(L);
  lua_insert(L, 1);             /* object, class, arguments ... */
  lua_getfield(L, 2, "init");
  lua_replace(L, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, 3);             /* object, init, object, arguments ... */
  lua_call(L, arguments + 1, 0);
  return 1;
}

/* ---- Classes ---- */

static int count_fields(lua_State *L, int idx) {
  int count = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
    count++;
  return count;
}

static int count_functions(const luaL_Reg *functions) {
  int count = 0;
  while (functions && functions[count].name)
    count++;
  return count;
}

/* Push a copy of the table at idx, absolute, with room for more fields. */
static void push_copy(lua_State *L, int idx, int more) {
  lua_createtable(L, 0, count_fields(L, idx) + more);
  for (lua_pushnil(L); lua_next(L, idx);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/* Push the metatable of a class at 2, which is to be like that of its super. */
static void push_class_metatable(lua_State *L) {
  lua_getmetatable(L, 1);
  push_copy(L, lua_gettop(L), 0);
  lua_remove(L, -2);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "__index");
}

/* The ancestors of the class at 2: those in the metatable, and itself. */
static void set_ancestors(lua_State *L, int meta) {
  lua_getfield(L, meta, "__ancestors");
  push_copy(L, lua_gettop(L), 1);
  lua_pushvalue(L, 2);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  lua_setfield(L, meta, "__ancestors");
  lua_pop(L, 1);
}

/* core.set_super(super, class): make a table that has a __name a class */
static int core_set_super(lua_State *L) {
  enum { SUPER = 1, OWN, SUPER_META, META };
  lua_settop(L, 2);
  lua_getfield(L, SUPER, "__meta");
  push_copy(L, SUPER_META, 1);
  set_ancestors(L, META);
  lua_pushvalue(L, OWN);
  lua_setfield(L, META, "__class");
  lua_getfield(L, OWN, "__name");
  lua_setfield(L, META, "__name");
  lua_pushvalue(L, SUPER);
  lua_setfield(L, OWN, "super");
  lua_pushvalue(L, META);
  lua_setfield(L, OWN, "__meta");
  push_class_metatable(L);
  lua_setmetatable(L, OWN);
  push_accessor(L, OWN, "__index");
  lua_setfield(L, META, "__index");
  push_accessor(L, OWN, "__newindex");
  lua_setfield(L, META, "__newindex");
  return 0;
}

/* Set a table in the class on top: the attributes of the parent and more. */
static void set_attributes(lua_State *L, struct runtime *rt, int parent, const char *field,
                           const luaL_Reg *functions) {
  int more = count_functions(functions);
  if (lua_getfield(L, parent, field) == LUA_TTABLE)
    push_copy(L, lua_gettop(L), more);
  else
    lua_createtable(L, 0, more);
  l_functions(L, rt, functions);
  lua_setfield(L, -3, field);
  lua_pop(L, 1);
}

/* The metamethods among the methods of the class on top go to its instances. */
static void set_metamethods(lua_State *L, const luaL_Reg *methods) {
  lua_getfield(L, -1, "__meta");
  for (; methods && methods->name; methods++) {
    if (strncmp(methods->name, "__", 2) == 0) {
      lua_getfield(L, -2, methods->name);
      lua_setfield(L, -2, methods->name);
    }
  }
  lua_pop(L, 1);
}

enum { CLASS_FIELDS = 8 }; /* of any class: super, __name, __meta ... */

/* The table is complete before it becomes a class, which hears of what is
 * assigned to it, at a price. */
static void register_class(lua_State *L, struct runtime *rt, const struct l_class *class,
                           bool table) {
  const luaL_Reg fields[] = {{class->allocate ? "__new" : NULL, class->allocate}, {NULL, NULL}};
  l_push_core(L, rt, "derive");
  l_push_core(L, rt, class->parent);
  int parent = lua_gettop(L);
  lua_createtable(L, 0, count_functions(class->methods) + CLASS_FIELDS);
  lua_pushstring(L, class->name);
  lua_setfield(L, -2, "__name");
  if (table)
    lua_pushliteral(L, "table");
  else
    lua_pushboolean(L, true);
  lua_setfield(L, -2, "__object");
  l_functions(L, rt, fields);
  l_functions(L, rt, class->methods);
  set_attributes(L, rt, parent, "__getters", class->getters);
  set_attributes(L, rt, parent, "__setters", class->setters);
  lua_call(L, 2, 1);
  set_metamethods(L, class->methods);
}

void l_register_class(lua_State *L, struct runtime *rt, const struct l_class *class) {
  register_class(L, rt, class, false);
}

void l_register_table_class(lua_State *L, struct runtime *rt, const struct l_class *class) {
  register_class(L, rt, class, true);
}

int l_object_open(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {
      {"argerror", core_argerror},   {"typename", core_typename},
      {"rawmetatable", core_rawmetatable}, {"accessor", core_accessor},
      {"construct", core_construct}, {"set_super", core_set_super},
      {"kept", core_kept}, {"keep", core_keep}, {NULL, NULL},
  };
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  /* Without upvalue: accessor and construct are also called as plain C. */
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}
