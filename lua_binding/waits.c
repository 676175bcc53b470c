/*
 * waits.c: the facts about a wait, for waits.lua, which says what they mean.
 *
 * All are read from what the primitives themselves keep: struct wait, the lists,
 * the arguments of the function that waits.
 */
#include <string.h>

#include "core/clock.h"
#include "core/timeout.h"
#include "lua_binding/callinfo.h"
#include "lua_binding/joinall.h"
#include "lua_binding/select.h"
#include "lua_binding/watcher.h"

/* Of core.wait_of: the fields are set in FACTS. */
enum { NAMES = 3, FACTS };

/* Is the value on top of the thread what the greenlet waits with? */
static bool is_waited(lua_State *at, const struct wait *wait) {
  if (wait->what == WAIT_WATCHER)
    return lua_touserdata(at, -1) == container_of(wait->object, struct l_watcher, watcher);
  l_unhide(at, -1);
  return lua_isuserdata(at, -1) ? lua_touserdata(at, -1) == wait->object
                                : lua_type(at, -1) == LUA_TSTRING &&
                                      lua_tostring(at, -1) == wait->object;
}

/* Push argument n of the function in which the greenlet waits, whose argument `with`
 * is what it waits with; nil without one. */
static void push_argument(lua_State *L, const struct pair *pair, int with, int n) {
  lua_State *at = pair == l_current(l_rt(pair)) ? pair->at : l_innermost(pair);
  lua_Debug ar;
  int level = lua_checkstack(at, 2) ? 0 : LEVELS_UP;
  for (; level < LEVELS_UP && lua_getstack(at, level, &ar); level++) {
    if (!lua_getlocal(at, &ar, with))
      continue;
    bool found = is_waited(at, &pair->g->wait);
    lua_pop(at, 1);
    if (!found)
      continue;
    if (!lua_getlocal(at, &ar, n))
      break;
    if (at != L)
      lua_xmove(at, L, 1);
    return;
  }
  lua_pushnil(L);
}

/* ---- How long ---- */

static double sooner(double seconds, const struct timer *timer, double now) {
  double left = timer_active(timer) ? timer_at(timer) - now : -1;
  if (timer_active(timer) && left < 0)
    left = 0;
  return left >= 0 && (seconds < 0 || left < seconds) ? left : seconds;
}

/* Seconds until a timer of the greenlet's ends the wait; negative: never. */
static double seconds_left(const struct greenlet *g) {
  double now = clock_seconds(), left = sooner(-1, &g->timer, now);
  for (const struct timeout *timeout = g->timeouts; timeout; timeout = timeout->next)
    left = sooner(left, &timeout->timer, now);
  return left;
}

static void set_times(lua_State *L, const struct greenlet *g) {
  double since = clock_seconds() - g->hub->began - (double)g->wait.since;
  lua_pushnumber(L, since > 0 ? since : 0);
  lua_setfield(L, FACTS, "since");
  lua_pushnumber(L, (lua_Number)g->wait.since);
  lua_setfield(L, FACTS, "began");
  double left = seconds_left(g);
  if (left < 0)
    return;
  lua_pushnumber(L, left);
  lua_setfield(L, FACTS, "timeout");
}

/* ---- Where ---- */

/* Is the value on top of the thread (popped) this function? */
static bool pop_is(lua_State *thread, const void *function) {
  bool is = lua_isfunction(thread, -1) && lua_topointer(thread, -1) == function;
  lua_pop(thread, 1);
  return is;
}

/* The name of a variable of that frame which has the function, or NULL. */
static const char *name_in_frame(lua_State *thread, lua_Debug *ar, const void *function) {
  const char *name;
  for (int n = 1; (name = lua_getlocal(thread, ar, n)); n++)
    if (pop_is(thread, function))
      return *name == '(' ? NULL : name;
  lua_getinfo(thread, "f", ar);
  for (int n = 1; (name = lua_getupvalue(thread, -1, n)); n++)
    if (pop_is(thread, function))
      break;
  lua_pop(thread, 1);
  return name && *name ? name : NULL;
}

/* Push the key of the global variable that has it, if there is one. */
static bool push_global(lua_State *L, const void *function) {
  lua_pushglobaltable(L);
  for (lua_pushnil(L); lua_next(L, -2);)
    if (pop_is(L, function) && lua_type(L, -1) == LUA_TSTRING) {
      lua_remove(L, -2);
      return true;
    }
  lua_pop(L, 1);
  return false;
}

/*
 * What has been spawned was not called by a name; so look for a variable, as who
 * reads the script would: a global one, or one of a function that is under way.
 */
