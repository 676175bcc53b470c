/*
 * report.c: what greenlets are doing.
 *
 * A greenlet that rests has a chain of Lua threads: its base, and the
 * coroutines that it was inside of, down to the one that gave way. The chain
 * is read from the frames: a thread that is not the innermost has resume or a
 * wrapped function on top, which holds the next.
 */
#include <string.h>

#include "lua_binding/greenlet.h"
#include "lua_binding/runtime.h"
#include "lua_binding/waitable.h"
#include "lua_binding/watcher.h"

lua_State *l_resumed_by(lua_State *thread) {
  lua_State *next = NULL;
  lua_Debug ar;
  if (!lua_getstack(thread, 0, &ar))
    return NULL;
  lua_getinfo(thread, "S", &ar);
  if (*ar.what != 'C')
    return NULL;
  next = lua_tothread(thread, 1); /* of that function, as long as it is in there */
  for (int i = 1; !next && i <= 2; i++)
    next = lua_tothread(thread, lua_upvalueindex(i));
  return next == thread ? NULL : next;
}

int l_threads_to(const struct pair *pair, lua_State *at, lua_State **threads) {
  int count = 0;
  lua_State *thread = pair->L;
  while (thread && count < L_DEEPEST - 1) {
    threads[count++] = thread;
    if (thread == at)
      return count;
    thread = l_resumed_by(thread);
  }
  threads[count++] = at; /* resumed in a way that we cannot see */
  return count;
}

/* Fill threads[] from the base to the innermost; returns how many. */
static int chain(const struct pair *pair, lua_State **threads) {
  lua_State *at = pair == l_current(l_rt(pair)) ? pair->at : l_innermost(pair);
  return l_threads_to(pair, at, threads);
}

void l_each_thread(struct pair *pair, void (*visit)(lua_State *)) {
  lua_State *threads[L_DEEPEST];
  if (pair == l_current(l_rt(pair)))
    pair->at = l_rt(pair)->L;
  int count = chain(pair, threads);
  for (int i = 0; i < count; i++)
    visit(threads[i]);
}

void l_push_traceback(lua_State *L, struct pair *pair) {
  lua_State *threads[L_DEEPEST];
  if (!pair->g->begun) {
    lua_pushliteral(L, "stack traceback:\n\t(not started)");
    return;
  }
  if (pair == l_current(l_rt(pair)))
    pair->at = L;
  int count = chain(pair, threads);
  luaL_traceback(L, threads[count - 1], NULL, threads[count - 1] == L ? 1 : 0);
  for (int i = count - 2; i >= 0; i--) {
    luaL_traceback(L, threads[i], NULL, 0);
    luaL_gsub(L, lua_tostring(L, -1), "stack traceback:", "");
    lua_remove(L, -2);
    lua_concat(L, 2);
  }
}

lua_State *l_find_place(const struct pair *pair, lua_Debug *ar) {
  lua_State *threads[L_DEEPEST];
  int count = pair->g->begun ? chain(pair, threads) : 0;
  while (count-- > 0)
    for (int level = 0; level < LEVELS_UP && lua_getstack(threads[count], level, ar); level++) {
      lua_getinfo(threads[count], "Sl", ar);
      if (ar->currentline > 0 && strncmp(ar->short_src, "[greenlet", 9) != 0)
        return threads[count];
    }
  return NULL;
}

/* Push "file:line: in ..." of the innermost script line, or "?". */
void l_push_place(lua_State *L, struct pair *pair) {
  lua_Debug ar;
  if (!l_find_place(pair, &ar)) {
    lua_pushliteral(L, "?");
    return;
  }
  lua_pushfstring(L, "%s:%d: in ", ar.short_src, ar.currentline);
  if (*ar.what == 'm')
    lua_pushliteral(L, "main chunk");
  else
    lua_pushfstring(L, "function <%s:%d>", ar.short_src, ar.linedefined);
  lua_concat(L, 2);
}

/* Replace what is waited for, on top, by `what` and its text. */
static void describe(lua_State *L, struct runtime *rt, const char *what) {
  l_push_core(L, rt, "safe_text");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  lua_pushfstring(L, "%s %s", what, lua_tostring(L, -1));
  lua_remove(L, -2);
}

static void push_join(lua_State *L, const struct greenlet *target) {
  l_push_handle(L, l_pair(target));
  describe(L, l_rt(l_pair(target)), WAIT_JOIN);
}

static void push_deaths(lua_State *L, struct pair *pair) {
  l_push_core(L, l_rt(pair), "safe_text");
  l_push_waited(L, pair);
  lua_call(L, 1, 1);
}

static void push_object_wait(lua_State *L, struct pair *pair) {
  const struct wait *wait = &pair->g->wait;
  l_push_waited(L, pair);
  l_show(L, -1);
  if (!lua_isnil(L, -1)) {
    describe(L, l_rt(pair), wait->what);
    return;
  }
  lua_pop(L, 1);
  lua_pushstring(L, wait->what ? wait->what : "nothing");
}

/* Push what the greenlet does: "join of <...>", "sleep", "its turn". What it no longer
 * waits for may be gone, and the hub never waits. */
