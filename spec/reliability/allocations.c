/*
 * allocations.c: every allocation of a script fails, alone and in a row.
 *
 * Usage: allocations [-f FAILURES] [-s STEP] SCRIPT.lua ...
 *        allocations -f FAILURES -n NTH [SCRIPT.lua]    one run, in this process; without
 *                                                       a script, of the start
 *
 * A script runs in a child of this process again and again, in a Lua state whose
 * allocator and core's (this program is linked with --wrap) fail at the nth call, for every n (or each STEP-th) until the script gets
 * through with no failure. Lua tries once more after a collection; so FAILURES calls in a
 * row fail, or with -f 0 all, for as long as the script lasts, but not more than
 * MOST_FAILURES: those who wait for memory need some at last.
 *
 * Whatever happens, the process must not crash nor hang, and the script must end, by
 * itself or by an error for lack of memory: its own, or that of a greenlet of its, which
 * the hub then reports. A LoopExit is what such a report may lead to, since what was not
 * done wakes nobody. But nobody may wait for what has happened: that is looked at when
 * LoopExit is raised, and at the end of the script. When everything has ended the function
 * `invariant`, if the script has set it, must find all in order, the next script in the
 * same state must run, and no block may be left when the state is closed. The script's
 * own errors are its checks.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua_binding/binding.h"
#include "lua_binding/runtime.h"
#include "spec/core/failing.h"

void __real_free(void *block);
void __wrap_free(void *block);
ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);

enum { SECONDS = 3, MOST_RUNS = 200000, MOST_FAILURES = 200, RESERVE = 128 * 1024 };
enum { PASSED, NO_FAILURE, WRONG_ERROR, LOST_WAKE_UP, INVARIANT, NEXT_FAILED, LEAK };

static bool script_failed;
static bool reported; /* that there was no memory: by the hub */
static bool lost;     /* a wake-up */
static long blocks; /* of the state's allocator */

/* core keeps a reserve for libev, which cannot go on without memory: once that is
 * given back there is some. */
void __wrap_free(void *block) {
  if (armed && malloc_usable_size(block) >= RESERVE)
    failures_left = 0;
  __real_free(block);
}

/* The last resort of reports. */
ssize_t __wrap_write(int fd, const void *bytes, size_t count) {
  reported = reported || memmem(bytes, count, "no memory to report", 19);
  return __real_write(fd, bytes, count);
}

static void *allocate(void *data, void *block, size_t old, size_t bytes) {
  (void)data;
  if (bytes == 0) {
    blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if ((!block || bytes > old) && fails()) /* Lua relies on shrinking */
    return NULL;
  void *fresh = __real_realloc(block, bytes);
  blocks += fresh && !block;
  return fresh;
}

/* ---- One run ---- */

static bool is_memory_error(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  return message && (strstr(message, "not enough memory") || strstr(message, strerror(ENOMEM)));
}

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Call the function on top: true if it went well, or ended for lack of memory. */
static bool call(lua_State *L, bool may_fail, const char *what) {
  int status = lua_pcall(L, 0, 0, 0);
  script_failed = status != LUA_OK;
  if (!script_failed)
    return true;
  bool fine = may_fail && (status == LUA_ERRMEM || reported || is_memory_error(L));
  if (!fine) {
    lua_pushcfunction(L, to_text);
    lua_insert(L, -2);
    bool shown = lua_pcall(L, 1, 1, 0) == LUA_OK;
    fprintf(stderr, "%s: %s\n", what, shown ? lua_tostring(L, -1) : "?");
  }
  lua_pop(L, 1);
  return fine;
}

/* ---- Lost wake-ups ---- */

/* (core, settle, object): fails if somebody waits for what has happened. */
static const char look_text[] =
    "local core, settle, object = ...\n"
    "if settle then for _ = 1, 5 do core.sleep(0) end end\n"
    "local has_happened = {\n"
    "  lock = function(o) return not o:locked() end,\n"
    "  semaphore = function(o) return not o:locked() end,\n"
    "  event = function(o) return o:is_set() end,\n"
    "  result = function(o) return o:ready() end,\n"
    "  ['queue get'] = function(o) return not o:empty() end,\n"
    "  ['queue peek'] = function(o) return not o:empty() end,\n"
    "  ['queue put'] = function(o) return not o:full() end,\n"
    "  join = function(o) return o.dead end,\n"
    "  joinall = function(o, holders) return #o > 0 and #holders == 0 end,\n"
    "  scope = function(_, holders) return #holders == 0 end,\n"
    "}\n"
    "for _, edge in ipairs(core.waits.all(not settle, object)) do\n"
    "  local check = has_happened[edge.what]\n"
    "  if check and not edge.ends_by and check(edge.object, edge.holders) then\n"
    "    error('a wake-up is lost: ' .. core.label(edge.greenlet) .. ' waits for ' .. edge.text, 0)\n"
    "  end\n"
    "end\n";

static void push_core(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, l_find_runtime(L)->core_ref);
}

