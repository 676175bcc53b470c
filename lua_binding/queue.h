/*
 * queue.h: queues and channels.
 *
 * What scripts hold is a table, so that methods are found at once: `put` and
 * `get` of a class of ours lie in it, as closures that know their queue. The
 * state is a userdata that the table hides (waitable.h).
 *
 *     table: put, get --> closures --> userdata (struct l_queue), items
 *
 * A queue holds at most `limit` items, a channel none. Whoever cannot put or get
 * waits in a list and is served by who can, in the order of coming: an item goes
 * straight from one Lua stack to the other. Invariants: who gets or peeks waits
 * only while there is no item; who puts waits only while there is no room. In a
 * channel only one kind waits at a time.
 *
 * Nothing here runs scripts' code between a look at this state and what follows
 * from it, but where the collector may run finalizers: by making something. So
 * whatever has to be made is made first, and then one looks again.
 */
#ifndef LUA_BINDING_QUEUE_H
#define LUA_BINDING_QUEUE_H

#include "lua_binding/waitable.h"

enum l_order {
  ORDER_FIFO,
  ORDER_LIFO,
  ORDER_SORTED, /* sorted.c */
};

struct l_queue {
  struct l_waitable waitable; /* its waiters: who gets or peeks */
  struct list putters;
  struct list joiners;        /* until all tasks are done */
  const void *table;          /* what scripts hold: to be compared only */
  size_t count;               /* items */
  size_t head, capacity;      /* of the ring in UV_ITEMS: first item, power of two */
  size_t maxsize;             /* as set: SIZE_MAX unbounded, 0 a channel */
  size_t limit;               /* the same; 0 once it is shut down */
  size_t fast;                /* with fewer items a put looks at no more */
  size_t reserved;            /* sorted: places of those who are comparing */
  size_t unfinished;          /* tasks */
  uint8_t order;              /* enum l_order */
  bool shut;
  bool cut;                   /* shut down with the items dropped */
};

/* The userdata's user values, after UV_TABLE. */
enum {
  UV_ITEMS = UV_TABLE + 1,  /* a ring; sorted: see sorted.c */
  UV_PUT, UV_GET,           /* the closures, whose upvalue 2 is the ring */
  UV_QUEUE_COUNT = UV_GET,
};

static inline bool l_queue_is_channel(const struct l_queue *queue) {
  return queue->maxsize == 0;
}

/* What came of trying to put or get. */
enum l_tried {
  TRIED_DONE,
  TRIED_WAIT, /* it would have to wait */
  TRIED_SHUT, /* the queue is shut down */
};

/* The queue or channel at idx; NULL if there is none. */
struct l_queue *l_test_queue(lua_State *L, int idx);

/* The one at index 1, which its userdata replaces, or the usual error; and one that
 * is no channel. */
struct l_queue *l_check_queue(lua_State *L);
struct l_queue *l_check_holding(lua_State *L);

/* Is it shut down, with nothing more to come out of it? */
static inline bool l_queue_drained(const struct l_queue *queue) {
  return queue->shut && queue->count == 0 && (queue->reserved == 0 || queue->cut);
}

/* In the functions below `state` is the index of the userdata: not relative to the
 * top, but it may be an upvalue's. */

/* Put the item on top (popped if DONE) in; if items are sorted only reserve a place. */
enum l_tried l_queue_put(lua_State *L, struct l_queue *queue, int state);
/* Push an item, taken out. */
enum l_tried l_queue_get(lua_State *L, struct l_queue *queue, int state);
/* Would these come to anything but TRIED_WAIT? */
bool l_queue_can_put(const struct l_queue *queue);
bool l_queue_can_get(const struct l_queue *queue);

/* Let those who wait to put use what room there is. */
void l_queue_admit(lua_State *L, struct l_queue *queue, int state);
/* It is shut down: wake those whom that concerns. */
void l_queue_tell_shut(struct l_queue *queue);
/* An item has been sorted in; the table at `place` tells that it was reserved. */
void l_queue_sorted_in(lua_State *L, struct l_queue *queue, int state, int place);
/* A reserved place is used or given up: let others have what there is. */
void l_queue_settle(lua_State *L, struct l_queue *queue, int state);

/* Raise a new Empty, Full or ShutDown. */
int l_raise_new(lua_State *L, struct runtime *rt, const char *class);

/* How a link in `putters` or `waiters` is told that its turn has come: its
 * notify's source. */
struct l_turn {
  enum {
    TURN_ITEM, /* a getter: the item is on top of L, take it and set `taken`. A
                  putter: push the item on L. */
    TURN_PLACE, /* a putter: a place is reserved for it */
    TURN_SHUT,
  } what;
  lua_State *L;
  bool taken;
};

