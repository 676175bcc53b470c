#include "lua_binding/facts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/joins.h"
#include "lua_binding/pair.h"
#include "lua_binding/select.h"
#include "lua_binding/tracer.h"
#include "lua_binding/waitable.h"
#include "lua_binding/watcher.h"

enum { LABEL_BYTES = 200, NAME_BYTES = 1000 };

/* Numbers of rt->labels are told from those of sites by this. */
#define LABEL (UINT32_C(1) << 30)

static char key_name, key_weak; /* registry: strings that must not be made then */

const char *l_fact_text(const struct recorder *recorder, uint32_t number) {
  const struct runtime *rt = recorder->data;
  return number & LABEL ? l_text_of(&rt->labels, number & ~LABEL) : l_site_text(rt, number);
}

static uint32_t label(struct runtime *rt, const char *text) {
  uint32_t number = l_number_of(&rt->labels, text);
  return number ? number | LABEL : 0;
}

/* The beginning of a name: texts are kept, and so must not be as long as scripts like. */
static uint32_t name_label(struct runtime *rt, const char *name) {
  char text[NAME_BYTES];
  size_t length = strnlen(name, sizeof text);
  if (length < sizeof text)
    return label(rt, name);
  while ((name[--length] & 0xC0) == 0x80 && length > 0) /* not in the middle of a character */
    continue;
  memcpy(text, name, length);
  text[length] = '\0';
  return label(rt, text);
}

/* ---- Greenlets ---- */

uint32_t l_number_label(struct runtime *rt, int ident) {
  char text[32];
  snprintf(text, sizeof text, "Greenlet-%d", ident);
  return label(rt, text);
}

static uint32_t function_at_top(struct runtime *rt, lua_State *store) {
  char text[LUA_IDSIZE + 16];
  lua_Debug ar;
  if (!lua_isfunction(store, -1)) {
    lua_pop(store, 1);
    return 0;
  }
  lua_getinfo(store, ">S", &ar);
  if (*ar.what == 'C')
    return label(rt, "[C]");
  snprintf(text, sizeof text, "%s:%d", ar.short_src, ar.linedefined);
  return l_number_of(&rt->trail.sites.texts, text);
}

/* Of the handle on top of store. */
static uint32_t function_of(struct runtime *rt, lua_State *store, const struct handle *handle) {
  lua_getiuservalue(store, -1, UV_RUN);
  if (handle->packed_run && lua_istable(store, -1)) {
    lua_rawgeti(store, -1, 1);
    lua_remove(store, -2);
  }
  return function_at_top(rt, store);
}

/* The first line of the trail: "\n\tfile:line: in ...". */
static uint32_t place_at_top(struct runtime *rt, lua_State *store) {
  char place[LUA_IDSIZE + 16];
  const char *trail = lua_type(store, -1) == LUA_TSTRING ? lua_tostring(store, -1) : "";
  const char *end = strstr(trail, ": in ");
  size_t length = end && trail[0] == '\n' ? (size_t)(end - trail) - 2 : 0;
  lua_pop(store, 1);
  if (length == 0 || length >= sizeof place)
    return 0;
  memcpy(place, trail + 2, length);
  place[length] = '\0';
  return l_number_of(&rt->trail.sites.texts, place);
}

/* Of the record on top of store (popped). */
static uint32_t spawner_at_top(lua_State *store) {
  const struct handle *handle = NULL;
  if (lua_istable(store, -1)) {
    lua_rawgetp(store, LUA_REGISTRYINDEX, &key_weak);
    lua_rawget(store, -2);
    if (lua_istable(store, -1)) {
      lua_rawgeti(store, -1, 1);
      handle = l_test_kind(store, -1, &handle_kind);
      lua_pop(store, 1);
    }
    lua_pop(store, 1);
  }
  lua_pop(store, 1);
  return handle && handle->pair ? handle->pair->g->serial : 0;
}

static void describe_origin(struct runtime *rt, lua_State *store, struct lane *facts) {
  if (lua_getiuservalue(store, -1, UV_ORIGIN) == LUA_TTABLE) {
    lua_rawgeti(store, -1, ORIGIN_SPAWNER);
    facts->spawner = spawner_at_top(store);
    lua_rawgeti(store, -1, ORIGIN_TRAIL);
    facts->place = place_at_top(rt, store);
  }
  lua_pop(store, 1);
}

/* One whose spawner is dead, or not known, is the current one's, if that may be. */
static uint32_t spawner_now(const struct runtime *rt) {
  const struct greenlet *current = rt->hub.current;
  return current == &rt->hub.self ? 0 : current->serial;
}

static void describe(struct recorder *recorder, struct greenlet *g, struct lane *facts) {
  struct runtime *rt = recorder->data;
  struct pair *pair = l_pair(g);
  lua_State *store = rt->store;
  if (g == &rt->hub.main || g == &rt->hub.self) {
    facts->name = label(rt, g == &rt->hub.main ? "main" : "hub");
    return;
  }
  if (!pair->handle)
    return;
  l_push_handle(store, pair);
  const char *name = l_peek_greenlet_name(store, -1);
  facts->name = name ? name_label(rt, name) : 0;
  facts->function = function_of(rt, store, pair->handle);
  describe_origin(rt, store, facts);
  lua_pop(store, 1);
  if (!facts->spawner)
    facts->spawner = spawner_now(rt);
  if (facts->spawner == facts->serial)
    facts->spawner = 0;
}

