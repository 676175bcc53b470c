#define _GNU_SOURCE
#include "lua_binding/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/trace.h"
#include "lua_binding/datafile.h"
#include "lua_binding/facts.h"
#include "lua_binding/fault.h"
#include "lua_binding/guarded.h"
#include "lua_binding/pages.h"
#include "lua_binding/sources.h"
#include "lua_binding/text.h"

enum {
  TRACERS = 16,              /* at a time in a process */
  FLIGHT_RECORDS = 1 << 17,  /* 4 MB */
  PAGE_RECORDS = 200000,     /* in a page, which a browser has to show */
};
/* To write it takes a while: greenlets may fail all the time. */
static const double FLIGHT_AGAIN_SECONDS = 1, FAILURE_AGAIN_SECONDS = 10;

struct tracer {
  struct recorder recorder;
  struct runtime *rt;
  const char *script;
  double written;            /* clock_seconds when the flight recorder last was; or 0 */
  int file;                  /* -1: the flight recorder opens it when it is written */
  volatile bool busy;        /* it is being written: no signal handler is to do that, too */
  bool page;
  char path[PATH_MAX];       /* from the root: scripts may change the directory */
};

/* All in this process, for exit and for signal handlers. */
static struct tracer *_Atomic tracers[TRACERS];

static const struct trace_host trace_host;

/* ---- Files ---- */

static int write_page_part(int file, const char *bytes, size_t size) {
  return output_write(file, bytes, size) ? 0 : -errno;
}

/* Write the file, with as many records as it can show. 0 or -errno. */
static int write_file(struct tracer *tracer, int file, bool careful) {
  const struct trace_host *host = &trace_host;
  if (!tracer->page)
    return trace_write(&tracer->recorder, host, tracer->script, file, 0, careful);
  struct page_parts page = l_timeline_page();
  int result = write_page_part(file, page.head, page.head_size);
  if (result == 0)
    result = trace_write(&tracer->recorder, host, tracer->script, file, PAGE_RECORDS, careful);
  return result < 0 ? result : write_page_part(file, page.tail, page.tail_size);
}

/* ---- Ending ---- */

static void forget(const struct tracer *tracer) {
  for (int i = 0; i < TRACERS; i++)
    if (tracers[i] == tracer)
      tracers[i] = NULL;
}

static bool is_ours(const struct tracer *tracer) {
  return tracer->recorder.pid == getpid();
}

/* In the thread of its state? */
static bool is_here(const struct tracer *tracer) {
  return pthread_equal(tracer->rt->thread, pthread_self());
}

/* It may have been written before, by a signal that was not the end after all. */
static int write_trace(struct tracer *tracer, bool careful) {
  recorder_stop_clock(&tracer->recorder);
  if (lseek(tracer->file, 0, SEEK_CUR) > 0 &&
      (ftruncate(tracer->file, 0) < 0 || lseek(tracer->file, 0, SEEK_SET) < 0))
    return -errno;
  int result = write_file(tracer, tracer->file, careful);
  return result == 0 && tracer->recorder.error ? -tracer->recorder.error : result;
}

/* If there is an error. */
static void tell_failure(const struct tracer *tracer, int error) {
  struct text text = {.length = 0};
  if (error <= 0)
    return;
  l_add_text(&text, "greenlua: cannot write the trace ");
  l_add_text(&text, tracer->path);
  l_add_text(&text, ": ");
  l_add_text(&text, strerrordesc_np(error));
  l_add_text(&text, "\n");
  l_write_text(STDERR_FILENO, &text);
}

static void drop(struct tracer *tracer) {
  struct runtime *rt = tracer->rt;
  forget(tracer);
  if (rt->started)
    recorder_stop(&tracer->recorder);
  recorder_term(&tracer->recorder);
  if (tracer->file >= 0)
    close(tracer->file);
  if (rt->tracer == tracer)
    rt->tracer = NULL;
  else
    rt->flight = NULL;
  free(tracer);
}

/* Write it and drop it. 0 or -errno. */
static int finish(struct tracer *tracer) {
  int result = is_ours(tracer) ? write_trace(tracer, false) : 0;
  drop(tracer);
  return result;
}

static void finish_and_tell(struct tracer *tracer) {
  if (is_ours(tracer))
    tell_failure(tracer, -write_trace(tracer, false));
  drop(tracer);
}

void l_close_traces(struct runtime *rt) {
  if (rt->tracer)
    finish_and_tell(rt->tracer);
  if (rt->flight)
    drop(rt->flight);
  l_watch(rt);
  l_texts_term(&rt->labels);
}

void l_drop_traces(struct runtime *rt) {
  if (rt->tracer)
    drop(rt->tracer);
  if (rt->flight)
    drop(rt->flight);
}

/* ---- The flight recorder ---- */

