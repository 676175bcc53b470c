/*
 * job.c: calls that belong together, each in a member of one list.
 *
 * What the mapping functions of pools are made of (mapping.lua). A call is known by
 * its tag, its number from 1. When its greenlet is dead the job is told; the values
 * of a map are put into their list right here, since that is most of what many short
 * calls cost besides their greenlets.
 */
#include "lua_binding/members.h"
#include "lua_binding/waitable.h"

static const char job_kind;

struct job {
  const void *kind;
  lua_Integer begun;  /* calls, in all */
  lua_Integer left;   /* of these, not done */
  bool keen;          /* done is to be called at every end */
  bool told;          /* or when no call is left: somebody waits for that */
};

enum { UV_OF = 1, UV_DONE, UV_ITEMS, UV_VALUES, UV_LAST = UV_VALUES };

static struct job *check_job(lua_State *L) {
  return l_check_kind(L, 1, &job_kind, "job");
}

bool l_is_job(lua_State *L, int idx) {
  return l_test_kind(L, idx, &job_kind) != NULL;
}

void l_push_job_members(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, UV_OF);
}

/*
 * core.job(members, done [, items, values]): no calls yet. done(g, tag) is called
 * when the greenlet of a call is dead and no member any more; it must not switch. If it
 * fails, for want of memory, it is called again and must find done what it has done.
 * With a list of items, the tags being their indices, the first value of each call
 * is put into the list of values, and done is only called from the first failure on,
 * and after job_tell when no call is left.
 */
static int core_job(lua_State *L) {
  l_check_members(L, 1);
  lua_settop(L, 4);
  struct job *job = lua_newuserdatauv(L, sizeof *job, UV_LAST);
  *job = (struct job){.kind = &job_kind, .keen = lua_isnil(L, 3)};
  for (int i = UV_OF; i <= UV_LAST; i++) {
    lua_pushvalue(L, i);
    lua_setiuservalue(L, -2, i);
  }
  return 1;
}

/* core.job_tell(job): from now on somebody wants to know when no call is left */
static int core_job_tell(lua_State *L) {
  check_job(L)->told = true;
  return 0;
}

/* core.job_left(job): how many calls are not done */
static int core_job_left(lua_State *L) {
  lua_pushinteger(L, check_job(L)->left);
  return 1;
}

/* core.job_begun(job): how many calls there are in all */
static int core_job_begun(lua_State *L) {
  lua_pushinteger(L, check_job(L)->begun);
  return 1;
}

void l_job_begin(lua_State *L, int idx) {
  struct job *job = lua_touserdata(L, idx);
  job->begun++;
  job->left++;
}

/* core.job_begin(job): one more call, which job_done or its greenlet's death ends */
static int core_job_begin(lua_State *L) {
  check_job(L);
  l_job_begin(L, 1);
  return 0;
}

void l_job_done(lua_State *L, int idx, int g, lua_Integer tag) {
  struct job *job = lua_touserdata(L, idx);
  const struct handle *handle = lua_touserdata(L, g);
  job->keen = job->keen || handle->failed;
  if (!job->keen) {
    lua_getiuservalue(L, idx, UV_VALUES);
    l_push_value(L, g);
    lua_rawseti(L, -2, tag);
    lua_pop(L, 1);
  }
  job->left--;
  if (!job->keen && (!job->told || job->left > 0))
    return;
  lua_getiuservalue(L, idx, UV_DONE);
  lua_pushvalue(L, g);
  lua_pushinteger(L, tag);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    job->left++;
    lua_error(L);
  }
}

/* core.job_done(job, g, tag): for a call whose greenlet is no member */
static int core_job_done(lua_State *L) {
  check_job(L);
  l_check_handle(L, 2);
  l_job_done(L, 1, 2, luaL_checkinteger(L, 3));
  return 0;
}

/* ---- Starting calls ---- */

/* (members, job, tag, f, ...) */
static int spawn_call(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  l_spawn_member(L, lua_gettop(L) - 4, 1, 2, lua_tointeger(L, 3));
  return 1;
}

/* core.job_spawn(job, tag, f, ...): the call f(...), when there is a place for it */
static int core_job_spawn(lua_State *L) {
  check_job(L);
  luaL_checkinteger(L, 2);
  l_push_job_members(L, 1);
  lua_insert(L, 1);
  return l_await_place(L, spawn_call);
}

/* The argument goes straight to the greenlet's stack: to keep it for g.args as well
 * would cost a table. l_push_item finds it. */
