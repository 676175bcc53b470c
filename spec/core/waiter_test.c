#include "core/waiter.h"

#include "core/greenlet.h"
#include "spec/core/fixture.h"

static char err_b[1];

static unsigned cancelled;

static void cancel(struct greenlet *greenlet) {
  (void)greenlet;
  cancelled++;
}

/* Parks as its argument says, and keeps what came of it. */
struct park {
  double seconds;
  bool ref;
};

static void *run_park(struct greenlet *greenlet, void *arg) {
  const struct park *park = arg;
  struct park once = park ? *park : (struct park){-1, true};
  (void)greenlet;
  self()->result = waiter_park(&hub, WAIT_LINKS, NULL, cancel, once.seconds, once.ref);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static struct subject *parked(const struct park *park) {
  struct subject *subject = spawn(run_park, park);
  cancelled = 0;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(subject->greenlet.state, GREENLET_WAITING);
  CHECK(subject->greenlet.wait.what == WAIT_LINKS);
  return subject;
}

/* ---- Ends of a wait ---- */

static void woken(void) {
  struct subject *a = parked(NULL);
  waiter_wake(&a->greenlet, 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_READY);
  run_all();
  CHECK_EQUAL(a->result, 0);
  CHECK_EQUAL(cancelled, 0); /* the waker has taken the node off */
}

static void handed(void) {
  struct subject *a = parked(NULL);
  waiter_wake(&a->greenlet, WAITER_HANDED);
  run_all();
  CHECK_EQUAL(a->result, 0);
}

static void timed_out(void) {
  static const struct park park = {100, true};
  struct subject *a = parked(&park);
  pass_time(1000);
  run_all();
  CHECK_EQUAL(a->result, -ETIMEDOUT);
  CHECK_EQUAL(cancelled, 1);
}

static void woken_in_time(void) {
  static const struct park park = {LONG_SECONDS, true};
  struct subject *a = parked(&park);
  waiter_wake(&a->greenlet, 0);
  CHECK_EQUAL(hub.timers.count, 0);
  run_all();
  CHECK_EQUAL(a->result, 0);
}

static void killed(void) {
  static const struct park park = {LONG_SECONDS, true};
  struct subject *a = parked(&park);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(cancelled, 1);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_b), 0);
  CHECK_EQUAL(cancelled, 1); /* once only */
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
  CHECK_EQUAL(dropped_errors, 1);
}

static void interrupted(void) {
  struct subject *a = parked(NULL);
  waiter_interrupt(&a->greenlet, -EIO);
  CHECK_EQUAL(cancelled, 1);
  run_all();
  CHECK_EQUAL(a->result, -EIO);
}

static void woken_then_killed(void) {
  struct subject *a = parked(NULL);
  waiter_wake(&a->greenlet, 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
  CHECK_EQUAL(cancelled, 0);
}

static void timed_out_then_killed(void) {
  static const struct park park = {LONG_SECONDS, true};
  struct subject *a = parked(&park);
  waiter_interrupt(&a->greenlet, -ETIMEDOUT);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
}

static void *run_two_waits(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  note("%d", waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true));
  CHECK(greenlet_first_error(&self()->greenlet) == err_a);
  int result = waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true);
  CHECK_EQUAL(result, -ECANCELED);
  CHECK(greenlet_take_error(&self()->greenlet) == err_a);
  note("%d", waiter_yield(&hub));
  return NULL;
}

/* What was handed over is taken; the kill arrives at the next wait. */
static void handed_then_killed(void) {
  struct subject *a = spawn(run_two_waits, NULL);
  cancelled = 0;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  waiter_wake(&a->greenlet, WAITER_HANDED);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK_NOTES("0 0");
  CHECK_EQUAL(cancelled, 1);
}

static void not_at_all(void) {
  cancelled = 0;
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, 0, true), -ETIMEDOUT);
  CHECK_EQUAL(cancelled, 1);
  CHECK_EQUAL(hub.main.state, GREENLET_RUNNING);
}

static void error_is_pending_already(void) {
  cancelled = 0;
  CHECK_EQUAL(greenlet_kill(&hub.main, err_a), 0);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, 0, true), -ECANCELED);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true), -ECANCELED);
  CHECK_EQUAL(cancelled, 2);
  CHECK_EQUAL(waiter_yield(&hub), -ECANCELED);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), -ECANCELED);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK_EQUAL(waiter_yield(&hub), 0);
}

/* ---- In the hub ---- */

static void in_hub(struct callback *callback) {
  (void)callback;
  cancelled = 0;
  CHECK_EQUAL(waiter_check(&hub), -EPERM);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true), -EPERM);
  CHECK_EQUAL(cancelled, 1);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, NULL, 1, true), -EPERM);
  CHECK_EQUAL(waiter_yield(&hub), -EPERM);
  CHECK_EQUAL(waiter_sleep(&hub, 1, true), -EPERM);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), -EPERM);
  CHECK_EQUAL(hub_wait_turn(&hub, true), -EPERM);
  CHECK_EQUAL(hub_join(&hub, 0), -EPERM);
  note("called");
}

static void callbacks_may_not_wait(void) {
  static struct callback callback;
  callback_init(&callback, in_hub);
  CHECK_EQUAL(waiter_check(&hub), 0);
  hub_call(&hub, &callback);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_NOTES("called");
  CHECK_EQUAL(hub.timers.count, 0);
}

/* ---- Yielding and sleeping ---- */

static void *run_yields(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  for (int i = 0; i < 3; i++) {
    note("%s%d", (const char *)arg, i);
    CHECK_EQUAL(waiter_yield(&hub), 0);
  }
  return NULL;
}

