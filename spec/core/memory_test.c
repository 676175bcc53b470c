/*
 * What happens when there is no memory: linked with --wrap for every function
 * that gets some, the n-th call and the next few fail, for every n until none
 * is reached. No crash, and everybody who waits is woken.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "spec/core/failing.h"

#define test_calloc __real_calloc

#include "core/timeout.h"
#include "core/watcher.h"
#include "spec/core/fixture.h"

int __wrap_madvise(void *at, size_t bytes, int advice);

/* An old kernel's: guards are made by mprotect, so making one may fail. */
int __wrap_madvise(void *at, size_t bytes, int advice) {
  (void)at, (void)bytes, (void)advice;
  errno = EINVAL;
  return -1;
}

/* What libev gets when more than one allocation fails: the hub's reserve, for
 * which memory is freed, is of no use against failures that are only counted. */
static void *allocate_for_libev(void *memory, long bytes) {
  if (bytes > 0)
    return __real_realloc(memory, (size_t)bytes);
  free(memory);
  return NULL;
}

static void fail_from(unsigned long n, unsigned times) {
  if (times > 1)
    ev_set_allocator(allocate_for_libev);
  calls_left = n;
  failures_left = times;
  failed = false;
  armed = true;
}

static void fail_no_more(void) {
  armed = false;
}

/* ---- A program that uses everything, and tries again when it must ---- */

enum { WORKERS = 12 };

static struct timeout limits[WORKERS];
static unsigned ended, timed, raws;

/* Take what came, and say whether the wait has to be made again. */
static bool again(int result) {
  void *error = greenlet_take_error(hub.current);
  CHECK(result == 0 || result == -ECANCELED || result == -ENOMEM || result == -EBADE);
  CHECK(!error || result != -EBADE);
  return result == -ENOMEM;
}

static void *run_child(struct greenlet *greenlet, void *arg) {
  raws++;
  (void)arg;
  return greenlet->value;
}

static void switch_to_a_child(void) {
  struct subject *child = make_raw(run_child, NULL, hub.current);
  void *answer = NULL;
  int result;
  while ((result = greenlet_switch(&child->greenlet, err_a, &answer)) == -ENOMEM)
    CHECK(!is_dead(child));
  CHECK_EQUAL(result, 0);
  CHECK(answer == err_a && is_dead(child));
}

static void *run_worker(struct greenlet *greenlet, void *arg) {
  struct timeout *limit = arg;
  volatile unsigned char block[1500];
  (void)greenlet;
  for (size_t i = 0; i < sizeof block; i++)
    block[i] = (unsigned char)i;
  while (again(waiter_sleep(&hub, 0.0005, true)))
    continue;
  /* A wait for nothing is ended by a timeout, come what may. */
  timeout_init(limit);
  limit->error = err_a;
  while (timeout_start(&hub, limit, 0.0005, true) == -ENOMEM)
    continue;
  int result = waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true);
  CHECK(result == -ECANCELED || result == -ENOMEM);
  CHECK((greenlet_take_error(hub.current) == err_a) == (result == -ECANCELED));
  timed++;
  switch_to_a_child();
  while (greenlet_ident(hub.current) == -ENOMEM)
    continue;
  for (int i = 0; i < 4; i++)
    again(waiter_yield(&hub));
  for (size_t i = 0; i < sizeof block; i++)
    if (block[i] != (unsigned char)i)
      FAIL("a frame has changed");
  ended++;
  return NULL;
}

static void *run_joiner(struct greenlet *greenlet, void *arg) {
  struct subject *of = arg;
  (void)greenlet;
  while (again(greenlet_join(&of->greenlet, LONG_SECONDS)))
    continue;
  CHECK(is_dead(of));
  ended++;
  return NULL;
}

static void *run_sleeper(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  while (again(waiter_sleep(&hub, LONG_SECONDS, true)))
    continue;
  ended++;
  return NULL;
}

static void *run_killer(struct greenlet *greenlet, void *arg) {
  struct subject *of = arg;
  (void)greenlet;
  for (int i = 0; i < 3; i++)
    again(waiter_yield(&hub));
  while (greenlet_kill(&of->greenlet, err_a) == -ENOMEM)
    continue;
  ended++;
  return NULL;
}

