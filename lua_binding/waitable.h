/*
 * waitable.h: what objects that greenlets wait for have in common.
 *
 * Who waits is known to C: lists of greenlets (core/waitlist.h) in the object's
 * userdata. The links that scripts add are kept by waitable.lua, and told in the
 * hub. The class is core.Waitable; its heirs put struct l_waitable first.
 *
 * A greenlet that waits holds the object: it is the first argument of the C
 * function that waits, and so on the greenlet's Lua stack. Once demoted
 * (garbage.c) it is held by the object in its turn.
 */
#ifndef LUA_BINDING_WAITABLE_H
#define LUA_BINDING_WAITABLE_H

#include "lua_binding/runtime.h"

struct l_waitable;

struct l_waitable_type {
  const char *name;         /* for messages */
  /* Would a wait for it return at once? */
  bool (*ready)(const struct l_waitable *);
  /* Links that are due are told although it is not ready any more. */
  bool latched;
};

struct l_waitable {
  const void *kind;         /* &waitable_kind */
  const struct l_waitable_type *type;
  struct runtime *rt;
  struct list waiters;
  bool linked;              /* waitable.lua keeps links to it */
  bool hidden;              /* in a table */
  bool named;
  l_site made;              /* where it was */
  uint32_t label;           /* what traces call it; 0: not asked for yet */
};

/* Push a new object of `type` of the class at index 1. */
void *l_new_waitable(lua_State *L, size_t bytes, const struct l_waitable_type *type);

/*
 * Objects of table classes hide the userdata, for C alone, in themselves. Make it
 * for the table on top, which is its UV_TABLE, and push it. A script can get at it
 * and take it out of the table: so who waits, or is to use it after anything ran
 * that a script could have written, holds the userdata, not the table.
 */
void *l_new_hidden(lua_State *L, size_t bytes, int user_values,
                   const struct l_waitable_type *type);
enum { UV_TABLE = UV_FIELDS + 1 };

/* What is at idx, a userdata or a table that hides it, of any type; else NULL. */
struct l_waitable *l_test_waitable(lua_State *L, int idx);

/* Replace a table at idx by the userdata that it hides; if it does. */
void l_unhide(lua_State *L, int idx);

/* Replace a hidden userdata at idx by its table. */
void l_show(lua_State *L, int idx);

/* The object of `type` at index 1, or the usual error. */
void *l_check_waitable(lua_State *L, const struct l_waitable_type *type);

/* The same for who touches its lists: raises when the state is being closed. */
void *l_check_living(lua_State *L, const struct l_waitable_type *type);

/*
 * Wait in a list of the object at index 1, after l_enter and l_start_time; a
 * poll (0 seconds) may be made in the hub, too. Returns 0, -ETIMEDOUT, what else
 * waiter_finish returns, or WAITER_LEAVE (see l_finish), but that not with a
 * Timeout object. What must hold while it waits is to be checked just before:
 * nothing here runs finalizers.
 */
int l_wait_in(lua_State *L, struct list *list, const char *what, const struct l_time *time);

/* It has become ready: have the links of the object at idx told in the hub. */
void l_tell_links(lua_State *L, int idx);

/* A permit of the Semaphore at idx: taken, if there is one; given back. */
bool l_take_permit(lua_State *L, int idx);
void l_give_permit(lua_State *L, int idx);
/* Semaphore:acquire. */
int l_lock_acquire(lua_State *L);

/* Push text in quotes, with nothing in it that would disturb a terminal. */
void l_push_quoted(lua_State *L, const char *text, size_t length);

/* Its name, or NULL. Allocates nothing; good as long as the name stays. */
const char *l_peek_name(lua_State *L, int idx);

/* Push ` "name"` of the object at idx as text to show; "" if it has none. */
void l_push_shown_name(lua_State *L, int idx);

/* Push <Class at address: state>, with how many wait, for the object at 1. */
int l_push_state(lua_State *L, const char *state);

/* Each of these at the first use of a class, but the first as often as need be. */
void l_open_waitable(lua_State *L, struct runtime *rt);
void l_open_event(lua_State *L, struct runtime *rt);
void l_open_lock(lua_State *L, struct runtime *rt);

#endif
