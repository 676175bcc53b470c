#include "lua_binding/waitable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lua_binding/insist.h"
#include "lua_binding/links.h"

static const char waitable_kind;

static void *init(lua_State *L, struct l_waitable *waitable, const struct l_waitable_type *type) {
  waitable->type = type;
  waitable->rt = l_runtime(L);
  list_init(&waitable->waiters);
  waitable->made = l_here(L, waitable->rt);
  return waitable;
}

void *l_new_waitable(lua_State *L, size_t bytes, const struct l_waitable_type *type) {
  return init(L, l_new_object(L, 1, bytes, UV_FIELDS, &waitable_kind), type);
}

void *l_new_hidden(lua_State *L, size_t bytes, int user_values,
                   const struct l_waitable_type *type) {
  struct l_waitable *waitable = lua_newuserdatauv(L, bytes, user_values);
  memset(waitable, 0, bytes);
  waitable->kind = &waitable_kind;
  waitable->hidden = true;
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, UV_TABLE);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, &waitable_kind);
  return init(L, waitable, type);
}

struct l_waitable *l_test_waitable(lua_State *L, int idx) {
  if (!lua_istable(L, idx))
    return l_test_kind(L, idx, &waitable_kind);
  lua_rawgetp(L, idx, &waitable_kind);
  struct l_waitable *waitable = l_test_kind(L, -1, &waitable_kind);
  lua_pop(L, 1);
  return waitable;
}

void l_unhide(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (!lua_istable(L, idx))
    return;
  if (lua_rawgetp(L, idx, &waitable_kind) == LUA_TUSERDATA)
    lua_replace(L, idx);
  else
    lua_pop(L, 1);
}

void l_show(lua_State *L, int idx) {
  const struct l_waitable *waitable = l_test_kind(L, idx, &waitable_kind);
  idx = lua_absindex(L, idx);
  if (!waitable || !waitable->hidden)
    return;
  lua_getiuservalue(L, idx, UV_TABLE);
  lua_replace(L, idx);
}

void *l_check_waitable(lua_State *L, const struct l_waitable_type *type) {
  struct l_waitable *waitable = l_test_kind(L, 1, &waitable_kind);
  if (!waitable || waitable->type != type)
    luaL_typeerror(L, 1, type->name);
  return waitable;
}

void *l_check_living(lua_State *L, const struct l_waitable_type *type) {
  struct l_waitable *waitable = l_check_waitable(L, type);
  l_check_started(L, waitable->rt);
  return waitable;
}

int l_wait_in(lua_State *L, struct list *list, const char *what, const struct l_time *time) {
  struct l_waitable *waitable = lua_touserdata(L, 1);
  struct hub *hub = &waitable->rt->hub;
  int result = waitlist_begin(hub, list, what, waitable, time->seconds);
  if (result == -EPERM && time->seconds == 0)
    return -ETIMEDOUT;
  if (result < 0)
    return result;
  return time->timeout ? waiter_finish(hub, false) : l_finish(waitable->rt);
}

void l_push_waited(lua_State *L, const struct pair *pair) {
  lua_State *at = pair == l_current(l_rt(pair)) ? pair->at : l_innermost(pair);
  const void *object = pair->g->wait.object;
  lua_Debug ar;
  /* While it waits that function is the innermost one, but for those that tell of it. */
  for (int level = 0; object && level < LEVELS_UP && lua_getstack(at, level, &ar); level++) {
    if (!lua_getlocal(at, &ar, 1))
      continue;
    l_unhide(at, -1);
    if (lua_touserdata(at, -1) == object) {
      if (at != L)
        lua_xmove(at, L, 1);
      return;
    }
    lua_pop(at, 1);
  }
  lua_pushnil(L);
}

/* ---- Links ---- */

/* Its links are told by this call, which has the chain of them (links.h). They are numbered;
 * those up to `due` are to be told. */
struct l_bell {
  struct l_insistent call;
  lua_Integer serial, due;
};

static char bell_key;

enum { UV_CHAIN = UV_FIELDS }; /* a bell has no other fields */

static struct l_waitable *check(lua_State *L) {
  struct l_waitable *waitable = l_test_waitable(L, 1);
  if (!waitable)
    luaL_typeerror(L, 1, "Waitable");
  return waitable;
}

/* Push the bell of the object at idx, a private field; NULL and nil if it has none. */
static struct l_bell *push_bell(lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  l_unhide(L, -1);
  l_get_private(L, -1, &bell_key);
  lua_replace(L, -2);
  return lua_touserdata(L, -1);
}

