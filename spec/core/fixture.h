/*
 * fixture.h: one hub per test, in several modes, and greenlets that are counted.
 *
 * EACH_MODE(test) runs test() with 1, 2, 4 and 64 slots, with and without
 * move_always, each time on a fresh `hub`. When the test is over nothing may be
 * left: no greenlet, timer, watcher or pending callback, and every greenlet
 * that died must have been released exactly once.
 *
 * Frames of greenlets move. So what a test shares between greenlets is static,
 * in a subject, or in a frame of main, whose stack is the thread's own.
 */
#ifndef SPEC_CORE_FIXTURE_H
#define SPEC_CORE_FIXTURE_H

#include <errno.h>

#include "core/clock.h"
#include "core/hub.h"
#include "core/stack.h"
#include "core/waiter.h"
#include "spec/core/check.h"

/* memory_test makes all others fail. */
#ifndef test_calloc
#define test_calloc calloc
#endif

enum { SLOT_BYTES = 256 * 1024 };
static const double LONG_SECONDS = PATIENCE_SECONDS / 2;

struct mode {
  unsigned slots;
  bool move_always;
};

static const struct mode MODES[] = {{1, false}, {2, false}, {4, false}, {64, false},
                                    {1, true},  {2, true},  {64, true}};
static struct mode mode;
static struct hub hub;

/* A greenlet of a test, kept until the test is over. */
struct subject {
  struct greenlet greenlet;
  struct subject *next;
  const char *name;
  void *arg;
  int died_new, failed, released;
  int stage;  /* a test's own: how often it has run */
  int result; /* of its last wait, for checks after its death */
  void *got;  /* likewise: an error or a value */
};

static struct subject *subjects;
static unsigned dropped_errors;
static char err_a[1] __attribute__((unused));

static inline struct subject *subject_of(struct greenlet *greenlet) {
  return container_of(greenlet, struct subject, greenlet);
}

static inline struct subject *self(void) {
  return subject_of(hub.current);
}

static inline void host_died_new(struct greenlet *greenlet, void *error) {
  subject_of(greenlet)->died_new++;
  subject_of(greenlet)->got = error;
}

static inline void host_released(struct greenlet *greenlet) {
  subject_of(greenlet)->released++;
}

static inline void host_failed(struct greenlet *greenlet) {
  subject_of(greenlet)->failed++;
}

static inline void host_drop_error(struct hub *of, void *error) {
  (void)of, (void)error;
  dropped_errors++;
}

static struct hub_host host;

typedef void *body(struct greenlet *, void *);

/* A NEW greenlet. `arg` goes to run and to subject->arg. */
static inline struct subject *make(body *run, const void *arg) {
  struct subject *subject = test_calloc(1, sizeof *subject);
  if (!subject)
    abort();
  greenlet_init(&subject->greenlet, &hub, run, (void *)arg);
  subject->arg = (void *)arg;
  subject->name = "?";
  subject->next = subjects;
  subjects = subject;
  return subject;
}

static inline struct subject *spawn(body *run, const void *arg) {
  struct subject *subject = make(run, arg);
  greenlet_start(&subject->greenlet);
  return subject;
}

static inline struct subject *make_raw(body *run, const void *arg,
                                       struct greenlet *parent) {
  struct subject *subject = make(run, arg);
  CHECK_EQUAL(greenlet_set_parent(&subject->greenlet, parent), 0);
  return subject;
}

static inline void run_all(void) {
  CHECK_EQUAL(hub_join(&hub, -1), 0);
}

static double passing;

static inline void let_pass(struct callback *callback) {
  (void)callback;
  timers_expire(&hub.timers, clock_seconds() + passing);
}

/* At the next turn of the hub it is as if `seconds` had passed: no test has to
 * wait, nor to hope that a machine is fast enough. */
static inline void pass_time(double seconds) {
  static struct callback callback;
  callback_init(&callback, let_pass);
  passing = seconds;
  hub_call(&hub, &callback);
}

static inline bool is_dead(const struct subject *subject) {
  return greenlet_dead(&subject->greenlet);
}

/* For greenlets that a test leaves waiting on purpose. */
static inline void kill_rest(void) {
  for (struct subject *subject = subjects; subject; subject = subject->next)
    if (greenlet_started(&subject->greenlet))
      CHECK_EQUAL(greenlet_kill(&subject->greenlet, greenlet_exit), 0);
  run_all();
}

static inline void open_hub(void) {
  host = (struct hub_host){.died_new = host_died_new,
                           .released = host_released,
                           .failed = host_failed,
                           .drop_error = host_drop_error};
  dropped_errors = 0;
  clear_notes();
  CHECK_EQUAL(hub_init(&hub, mode.slots, SLOT_BYTES, &host, NULL), 0);
  hub.stacks.move_always = mode.move_always;
}

static inline void close_subjects(void) {
  unsigned living = 0, held = 0, not_released_once = 0;
  for (struct subject *subject = subjects; subject; subject = subject->next) {
    bool dead = is_dead(subject), new = subject->greenlet.state == GREENLET_NEW;
    living += !dead && !new;
    not_released_once += subject->released != dead;
    if (dead || new)
      greenlet_term(&subject->greenlet);
  }
  for (struct subject *subject = subjects; subject; subject = subject->next)
    held += subject->greenlet.holders > 0;
  CHECK_EQUAL(living, 0);
  CHECK_EQUAL(held, 0);
  CHECK_EQUAL(not_released_once, 0);
}

static inline void close_hub(void) {
  CHECK(list_empty(&hub.ready));
  CHECK(list_empty(&hub.turns));
  CHECK_EQUAL(hub.timers.refs, 0);
  CHECK_EQUAL(hub.refs, 0);
  CHECK_EQUAL(hub.active, 0);
  CHECK(hub.current == &hub.main);
  CHECK(!hub.main.errors);
  close_subjects();
  CHECK_EQUAL(hub.timers.count, 0);
  CHECK_EQUAL(hub.greenlet_count, 0);
  CHECK(list_empty(&hub.greenlets));
  hub_term(&hub);
  while (subjects) {
    struct subject *subject = subjects;
    subjects = subject->next;
    free(subject);
  }
}

static inline void each_mode(void (*test)(void), const char *name) {
  char context[128];
  for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
    mode = MODES[i];
    snprintf(context, sizeof context, "%s, %u slots%s", name, mode.slots,
             mode.move_always ? ", move_always" : "");
    check_context = context;
    open_hub();
    test();
    close_hub();
  }
  check_context = "";
}

#define EACH_MODE(test) each_mode(test, #test)

#endif