/* What the greenlet is woken with, when it has been served: else it looks again. */
static inline int l_turn_result(const struct l_turn *turn) {
  return turn->what == TURN_SHUT ? 0 : WAITER_HANDED;
}

/* What is notified when it is the turn of a greenlet that waits in one list: to
 * get, to peek, to put the argument L_PUT_ITEM of the function that waits. */
void l_turn_receive(struct link *link, void *turn);
void l_turn_look(struct link *link, void *turn);
void l_turn_give(struct link *link, void *turn);
enum { L_PUT_ITEM = 2 };

/* ---- Lua functions: queue_methods.c ---- */

int l_queue_put_method(lua_State *L);
int l_queue_get_method(lua_State *L);
int l_queue_bound_put(lua_State *L);
int l_queue_bound_get(lua_State *L);
int l_queue_peek(lua_State *L);
int l_queue_put_nowait(lua_State *L);
int l_queue_get_nowait(lua_State *L);
int l_queue_peek_nowait(lua_State *L);
int l_queue_next(lua_State *L);
int l_queue_place(lua_State *L);
int l_queue_try_place(lua_State *L);
int l_queue_give_up(lua_State *L);

/* ---- Items: items.c ---- */

/* Let the value on top (popped) be what holds the items. */
void l_items_set(lua_State *L, int state);
/* Make room for one more, at least. May run finalizers. */
void l_items_grow(lua_State *L, struct l_queue *queue, int state);
/* Append the item on top (popped), for which there is room. */
void l_items_put(lua_State *L, struct l_queue *queue, int state);
/* Push the next item: taken out, or left there. There is one. */
void l_items_take(lua_State *L, struct l_queue *queue, int state);
void l_items_peek(lua_State *L, const struct l_queue *queue, int state);
/* The last one has been taken. */
void l_items_emptied(lua_State *L, struct l_queue *queue, int state);
/* Forget all of them, and a ring's memory. */
void l_items_drop(lua_State *L, struct l_queue *queue, int state);
/* Copy them to the new queue `copy`, whose userdata is at `to`. */
void l_items_copy(lua_State *L, struct l_queue *queue, int state, struct l_queue *copy, int to);
/* To be called when capacity or limit have changed. */
void l_items_adjust(struct l_queue *queue);

/* A ring larger than this is given up when it is empty. */
enum { ITEMS_KEPT = 1024 };

/* The place of the nth item (from 0) in the ring. */
static inline lua_Integer l_items_place(const struct l_queue *queue, size_t nth) {
  return (lua_Integer)((queue->head + nth) & (queue->capacity - 1)) + 1;
}

/* Push the next item of the ring at idx, which has one, and take it out. */
static inline void l_ring_take(lua_State *L, struct l_queue *queue, int idx) {
  bool last = queue->order == ORDER_LIFO;
  lua_Integer place = l_items_place(queue, last ? queue->count - 1 : 0);
  if (lua_rawgeti(L, idx, place) > LUA_TNUMBER) { /* else the collector does not care */
    lua_pushnil(L);
    lua_rawseti(L, idx, place);
  }
  queue->count--;
  if (!last)
    queue->head = (queue->head + 1) & (queue->capacity - 1);
}

/* ---- Sorted items: sorted.c. The table of them is on top. ---- */

void l_sorted_new(lua_State *L);  /* push one */
void l_sorted_take(lua_State *L); /* push the first, taken out */
void l_sorted_peek(lua_State *L); /* or left there */
void l_sorted_copy(lua_State *L); /* push a copy */
void l_sorted_clear(lua_State *L); /* forget all */
/* As l_check_queue, one whose items are sorted. */
struct l_queue *l_check_sorted(lua_State *L);
void l_open_sorted(lua_State *L, struct runtime *rt);

/* ---- selection.c and select.c ---- */

/* Is the value at idx what a greenlet in select waits with? */
/* How many cases the object of a WAIT_SELECT has. */
size_t l_selection_size(const void *selection);
bool l_is_selection(lua_State *L, int idx);
/* Push what holds who waits for the nth case of the selection at idx; false when
 * there are not so many. */
bool l_push_selected(lua_State *L, int idx, int nth);
/* Push the kind of that case, "get", and what it is about; of kind "wait" nil. */
void l_push_selected_case(lua_State *L, int idx, int nth);

void l_open_queue(lua_State *L, struct runtime *rt);
void l_open_select(lua_State *L, struct runtime *rt);

#endif