static void tell_flight(const struct tracer *tracer, const char *why, int result) {
  const struct recorder *recorder = &tracer->recorder;
  uint64_t there = recorder->total <= recorder->mask ? recorder->total : recorder->mask + 1;
  struct text text = {.length = 0};
  if (result < 0) {
    tell_failure(tracer, -result);
    return;
  }
  l_add_text(&text, "greenlua: flight recorder: ");
  l_add_text(&text, why);
  l_add_text(&text, ": the last ");
  l_add_number(&text, there, 10);
  l_add_text(&text, " events are in ");
  l_add_text(&text, tracer->path);
  l_add_text(&text, "\n");
  l_write_text(STDERR_FILENO, &text);
}

static void write_flight(struct tracer *tracer, const char *why, bool careful) {
  /* A FIFO: who would read it? */
  int file = l_open_datafile(tracer->path, O_NONBLOCK), result = file;
  if (file >= 0) {
    recorder_stop_clock(&tracer->recorder);
    result = write_file(tracer, file, careful);
    close(file);
  }
  tell_flight(tracer, why, result);
}

/* Those without a name that a report has given a number are called by that. */
static void name_numbered(struct tracer *tracer) {
  struct hub *hub = &tracer->rt->hub;
  for (struct list *node = hub->greenlets.next; node != &hub->greenlets; node = node->next) {
    const struct greenlet *g = container_of(node, struct greenlet, all);
    struct lane *lane = lanes_find(&tracer->recorder.living, g->serial);
    if (lane && !lane->name && g->ident >= 0)
      lane->name = l_number_label(tracer->rt, g->ident);
  }
}

void l_flight_write(struct runtime *rt, const char *why) {
  struct tracer *tracer = rt->flight;
  bool failure = strcmp(why, "failure") == 0;
  double now = clock_seconds(), again = failure ? FAILURE_AGAIN_SECONDS : FLIGHT_AGAIN_SECONDS;
  if (!tracer || !is_ours(tracer) || now - tracer->written < again)
    return;
  tracer->written = now;
  tracer->busy = true;
  name_numbered(tracer);
  write_flight(tracer, why, false);
  tracer->busy = false;
}

/* ---- In signal handlers ---- */

struct crash {
  struct tracer *tracer;
  const char *why;
};

static void write_carefully(void *data) {
  const struct crash *crash = data;
  if (crash->tracer->file >= 0)
    tell_failure(crash->tracer, -write_trace(crash->tracer, true));
  else
    write_flight(crash->tracer, crash->why, true);
}

/* Another thread has it, and goes on. */
static void write_others(int i) {
  struct crash crash = {tracers[i], NULL};
  tracers[i] = NULL;
  if (crash.tracer->file < 0)
    return;
  l_guarded(write_carefully, &crash);
  crash.tracer->recorder.pid = 0; /* nobody writes it again */
}

/* A fault in here ends it, too. */
static void write_all(const char *why, bool flights) {
  static atomic_flag writing = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set(&writing))
    return;
  for (int i = 0; i < TRACERS; i++) {
    struct crash crash = {tracers[i], why};
    if (crash.tracer && is_ours(crash.tracer) && (crash.tracer->file >= 0 || flights))
      l_guarded(write_carefully, &crash);
  }
  atomic_flag_clear(&writing);
}

void l_traces_crash(const char *why) {
  write_all(why, true);
}

void l_traces_last_resort(void) {
  write_all(NULL, false);
}

/* In the thread of each state: what is sent on tells by its value that it is. */
static void on_request(int number, siginfo_t *info, void *context) {
  int error = errno;
  const union sigval sent_on = {.sival_ptr = tracers};
  bool first = info->si_code != SI_QUEUE || info->si_value.sival_ptr != sent_on.sival_ptr;
  (void)context;
  for (int i = 0; i < TRACERS; i++) {
    struct crash crash = {tracers[i], "SIGUSR2"};
    if (!crash.tracer || crash.tracer->file >= 0 || !is_ours(crash.tracer))
      continue;
    if (!is_here(crash.tracer) && first)
      pthread_sigqueue(crash.tracer->rt->thread, number, sent_on);
    else if (is_here(crash.tracer) && !crash.tracer->busy &&
             !l_guarded(write_carefully, &crash))
      tell_failure(crash.tracer, EFAULT);
  }
  errno = error;
}

/* exit() without the state having been closed: os.exit, or a host's. Those of other threads,
 * which go on, are left as they are. */
static void at_exit(void) {
  for (int i = 0; i < TRACERS; i++) {
    struct tracer *tracer = tracers[i];
    if (!tracer || !is_ours(tracer))
      continue;
    if (!is_here(tracer))
      write_others(i);
    else if (tracer->rt->tracer == tracer)
      finish_and_tell(tracer);
    else
      drop(tracer);
  }
}

