#include "core/timer.h"

#include <errno.h>

#include "core/list.h"
#include "spec/core/check.h"

struct named {
  struct timer timer;
  char name;
  double again;        /* start again at this, if not 0 */
  struct named *stops; /* another to stop when this expires */
};

static struct timers timers;

static void expire(struct timer *timer) {
  struct named *named = container_of(timer, struct named, timer);
  CHECK(!timer_active(timer));
  note("%c", named->name);
  if (named->again != 0)
    CHECK_EQUAL(timer_start(&timers, timer, named->again), 0);
  if (named->stops)
    timer_stop(&timers, &named->stops->timer);
}

static struct named named(char name) {
  return (struct named){.timer.expire = expire, .name = name};
}

static void order_of_deadlines(void) {
  struct named a = named('a'), b = named('b'), c = named('c');
  timers_init(&timers);
  timer_start(&timers, &c.timer, 3);
  timer_start(&timers, &a.timer, 1);
  timer_start(&timers, &b.timer, 2);
  CHECK(timer_active(&a.timer));
  CHECK(timer_at(&b.timer) == 2);
  timers_expire(&timers, 0.5);
  CHECK_NOTES("");
  timers_expire(&timers, 2);
  CHECK_NOTES("a b");
  CHECK(!timer_active(&a.timer) && timer_active(&c.timer));
  timers_expire(&timers, 100);
  CHECK_NOTES("c");
  timers_expire(&timers, 100);
  CHECK_NOTES("");
  timers_term(&timers);
}

static void equal_deadlines_in_order_of_start(void) {
  static struct named many[100];
  timers_init(&timers);
  for (size_t i = 0; i < 100; i++) {
    many[i] = named((char)('A' + i % 26));
    timer_start(&timers, &many[i].timer, 1);
  }
  for (size_t i = 0; i < 100; i += 3)
    timer_stop(&timers, &many[i].timer);
  timers_expire(&timers, 1);
  char want[256] = "";
  for (size_t i = 0, at = 0; i < 100; i++)
    if (i % 3)
      at += (size_t)snprintf(want + at, sizeof want - at, "%s%c", at ? " " : "",
                             (char)('A' + i % 26));
  CHECK_NOTES(want);
  timers_term(&timers);
}

static void stop_has_no_effect_twice(void) {
  struct named a = named('a');
  timers_init(&timers);
  timer_stop(&timers, &a.timer);
  timer_start(&timers, &a.timer, 1);
  timer_stop(&timers, &a.timer);
  timer_stop(&timers, &a.timer);
  CHECK_EQUAL(timers.count, 0);
  timers_expire(&timers, 9);
  CHECK_NOTES("");
  timers_term(&timers);
}

static void expiry_may_start_again(void) {
  struct named a = named('a'), b = named('b');
  a.again = 1;
  timers_init(&timers);
  timer_start(&timers, &a.timer, 1);
  timer_start(&timers, &b.timer, 1);
  timers_expire(&timers, 1);
  CHECK_NOTES("a b"); /* not a again: it was started by these calls */
  a.again = 0;
  timers_expire(&timers, 1);
  CHECK_NOTES("a");
  CHECK_EQUAL(timers.count, 0);
  timers_term(&timers);
}

static void expiry_may_stop_another_due(void) {
  struct named a = named('a'), b = named('b'), c = named('c');
  a.stops = &b;
  timers_init(&timers);
  timer_start(&timers, &a.timer, 1);
  timer_start(&timers, &b.timer, 1);
  timer_start(&timers, &c.timer, 1);
  timers_expire(&timers, 1);
  CHECK_NOTES("a c");
  timers_term(&timers);
}

static void refs_are_counted(void) {
  struct named a = named('a'), b = named('b');
  a.timer.ref = true;
  timers_init(&timers);
  timer_start(&timers, &a.timer, 1);
  timer_start(&timers, &b.timer, 2);
  CHECK_EQUAL(timers.refs, 1);
  timer_stop(&timers, &b.timer);
  CHECK_EQUAL(timers.refs, 1);
  timers_expire(&timers, 1);
  CHECK_EQUAL(timers.refs, 0);
  clear_notes();
  timers_term(&timers);
}

/* ---- Against a model: an array that is searched ---- */

enum { MODEL = 300 };
static struct {
  struct timer timer;
  double at;
  uint64_t order;
  bool started;
} model[MODEL];
static double last_at;
static uint64_t last_order;

static void expire_model(struct timer *timer) {
  size_t i = (size_t)((char *)timer - (char *)model) / sizeof *model;
  CHECK(model[i].started);
  CHECK(model[i].at > last_at || (model[i].at == last_at && model[i].order > last_order));
  last_at = model[i].at;
  last_order = model[i].order;
  model[i].started = false;
}

static void random_operations(unsigned seed) {
  uint64_t order = 0;
  double now = 0;
  srand(seed);
  timers_init(&timers);
  for (unsigned step = 0; step < 20000; step++) {
    size_t i = (size_t)rand() % MODEL;
    if (rand() % 50 == 0) {
      now += rand() % 5;
      last_at = -1;
      timers_expire(&timers, now);
      for (size_t j = 0; j < MODEL; j++)
        if (model[j].started && model[j].at <= now)
          FAIL("a due timer was left");
    } else if (model[i].started) {
      CHECK(timer_at(&model[i].timer) == model[i].at);
      timer_stop(&timers, &model[i].timer);
      model[i].started = false;
    } else {
      model[i].timer.expire = expire_model;
      model[i].at = now + rand() % 20;
      model[i].order = order++;
      model[i].started = true;
      timer_start(&timers, &model[i].timer, model[i].at);
    }
  }
  last_at = -1;
  timers_expire(&timers, now + 1000);
  CHECK_EQUAL(timers.count, 0);
  timers_term(&timers);
}

int main(void) {
  check_begin();
  order_of_deadlines();
  equal_deadlines_in_order_of_start();
  stop_has_no_effect_twice();
  expiry_may_start_again();
  expiry_may_stop_another_due();
  refs_are_counted();
  random_operations(1);
  return check_summary();
}