/* Look in a copy of this process, so that nothing changes in this one. */
static void look(lua_State *L, bool settle, int object) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    armed = false;
    alarm(SECONDS);
    lua_pushvalue(L, object);
    luaL_loadstring(L, look_text);
    push_core(L);
    lua_pushboolean(L, settle);
    lua_pushvalue(L, -4);
    int status = lua_pcall(L, 3, 0, 0);
    if (status != LUA_OK)
      fprintf(stderr, "%s\n", lua_tostring(L, -1));
    fflush(NULL);
    _exit(status);
  }
  int status = -1;
  waitpid(child, &status, 0);
  lost = lost || status != 0;
}

/* core.loop_exit, the true one being the upvalue. */
static int loop_exit(lua_State *L) {
  lua_settop(L, 1);
  look(L, false, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void look_at_loop_exit(lua_State *L) {
  push_core(L);
  lua_getfield(L, -1, "loop_exit");
  lua_pushcclosure(L, loop_exit, 1);
  lua_setfield(L, -2, "loop_exit");
  lua_pop(L, 1);
}

static const char next_script[] =
    "local queue = greenlet.queue.Queue()\n"
    "local maker = greenlet.spawn(function() for i = 1, 3 do queue:put(i) greenlet.sleep(0) end end)\n"
    "local sum = 0\n"
    "for _ = 1, 3 do sum = sum + queue:get(10) end\n"
    "maker:join()\n"
    "assert(sum == 6)\n"
    "greenlet.sleep(0.001)\n"
    "assert(not greenlet.pcall(greenlet.with_timeout, 0.001, greenlet.sleep, 10))\n";

static bool load(lua_State *L, const char *text) {
  if (luaL_loadstring(L, text) == LUA_OK)
    return true;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return false;
}

/* What the hub reports through: (stream, text). */
static int note_report(lua_State *L) {
  lua_settop(L, 2);
  reported = reported || is_memory_error(L);
  fputs(lua_tostring(L, 2), stderr);
  return 0;
}

static void call_global(lua_State *L, const char *name, bool *fine) {
  if (lua_getglobal(L, name) == LUA_TFUNCTION)
    *fine = call(L, false, name);
  else
    lua_pop(L, 1);
}

/* As the program does: a first try may have no memory. */
static bool finish(lua_State *L) {
  lua_pushcfunction(L, binding_finish);
  bool fine = call(L, true, "finish");
  armed = false;
  if (!script_failed)
    return fine;
  lua_pushcfunction(L, binding_finish);
  return call(L, true, "finish") && fine;
}

/* The script's text is on top. What is done in a child: the answer is its status. */
static int run_child(lua_State *L, unsigned long nth, unsigned failures) {
  calls_left = nth;
  failures_left = failures > 0 ? failures : MOST_FAILURES;
  alarm(SECONDS);
  const char *text = lua_tostring(L, -1);
  armed = true;
  int status = luaL_loadstring(L, text);
  bool fine = status == LUA_ERRMEM || (status == LUA_OK && call(L, true, "script"));
  bool ended_well = fine && status == LUA_OK && !script_failed;
  if (failures == 0 && failed)
    failures_left = 0;
  if (ended_well) { /* as the program does */
    lua_pushcfunction(L, binding_wait);
    fine = call(L, true, "wait");
  }
  lua_pushnil(L);
  look(L, true, lua_gettop(L));
  fine = finish(L) && fine;
  if (!fine)
    return WRONG_ERROR;
  if (lost)
    return LOST_WAKE_UP;
  lua_settop(L, 0);
  call_global(L, "invariant", &fine);
  if (!fine)
    return INVARIANT;
  if (!load(L, next_script) || !call(L, false, "next script"))
    return NEXT_FAILED;
  lua_pushcfunction(L, binding_wait);
  call(L, false, "wait");
  lua_close(L);
  if (blocks != 0) {
    fprintf(stderr, "%ld blocks are left\n", blocks);
    return LEAK;
  }
  return failed ? PASSED : NO_FAILURE;
}

/* ---- All runs of a script ---- */

enum { MOST_BAD = 20 }; /* of a script: so many are enough to see */
static unsigned long passed, bad, bad_before;

/* Let the nth allocation fail; true when there was one. */
static bool run_nth(lua_State *L, const char *name, unsigned long nth, unsigned failures) {
  fflush(NULL);
  if (bad - bad_before >= MOST_BAD)
    return false;
  pid_t child = fork();
  if (child == 0)
    _exit(run_child(L, nth, failures));
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FAILURE)
    return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == PASSED) {
    passed++;
    return true;
  }
  bad++;
  printf("%s: allocation %lu, %u times: ", name, nth, failures);
  if (WIFSIGNALED(status))
    printf("%s\n", strsignal(WTERMSIG(status)));
  else
    printf("status %d\n", WEXITSTATUS(status));
  return true;
}

