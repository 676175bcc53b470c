/*
 * watcher.h: watcher objects, as the hub's methods use them.
 */
#ifndef LUA_BINDING_WATCHER_H
#define LUA_BINDING_WATCHER_H

#include "core/watcher.h"
#include "lua_binding/runtime.h"

struct l_watcher {
  const void *kind;
  struct watcher watcher;
  struct runtime *rt;
  int self;    /* registry reference to itself while active, or LUA_NOREF */
  bool closed;
};

struct l_watcher *l_check_watcher(lua_State *L, int idx);

/* Raise what starting a watcher can fail of; others are left to l_leave. */
void l_watcher_error(lua_State *L, int result);

/* (watcher) -> where and by whom it was started, if the setting why_alive was on. */
int l_watcher_start_site(lua_State *L);

/* Push "read fd 5", "child 123": what a greenlet that waits for it waits for. */
/* The same as text, which may be cut off. Nothing is allocated. */
void l_describe_watcher(const struct watcher *watcher, char *text, size_t size);
void l_push_watcher_wait(lua_State *L, const struct watcher *watcher);

#endif
