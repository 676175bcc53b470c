#include "lua_binding/members.h"

#include "lua_binding/insist.h"
#include "lua_binding/waitable.h"

static const char members_kind;

/* UV_TELL_CHANGED: a call of UV_CHANGED, since somebody has waited for a place. */
enum { UV_LIST = 1, UV_LEFT, UV_PERMITS, UV_CHANGED, UV_TELL_CHANGED, UV_LAST = UV_TELL_CHANGED };

struct l_members *l_check_members(lua_State *L, int idx) {
  return l_check_kind(L, idx, &members_kind, "members");
}

void l_push_member_table(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_LIST);
}

/*
 * core.members(left [, permits [, quiet [, changed]]]): an empty list. left(g, how many are left)
 * is called for every member of a quiet list that has died, whose error is neither
 * reported nor counted then; of other lists for the last one, after members_tell. It
 * must not switch. Who becomes a member has a permit of the Semaphore `permits`; it
 * goes back when that leaves. changed() is called in the hub when somebody has waited for
 * a permit, in vain or not, after members_tell.
 */
static int core_members(lua_State *L) {
  lua_settop(L, 4);
  struct l_members *members = lua_newuserdatauv(L, sizeof *members, UV_LAST);
  *members = (struct l_members){.kind = &members_kind, .bounded = lua_toboolean(L, 2),
                                .quiet = lua_toboolean(L, 3)};
  lua_newtable(L);
  lua_setiuservalue(L, -2, UV_LIST);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, UV_LEFT);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, UV_PERMITS);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, -2, UV_CHANGED);
  return 1;
}

/* ---- Coming ---- */

static struct l_members *members_at(lua_State *L, int idx) {
  return lua_touserdata(L, idx);
}

bool l_take_place(lua_State *L, int members) {
  if (!members_at(L, members)->bounded)
    return true;
  lua_getiuservalue(L, members, UV_PERMITS);
  bool taken = l_take_permit(L, lua_gettop(L));
  lua_pop(L, 1);
  return taken;
}

void l_give_place(lua_State *L, int members) {
  if (!members_at(L, members)->bounded)
    return;
  lua_getiuservalue(L, members, UV_PERMITS);
  l_give_permit(L, lua_gettop(L));
  lua_pop(L, 1);
}

/* Have what is needed to tell later that somebody does not wait any more. */
static void prepare_change(lua_State *L, int members) {
  if (lua_getiuservalue(L, members, UV_TELL_CHANGED) == LUA_TNIL) {
    lua_getiuservalue(L, members, UV_CHANGED);
    l_new_insistent(L, sizeof(struct l_insistent), members);
    lua_setiuservalue(L, members, UV_TELL_CHANGED);
  }
  lua_pop(L, 1);
}

/* The wait for a place is over; `context` is what comes then. */
static int entered(lua_State *L, int status, lua_KContext context) {
  struct l_members *list = members_at(L, 1);
  list->entering--;
  if (list->told) {
    lua_getiuservalue(L, 1, UV_TELL_CHANGED);
    l_insist(L, lua_gettop(L));
    lua_pop(L, 1);
  }
  if (status != LUA_OK && status != LUA_YIELD)
    return l_error(L);
  return ((lua_KFunction)context)(L, LUA_OK, 0);
}

int l_await_place(lua_State *L, lua_KFunction then) {
  if (l_take_place(L, 1))
    return then(L, LUA_OK, 0);
  prepare_change(L, 1);
  lua_pushcfunction(L, l_lock_acquire);
  lua_getiuservalue(L, 1, UV_PERMITS);
  members_at(L, 1)->entering++;
  return entered(L, lua_pcallk(L, 1, 0, 0, (lua_KContext)then, entered), (lua_KContext)then);
}

/* A private field of handles that some other has spawned. */
static char membership_key;

struct notice *l_membership(lua_State *L, int g) {
  const struct handle *handle = lua_touserdata(L, g);
  struct notice *notice = handle->pair ? handle->pair->notice : NULL;
  return notice && notice->place ? notice : NULL;
}

void l_push_membership(lua_State *L, int g) {
  if (lua_getiuservalue(L, g, UV_MEMBERS) != LUA_TNONE)
    return;
  lua_pop(L, 1);
  l_get_private(L, g, &membership_key);
}

/* Pops it. */
static void set_membership(lua_State *L, int g) {
  lua_pushvalue(L, -1);
  if (lua_setiuservalue(L, g, UV_MEMBERS))
    lua_pop(L, 1);
  else
    l_set_private(L, g, &membership_key);
}

/* What may raise, for memory, comes before the first assignment. */
static void join(lua_State *L, int members, int g, int of, lua_Integer tag) {
  struct l_members *list = members_at(L, members);
  struct handle *handle = lua_touserdata(L, g);
  lua_Integer place = list->count + 1;
  lua_getiuservalue(L, members, UV_LIST);
  lua_pushvalue(L, g);
  lua_rawseti(L, -2, place);
  lua_pop(L, 1);
  lua_pushvalue(L, of);
  set_membership(L, g);
  list->count = place;
  list->room = place > list->room ? place : list->room;
  handle->pair->notice->place = (uint32_t)place;
  handle->pair->notice->tag = (uint32_t)tag;
  handle->quiet = list->quiet;
}