static enum record_how how(const struct greenlet *g) {
  const struct handle *handle = l_pair(g)->handle;
  if (!handle)
    return RECORD_BY_VALUE;
  return handle->failed ? RECORD_BY_ERROR : handle->exited ? RECORD_BY_KILL : RECORD_BY_VALUE;
}

/* ---- Waits ---- */

static uint32_t count_label(struct runtime *rt, size_t count, const char *one, const char *many) {
  char text[LABEL_BYTES];
  snprintf(text, sizeof text, "%zu %s", count, count == 1 ? one : many);
  return label(rt, text);
}

static uint32_t object(struct recorder *recorder, const struct greenlet *g) {
  struct runtime *rt = recorder->data;
  const struct wait *wait = &g->wait;
  if (wait->what == WAIT_WATCHER) {
    char text[LABEL_BYTES];
    l_describe_watcher(wait->object, text, sizeof text);
    return label(rt, text);
  }
  if (wait->what == WAIT_LINKS)
    return wait->object ? label(rt, wait->object) : 0;
  if (wait->what == WAIT_DEATHS)
    return count_label(rt, ((const struct joins *)wait->object)->count, "greenlet", "greenlets");
  if (wait->what == WAIT_SELECT)
    return count_label(rt, l_selection_size(wait->object), "case", "cases");
  return l_pair(g)->label;
}

const char *l_waited_text(const struct greenlet *g) {
  const struct pair *pair = l_pair(g);
  return l_text_of(&l_rt(pair)->labels, pair->label & ~LABEL);
}

static uint32_t place(const struct greenlet *g) {
  return l_pair(g)->place & ~SITE_INNER;
}

const struct recorder_host l_recorder_host = {describe, object, place, how};

/* ---- Objects ---- */

/* What reports call the kind of an object: lock, queue. */
static void add_kind(char *text, size_t size, const char *class) {
  static const char *const families[][2] = {
      {"Lock", "lock"}, {"Queue", "queue"}, {"AsyncResult", "result"}};
  size_t length = strlen(class);
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    size_t end = strlen(families[i][0]);
    if (length >= end && strcmp(class + length - end, families[i][0]) == 0) {
      snprintf(text, size, "%s", families[i][1]);
      return;
    }
  }
  snprintf(text, size, "%s", class);
  for (; *text; text++)
    *text = (char)tolower((unsigned char)*text);
}

/* `lock "A"`, or "Lock made at bank.lua:3", of the object at index 1. */
static uint32_t make_label(lua_State *L, struct runtime *rt, const struct l_waitable *waitable) {
  char text[LABEL_BYTES], kind[64];
  const char *name = l_peek_name(L, 1), *made = l_site_text(rt, waitable->made);
  const char *class = waitable->type->name;
  int top = lua_gettop(L);
  if (lua_getmetatable(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_name);
    lua_rawget(L, -2);
    class = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : class;
  }
  add_kind(kind, sizeof kind, class);
  if (name)
    snprintf(text, sizeof text, "%s \"%s\"", kind, name);
  else if (made)
    snprintf(text, sizeof text, "%s made at %s", class, made);
  else
    snprintf(text, sizeof text, "%s", class);
  lua_settop(L, top);
  return label(rt, text);
}

void l_note_wait(lua_State *L, struct runtime *rt) {
  struct pair *pair = l_current(rt);
  pair->place = l_here_quietly(L, rt);
  pair->label = 0;
  struct l_waitable *waitable = lua_gettop(L) > 0 ? l_test_waitable(L, 1) : NULL;
  if (!waitable)
    return;
  if (!waitable->label)
    waitable->label = make_label(L, rt, waitable);
  pair->label = waitable->label;
}

static void forget_wait(struct pair *pair) {
  pair->place = pair->label = 0;
}

void l_forget_waits(struct runtime *rt) {
  struct list *head = &rt->hub.greenlets;
  forget_wait(l_pair(&rt->hub.main));
  forget_wait(l_pair(&rt->hub.self));
  for (struct list *node = head->next; node != head; node = node->next)
    forget_wait(l_pair(container_of(node, struct greenlet, all)));
}

/* (light runtime): what is needed then, as long as it can be had. */
static int prepare(lua_State *L) {
  struct runtime *rt = lua_touserdata(L, 1);
  lua_pushliteral(L, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_name);
  lua_pushliteral(L, "weak");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_weak);
  l_here(L, rt);
  return 0;
}

/* On aux, where no hook of a script's is called. */
void l_watch_places(struct runtime *rt) {
  lua_pushcfunction(rt->aux, prepare);
  lua_pushlightuserdata(rt->aux, rt);
  if (lua_pcall(rt->aux, 1, 0, 0) != LUA_OK)
    lua_pop(rt->aux, 1);
}

void l_watch(struct runtime *rt) {
  bool watches = rt->started && rt->hub.observers;
  if (watches && !rt->watched)
    l_watch_places(rt);
  rt->watched = watches;
}