/* What ends the process otherwise, and what asks for the file: unless it is somebody's. */
static void take_signals(void) {
  static const int faults[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL};
  struct sigaction before, action = {.sa_sigaction = on_request,
                                     .sa_flags = SA_RESTART | SA_SIGINFO};
  if (sigaction(SIGUSR2, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction(SIGUSR2, &action, NULL);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    l_take_fault(faults[i]);
}

/* ---- Beginning ---- */

static bool enlist(struct tracer *tracer) {
  static atomic_flag watching = ATOMIC_FLAG_INIT;
  for (int i = 0; i < TRACERS; i++) {
    struct tracer *none = NULL;
    if (!atomic_compare_exchange_strong(&tracers[i], &none, tracer))
      continue;
    if (!atomic_flag_test_and_set(&watching))
      atexit(at_exit);
    return true;
  }
  return false;
}

static const char *check_path(struct runtime *rt, const char *path) {
  if (l_ends_in(path, ".html") && l_timeline_page().head_size == 0)
    return "needs a file whose name ends in .json: this build has no pages";
  return l_check_suffix(rt, path, ".json", ".html");
}

/* arg[0], as a text for ever. */
static const char *script_of(lua_State *L, struct runtime *rt) {
  const char *script = "";
  int top = lua_gettop(L);
  lua_pushglobaltable(L);
  lua_pushliteral(L, "arg");
  if (lua_rawget(L, -2) == LUA_TTABLE && lua_rawgeti(L, -1, 0) == LUA_TSTRING)
    script = lua_tostring(L, -1);
  lua_settop(L, top);
  return l_text_of(&rt->labels, l_number_of(&rt->labels, script));
}

static int begin(struct tracer *tracer, const char *path, bool flight) {
  struct recorder *recorder = &tracer->recorder;
  int result = l_complete_path(tracer->path, path);
  tracer->file = -1;
  if (result == 0 && flight)
    result = l_check_writable(tracer->path);
  if (result == 0 && !flight)
    result = tracer->file = l_open_datafile(tracer->path, 0);
  if (result < 0)
    return result;
  result = flight ? recorder_init_ring(recorder, &tracer->rt->hub, FLIGHT_RECORDS,
                                       &l_recorder_host, tracer->rt)
                  : recorder_init_file(recorder, &tracer->rt->hub, tracer->path,
                                       &l_recorder_host, tracer->rt);
  if (result < 0 && tracer->file >= 0)
    close(tracer->file);
  return result;
}

static const char *start(lua_State *L, struct runtime *rt, struct tracer **place,
                         const char *path, bool flight) {
  const char *problem = rt->closing ? "cannot begin at the end of the state" : check_path(rt, path);
  if (problem)
    return problem;
  const char *script = script_of(L, rt);
  struct tracer *tracer = calloc(1, sizeof *tracer);
  if (!tracer)
    return l_datafile_problem(rt, path, ENOMEM);
  tracer->rt = rt;
  tracer->script = script;
  tracer->page = l_ends_in(path, ".html");
  int result = begin(tracer, path, flight);
  if (result == 0 && !enlist(tracer)) {
    recorder_term(&tracer->recorder);
    if (tracer->file >= 0)
      close(tracer->file);
    result = -EBUSY;
  }
  if (result < 0) {
    free(tracer);
    return l_datafile_problem(rt, path, -result);
  }
  *place = tracer;
  if (!rt->watched)
    l_forget_waits(rt);
  recorder_start(&tracer->recorder);
  l_watch(rt);
  return NULL;
}

const char *l_set_trace(lua_State *L, struct runtime *rt, const char *path) {
  if (*path && rt->tracer)
    return "is on already";
  if (*path)
    return start(L, rt, &rt->tracer, path, false);
  if (!rt->tracer)
    return NULL;
  char written[PATH_MAX];
  snprintf(written, sizeof written, "%s", rt->tracer->path);
  int result = finish(rt->tracer);
  l_watch(rt);
  return result < 0 ? l_datafile_problem(rt, written, -result) : NULL;
}

const char *l_set_flight(lua_State *L, struct runtime *rt, const char *path) {
  struct tracer *before = rt->flight, *next = NULL;
  const char *problem = *path ? start(L, rt, &next, path, true) : NULL;
  if (problem)
    return problem;
  if (before)
    drop(before);
  rt->flight = next;
  l_watch(rt);
  if (next)
    take_signals();
  return NULL;
}

const char *l_get_trace(const struct runtime *rt) {
  return rt->tracer ? rt->tracer->path : "";
}

const char *l_get_flight(const struct runtime *rt) {
  return rt->flight ? rt->flight->path : "";
}

static const struct trace_host trace_host = {
    .text = l_fact_text, .program = "greenlua " GREENLUA_VERSION, .more = l_put_sources};

/* ---- For Lua ---- */

/* core.flight_write(why): what that says is a word */
static int core_flight_write(lua_State *L) {
  l_flight_write(l_runtime(L), luaL_checkstring(L, 1));
  return 0;
}

void l_open_trace(lua_State *L, struct runtime *rt) {
  static const luaL_Reg functions[] = {{"flight_write", core_flight_write}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->core_ref);
  l_functions(L, rt, functions);
  lua_pop(L, 1);
}
