/*
 * profile_run.c: the file of a profile, from its beginning to its end: the setting `profile`,
 * and what the module greenlet.profile has of C.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua_binding/datafile.h"
#include "lua_binding/guarded.h"
#include "lua_binding/pages.h"
#include "lua_binding/profile.h"
#include "lua_binding/text.h"

/* Between two samples, where nobody says: uneven, it keeps step with nothing. */
static const double INTERVAL_SECONDS = 0.000997, LEAST_SECONDS = 0.0001, MOST_SECONDS = 10;

static struct profile *const p = &l_profile;

/* ---- Ending ---- */

static void term(void) {
  if (p->file >= 0)
    close(p->file);
  calltree_term(&p->tree);
  free(p->path);
  free(p->shares);
  free(p->sights);
  *p = (struct profile){.file = -1};
}

/* NULL, or what went wrong. */
static const char *stop(lua_State *L) {
  struct runtime *rt = p->rt;
  l_profile_finish(L, false);
  l_profile_leave();
  l_profile_read_names(&p->tree);
  int result = l_profile_write(p);
  const char *problem = result < 0 ? l_datafile_problem(rt, p->path, -result) : NULL;
  term();
  return problem;
}

static void stop_and_tell(void) {
  const char *problem = stop(NULL);
  struct text text = {.length = 0};
  if (!problem)
    return;
  l_add_text(&text, "greenlua: the profile ");
  l_add_text(&text, problem);
  l_add_text(&text, "\n");
  l_write_text(STDERR_FILENO, &text);
}

/* exit() without the state having been closed: os.exit, or a host's. */
static void at_exit(void) {
  if (p->rt && p->pid == getpid())
    stop_and_tell();
}

void l_profile_close(struct runtime *rt) {
  if (p->rt == rt)
    stop_and_tell();
}

/* The timer is the parent's. */
void l_profile_forked(void) {
  if (!p->rt)
    return;
  ticker_forget(&p->ticker);
  l_profile_leave();
  term();
}

static void write_carefully(void *data) {
  (void)data;
  l_profile_finish(NULL, true);
  l_profile_write(p);
}

void l_profile_last_resort(void) {
  if (p->rt && !p->busy && p->pid == getpid())
    l_guarded(write_carefully, NULL);
  p->rt = NULL;
}

/* ---- Beginning ---- */

static const char *check_path(struct runtime *rt, const char *path) {
  if (l_ends_in(path, ".html") && l_flame_page().head_size == 0)
    return "needs a file whose name ends in .folded: this build has no pages";
  return l_check_suffix(rt, path, ".html", ".folded");
}

static const char *start(lua_State *L, struct runtime *rt, const char *path, double interval) {
  static bool watching;
  const char *problem = p->rt ? "is on already" : check_path(rt, path);
  if (problem)
    return problem;
  term(); /* what a try without memory has left */
  char complete[PATH_MAX];
  p->page = l_ends_in(path, ".html");
  p->fast = l_trail_ready(L, rt);
  l_walk_libraries(L, &p->tree);
  int result = l_complete_path(complete, path);
  p->path = result == 0 ? strdup(complete) : NULL;
  watching = watching || atexit(at_exit) == 0;
  if (result == 0)
    result = p->path && watching ? l_open_datafile(p->path, 0) : -ENOMEM;
  if (result < 0)
    return l_datafile_problem(rt, path, -result);
  p->file = result;
  p->pid = getpid();
  l_profile_begin(rt, interval);
  return NULL;
}

const char *l_set_profile(lua_State *L, struct runtime *rt, const char *path) {
  if (*path)
    return start(L, rt, path, INTERVAL_SECONDS);
  return p->rt == rt ? stop(L) : NULL;
}

const char *l_get_profile(const struct runtime *rt) {
  return p->rt == rt ? p->path : "";
}

/* core.start_profile(path, seconds or nil): nil, or what is wrong */
static int core_start(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  double interval = luaL_optnumber(L, 2, INTERVAL_SECONDS);
  const char *problem = interval >= LEAST_SECONDS && interval <= MOST_SECONDS
                            ? start(L, l_runtime(L), path, interval)
                            : "has an interval out of range (0.0001 to 10 seconds)";
  lua_pushstring(L, problem);
  return 1;
}

void l_open_profile(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"start_profile", core_start}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
