#include "core/timeout.h"

#include "core/greenlet.h"
#include "spec/core/fixture.h"

static char err_b[1], err_c[1];

static struct timeout timeouts[8];
static unsigned expirations, drops;

static void on_expired(struct timeout *timeout) {
  CHECK(hub.current == &hub.self);
  CHECK(!timeout_pending(timeout));
  expirations++;
}

static void on_dropped(struct timeout *timeout) {
  CHECK(!timeout_pending(timeout));
  drops++;
}

static struct timeout *timeout(int i, void *error) {
  timeout_init(&timeouts[i]);
  timeouts[i].error = error;
  timeouts[i].expired = on_expired;
  timeouts[i].dropped = on_dropped;
  expirations = drops = 0;
  return &timeouts[i];
}

static void expires_in_a_wait(void) {
  struct timeout *a = timeout(0, err_a);
  CHECK(!timeout_pending(a));
  CHECK_EQUAL(timeout_start(&hub, a, 0.001, true), 0);
  CHECK(timeout_pending(a) && a->target == &hub.main);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK(!timeout_pending(a));
  CHECK(expirations == 1 && drops == 0);
  timeout_stop(a); /* no effect */
  CHECK_EQUAL(timeout_start(&hub, a, LONG_SECONDS, true), 0); /* again */
  timeout_stop(a);
}

static void stopped_in_time(void) {
  struct timeout *a = timeout(0, err_a);
  timeout_stop(a);
  CHECK_EQUAL(timeout_start(&hub, a, 0.001, true), 0);
  timeout_stop(a);
  timeout_stop(a);
  CHECK(!timeout_pending(a));
  CHECK_EQUAL(waiter_sleep(&hub, 0.003, true), 0);
  CHECK(expirations == 0 && drops == 0);
  CHECK_EQUAL(hub.timers.count, 0);
}

static void of_no_time(void) {
  struct timeout *a = timeout(0, err_a);
  CHECK_EQUAL(timeout_start(&hub, a, -1, true), 0);
  CHECK(timeout_pending(a)); /* not before the next turn of the hub */
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
}

static void two_in_order(void) {
  struct timeout *a = timeout(0, err_a), *b = timeout(1, err_b);
  CHECK_EQUAL(timeout_start(&hub, b, 200, true), 0);
  CHECK_EQUAL(timeout_start(&hub, a, 100, true), 0);
  pass_time(1000);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true), -ECANCELED);
    note("%c", greenlet_take_error(&hub.main) == err_a ? 'a' : 'b');
  }
  CHECK_NOTES("a b");
}

static void set_error(struct timeout *of) {
  of->error = err_c;
}

static void expired_sets_the_error(void) {
  struct timeout *a = timeout(0, NULL);
  a->expired = set_error;
  CHECK_EQUAL(timeout_start(&hub, a, 0.001, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_c);
}

static void *run_with_timeouts(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  CHECK_EQUAL(timeout_start(&hub, &timeouts[0], LONG_SECONDS, true), 0);
  CHECK_EQUAL(timeout_start(&hub, &timeouts[1], LONG_SECONDS, true), 0);
  CHECK(timeouts[0].target == &self()->greenlet);
  return NULL;
}

static void die_with_their_greenlet(void) {
  struct timeout *a = timeout(0, err_a), *b = timeout(1, err_b);
  b->dropped = NULL; /* may be */
  spawn(run_with_timeouts, NULL);
  run_all();
  CHECK(!timeout_pending(a) && !timeout_pending(b));
  CHECK(expirations == 0 && drops == 1);
  CHECK_EQUAL(hub.timers.count, 0);
}

static void *run_spin_until_expired(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  CHECK_EQUAL(timeout_start(&hub, &timeouts[0], 0.001, true), 0);
  int result;
  while ((result = waiter_yield(&hub)) == 0)
    continue;
  self()->result = result;
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void reach_one_that_never_sleeps(void) {
  timeout(0, err_a);
  struct subject *a = spawn(run_spin_until_expired, NULL);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
  CHECK_EQUAL(expirations, 1);
}

static void *run_timed_switch(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  CHECK_EQUAL(timeout_start(&hub, &timeouts[0], 0.001, true), 0);
  self()->result = greenlet_switch(&hub.self, NULL, NULL);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void reach_a_suspended_one(void) {
  timeout(0, err_a);
  struct subject *a = spawn(run_timed_switch, NULL);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
}

static void unreferenced_keep_nobody(void) {
  struct timeout *a = timeout(0, err_a);
  CHECK_EQUAL(timeout_start(&hub, a, LONG_SECONDS, false), 0);
  CHECK_EQUAL(hub_join(&hub, -1), 0);
  CHECK(timeout_pending(a));
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true), -EDEADLK);
  timeout_stop(a);
}

static void stop_in_another_expiry(struct timeout *of) {
  on_expired(of);
  timeout_stop(&timeouts[1]);
}

static void stopped_by_another_that_expires(void) {
  struct timeout *a = timeout(0, err_a), *b = timeout(1, err_b);
  a->expired = stop_in_another_expiry;
  CHECK_EQUAL(timeout_start(&hub, a, 0, true), 0);
  CHECK_EQUAL(timeout_start(&hub, b, 0, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK_EQUAL(waiter_sleep(&hub, 0.001, true), 0);
  CHECK_EQUAL(expirations, 1);
}

/* Whoever closes a timeout takes its error back, though another is owed first. */
static void taken_back(void) {
  struct timeout *a = timeout(0, err_a);
  a->expired = NULL;
  CHECK(!greenlet_retract_error(&hub.main, err_a));
  CHECK_EQUAL(greenlet_kill(&hub.main, err_b), 0);
  CHECK_EQUAL(timeout_start(&hub, a, 0, true), 0);
  CHECK_EQUAL(greenlet_kill(&hub.main, err_c), 0);
  timer_stop(&hub.timers, &a->timer);
  a->timer.expire(&a->timer);
  CHECK(greenlet_retract_error(&hub.main, err_a));
  CHECK(!greenlet_retract_error(&hub.main, err_a));
  CHECK(greenlet_take_error(&hub.main) == err_b);
  CHECK(greenlet_take_error(&hub.main) == err_c);
  CHECK_EQUAL(waiter_sleep(&hub, 0.001, true), 0);
}

int main(void) {
  check_begin();
  EACH_MODE(expires_in_a_wait);
  EACH_MODE(stopped_in_time);
  EACH_MODE(of_no_time);
  EACH_MODE(two_in_order);
  EACH_MODE(expired_sets_the_error);
  EACH_MODE(die_with_their_greenlet);
  EACH_MODE(reach_one_that_never_sleeps);
  EACH_MODE(reach_a_suspended_one);
  EACH_MODE(unreferenced_keep_nobody);
  EACH_MODE(stopped_by_another_that_expires);
  EACH_MODE(taken_back);
  return check_summary();
}
