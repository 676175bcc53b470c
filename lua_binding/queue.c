/*
 * queue.c: what happens in a queue: items come and go, and those who wait for that
 * are served.
 */
#include "lua_binding/queue.h"

/* ---- Who waits is served ---- */

static struct pair *pair_of(struct link *link) {
  return l_pair(container_of(link, struct greenlet, join));
}

/* Whose stack is another's to write on: it rests in our C function, where there
 * is room, and will find what is on top. */
void l_turn_receive(struct link *link, void *source) {
  struct l_turn *turn = source;
  struct pair *pair = pair_of(link);
  if (turn->what == TURN_ITEM) {
    lua_xmove(turn->L, pair->at, 1);
    turn->taken = true;
  }
  waiter_wake(pair->g, l_turn_result(turn));
}

void l_turn_look(struct link *link, void *source) {
  struct l_turn *turn = source;
  struct pair *pair = pair_of(link);
  if (turn->what == TURN_ITEM) {
    lua_pushvalue(turn->L, -1);
    lua_xmove(turn->L, pair->at, 1);
  }
  waiter_wake(pair->g, l_turn_result(turn));
}

void l_turn_give(struct link *link, void *source) {
  struct l_turn *turn = source;
  struct pair *pair = pair_of(link);
  if (turn->what == TURN_ITEM) {
    lua_pushvalue(pair->at, L_PUT_ITEM);
    lua_xmove(pair->at, turn->L, 1);
  }
  waiter_wake(pair->g, l_turn_result(turn));
}

static void notify_first(struct list *links, struct l_turn *turn) {
  struct link *link = container_of(links->next, struct link, node);
  list_remove(&link->node);
  link->notify(link, turn);
}

/* Hand the item on top to who waits for one. False, if they only look. */
static bool hand(lua_State *L, struct l_queue *queue) {
  struct l_turn turn = {.what = TURN_ITEM, .L = L};
  while (!turn.taken && !list_empty(&queue->waitable.waiters))
    notify_first(&queue->waitable.waiters, &turn);
  return turn.taken;
}

void l_queue_admit(lua_State *L, struct l_queue *queue, int state) {
  struct l_turn turn = {.what = TURN_ITEM, .L = L};
  while (!list_empty(&queue->putters) && queue->count + queue->reserved < queue->limit) {
    if (queue->order == ORDER_SORTED) {
      queue->reserved++;
      turn.what = TURN_PLACE;
      notify_first(&queue->putters, &turn);
    } else if (queue->count < queue->capacity) {
      notify_first(&queue->putters, &turn);
      l_items_put(L, queue, state);
      queue->unfinished++;
    } else {
      return;
    }
  }
}

void l_queue_tell_shut(struct l_queue *queue) {
  struct l_turn turn = {.what = TURN_SHUT};
  while (!list_empty(&queue->putters))
    notify_first(&queue->putters, &turn);
  while (l_queue_drained(queue) && !list_empty(&queue->waitable.waiters))
    notify_first(&queue->waitable.waiters, &turn);
}

/* Hand items that are there to those who wait for them. */
static void serve(lua_State *L, struct l_queue *queue, int state) {
  while (queue->count > 0 && !list_empty(&queue->waitable.waiters)) {
    l_items_peek(L, queue, state);
    if (hand(L, queue))
      l_items_take(L, queue, state);
    lua_pop(L, 1);
  }
}

/* ---- Trying ---- */

bool l_queue_can_put(const struct l_queue *queue) {
  if (queue->shut)
    return true;
  if (l_queue_is_channel(queue))
    return !list_empty(&queue->waitable.waiters);
  return queue->count + queue->reserved < queue->limit;
}

bool l_queue_can_get(const struct l_queue *queue) {
  return queue->count > 0 || (l_queue_is_channel(queue) && !list_empty(&queue->putters)) ||
         l_queue_drained(queue);
}

/* An item will lie in the ring: make room, tell the links. True if something was
 * done about it, so that finalizers may have run. */
static bool prepare_ring(lua_State *L, struct l_queue *queue, int state, bool *told) {
  if (queue->count == queue->capacity) {
    l_items_grow(L, queue, state);
    return true;
  }
  if (!queue->waitable.linked || *told)
    return false;
  l_tell_links(L, state);
  return *told = true;
}

enum l_tried l_queue_put(lua_State *L, struct l_queue *queue, int state) {
  bool told = false, sorted = queue->order == ORDER_SORTED;
  bool ring = !sorted && !l_queue_is_channel(queue);
  do {
    if (queue->shut)
      return TRIED_SHUT;
    if (!l_queue_can_put(queue))
      return TRIED_WAIT;
  } while (ring && prepare_ring(L, queue, state, &told));
  if (sorted) {
    queue->reserved++;
    return TRIED_DONE;
  }
  if (list_empty(&queue->waitable.waiters) || !hand(L, queue))
    l_items_put(L, queue, state);
  queue->unfinished++;
  return TRIED_DONE;
}

enum l_tried l_queue_get(lua_State *L, struct l_queue *queue, int state) {
  struct l_turn turn = {.what = TURN_ITEM, .L = L};
  if (queue->count > 0) {
    l_items_take(L, queue, state);
    if (!list_empty(&queue->putters))
      l_queue_admit(L, queue, state);
    return TRIED_DONE;
  }
  if (l_queue_is_channel(queue) && !list_empty(&queue->putters)) {
    notify_first(&queue->putters, &turn);
    return TRIED_DONE;
  }
  return l_queue_drained(queue) ? TRIED_SHUT : TRIED_WAIT;
}

/* ---- Reserved places ---- */

void l_queue_settle(lua_State *L, struct l_queue *queue, int state) {
  l_queue_admit(L, queue, state);
  if (queue->shut)
    l_queue_tell_shut(queue);
}

void l_queue_sorted_in(lua_State *L, struct l_queue *queue, int state, int place) {
  lua_pushboolean(L, false);
  lua_setfield(L, place, "reserved");
  queue->count++;
  queue->reserved--;
  queue->unfinished++;
  serve(L, queue, state);
  l_queue_settle(L, queue, state);
}