void l_push_wait(lua_State *L, struct pair *pair) {
  const struct greenlet *g = pair->g;
  const struct wait *wait = &g->wait;
  if (g->state == GREENLET_RUNNING || g == &g->hub->self)
    lua_pushliteral(L, "nothing");
  else if (g->state == GREENLET_NEW)
    lua_pushliteral(L, "its start");
  else if (g->state == GREENLET_READY)
    lua_pushliteral(L, "its turn");
  else if (wait->what == WAIT_JOIN)
    push_join(L, wait->object);
  else if (wait->what == WAIT_DEATHS)
    push_deaths(L, pair);
  else if (wait->what == WAIT_WATCHER)
    l_push_watcher_wait(L, wait->object);
  else if (wait->what == WAIT_LINKS && wait->object)
    lua_pushstring(L, wait->object);
  else
    push_object_wait(L, pair);
}

/* Of one that is dead the pair may still be there, for its links to be told. */
static struct pair *check_living(lua_State *L) {
  struct pair *pair = l_check_handle(L, 1)->pair;
  return pair && !greenlet_dead(pair->g) ? pair : NULL;
}

/* core.describe(g): what it waits for, where, for how many seconds, and where
 * it was spawned; nothing for one that is not alive */
static int core_describe(lua_State *L) {
  struct pair *pair = check_living(L);
  if (!pair)
    return 0;
  if (pair == l_current(l_rt(pair)))
    pair->at = L; /* where it waited may be gone */
  l_push_wait(L, pair);
  l_push_place(L, pair);
  bool waits = pair->g->state == GREENLET_WAITING || pair->g->state == GREENLET_SUSPENDED;
  lua_pushnumber(L, waits ? hub_time(&l_rt(pair)->hub) - pair->g->wait.since : 0);
  if (!l_push_site(L, 1))
    lua_pushnil(L);
  return 4;
}

/* core.greenlets(): every living greenlet but main and the hub */
static int core_greenlets(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct list *head = &rt->hub.greenlets;
  lua_Integer count = 0;
  lua_createtable(L, (int)rt->hub.greenlet_count, 0);
  for (struct list *node = head->next; node != head; node = node->next) {
    struct pair *pair = l_pair(container_of(node, struct greenlet, all));
    l_push_handle(L, pair);
    if (lua_isuserdata(L, -1))
      lua_rawseti(L, -2, ++count);
    else
      lua_pop(L, 1);
  }
  return 1;
}

/* core.end_all(): kill every one of them that is not ending already; how many
 * live. */
static int core_end_all(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct list *head = &rt->hub.greenlets, *next;
  for (struct list *node = head->next; node != head; node = next) {
    struct pair *pair = l_pair(container_of(node, struct greenlet, all));
    next = node->next; /* one that never ran dies at once */
    if (!pair->ending)
      l_end_orphan(pair);
  }
  lua_pushinteger(L, (lua_Integer)rt->hub.greenlet_count);
  return 1;
}

/*
 * core.ending([again]): how many of those killed by end_all are on their way:
 * not dead, and not known to have caught the kill. With `again` they count as
 * resisting from now on.
 */
static int core_ending(lua_State *L) {
  struct runtime *rt = l_runtime(L);
  struct list *head = &rt->hub.greenlets;
  lua_Integer count = 0;
  for (struct list *node = head->next; node != head; node = node->next) {
    struct pair *pair = l_pair(container_of(node, struct greenlet, all));
    count += pair->ending;
    pair->ending = pair->ending && !lua_toboolean(L, 1);
  }
  lua_pushinteger(L, count);
  return 1;
}

/* core.alive(): can anything still happen? */
static int core_alive(lua_State *L) {
  lua_pushboolean(L, hub_alive(&l_runtime(L)->hub));
  return 1;
}

static int core_main(lua_State *L) {
  l_push_handle(L, l_root(l_runtime(L)));
  return 1;
}

/*** Return the stack of a greenlet that is suspended, as text.
 * Innermost first, through the coroutines in it. Of one that is dead or not started it says so.
 *
 * ```lua
 * local function read() greenlet.sleep(60) end
 * local g = greenlet.spawn(function() coroutine.wrap(read)() end)
 * greenlet.sleep(0)
 * print(greenlet.traceback(g))
 * g:kill()
 * ```
 *
 * ```text
 * stack traceback:
 * 	[C]: in function 'greenlet.sleep'
 * 	script.lua:1: in function <script.lua:1>
 * 	[C]: in ?
 * 	script.lua:2: in function <script.lua:2>
 * ```
 * @function greenlet.traceback
 * @tparam greenlet g any
 * @treturn string in the form of `debug.traceback`
 * @switches no
 * @source greenlet.gr_frame
 */
static int l_traceback(lua_State *L) {
  const struct handle *handle = l_check_handle(L, 1);
  if (handle->pair && handle->state != HANDLE_DEAD)
    l_push_traceback(L, handle->pair);
  else
    lua_pushfstring(L, "stack traceback:\n\t(%s)",
                    handle->state == HANDLE_DEAD ? "dead" : "not started");
  return 1;
}

void l_open_report(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"describe", core_describe},
                                       {"greenlets", core_greenlets},
                                       {"main", core_main},
                                       {"end_all", core_end_all},
                                       {"ending", core_ending},
                                       {"alive", core_alive},
                                       {"traceback", l_traceback},
                                       {"spawning_greenlet", l_get_spawning_greenlet},
                                       {"spawning_stack", l_get_spawning_stack},
                                       {"spawn_tree_locals", l_get_spawn_tree_locals},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
