/*
 * items.c: what lies in a queue.
 *
 * A ring: a Lua table whose array part is as large as the ring from the start
 * and is never written outside, so that putting an item needs no memory, unless
 * the ring is full. It is in the userdata's UV_ITEMS, and upvalue 2 of the bound
 * methods, which is the faster way to it. `state` is an index of the userdata.
 */
#include "lua_binding/queue.h"

enum { ITEMS_AT_FIRST = 8, ITEMS_MOST = 1 << 30 };

void l_items_set(lua_State *L, int state) {
  static const int methods[] = {UV_PUT, UV_GET};
  for (int i = 0; i < 2; i++) {
    if (lua_getiuservalue(L, state, methods[i]) == LUA_TFUNCTION) {
      lua_pushvalue(L, -2);
      lua_setupvalue(L, -2, 2);
    }
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, state, UV_ITEMS);
}

void l_items_adjust(struct l_queue *queue) {
  queue->fast = queue->limit < queue->capacity ? queue->limit : queue->capacity;
}

void l_items_grow(lua_State *L, struct l_queue *queue, int state) {
  size_t capacity = queue->capacity ? 2 * queue->capacity : ITEMS_AT_FIRST;
  if (capacity > ITEMS_MOST)
    luaL_error(L, "too many items in a queue");
  lua_createtable(L, (int)capacity, 0);
  if (queue->capacity >= capacity) { /* a finalizer has put items in */
    lua_pop(L, 1);
    return;
  }
  lua_getiuservalue(L, state, UV_ITEMS);
  for (size_t i = 0; i < queue->count; i++) {
    lua_rawgeti(L, -1, l_items_place(queue, i));
    lua_rawseti(L, -3, (lua_Integer)i + 1);
  }
  lua_pop(L, 1);
  l_items_set(L, state);
  queue->head = 0;
  queue->capacity = capacity;
  l_items_adjust(queue);
}

void l_items_put(lua_State *L, struct l_queue *queue, int state) {
  lua_getiuservalue(L, state, UV_ITEMS);
  lua_insert(L, -2);
  lua_rawseti(L, -2, l_items_place(queue, queue->count));
  lua_pop(L, 1);
  queue->count++;
}

void l_items_drop(lua_State *L, struct l_queue *queue, int state) {
  queue->count = queue->head = queue->capacity = 0;
  l_items_adjust(queue);
  if (queue->order == ORDER_SORTED) {
    lua_getiuservalue(L, state, UV_ITEMS);
    l_sorted_clear(L);
    lua_pop(L, 1);
  } else {
    lua_pushnil(L);
    l_items_set(L, state);
  }
}

void l_items_emptied(lua_State *L, struct l_queue *queue, int state) {
  queue->head = 0;
  if (queue->capacity > ITEMS_KEPT)
    l_items_drop(L, queue, state);
}

void l_items_take(lua_State *L, struct l_queue *queue, int state) {
  lua_getiuservalue(L, state, UV_ITEMS);
  if (queue->order == ORDER_SORTED) {
    l_sorted_take(L);
    queue->count--;
  } else {
    l_ring_take(L, queue, lua_gettop(L));
  }
  lua_remove(L, -2);
  if (queue->count == 0)
    l_items_emptied(L, queue, state);
}

void l_items_peek(lua_State *L, const struct l_queue *queue, int state) {
  lua_getiuservalue(L, state, UV_ITEMS);
  if (queue->order == ORDER_SORTED)
    l_sorted_peek(L);
  else
    lua_rawgeti(L, -1, l_items_place(queue, queue->order == ORDER_LIFO ? queue->count - 1 : 0));
  lua_remove(L, -2);
}

static void copy_ring(lua_State *L, struct l_queue *queue, int state, struct l_queue *copy,
                      int to) {
  while (copy->capacity < queue->count)
    l_items_grow(L, copy, to);
  lua_getiuservalue(L, state, UV_ITEMS);
  for (size_t i = 0; i < queue->count; i++) {
    lua_rawgeti(L, -1, l_items_place(queue, i));
    l_items_put(L, copy, to);
  }
  lua_pop(L, 1);
}

void l_items_copy(lua_State *L, struct l_queue *queue, int state, struct l_queue *copy, int to) {
  if (queue->order != ORDER_SORTED) {
    copy_ring(L, queue, state, copy, to);
    return;
  }
  lua_getiuservalue(L, state, UV_ITEMS);
  l_sorted_copy(L);
  copy->count = queue->count;
  l_items_set(L, to);
  lua_pop(L, 1);
}
