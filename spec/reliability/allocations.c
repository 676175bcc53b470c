/*
 * allocations.c: every allocation of a script fails once.
 *
 * Usage: allocations [-f FAILURES] SCRIPT.lua ...
 *        allocations -n NTH FAILURES SCRIPT.lua    one run, in this process
 *
 * A script runs in a child of this process again and again, in a Lua state whose
 * allocator and core's (this program is linked with --wrap) fail at the nth call,
 * for every n until the script gets through with no failure. Lua tries once more
 * after a collection; with -f FAILURES so many calls in a row fail. Whatever happens, the
 * process must not crash nor hang, an error that comes out must be Lua's for lack of
 * memory, the next script in the same state must run, and no block may be left when
 * the state is closed. The script's own errors are its checks.
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
#include "spec/core/failing.h"

void __real_free(void *block);
void __wrap_free(void *block);

enum { SECONDS = 20, MOST_RUNS = 200000, RESERVE = 128 * 1024 };
enum { PASSED, NO_FAILURE, WRONG_ERROR, NEXT_FAILED, LEAK };

static bool script_failed;
static long blocks; /* of the state's allocator */

/* core keeps a reserve for libev, which cannot go on without memory: once that is
 * given back there is some. */
void __wrap_free(void *block) {
  if (armed && malloc_usable_size(block) >= RESERVE)
    failures_left = 0;
  __real_free(block);
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
  bool fine = may_fail && (status == LUA_ERRMEM || is_memory_error(L));
  if (!fine) {
    lua_pushcfunction(L, to_text);
    lua_insert(L, -2);
    bool shown = lua_pcall(L, 1, 1, 0) == LUA_OK;
    fprintf(stderr, "%s: %s\n", what, shown ? lua_tostring(L, -1) : "?");
  }
  lua_pop(L, 1);
  return fine;
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

/* The script's text is on top. What is done in a child: the answer is its status. */
static int run_child(lua_State *L, unsigned long nth, unsigned failures) {
  calls_left = nth;
  failures_left = failures;
  alarm(SECONDS);
  const char *text = lua_tostring(L, -1);
  armed = true;
  int status = luaL_loadstring(L, text);
  bool fine = status == LUA_ERRMEM || (status == LUA_OK && call(L, true, "script"));
  bool ended_well = fine && status == LUA_OK && !script_failed;
  if (ended_well) { /* as the program does */
    lua_pushcfunction(L, binding_wait);
    fine = call(L, true, "wait");
  }
  lua_pushcfunction(L, binding_finish);
  fine = call(L, true, "finish") && fine;
  armed = false;
  if (!fine)
    return WRONG_ERROR;
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

static unsigned long passed, bad;

/* Let the nth allocation fail; true when there was one. */
static bool run_nth(lua_State *L, const char *name, unsigned long nth, unsigned failures) {
  fflush(NULL);
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
  if (WIFSIGNALED(status))
    printf("%s: allocation %lu, %u times: %s\n", name, nth, failures, strsignal(WTERMSIG(status)));
  else
    printf("%s: allocation %lu, %u times: status %d\n", name, nth, failures, WEXITSTATUS(status));
  return true;
}

static int prepare(lua_State *L) {
  luaL_openlibs(L);
  binding_install(L);
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

/* The state is made in the child, too, and only that. */
static bool start_nth(unsigned long nth) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    calls_left = nth;
    failures_left = 2;
    alarm(SECONDS);
    armed = true;
    lua_State *L = lua_newstate(allocate, NULL);
    if (L) {
      lua_pushcfunction(L, prepare);
      bool fine = call(L, true, "start");
      armed = false;
      lua_close(L);
      if (!fine)
        _exit(WRONG_ERROR);
    }
    _exit(blocks ? LEAK : failed ? PASSED : NO_FAILURE);
  }
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

static void run_script(const char *name, unsigned failures) {
  lua_State *L = new_state();
  unsigned long nth = 0;
  if (!L)
    exit(EXIT_FAILURE);
  push_text(L, name);
  while (nth < MOST_RUNS && run_nth(L, name, nth, failures))
    nth++;
  printf("%s: %lu allocations\n", name, nth);
  lua_settop(L, 0);
  lua_close(L);
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "-n") == 0) {
    lua_State *L = new_state();
    push_text(L, argv[4]);
    return run_child(L, strtoul(argv[2], NULL, 10), (unsigned)atoi(argv[3]));
  }
  unsigned long nth = 0;
  unsigned failures = 1;
  int first = 1;
  if (argc > 2 && strcmp(argv[1], "-f") == 0) {
    failures = (unsigned)atoi(argv[2]);
    first = 3;
  }
  while (start_nth(nth))
    nth++;
  printf("start: %lu allocations\n", nth);
  for (int i = first; i < argc; i++)
    run_script(argv[i], failures);
  printf("%lu passed, %lu failed\n", passed, bad);
  return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
