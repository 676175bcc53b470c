/*
 * pinned.c: greenlets whose C stack never moves.
 *
 * `pinned` is a field like others, of the object or of a class. It is looked at
 * when a greenlet gets its pair, and takes effect then: the pair's stack has a
 * slot of its own, before the greenlet is scheduled, so that its first switch
 * cannot fail. As long as nobody has assigned such a field (rt->pinning), nobody
 * looks.
 */
#include "lua_binding/runtime.h"

/* Set the object's own field to the value on top (popped). */
static void set_field(lua_State *L, int idx) {
  l_push_fields(L, idx);
  lua_insert(L, -2);
  lua_setfield(L, -2, "pinned");
  lua_pop(L, 1);
}

bool l_is_pinned(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_getfield(L, idx, "pinned");
  bool pinned = lua_toboolean(L, -1);
  if (pinned) /* and so it stays, whatever becomes of the class's */
    set_field(L, idx);
  else
    lua_pop(L, 1);
  return pinned;
}

bool l_pin(struct greenlet *g, bool pinned) {
  struct stack_pool *stacks = &g->hub->stacks;
  stack_term(stacks, &g->stack);
  stack_init(&g->stack, pinned);
  if (!pinned || stack_begin(stacks, &g->stack) == 0)
    return true;
  stack_init(&g->stack, false);
  return false;
}

int l_no_stack(lua_State *L) {
  lua_pushliteral(L, "not enough memory for a stack"); /* as Lua's: no position */
  return lua_error(L);
}

int l_get_pinned(lua_State *L) {
  const struct pair *pair = l_check_handle(L, 1)->pair;
  lua_pushboolean(L, pair && pair->g->stack.pinned);
  return 1;
}

/* A raw one may also be started by what a child leaves it. */
static bool started(const struct handle *handle) {
  return handle->state != HANDLE_NEW ||
         (handle->pair && handle->pair->g->state != GREENLET_NEW);
}

int l_set_pinned(lua_State *L) {
  struct handle *handle = l_check_handle(L, 1);
  if (!lua_isboolean(L, 2))
    return luaL_error(L, "attribute 'pinned' is a boolean (got %s)", luaL_typename(L, 2));
  if (started(handle))
    return luaL_error(L, "'pinned' cannot be changed: the greenlet has been started");
  handle->rt->pinning = true;
  lua_pushvalue(L, 2);
  set_field(L, 1);
  /* One that somebody joins already has a stack. */
  if (handle->pair && !l_pin(handle->pair->g, lua_toboolean(L, 2))) {
    lua_pushboolean(L, false);
    set_field(L, 1);
    return l_no_stack(L);
  }
  return 0;
}
