#include "lua_binding/watchdog.h"

#include <unistd.h>

#include "core/clock.h"
#include "lua_binding/attention.h"
#include "lua_binding/binding.h"
#include "lua_binding/stuck.h"
#include "lua_binding/ticker.h"

/* A program whose loop turns this often is in no need of a watchdog: core's batches
 * take half of it. */
static const double LEAST_SECONDS = 0.01, MOST_SECONDS = 86400;
enum { TICKS = 4 }; /* in the time allowed */

static struct {
  double limit;               /* seconds; 0: off */
  struct runtime *rt;
  struct ticker ticker;
  struct watcher before, after; /* the loop polls in between */
  bool asleep;                /* it does now */
  bool stopped;               /* the ticker, since it does */
  bool aside;                 /* binding_watch_aside */
  /* The episode: what was seen at its first tick. */
  const struct greenlet *current;
  unsigned batch_left, iteration;
  double since, cpu;          /* clock_seconds, seconds of this thread's CPU */
  bool asked;                 /* a report is wanted */
  bool told;                  /* it has been given */
} dog = {.ticker = {.value = TICK_WATCHDOG}};

static double cpu_seconds(void) {
  return (double)clock_nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) * 1e-9;
}

static bool same_episode(const struct hub *hub) {
  return dog.current == hub->current && dog.batch_left == hub->batch_left &&
         dog.iteration == hub->iteration;
}

static void begin_episode(const struct hub *hub) {
  dog.current = hub->current;
  dog.batch_left = hub->batch_left;
  dog.iteration = hub->iteration;
  dog.since = clock_seconds();
  dog.cpu = cpu_seconds();
  dog.asked = dog.told = false;
}

/* No hook has come since the last tick. */
static void tell_stuck(const struct runtime *rt) {
  struct text text = {.length = 0};
  l_add_text(&text, "greenlua: watchdog: ");
  l_add_current(rt, &text);
  l_add_text(&text, " has not given way for ");
  l_add_seconds(&text, clock_seconds() - dog.since);
  l_add_text(&text, ": it runs in C");
  if (!l_add_c_place(rt, &text)) /* it has returned: the hook will come */
    return;
  l_add_text(&text, "\n");
  dog.told = true;
  l_unwant(WANT_WATCHDOG);
  l_write_text(STDERR_FILENO, &text);
}

void l_watchdog_tick(struct runtime *rt) {
  const struct hub *hub = &rt->hub;
  if (dog.limit == 0)
    return;
  if (dog.asleep) {
    dog.stopped = ticker_set(&dog.ticker, 0, 0);
    return;
  }
  if (!same_episode(hub) || (dog.aside && hub->current == &hub->main)) {
    begin_episode(hub);
  } else if (dog.told || clock_seconds() - dog.since < dog.limit) {
    return;
  } else if (!dog.asked) {
    dog.asked = true;
    l_want(rt, WANT_WATCHDOG);
  } else if (!dog.aside && l_wanted(WANT_WATCHDOG)) {
    tell_stuck(rt);
  }
}

void l_watchdog_report(lua_State *L, struct runtime *rt) {
  if (dog.told || !same_episode(&rt->hub))
    return;
  dog.told = true;
  l_push_core(L, rt, "dump");
  lua_getfield(L, -1, "watchdog");
  lua_pushnumber(L, clock_seconds() - dog.since);
  lua_pushnumber(L, cpu_seconds() - dog.cpu);
  lua_call(L, 2, 0);
}

/* ---- While the loop polls ---- */

static void start_ticking(void) {
  double interval = dog.limit / TICKS;
  dog.stopped = !ticker_set(&dog.ticker, interval, interval);
}

static void on_before(struct watcher *watcher, int events) {
  (void)watcher, (void)events;
  dog.asleep = true;
}

static void on_after(struct watcher *watcher, int events) {
  (void)watcher, (void)events;
  dog.asleep = false;
  if (dog.stopped)
    start_ticking();
}

static void watch(struct watcher *watcher, enum watcher_kind kind, int priority,
                  void (*callback)(struct watcher *, int)) {
  watcher_init(watcher, &dog.rt->hub, kind);
  watcher->ref = false;
  watcher->priority = priority;
  watcher->callback = callback;
  watcher_start(watcher);
  dog.rt->hub.active--; /* scripts need not know of it */
}

static void unwatch(struct watcher *watcher) {
  dog.rt->hub.active++;
  watcher_stop(watcher);
}

/* ---- On and off ---- */

static void turn_on(struct runtime *rt, double seconds) {
  bool was_on = dog.limit > 0;
  dog.limit = seconds;
  dog.rt = rt;
  l_take_ticks(rt);
  if (!was_on) {
    watch(&dog.before, WATCHER_PREPARE, EV_MINPRI, on_before); /* the last of all */
    watch(&dog.after, WATCHER_CHECK, EV_MAXPRI, on_after);     /* the first */
    dog.asleep = false;
  }
  begin_episode(&rt->hub);
  start_ticking();
}

static void turn_off(void) {
  if (dog.limit == 0)
    return;
  dog.limit = 0;
  ticker_set(&dog.ticker, 0, 0);
  unwatch(&dog.before);
  unwatch(&dog.after);
}

const char *l_set_watchdog(struct runtime *rt, double seconds) {
  if (!(seconds == 0 || (seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS)))
    return "is out of range (0.01 to 86400 seconds, or 0)";
  if (dog.limit > 0 && dog.rt != rt)
    return "belongs to another state";
  if (seconds > 0)
    turn_on(rt, seconds);
  else
    turn_off();
  return NULL;
}

double l_get_watchdog(const struct runtime *rt) {
  return dog.rt == rt ? dog.limit : 0;
}

int binding_watch_aside(lua_State *L) {
  dog.aside = lua_toboolean(L, 1);
  return 0;
}

void l_watchdog_forked(void) {
  ticker_forget(&dog.ticker);
  if (dog.limit > 0)
    start_ticking();
}

/* The loop is about to go, and the watchers with it. */
void l_watchdog_end(void) {
  dog.limit = 0;
  ticker_end(&dog.ticker);
}