void l_tell_links(lua_State *L, int idx) {
  const struct l_waitable *waitable = l_test_waitable(L, idx);
  if (__builtin_expect(!waitable->linked, 1))
    return;
  struct l_bell *bell = push_bell(L, idx);
  if (bell) {
    bell->due = bell->serial;
    l_insist(L, lua_gettop(L));
  }
  lua_pop(L, 1);
}

/* core.open_bell(object, tell): have tell(object) called when links are due. No effect
 * if there is a bell. */
static int core_open_bell(lua_State *L) {
  struct l_waitable *waitable = check(L);
  lua_settop(L, 2);
  if (push_bell(L, 1))
    return 0;
  lua_settop(L, 2);
  l_show(L, 1);
  l_new_insistent(L, sizeof(struct l_bell), 1);
  l_new_chain(L);
  lua_setiuservalue(L, -2, UV_CHAIN);
  l_unhide(L, 1);
  if (push_bell(L, 1)) /* a finalizer was faster */
    return 0;
  lua_pop(L, 1);
  l_set_private(L, 1, &bell_key);
  waitable->linked = true;
  return 0;
}

/* core.close_bell(object): it has no links any more, and no chain */
static int core_close_bell(lua_State *L) {
  check(L)->linked = false;
  l_unhide(L, 1);
  lua_pushnil(L);
  l_set_private(L, 1, &bell_key);
  return 0;
}

static struct l_bell *check_bell(lua_State *L) {
  check(L);
  struct l_bell *bell = push_bell(L, 1);
  if (!bell)
    luaL_error(L, "no bell");
  return bell;
}

/* core.chain_of(object): of its links; nil: it has no bell */
static int core_chain_of(lua_State *L) {
  check(L);
  if (push_bell(L, 1))
    lua_getiuservalue(L, -1, UV_CHAIN);
  return 1;
}

/* core.chain(object, link): add it, with its serial number; false if there is no bell */
static int core_chain(lua_State *L) {
  check(L);
  lua_settop(L, 2);
  struct l_bell *bell = push_bell(L, 1);
  if (bell) {
    lua_getiuservalue(L, 3, UV_CHAIN);
    lua_pushinteger(L, ++bell->serial);
    lua_setfield(L, 2, "serial");
    l_chain(L, 4, 2);
  }
  lua_pushboolean(L, bell != NULL);
  return 1;
}

/* core.links_due(object): all links that it has now are to be told */
static int core_links_due(lua_State *L) {
  check(L);
  l_tell_links(L, 1);
  return 0;
}

/* core.bell_due(object): up to which serial links are due, and whether they will be
 * told by a call that is queued */
static int core_bell_due(lua_State *L) {
  const struct l_bell *bell = check_bell(L);
  lua_pushinteger(L, bell->due);
  lua_pushboolean(L, callback_pending(&bell->call.callback));
  return 2;
}

/* core.ring(object): tell the links that are due in a turn of their own */
static int core_ring(lua_State *L) {
  check_bell(L);
  l_insist(L, lua_gettop(L));
  return 0;
}

/* ---- Names ---- */

static char name_key;

/* A name is text; an empty one would not be seen. */
static void check_name(lua_State *L, int idx, int argument, const char *function) {
  if (lua_type(L, idx) != LUA_TSTRING)
    l_typeerror(L, idx, argument, function, "string");
  if (lua_rawlen(L, idx) == 0)
    l_argerror(L, argument, function, "a name must not be empty");
}

/***
 * Its name in reports and in `tostring`: nil, or a text that is not empty. May be assigned.
 * @tfield string Event.name
 * @tfield string AsyncResult.name
 * @tfield string Semaphore.name
 * @tfield string RLock.name
 * @tfield string Queue.name
 * @tfield string SimpleQueue.name
 * @tfield string Channel.name
 */
static int get_name(lua_State *L) {
  l_unhide(L, 1);
  if (!l_test_waitable(L, 1))
    return luaL_typeerror(L, 1, "Waitable");
  l_get_private(L, 1, &name_key);
  return 1;
}

static int set_name(lua_State *L) {
  if (!lua_isnil(L, 2))
    check_name(L, 2, 2, "name");
  lua_settop(L, 2);
  l_unhide(L, 1);
  struct l_waitable *waitable = l_test_waitable(L, 1);
  if (!waitable)
    return luaL_typeerror(L, 1, "Waitable");
  waitable->named = !lua_isnil(L, 2);
  waitable->label = 0;
  l_set_private(L, 1, &name_key);
  return 0;
}

/* core.set_name(object, name, argument, function): of a new one; nil: it has none */
static int core_set_name(lua_State *L) {
  if (lua_isnil(L, 2))
    return 0;
  check_name(L, 2, (int)luaL_checkinteger(L, 3), luaL_checkstring(L, 4));
  return set_name(L);
}