static int prepare(lua_State *L) {
  luaL_openlibs(L);
  binding_install(L);
  if (luaL_dostring(L, "return greenlet.get_hub()") != LUA_OK)
    lua_error(L);
  lua_newtable(L);
  lua_pushcfunction(L, note_report);
  lua_setfield(L, -2, "write");
  lua_setfield(L, -2, "exception_stream");
  look_at_loop_exit(L);
  return 0;
}

static lua_State *new_state(void) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (!L)
    return NULL;
  lua_gc(L, LUA_GCGEN, 0, 0);
  lua_pushcfunction(L, prepare);
  return call(L, true, "start") ? L : NULL;
}

/* What is done in a child: the state itself is made without memory. */
static int start(unsigned long nth, unsigned failures) {
  calls_left = nth;
  failures_left = failures > 0 ? failures : MOST_FAILURES;
  alarm(SECONDS);
  armed = true;
  lua_State *L = lua_newstate(allocate, NULL);
  if (L) {
    lua_pushcfunction(L, prepare);
    bool fine = call(L, true, "start");
    armed = false;
    lua_close(L);
    if (!fine)
      return WRONG_ERROR;
  }
  return blocks ? LEAK : failed ? PASSED : NO_FAILURE;
}

static bool start_nth(unsigned long nth, unsigned failures) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0)
    _exit(start(nth, failures));
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) <= NO_FAILURE) {
    passed++;
    return WEXITSTATUS(status) == PASSED;
  }
  bad++;
  printf("start: allocation %lu: status %#x\n", nth, status);
  return true;
}

/* Push the text of the file. */
static void push_text(lua_State *L, const char *name) {
  luaL_Buffer buffer;
  FILE *file = fopen(name, "r");
  if (!file) {
    perror(name);
    exit(EXIT_FAILURE);
  }
  luaL_buffinit(L, &buffer);
  for (int byte; (byte = getc(file)) != EOF;)
    luaL_addchar(&buffer, (char)byte);
  luaL_pushresult(&buffer);
  fclose(file);
}

static void run_script(const char *name, unsigned failures, unsigned long step) {
  lua_State *L = new_state();
  unsigned long nth = 0;
  if (!L)
    exit(EXIT_FAILURE);
  push_text(L, name);
  bad_before = bad;
  while (nth < MOST_RUNS && run_nth(L, name, nth, failures))
    nth += step;
  printf("%s: %lu allocations\n", name, nth);
  lua_settop(L, 0);
  lua_close(L);
}

static int run_once(const char *name, unsigned long nth, unsigned failures) {
  lua_State *L = new_state();
  push_text(L, name);
  return run_child(L, nth, failures);
}

int main(int argc, char **argv) {
  unsigned long nth = 0, step = 1;
  unsigned failures = 1;
  bool once = false;
  for (int option; (option = getopt(argc, argv, "f:s:n:")) != -1;) {
    unsigned long number = strtoul(optarg ? optarg : "", NULL, 10);
    switch (option) {
      case 'f': failures = (unsigned)number; break;
      case 's': step = number > 0 ? number : 1; break;
      case 'n': nth = number, once = true; break;
      default: return EXIT_FAILURE;
    }
  }
  if (once && optind == argc)
    return start(nth, failures);
  if (once)
    return run_once(argv[optind], nth, failures);
  while (start_nth(nth, failures))
    nth += step;
  printf("start: %lu allocations\n", nth);
  for (int i = optind; i < argc; i++)
    run_script(argv[i], failures, step);
  printf("%lu passed, %lu failed\n", passed, bad);
  return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