bool l_join_members(lua_State *L, int members, int g, int of, lua_Integer tag) {
  const struct notice *notice = l_watch_death(L, g);
  if (notice && !notice->place)
    join(L, members, g, of, tag);
  return notice;
}

/* (members) */
static int grow(lua_State *L) {
  struct l_members *list = members_at(L, 1);
  lua_getiuservalue(L, 1, UV_LIST);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, list->count + 1);
  list->room = list->count + 1;
  return 0;
}

/* Have the memory for one more member: LUA_OK, or with an error on top. */
static int make_room(lua_State *L, int members) {
  const struct l_members *list = members_at(L, members);
  if (list->count < list->room)
    return LUA_OK;
  lua_pushcfunction(L, grow);
  lua_pushvalue(L, members);
  return lua_pcall(L, 1, 0, 0);
}

static int spawn(lua_State *L, int arguments) {
  struct runtime *rt = l_runtime(L);
  bool callbacks = rt->spawn_callbacks;
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, -(arguments + 2));
  rt->spawn_callbacks = false;
  rt->spawns_member = true;
  int status = lua_pcall(L, arguments + 1, 1, 0);
  rt->spawn_callbacks = callbacks;
  rt->spawns_member = false;
  return status;
}

/* What could fail comes before the greenlet. */
void l_spawn_member(lua_State *L, int arguments, int members, int of, lua_Integer tag) {
  struct runtime *rt = l_runtime(L);
  if (!l_spare_notice(rt)) {
    l_give_place(L, members);
    luaL_error(L, "not enough memory");
  }
  if (make_room(L, members) != LUA_OK || spawn(L, arguments) != LUA_OK) {
    l_give_place(L, members);
    lua_error(L);
  }
  int g = lua_gettop(L);
  if (of != members)
    l_job_begin(L, of);
  if (!l_join_members(L, members, g, of, tag)) {
    l_give_place(L, members);
    if (of != members)
      l_job_done(L, of, g, tag);
  }
  if (!rt->spawn_callbacks)
    return;
  l_push_core(L, rt, "run_spawn_callbacks");
  lua_pushvalue(L, g);
  lua_call(L, 1, 0);
}

static int spawn_with_place(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  l_spawn_member(L, lua_gettop(L) - 2, 1, 1, 0);
  return 1;
}

/* core.members_spawn(members, f, ...): a new member; waits for a place */
static int core_members_spawn(lua_State *L) {
  l_check_members(L, 1);
  return l_await_place(L, spawn_with_place);
}

/* As core.members_add, but leaves the place taken when it fails. */
static int add_member(lua_State *L) {
  l_check_members(L, 1);
  l_check_handle(L, 2);
  bool elsewhere = l_membership(L, 2);
  int of = lua_isnoneornil(L, 3) ? 1 : 3;
  bool living = l_join_members(L, 1, 2, of, lua_tointeger(L, 4));
  if (living && elsewhere) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushboolean(L, living);
  return 1;
}

/* core.members_add(members, g [, job, tag]): true; false if g is dead; nil if it
 * is in a list already. The place that it is to have is free again if this fails. */
static int core_members_add(lua_State *L) {
  l_check_members(L, 1);
  lua_settop(L, 4);
  lua_pushcfunction(L, add_member);
  for (int i = 1; i <= 4; i++)
    lua_pushvalue(L, i);
  if (lua_pcall(L, 4, 1, 0) == LUA_OK)
    return 1;
  l_give_place(L, 1);
  return lua_error(L);
}

/* ---- Going ---- */

static void forget_membership(lua_State *L, int g) {
  lua_pushnil(L);
  set_membership(L, g);
}

/* The member at `g` leaves; its permit goes to the next. Needs no memory. */
static void leave(lua_State *L, int members, int g) {
  struct l_members *list = members_at(L, members);
  struct notice *notice = l_membership(L, g);
  lua_getiuservalue(L, members, UV_LIST);
  if (notice->place != list->count) {
    lua_rawgeti(L, -1, list->count);
    l_membership(L, -1)->place = notice->place;
    lua_rawseti(L, -2, notice->place);
  }
  lua_pushnil(L);
  lua_rawseti(L, -2, list->count);
  lua_pop(L, 1);
  list->count--;
  notice->place = 0;
  l_give_place(L, members);
}

/* Replace what a member is one of, on top, by the list. */
static void to_members(lua_State *L) {
  if (!l_is_job(L, -1))
    return;
  l_push_job_members(L, -1);
  lua_replace(L, -2);
}

static bool is_member(lua_State *L) {
  if (!l_membership(L, 2)) /* it may be dead, and have left already */
    return false;
  l_push_membership(L, 2);
  to_members(L);
  bool yes = lua_rawequal(L, -1, 1);
  lua_pop(L, 1);
  return yes;
}

/* core.members_remove(members, g): true if it was there; if it was one of a job's
 * calls, that and its tag, too */