static void program(void) {
  ended = timed = raws = 0;
  for (int i = 0; i < WORKERS; i++) {
    struct subject *worker = spawn(run_worker, &limits[i]);
    spawn(run_joiner, worker);
  }
  struct subject *sleeper = spawn(run_sleeper, NULL);
  struct subject *pinned = make(run_killer, sleeper);
  stack_init(&pinned->greenlet.stack, true);
  greenlet_start(&pinned->greenlet);
  struct subject *late = make(run_joiner, sleeper);
  while (greenlet_start_later(&late->greenlet, 0.0005) == -ENOMEM)
    continue;
  int result;
  while ((result = hub_join(&hub, LONG_SECONDS)) == -ENOMEM)
    continue;
  CHECK_EQUAL(result, 0);
  CHECK_EQUAL(ended, 2 * WORKERS + 3);
  CHECK(timed == WORKERS && raws == WORKERS);
}

static void nothing_is_lost(void) {
  static unsigned long steps;
  const unsigned times[] = {1, 3, 40};
  for (size_t t = 0; t < 3; t++) {
    bool reached = true;
    for (unsigned long n = 0; reached; n += n < 150 || times[t] > 1 ? 1 + n / 40 : 7) {
      fail_from(n, times[t]);
      program();
      fail_no_more();
      reached = failed;
      steps++;
      close_hub(); /* and all is given back */
      open_hub();
    }
  }
  CHECK(steps > 30);
}

/* ---- Starting ---- */

static void init_fails_cleanly(void) {
  static struct hub second;
  int result = -ENOMEM;
  for (unsigned long n = 0; result < 0; n++) {
    fail_from(n, 1);
    result = hub_init(&second, mode.slots, SLOT_BYTES, &host, NULL);
    fail_no_more();
    CHECK(result == 0 || result == -ENOMEM);
    CHECK(result == 0 || n < 100);
  }
  hub_term(&second);
}

/* Either all has changed or nothing. */
static void stacks_change_or_stay(void) {
  int result = -ENOMEM;
  for (unsigned long n = 0; result < 0; n++) {
    fail_from(n, 1);
    result = hub_set_stacks(&hub, 3, 2 * SLOT_BYTES);
    fail_no_more();
    CHECK(result == 0 || result == -ENOMEM);
    CHECK_EQUAL(hub.stacks.limit, result == 0 ? 3 : mode.slots);
    CHECK_EQUAL(hub.stacks.slot_bytes, result == 0 ? 2 * SLOT_BYTES : SLOT_BYTES);
    CHECK(result == 0 || n < 100);
  }
  fail_from(0, 1000);
  CHECK_EQUAL(stack_reserve(&hub.stacks), -ENOMEM);
  fail_no_more();
  spawn(run_sleeper, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  kill_rest();
}

/* ---- Contracts of single functions ---- */

static void *run_park(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true);
  self()->got = greenlet_take_error(hub.current);
  return NULL;
}

static void *run_note(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  note("%s", (const char *)arg);
  return NULL;
}

static void kill_does_nothing(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  fail_from(0, 1000);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), -ENOMEM);
  CHECK_EQUAL(greenlet_throw(&hub.main, err_a, NULL), -ENOMEM);
  fail_no_more();
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  CHECK(!a->greenlet.errors && !hub.main.errors);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK(a->got == err_a);
  CHECK_EQUAL(dropped_errors, 0);
}

static void timers_do_nothing(void) {
  static struct watcher watcher;
  static struct timeout timeout;
  struct subject *a = make(run_note, "a");
  CHECK_EQUAL(watcher_init_timer(&watcher, &hub, 1, 0), 0);
  timeout_init(&timeout);
  fail_from(0, 1000);
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, 1), -ENOMEM);
  CHECK(!greenlet_started(&a->greenlet) && hub.greenlet_count == 0);
  CHECK_EQUAL(waiter_sleep(&hub, 1, true), -ENOMEM);
  CHECK_EQUAL(watcher_start(&watcher), -ENOMEM);
  CHECK(!watcher.active && hub.active == 0);
  CHECK_EQUAL(timeout_start(&hub, &timeout, 1, true), -ENOMEM);
  CHECK(!timeout_pending(&timeout) && !hub.main.timeouts);
  CHECK_EQUAL(greenlet_ident(&a->greenlet), -ENOMEM);
  CHECK(!greenlet_new(&hub, run_note, NULL));
  fail_no_more();
  CHECK_EQUAL(hub.timers.count, 0);
}