static void push_variable(lua_State *L, lua_State *thread, lua_Debug *ar) {
  enum { MOST_LEVELS = 20 };
  struct runtime *rt = l_find_runtime(L);
  lua_State *threads[] = {thread, l_innermost(l_root(rt))};
  lua_getinfo(thread, "f", ar);
  const void *function = lua_topointer(thread, -1);
  lua_pop(thread, 1);
  if (push_global(L, function))
    return;
  for (int i = 0; i < 2; i++) {
    lua_Debug frame;
    const char *name = NULL;
    if (!lua_checkstack(threads[i], LUA_MINSTACK))
      continue;
    for (int level = 0; !name && level < MOST_LEVELS && lua_getstack(threads[i], level, &frame);
         level++)
      name = name_in_frame(threads[i], &frame, function);
    if (name) {
      lua_pushstring(L, name);
      return;
    }
  }
  lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
}

/* Push what the function of that frame is called; the table at NAMES, if it is one,
 * keeps what was found for the next. */
static void push_function(lua_State *L, lua_State *thread, lua_Debug *ar) {
  lua_getinfo(thread, "n", ar);
  if (*ar->what == 'm') {
    lua_pushliteral(L, "main chunk");
    return;
  }
  if (ar->name && *ar->namewhat && *ar->name != '?') {
    lua_pushstring(L, ar->name);
    return;
  }
  bool keeps = lua_istable(L, NAMES);
  lua_pushfstring(L, "%s:%d", ar->short_src, ar->linedefined);
  if (keeps && (lua_pushvalue(L, -1), lua_rawget(L, NAMES)) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_settop(L, FACTS + 1);
  push_variable(L, thread, ar);
  if (keeps) {
    lua_pushvalue(L, -1);
    lua_insert(L, -3);
    lua_rawset(L, NAMES);
  } else {
    lua_remove(L, -2);
  }
}

static void set_place(lua_State *L, const struct pair *pair) {
  lua_Debug ar;
  lua_State *thread = l_find_place(pair, &ar);
  if (!thread)
    return;
  lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  lua_setfield(L, FACTS, "where");
  push_function(L, thread, &ar);
  lua_setfield(L, FACTS, "in");
}

/* ---- What for ---- */

/* The greenlets whose deaths it waits for. */
static void set_targets(lua_State *L, struct pair *pair) {
  l_push_waited(L, pair);
  int joins = lua_gettop(L);
  if (!l_test_joins(L, joins))
    return;
  lua_newtable(L);
  for (size_t nth = 1; l_push_joined(L, joins, nth); nth++)
    lua_rawseti(L, -2, (lua_Integer)nth);
  lua_setfield(L, FACTS, "targets");
}

/* The cases of a select: {kind =, object =}. */
static void set_cases(lua_State *L, struct pair *pair) {
  l_push_waited(L, pair);
  int selection = lua_gettop(L);
  if (!l_is_selection(L, selection))
    return;
  lua_newtable(L);
  for (int nth = 1; l_push_selected(L, selection, nth); nth++) {
    lua_createtable(L, 0, 2);
    l_push_selected_case(L, selection, nth);
    l_show(L, -1);
    lua_setfield(L, selection + 3, "object");
    lua_setfield(L, selection + 3, "kind");
    lua_rawseti(L, selection + 1, nth);
    lua_settop(L, selection + 1);
  }
  lua_setfield(L, FACTS, "cases");
  push_argument(L, pair, SELECTION, LINKS);
  lua_setfield(L, FACTS, "links");
}

static void set_object(lua_State *L, struct pair *pair) {
  const struct wait *wait = &pair->g->wait;
  if (wait->what == WAIT_JOIN) {
    l_push_handle(L, l_pair(wait->object));
  } else if (wait->what == WAIT_WATCHER) {
    l_push_watcher_wait(L, wait->object);
    lua_setfield(L, FACTS, "watcher");
    push_argument(L, pair, 2, 2);
  } else if (wait->what == WAIT_LINKS) {
    lua_pushstring(L, wait->object);
    lua_setfield(L, FACTS, "text");
    push_argument(L, pair, 1, 3);
  } else {
    l_push_waited(L, pair);
    l_show(L, -1);
  }
  lua_setfield(L, FACTS, "object");
}

static void set_what(lua_State *L, struct pair *pair) {
  const struct wait *wait = &pair->g->wait;
  lua_pushstring(L, wait->what ? wait->what : "");
  lua_setfield(L, FACTS, "verb");
  if (wait->what == WAIT_DEATHS)
    set_targets(L, pair);
  else if (wait->what == WAIT_SELECT)
    set_cases(L, pair);
  else
    set_object(L, pair);
  lua_settop(L, FACTS);
}

static bool rests(const struct greenlet *g) {
  return g->begun && (g->state == GREENLET_WAITING || g->state == GREENLET_SUSPENDED);
}

/*
 * core.wait_of(g [, even_if_over [, names]]): what a greenlet waits for, nil if it does
 * not wait; with even_if_over that which has just ended counts; the table names is for
 * more calls to come. A table: `verb`, the
 * text that struct wait has; `object`, `targets`, or `cases` and `links`; of a watcher
 * the text `watcher`; of a wait for links `text`, and as object what the Lua part
 * gave; `where`, `in`, `since`, `began`, `timeout`; `raw`: it rests in a switch.
 */
static int core_wait_of(lua_State *L) {
  struct pair *pair = l_check_handle(L, 1)->pair;
  bool over = lua_toboolean(L, 2);
  if (!pair || !(rests(pair->g) || over))
    return 0;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_settop(L, NAMES);
  lua_createtable(L, 0, 8);
  if (pair == l_current(l_rt(pair)))
    pair->at = L; /* where it waited may be gone */
  set_times(L, pair->g);
  set_place(L, pair);
  set_what(L, pair);
  lua_pushboolean(L, pair->g->state == GREENLET_SUSPENDED);
  lua_setfield(L, FACTS, "raw");
  return 1;
}

/* ---- Who does the same? ---- */

enum { MOST_FRAMES = 12 };

/* Add words that tell this frame's place from all others': the address of what is under
 * way, if it can be read. */
static void add_frame(lua_State *thread, lua_Debug *ar, bool readable, uintptr_t *words,
                      int *count) {
  const struct call_info *ci = (const struct call_info *)ar->i_ci;
  if (readable && !(ci->status & CALL_IS_C)) {
    words[(*count)++] = (uintptr_t)ci->saved_pc;
    return;
  }
  lua_getinfo(thread, "fSl", ar);
  const void *function = lua_topointer(thread, -1);
  lua_pop(thread, 1);
  words[(*count)++] = *ar->what == 'C' ? (uintptr_t)function : (uintptr_t)ar->source;
  words[(*count)++] = (uintptr_t)ar->currentline << 32 | (unsigned)ar->linedefined;
}

/* A number for where the handle at idx was spawned. */
static uintptr_t origin_word(lua_State *L, int idx) {
  uint64_t hash = 14695981039346656037u;
  size_t length = 0;
  if (lua_getiuservalue(L, idx, UV_ORIGIN) == LUA_TTABLE)
    lua_rawgeti(L, -1, ORIGIN_TRAIL);
  const char *text = lua_tolstring(L, -1, &length);
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
  lua_settop(L, idx);
  return (uintptr_t)hash;
}

/* What tells the object from others: of those without a name only where they were made. */
static uintptr_t object_word(const struct greenlet *g) {
  const struct wait *wait = &g->wait;
  if (wait->what == WAIT_DEATHS || wait->what == WAIT_SELECT || wait->what == WAIT_WATCHER)
    return 0;
  if (!waitlist_waits(g))
    return (uintptr_t)wait->object;
  const struct l_waitable *waitable = wait->object;
  return waitable->named || !waitable->made ? (uintptr_t)waitable : waitable->made;
}

/*
 * core.wait_key(g): a string that is the same for greenlets which wait for the same with
 * the same stack and were spawned at the same place; nil for one that does not just wait,
 * and where it would take long to tell.
 */
static int core_wait_key(lua_State *L) {
  uintptr_t words[2 * MOST_FRAMES + 6];
  const struct pair *pair = l_check_handle(L, 1)->pair;
  lua_Debug ar;
  int count = 0, level = 0;
  if (!pair || pair->g->state != GREENLET_WAITING || pair->at != pair->L ||
      !lua_checkstack(pair->at, 2))
    return 0;
  const struct wait *wait = &pair->g->wait;
  bool readable = l_rt(pair)->trail.cache != NULL;
  lua_settop(L, 1);
  words[count++] = origin_word(L, 1);
  words[count++] = (uintptr_t)wait->what;
  words[count++] = object_word(pair->g);
  words[count++] = (uintptr_t)pair->g->parent;
  for (; level < MOST_FRAMES && lua_getstack(pair->at, level, &ar); level++)
    add_frame(pair->at, &ar, readable, words, &count);
  if (level == MOST_FRAMES)
    return 0;
  lua_pushlstring(L, (const char *)words, (size_t)count * sizeof *words);
  return 1;
}

/* core.spawned_at(g): "file:line", or nil */
static int core_spawned_at(lua_State *L) {
  l_check_handle(L, 1);
  if (!l_push_site(L, 1))
    return 0;
  const char *text = lua_tostring(L, -1), *end = strstr(text, ": in ");
  if (end)
    lua_pushlstring(L, text, (size_t)(end - text));
  return 1;
}

/* core.label(g): what reports call it */
static int core_label(lua_State *L) {
  l_check_handle(L, 1);
  l_push_label(L, 1);
  return 1;
}

/* core.quoted(text) */
static int core_quoted(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  l_push_quoted(L, text, length);
  return 1;
}

void l_open_waits(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"wait_of", core_wait_of},
                                       {"spawned_at", core_spawned_at},
                                       {"label", core_label},
                                       {"wait_key", core_wait_key},
                                       {"quoted", core_quoted},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