static int core_members_remove(lua_State *L) {
  l_check_members(L, 1);
  struct handle *handle = l_check_handle(L, 2);
  if (!is_member(L))
    return 0;
  lua_settop(L, 2);
  lua_pushboolean(L, true);
  l_push_membership(L, 2);
  lua_pushinteger(L, l_membership(L, 2)->tag);
  leave(L, 1, 2);
  forget_membership(L, 2);
  handle->quiet = false;
  if (!l_is_job(L, 4))
    lua_settop(L, 3);
  return lua_gettop(L) - 2;
}

/* That of the handle at g may be gone after whatever runs a debug hook, which may wait: all
 * have been told meanwhile. */
static void note_job_knows(lua_State *L, int g, bool knows) {
  const struct handle *handle = lua_touserdata(L, g);
  if (handle->pair && handle->pair->notice)
    handle->pair->notice->job_knows = knows;
}

/* Whoever is called here does not switch, but for a debug hook in it. */
void l_tell_members(lua_State *L, int g) {
  const struct handle *handle = lua_touserdata(L, g);
  const struct notice *notice = handle->pair ? handle->pair->notice : NULL;
  if (!notice) /* a call hook has waited */
    return;
  l_push_membership(L, g);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  int of = lua_gettop(L), members = of + 1;
  lua_pushvalue(L, of);
  to_members(L);
  const struct l_members *list = members_at(L, members);
  if (notice->place)
    leave(L, members, g);
  if (!notice->job_knows && l_is_job(L, of))
    l_job_done(L, of, g, notice->tag);
  note_job_knows(L, g, true);
  if (list->quiet || (list->told && list->count == 0)) {
    lua_getiuservalue(L, members, UV_LEFT);
    lua_pushvalue(L, g);
    lua_pushinteger(L, list->count);
    lua_call(L, 2, 0);
  }
  forget_membership(L, g);
  note_job_knows(L, g, false);
  lua_settop(L, of - 1);
}

/* (handle) */
static int tell_members(lua_State *L) {
  l_tell_members(L, 1);
  return 0;
}

void l_try_tell_members(lua_State *L) {
  lua_pushcfunction(L, tell_members);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/*
 * Have those leave who are dead, but whose notices are still in the ready queue: so
 * that nobody ever sees a dead member. If the queue is empty there are none.
 */
static struct l_members *reap(lua_State *L) {
  struct l_members *members = l_check_members(L, 1);
  if (list_empty(&l_runtime(L)->hub.ready))
    return members;
  lua_getiuservalue(L, 1, UV_LIST);
  for (lua_Integer i = members->count; i > 0; i--) {
    if (i > members->count) /* what was called has made others leave */
      continue;
    lua_rawgeti(L, -1, i);
    const struct handle *handle = lua_touserdata(L, -1);
    if (handle->state != HANDLE_DEAD)
      lua_pop(L, 1);
    else
      l_try_tell_members(L); /* without memory the rest is for the hub */
  }
  lua_pop(L, 1);
  return members;
}

/* ---- Asking ---- */

/* core.members_has(members, g) */
static int core_members_has(lua_State *L) {
  l_check_members(L, 1);
  const struct handle *handle = l_check_handle(L, 2);
  lua_pushboolean(L, handle->state != HANDLE_DEAD && is_member(L));
  return 1;
}

/* core.members_entering(members): how many wait for a place in members_spawn and the like */
static int core_members_entering(lua_State *L) {
  lua_pushinteger(L, l_check_members(L, 1)->entering);
  return 1;
}

/* core.members_count(members) */
static int core_members_count(lua_State *L) {
  lua_pushinteger(L, reap(L)->count);
  return 1;
}

/* core.members_tell(members): from now on somebody wants to know when it is empty */
static int core_members_tell(lua_State *L) {
  l_check_members(L, 1)->told = true;
  return 0;
}

/* core.members_list(members): a new list of them */
static int core_members_list(lua_State *L) {
  const struct l_members *members = reap(L);
  lua_createtable(L, (int)members->count, 0);
  lua_getiuservalue(L, 1, UV_LIST);
  for (lua_Integer i = 1; i <= members->count; i++) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -3, i);
  }
  lua_pop(L, 1);
  return 1;
}

/* ---- Opening ---- */

void l_set_spawn_function(lua_State *L, struct runtime *rt, const char *name,
                          lua_CFunction function) {
  lua_pushlightuserdata(L, rt);
  l_push_core(L, rt, "Greenlet");
  lua_getfield(L, -1, "spawn");
  lua_remove(L, -2);
  lua_pushcclosure(L, function, 2);
  lua_setfield(L, -2, name);
}

void l_open_members(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"members", core_members},
                                       {"members_add", core_members_add},
                                       {"members_remove", core_members_remove},
                                       {"members_has", core_members_has},
                                       {"members_count", core_members_count},
                                       {"members_entering", core_members_entering},
                                       {"members_tell", core_members_tell},
                                       {"members_list", core_members_list},
                                       {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_set_spawn_function(L, rt, "members_spawn", core_members_spawn);
  lua_pop(L, 1);
}