/* A timeout that finds no memory for its error ends the wait all the same. */
static void timeout_ends_a_wait_with_no_memory(void) {
  static struct timeout timeout;
  timeout_init(&timeout);
  timeout.error = err_a;
  CHECK_EQUAL(timeout_start(&hub, &timeout, 0.0001, true), 0);
  fail_from(0, 1);
  int result = waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true);
  fail_no_more();
  CHECK(result == -ENOMEM || result == -ECANCELED);
  CHECK((greenlet_take_error(&hub.main) == err_a) == (result == -ECANCELED));
  CHECK_EQUAL(dropped_errors, result == -ENOMEM);
}

/* What was handed over is not lost when an error that is thrown cannot be kept. */
static void throw_leaves_what_was_handed(void) {
  struct subject *a = make_raw(run_park, NULL, &hub.main);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), -EDEADLK);
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  waiter_wake(&a->greenlet, WAITER_HANDED);
  fail_from(0, 1);
  greenlet_throw(&a->greenlet, err_a, NULL);
  fail_no_more();
  CHECK(is_dead(a));
  CHECK_EQUAL(a->result, 0);
  CHECK_EQUAL(dropped_errors, 1);
}

/* One to start later, whom somebody failed to switch to, starts all the same. */
static void switch_fails(void) {
  struct subject *a = make_raw(run_note, "a", &hub.main);
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, 0.001), 0);
  fail_from(0, 1000);
  int result = greenlet_switch(&a->greenlet, NULL, NULL);
  fail_no_more();
  CHECK(result == -ENOMEM || result == 0);
  if (result == -ENOMEM) {
    CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.self), 0);
    CHECK(greenlet_started(&a->greenlet));
    run_all();
  }
  CHECK(is_dead(a));
  CHECK_NOTES("a");
}

/* The hub's own stack is there before anybody needs it. */
static void hub_begins_without_memory(void) {
  struct subject *pinned = make(run_park, NULL);
  stack_init(&pinned->greenlet.stack, true);
  CHECK_EQUAL(stack_begin(&hub.stacks, &pinned->greenlet.stack), 0);
  greenlet_start(&pinned->greenlet);
  fail_from(0, 1000000);
  int result = waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true);
  fail_no_more();
  CHECK_EQUAL(result, -EDEADLK);
  CHECK_EQUAL(pinned->greenlet.state, GREENLET_WAITING);
  kill_rest();
}

/* ---- A limit of the system ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(GREENLUA_VALGRIND)
static void *run_limited(struct greenlet *greenlet, void *arg) {
  volatile unsigned char block[20000];
  (void)greenlet, (void)arg;
  block[0] = block[sizeof block - 1] = 1;
  for (int i = 0; i < 3; i++)
    again(waiter_yield(&hub));
  CHECK(block[0] + block[sizeof block - 1] == 2);
  ended++;
  return NULL;
}

/* In a child: address space ends while images of greenlets fill it. Who cannot
 * be moved to make room is run first, so that all come to an end. */
static void address_space_ends(void) {
  enum { MANY = 6000, LIMIT = 96 << 20 };
  static struct subject *all[MANY];
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit limit = {LIMIT, LIMIT};
    size_t count = 0;
    setrlimit(RLIMIT_AS, &limit);
    ended = 0;
    while (count < MANY && (all[count] = __real_calloc(1, sizeof *all[count]))) {
      greenlet_init(&all[count]->greenlet, &hub, run_limited, NULL);
      greenlet_start(&all[count++]->greenlet);
    }
    if (hub_join(&hub, -1) != 0 || ended != count)
      _exit(1);
    for (size_t i = 0; i < count; i++)
      if (!is_dead(all[i]) || all[i]->released != 1)
        _exit(2);
    _exit(checks_failed == 0 ? 42 : 3);
  }
  int status = 0;
  CHECK_EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 42);
}
#else
static void address_space_ends(void) {
  /* They need far more address space themselves. */
}
#endif

int main(void) {
  check_begin();
  EACH_MODE(kill_does_nothing);
  EACH_MODE(timers_do_nothing);
  EACH_MODE(timeout_ends_a_wait_with_no_memory);
  EACH_MODE(throw_leaves_what_was_handed);
  EACH_MODE(switch_fails);
  EACH_MODE(hub_begins_without_memory);
  EACH_MODE(init_fails_cleanly);
  EACH_MODE(stacks_change_or_stay);
  EACH_MODE(nothing_is_lost);
  EACH_MODE(address_space_ends);
  return check_summary();
}