static void yields_in_turn(void) {
  spawn(run_yields, "a");
  spawn(run_yields, "b");
  spawn(run_yields, "c");
  run_all();
  CHECK_NOTES("a0 b0 c0 a1 b1 c1 a2 b2 c2");
}

static void yield_alone(void) {
  for (int i = 0; i < 1000; i++)
    CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(waiter_sleep(&hub, -1, true), 0); /* no time is a yield */
}

static const double SLEEPS[] = {300, 100, 200};

static void *run_sleep(struct greenlet *greenlet, void *arg) {
  const double *seconds = arg;
  (void)greenlet;
  CHECK_EQUAL(waiter_sleep(&hub, *seconds, true), 0);
  note("%d", (int)((const double *)arg - SLEEPS));
  return NULL;
}

static void sleepers_in_order_of_time(void) {
  for (int i = 0; i < 3; i++)
    spawn(run_sleep, &SLEEPS[i]);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  pass_time(1000);
  run_all();
  CHECK_NOTES("1 2 0");
}

static void sleep_lasts(void) {
  hub_update_now(&hub);
  double start = hub.now;
  CHECK_EQUAL(waiter_sleep(&hub, 0.02, true), 0);
  hub_update_now(&hub);
  CHECK(hub.now - start >= 0.02);
}

static void *run_sleep_unreferenced(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = waiter_sleep(&hub, LONG_SECONDS, false);
  return NULL;
}

static void unreferenced_sleep_keeps_nobody(void) {
  struct subject *a = spawn(run_sleep_unreferenced, NULL);
  run_all();
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  CHECK_EQUAL(greenlet_join(&a->greenlet, -1), -EDEADLK);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, false), -EDEADLK);
  kill_rest();
  CHECK_EQUAL(a->result, -ECANCELED);
}

/* ---- Deadlock ---- */

static void main_waits_for_nothing(void) {
  cancelled = 0;
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true), -EDEADLK);
  CHECK_EQUAL(cancelled, 1);
  struct subject *a = parked(NULL);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, -1, true), -EDEADLK);
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, cancel, 0.001, true), -ETIMEDOUT);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  kill_rest();
}

/* ---- A queue made of it: nothing that is handed over is lost ---- */

static struct list takers;
static int items, taken, given;

static void leave(struct greenlet *greenlet) {
  list_remove(&greenlet->join.node);
}

/* The greenlet's join node serves as the node of this queue. */
static int take(void) {
  if (items > 0) {
    items--;
    return 0;
  }
  list_append(&takers, &hub.current->join.node);
  return waiter_park(&hub, WAIT_LINKS, &takers, leave, -1, true);
}

static void give(void) {
  given++;
  if (list_empty(&takers)) {
    items++;
    return;
  }
  struct greenlet *greenlet = container_of(takers.next, struct greenlet, join.node);
  list_remove(&greenlet->join.node);
  waiter_wake(greenlet, WAITER_HANDED);
}

static void *run_taker(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  for (int i = 0; i < 10; i++) {
    int result = take();
    if (result == 0) {
      taken++;
      continue;
    }
    CHECK_EQUAL(result, -ECANCELED);
    CHECK(greenlet_take_error(&self()->greenlet) == err_a);
  }
  return NULL;
}

static void *run_giver(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  for (int i = 0; i < 20; i++) {
    give();
    if (i % 3 == 0)
      CHECK_EQUAL(waiter_yield(&hub), 0);
  }
  return NULL;
}

static void *run_killer(struct greenlet *greenlet, void *arg) {
  unsigned seed = 1;
  (void)greenlet, (void)arg;
  for (int i = 0; i < 100; i++) {
    seed = seed * 1103515245 + 12345;
    unsigned nth = seed / 65536 % 16;
    for (struct subject *subject = subjects; subject; subject = subject->next)
      if (subject->greenlet.run == run_taker && nth-- == 0)
        CHECK_EQUAL(greenlet_kill(&subject->greenlet, err_a), 0);
    if (i % 4 == 0)
      CHECK_EQUAL(waiter_yield(&hub), 0);
  }
  return NULL;
}

static void nothing_handed_over_is_lost(void) {
  list_init(&takers);
  items = taken = given = 0;
  for (int i = 0; i < 12; i++)
    spawn(run_taker, NULL);
  for (int i = 0; i < 4; i++)
    spawn(run_giver, NULL);
  spawn(run_killer, NULL);
  run_all();
  CHECK_EQUAL(given, 80);
  CHECK_EQUAL(taken + items, given);
  for (struct subject *subject = subjects; subject; subject = subject->next)
    for (int i = 0; i < 10 && greenlet_started(&subject->greenlet); i++)
      CHECK_EQUAL(greenlet_kill(&subject->greenlet, err_a), 0);
  run_all();
  CHECK_EQUAL(taken + items, given);
}

int main(void) {
  check_begin();
  EACH_MODE(woken);
  EACH_MODE(handed);
  EACH_MODE(timed_out);
  EACH_MODE(woken_in_time);
  EACH_MODE(killed);
  EACH_MODE(interrupted);
  EACH_MODE(woken_then_killed);
  EACH_MODE(timed_out_then_killed);
  EACH_MODE(handed_then_killed);
  EACH_MODE(not_at_all);
  EACH_MODE(error_is_pending_already);
  EACH_MODE(callbacks_may_not_wait);
  EACH_MODE(yields_in_turn);
  EACH_MODE(yield_alone);
  EACH_MODE(sleepers_in_order_of_time);
  EACH_MODE(sleep_lasts);
  EACH_MODE(unreferenced_sleep_keeps_nobody);
  EACH_MODE(main_waits_for_nothing);
  EACH_MODE(nothing_handed_over_is_lost);
  return check_summary();
}
