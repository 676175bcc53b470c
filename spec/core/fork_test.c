#include <sys/wait.h>
#include <unistd.h>

#include "core/hub.h"
#include "core/watcher.h"
#include "spec/core/fixture.h"

static int vanished;
static pid_t child;
static int status; /* of the child, once it has ended */

static void gone(struct greenlet *greenlet) {
  CHECK(is_dead(subject_of(greenlet)));
  vanished++;
}

static void *run_sleep(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  waiter_sleep(&hub, LONG_SECONDS, true);
  return NULL;
}

static void *run_join(struct greenlet *greenlet, void *arg) {
  struct subject *other = arg;
  (void)greenlet;
  greenlet_join(&other->greenlet, -1);
  return NULL;
}

static void *run_wait(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  watcher_wait(arg, -1);
  return NULL;
}

/* What of the child's is as it must be: its checks count for nothing in the parent. */
static bool child_is_alone(void) {
  hub_keep_current(&hub, gone);
  return vanished == 4 && hub.root == hub.current && hub.greenlet_count == 0 &&
         list_empty(&hub.ready) && hub.timers.count == 0 && hub.refs == 0;
}

/* It waits as ever, and hears that nothing can happen any more. */
static bool child_goes_on(void) {
  return waiter_sleep(&hub, 0.001, true) == 0 && hub_join(&hub, -1) == 0 &&
         waiter_park(&hub, "ever", NULL, NULL, -1, true) == -EDEADLK;
}

static void fork_here(void) {
  vanished = 0;
  child = fork();
  if (child == 0)
    _exit(!child_is_alone() ? 1 : !child_goes_on() ? 2 : 42);
  CHECK(child > 0);
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 42);
}

static void *run_fork(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  fork_here();
  return NULL;
}

/* Four that wait in different ways; the last is ready and has not run. */
static void spawn_four(struct watcher *watcher) {
  const struct subject *sleeper = spawn(run_sleep, NULL);
  spawn(run_join, sleeper);
  spawn(run_wait, watcher);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  spawn(run_sleep, NULL);
}

static void among_four(void (*begin)(void)) {
  struct watcher watcher;
  CHECK_EQUAL(watcher_init(&watcher, &hub, WATCHER_ASYNC), 0);
  spawn_four(&watcher);
  begin();
  kill_rest();
}

static void main_goes_on(void) {
  among_four(fork_here);
}

static void begin_in_a_greenlet(void) {
  struct subject *forker = spawn(run_fork, NULL);
  while (!is_dead(forker))
    CHECK_EQUAL(waiter_yield(&hub), 0);
}

static void greenlet_goes_on(void) {
  among_four(begin_in_a_greenlet);
}

int main(void) {
  check_begin();
  EACH_MODE(main_goes_on);
  EACH_MODE(greenlet_goes_on);
  return check_summary();
}