static void give_argument(lua_State *L, int items, lua_Integer i) {
  struct pair *pair = ((struct handle *)lua_touserdata(L, -1))->pair;
  if (!pair || pair->g->state == GREENLET_DEAD)
    return;
  lua_rawgeti(L, items, i);
  lua_xmove(L, pair->L, 1);
  pair->arguments++;
}

/* Calls that are started before they have a turn. Those that are done then leave
 * their stacks and threads to the next. */
enum { IN_A_ROW = 64 };

/* The stack of core_job_spawn_all. */
enum { JOB = 1, F, FIRST, LAST, WAITS, PLACES, ITEMS, MEMBERS };

/*
 * Get a place for one more call of the job, waiting for it if need be. False if
 * somebody has to look first, and has not done so: a call has failed, or there is who
 * waits for a change of the members.
 */
static bool get_place(lua_State *L, const struct job *job, bool looked) {
  if (l_take_place(L, MEMBERS))
    return true;
  if (!looked && (job->keen || l_check_members(L, MEMBERS)->told))
    return false;
  lua_pushcfunction(L, l_lock_acquire);
  lua_pushvalue(L, PLACES);
  lua_call(L, 1, 0);
  return true;
}

static void spawn_item(lua_State *L, lua_Integer i) {
  int arguments = l_runtime(L)->spawn_callbacks; /* which may look at g.args, and wait */
  lua_pushvalue(L, F);
  if (arguments)
    lua_rawgeti(L, ITEMS, i);
  l_spawn_member(L, arguments, MEMBERS, JOB, i);
  if (!arguments)
    give_argument(L, ITEMS, i);
  lua_settop(L, MEMBERS);
}

/*
 * core.job_spawn_all(job, f, first, last, waits, places): f(item) for the items from
 * first to last, but not too many in a row. Returns the index of the first item that is
 * left over, and whether somebody has to look before that waits for a place: whoever has,
 * says so by `waits`.
 */
static int core_job_spawn_all(lua_State *L) {
  const struct job *job = check_job(L);
  lua_Integer i = luaL_checkinteger(L, FIRST), last = luaL_checkinteger(L, LAST);
  bool looked = lua_toboolean(L, WAITS), no_place = false;
  lua_settop(L, PLACES);
  lua_getiuservalue(L, JOB, UV_ITEMS);
  lua_getiuservalue(L, JOB, UV_OF);
  for (int row = 0; i <= last && row < IN_A_ROW && !no_place; row++) {
    no_place = !get_place(L, job, looked);
    if (!no_place)
      spawn_item(L, i++);
    looked = false;
  }
  lua_pushinteger(L, i);
  lua_pushboolean(L, no_place);
  return 2;
}

bool l_push_item(lua_State *L, int g) {
  const struct notice *notice = l_membership(L, g);
  if (!notice)
    return false;
  l_push_membership(L, g);
  bool yes = l_is_job(L, -1) && lua_getiuservalue(L, -1, UV_ITEMS) == LUA_TTABLE;
  if (yes) {
    lua_rawgeti(L, -1, notice->tag);
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
  return yes;
}

/* core.job_before(job, tag): how many calls with smaller tags are members */
static int core_job_before(lua_State *L) {
  check_job(L);
  lua_Integer tag = luaL_checkinteger(L, 2), count = 0;
  l_push_job_members(L, 1);
  lua_Integer members = l_check_members(L, -1)->count;
  l_push_member_table(L, -1);
  for (lua_Integer i = 1; i <= members; i++) {
    lua_rawgeti(L, -1, i);
    const struct notice *notice = l_membership(L, -1);
    l_push_membership(L, lua_gettop(L));
    count += notice->tag < tag && lua_rawequal(L, -1, 1);
    lua_pop(L, 2);
  }
  lua_pushinteger(L, count);
  return 1;
}

void l_open_pool(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"job", core_job},
                                       {"job_tell", core_job_tell},
                                       {"job_left", core_job_left},
                                       {"job_begun", core_job_begun},
                                       {"job_begin", core_job_begin},
                                       {"job_done", core_job_done},
                                       {"job_before", core_job_before},
                                       {NULL, NULL}};
  l_open_members(L, rt);
  l_open_guests(L, rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  l_set_spawn_function(L, rt, "job_spawn", core_job_spawn);
  l_set_spawn_function(L, rt, "job_spawn_all", core_job_spawn_all);
  lua_pop(L, 1);
  l_run_part(L, rt, "mapping", 0);
}