void l_push_quoted(lua_State *L, const char *text, size_t length) {
  luaL_Buffer quoted;
  luaL_buffinit(L, &quoted);
  luaL_addchar(&quoted, '"');
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < ' ' || c == 127 || c == '"' || c == '\\') {
      char escaped[8];
      snprintf(escaped, sizeof escaped, c == '"' || c == '\\' ? "\\%c" : "\\%03d", c);
      luaL_addstring(&quoted, escaped);
    } else {
      luaL_addchar(&quoted, text[i]);
    }
  }
  luaL_addchar(&quoted, '"');
  luaL_pushresult(&quoted);
}

void l_push_shown_name(lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  l_unhide(L, -1);
  if (l_get_private(L, -1, &name_key) != LUA_TSTRING) {
    lua_pop(L, 2);
    lua_pushliteral(L, "");
    return;
  }
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  lua_pushliteral(L, " ");
  l_push_quoted(L, text, length);
  lua_concat(L, 2);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

const char *l_peek_name(lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  l_unhide(L, -1);
  bool named = l_get_private(L, -1, &name_key) == LUA_TSTRING;
  const char *name = named ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 2);
  return name;
}

/* core.name_of(object): its name, or nil */
static int core_name_of(lua_State *L) {
  l_unhide(L, 1);
  l_get_private(L, 1, &name_key);
  return 1;
}

/* core.made_at(object): where it was made, or nil */
static int core_made_at(lua_State *L) {
  const struct l_waitable *waitable = l_test_waitable(L, 1);
  if (!waitable)
    return 0;
  l_push_site_text(L, waitable->rt, waitable->made);
  return 1;
}

/* ---- Text ---- */

int l_push_state(lua_State *L, const char *state) {
  const struct l_waitable *waitable = l_test_waitable(L, 1);
  const struct list *waiters = &waitable->waiters;
  int waiting = 0;
  luaL_getmetafield(L, 1, "__name");
  if (waitable->rt->started) /* else those who waited are gone */
    for (struct list *node = waiters->next; node != waiters; node = node->next)
      waiting++;
  l_push_shown_name(L, 1);
  lua_pushfstring(L, "<%s%s at %p: %s", lua_tostring(L, -2), lua_tostring(L, -1),
                  (const void *)waitable, state);
  if (waiting > 0)
    lua_pushfstring(L, ", %d waiting>", waiting);
  else
    lua_pushliteral(L, ">");
  lua_concat(L, 2);
  return 1;
}

/* ---- For waitable.lua ---- */

static int core_is_waitable(lua_State *L) {
  lua_pushboolean(L, l_test_waitable(L, 1) != NULL);
  return 1;
}

/* core.waitable_ready(object) */
static int core_ready(lua_State *L) {
  const struct l_waitable *waitable = check(L);
  lua_pushboolean(L, waitable->type->ready(waitable));
  return 1;
}

/* core.link_due(object): is a link that was due still to be told? */
static int core_link_due(lua_State *L) {
  const struct l_waitable *waitable = check(L);
  lua_pushboolean(L, waitable->type->latched || waitable->type->ready(waitable));
  return 1;
}

/* core.state_text(object, state): what tostring shows */
static int core_state_text(lua_State *L) {
  check(L);
  return l_push_state(L, luaL_checkstring(L, 2));
}

void l_open_waitable(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"is_waitable", core_is_waitable},
                                       {"waitable_ready", core_ready},
                                       {"link_due", core_link_due},
                                       {"open_bell", core_open_bell},
                                       {"close_bell", core_close_bell},
                                       {"chain_of", core_chain_of},
                                       {"chain", core_chain},
                                       {"links_due", core_links_due},
                                       {"bell_due", core_bell_due},
                                       {"ring", core_ring},
                                       {"state_text", core_state_text},
                                       {"set_name", core_set_name},
                                       {"name_of", core_name_of},
                                       {"made_at", core_made_at},
                                       {NULL, NULL}};
  static const luaL_Reg getters[] = {{"name", get_name}, {NULL, NULL}};
  static const luaL_Reg setters[] = {{"name", set_name}, {NULL, NULL}};
  static const struct l_class class = {"Waitable", "class", NULL, NULL, getters, setters};
  l_push_core(L, rt, "Waitable");
  bool open = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (open)
    return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_register_class(L, rt, &class);
  lua_setfield(L, -2, class.name);
  lua_pop(L, 1);
  l_run_part(L, rt, "waitable", 0);
}
