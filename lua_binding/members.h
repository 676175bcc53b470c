/*
 * members.h: lists of living greenlets, which lose who dies.
 *
 * What a Group, a Pool and a scope are made of. A link would do, but costs more
 * than a greenlet does; so here the handle knows its list, and its notice (pair.h)
 * its place there:
 *
 *     handle --UV_MEMBERS--> members --UV_LIST--> {handle, handle, ...}
 *        |                      ^                     ^
 *        |                      | UV_OF               |
 *        |--UV_MEMBERS-------> job                    |
 *        `-- place -----------------------------------'
 *
 * When one leaves, the last of the list gets its place: to add and to leave cost
 * the same however many there are. A greenlet is in one such list at most.
 *
 * It may be there as one of many calls that belong together, a job: job.c.
 *
 * The list is told of the death before all links, and before those who join wake
 * up: they do not find the greenlet there any more.
 */
#ifndef LUA_BINDING_MEMBERS_H
#define LUA_BINDING_MEMBERS_H

#include "lua_binding/pair.h"
#include "lua_binding/runtime.h"

/* ---- members.c ---- */

struct l_members {
  const void *kind;
  lua_Integer count;
  lua_Integer room;   /* for so many there is memory: its table does not shrink */
  lua_Integer entering; /* so many wait for a place */
  bool bounded;       /* each member has a permit of UV_PERMITS */
  bool quiet;         /* their failures are nobody else's business */
  bool told;          /* somebody waits, or has waited, for the last one */
};

/* The list at idx, or the usual error. */
struct l_members *l_check_members(lua_State *L, int idx);

/* Push its table of handles. */
void l_push_member_table(lua_State *L, int idx);

/* What the member at `g` knows of its list, or NULL for one that is in none. */
struct notice *l_membership(lua_State *L, int g);
/* Push what it is a member of: a list, or a job. */
void l_push_membership(lua_State *L, int g);

/* Take a permit for one more, if there is one or none is needed; give it back. */
bool l_take_place(lua_State *L, int members);
void l_give_place(lua_State *L, int members);

/*
 * Take one, waiting for it if need be, for the list at index 1, and return what
 * `then` does. Between the two nothing needs memory: the place cannot be lost.
 */
int l_await_place(lua_State *L, lua_KFunction then);

/*
 * Make the greenlet at `g` a member, which has its permit; `of` is what its
 * UV_MEMBERS shall be. False if it is dead, and has not become one; it may also
 * be in another list. All indices are absolute.
 */
bool l_join_members(lua_State *L, int members, int g, int of, lua_Integer tag);

/*
 * Call greenlet.spawn, upvalue 2 of the function that runs, with the function and
 * the arguments on top, and join; pushes the greenlet. A permit goes back if that
 * fails. Spawn callbacks come afterwards, since they may do anything.
 */
void l_spawn_member(lua_State *L, int arguments, int members, int of, lua_Integer tag);
/* In the table on top: a function whose upvalue 2 is greenlet.spawn. */
void l_set_spawn_function(lua_State *L, struct runtime *rt, const char *name,
                          lua_CFunction function);

/* ---- job.c ---- */

/* Is the value at idx a job? */
bool l_is_job(lua_State *L, int idx);
/* Push the list of members that the job at idx is of. */
void l_push_job_members(lua_State *L, int idx);
/* The job at idx has one more call. */
void l_job_begin(lua_State *L, int idx);
/* The call `tag` of the job at idx is done, by the greenlet at g. Raises for want of
 * memory: then it is not, and this is to be called again. */
void l_job_done(lua_State *L, int idx, int g, lua_Integer tag);

/* Each of these as often as need be: the lists are of several modules. */
void l_open_members(lua_State *L, struct runtime *rt);
void l_open_guests(lua_State *L, struct runtime *rt); /* guests.c */
void l_open_pool(lua_State *L, struct runtime *rt);
void l_open_scope(lua_State *L, struct runtime *rt);

#endif
