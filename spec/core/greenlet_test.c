#include "core/greenlet.h"

#include "core/timeout.h"
#include "spec/core/fixture.h"

static char err_b[1], err_c[1];

/* ---- Bodies ---- */

static void *run_note(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  note("%s", (char *)arg);
  return arg;
}

/* Fails with the error that it is given. */
static void *run_fail(struct greenlet *greenlet, void *arg) {
  greenlet->error = arg;
  return NULL;
}

/* Waits until it is killed or woken, and keeps the answer and the error. */
static void *run_park(struct greenlet *greenlet, void *arg) {
  (void)arg;
  subject_of(greenlet)->result = waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void *run_sleep_long(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = waiter_sleep(&hub, LONG_SECONDS, true);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void *run_yield(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = waiter_yield(&hub);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void *run_join(struct greenlet *greenlet, void *arg) {
  struct subject *of = arg;
  (void)greenlet;
  self()->result = greenlet_join(&of->greenlet, -1);
  note("%s", self()->name);
  return NULL;
}

/* Switches to main with its first value + 1, and returns the second one. */
static char values[100];

static void *run_echo(struct greenlet *greenlet, void *arg) {
  void *answer = NULL;
  (void)arg;
  int result = greenlet_switch(&hub.main, (char *)greenlet->value + 1, &answer);
  self()->result = result;
  self()->got = result == -ECANCELED ? greenlet_take_error(&self()->greenlet) : NULL;
  return answer;
}

/* ---- Starting ---- */

static void starts_in_order(void) {
  struct subject *a = make(run_note, "a"), *b = make(run_note, "b");
  struct subject *c = spawn(run_note, "c");
  CHECK(!greenlet_started(&a->greenlet) && greenlet_started(&c->greenlet));
  CHECK_EQUAL(c->greenlet.state, GREENLET_READY);
  greenlet_start(&b->greenlet);
  greenlet_start(&a->greenlet);
  greenlet_start(&b->greenlet); /* no effect */
  CHECK_EQUAL(hub.greenlet_count, 3);
  run_all();
  CHECK_NOTES("c b a");
  greenlet_start(&a->greenlet); /* no effect on a dead one */
  run_all();
  CHECK_NOTES("");
  CHECK(is_dead(a) && !greenlet_started(&a->greenlet));
  CHECK(a->greenlet.value && !a->greenlet.error);
}

static void starts_later(void) {
  struct subject *a = make(run_note, "a"), *b = make(run_note, "b"), *c = make(run_note, "c"),
                 *d = make(run_note, "d");
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, 200), 0);
  CHECK_EQUAL(greenlet_start_later(&b->greenlet, 100), 0);
  CHECK_EQUAL(greenlet_start_later(&c->greenlet, LONG_SECONDS), 0);
  CHECK_EQUAL(greenlet_start_later(&c->greenlet, 0), 0); /* no effect: it is to start */
  CHECK_EQUAL(greenlet_start_later(&d->greenlet, -1), 0);
  CHECK(greenlet_started(&a->greenlet));
  CHECK_EQUAL(a->greenlet.state, GREENLET_NEW);
  greenlet_start(&c->greenlet); /* now after all */
  CHECK(!timer_active(&c->greenlet.timer));
  pass_time(1000);
  run_all();
  CHECK_NOTES("c d b a");
}

/* Nobody overtakes by asking for a time that has passed. */
static void starts_of_no_time_in_order(void) {
  struct subject *a = make(run_note, "a"), *b = make(run_note, "b");
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, 0), 0);
  CHECK_EQUAL(greenlet_start_later(&b->greenlet, -1), 0);
  run_all();
  CHECK_NOTES("a b");
}

static void late_start_is_killed(void) {
  struct subject *a = make(run_note, "a");
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, LONG_SECONDS), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK(is_dead(a) && a->greenlet.error == err_a && a->died_new == 1);
  run_all();
  CHECK_NOTES("");
}

static void term_of_a_late_start_leaves_nothing(void) {
  struct greenlet *a = greenlet_new(&hub, run_echo, NULL), *b = greenlet_new(&hub, run_echo, NULL);
  CHECK(a && b);
  CHECK_EQUAL(greenlet_start_later(a, LONG_SECONDS), 0);
  greenlet_free(a);
  greenlet_free(b);
  CHECK_EQUAL(hub.greenlet_count, 0);
  CHECK(list_empty(&hub.greenlets));
  CHECK_EQUAL(hub.timers.count, 0);
}

static void *run_spawner(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  spawn(run_note, "x");
  spawn(run_note, "y");
  note("s");
  return NULL;
}

static void starts_behind_the_ready(void) {
  spawn(run_spawner, NULL);
  spawn(run_note, "b");
  run_all();
  CHECK_NOTES("s b x y");
}

/* ---- Switching ---- */

static void values_go_in_and_out(void) {
  struct subject *a = make_raw(run_echo, NULL, &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[1], &answer), 0);
  CHECK(answer == &values[2]);
  CHECK_EQUAL(a->greenlet.state, GREENLET_SUSPENDED);
  CHECK_EQUAL(hub.greenlet_count, 1);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[7], &answer), 0);
  CHECK(answer == &values[7] && is_dead(a) && a->greenlet.value == &values[7]);
  CHECK_EQUAL(a->result, 0);
  CHECK_EQUAL(a->released, 1);
  CHECK_EQUAL(a->failed, 0);
}

static void switch_to_oneself(void) {
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&hub.main, err_a, &answer), 0);
  CHECK(answer == err_a);
  CHECK_EQUAL(greenlet_switch(&hub.main, err_a, NULL), 0);
  CHECK_EQUAL(greenlet_throw(&hub.main, err_b, &answer), -ECANCELED);
  CHECK(greenlet_first_error(&hub.main) == err_b);
  CHECK(greenlet_take_error(&hub.main) == err_b);
  CHECK(greenlet_take_error(&hub.main) == NULL && !greenlet_first_error(&hub.main));
}

static void switch_to_a_dead_one(void) {
  struct subject *a = make_raw(run_note, "a", &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, &answer), 0);
  CHECK(is_dead(a));
  /* Its nearest living ancestor is main, which is here. */
  CHECK_EQUAL(greenlet_switch(&a->greenlet, err_a, &answer), 0);
  CHECK(answer == err_a);
  CHECK(greenlet_living(&a->greenlet) == &hub.main);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_b, &answer), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_b);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, greenlet_exit, &answer), 0);
  CHECK(answer == greenlet_exit);
  clear_notes();
}

static void switch_ends_a_wait(void) {
  struct subject *a = spawn(run_park, NULL), *b = spawn(run_sleep_long, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(b->greenlet.state, GREENLET_WAITING);
  CHECK_EQUAL(greenlet_set_parent(&b->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_switch(&b->greenlet, NULL, NULL), 0); /* back by its death */
  CHECK_EQUAL(b->result, -EBADE);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), -EDEADLK); /* main is suspended */
  CHECK_EQUAL(a->result, -EBADE);
  CHECK(is_dead(a) && is_dead(b));
}

static void switch_to_a_ready_one(void) {
  struct subject *a = spawn(run_yield, NULL), *b = spawn(run_yield, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(a->greenlet.begun && a->greenlet.state == GREENLET_READY);
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), 0); /* back by its death */
  CHECK(is_dead(a));
  CHECK_EQUAL(a->result, -EBADE);
  run_all();
  CHECK_EQUAL(b->result, 0);
}

static void switch_to_one_to_start_later(void) {
  struct subject *a = make_raw(run_note, "a", &hub.main);
  CHECK_EQUAL(greenlet_start_later(&a->greenlet, LONG_SECONDS), 0);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), 0);
  CHECK(is_dead(a));
  CHECK_EQUAL(hub.timers.count, 0);
  CHECK_NOTES("a");
}

static void switch_to_a_ready_unbegun_one(void) {
  struct subject *a = make_raw(run_note, "a", &hub.main);
  greenlet_start(&a->greenlet);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), 0);
  CHECK(is_dead(a));
  run_all();
  CHECK_NOTES("a");
}

/* What a waker handed over is not lost to somebody who switches there. */
static void switch_keeps_what_was_handed(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.main), 0);
  waiter_wake(&a->greenlet, WAITER_HANDED);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), 0);
  CHECK(is_dead(a));
  CHECK_EQUAL(a->result, 0);
  CHECK(a->got == NULL);
}

static void *run_pass_on(struct greenlet *greenlet, void *arg) {
  struct subject *next = arg;
  void *answer = NULL;
  note("%s", self()->name);
  if (!next)
    return greenlet->value;
  self()->result = greenlet_switch(&next->greenlet, (char *)greenlet->value + 1, &answer);
  note("%s", self()->name);
  return (char *)answer + 1;
}

static void chain_of_switches(void) {
  struct subject *c = make(run_pass_on, NULL), *b = make(run_pass_on, c),
                 *a = make(run_pass_on, b);
  a->name = "a", b->name = "b", c->name = "c";
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_set_parent(&b->greenlet, &a->greenlet), 0);
  CHECK_EQUAL(greenlet_set_parent(&c->greenlet, &b->greenlet), 0);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[0], &answer), 0);
  CHECK(answer == &values[4]);
  CHECK_NOTES("a b c b a");
}

static void deadlock_of_a_suspended_main(void) {
  struct subject *a = spawn(run_note, "a");
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, NULL), -EDEADLK);
  CHECK_NOTES("a");
  CHECK_EQUAL(greenlet_switch(&hub.self, NULL, NULL), -EDEADLK);
}

/* ---- Throwing ---- */

static void throw_at_a_suspended_one(void) {
  struct subject *a = make_raw(run_echo, NULL, &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[1], &answer), 0);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_a, &answer), 0);
  CHECK_EQUAL(a->result, -ECANCELED);
  CHECK(a->got == err_a && is_dead(a));
}

static void throw_of_exit_at_a_suspended_one(void) {
  struct subject *a = make_raw(run_echo, NULL, &hub.main);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[1], NULL), 0);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, greenlet_exit, NULL), 0);
  CHECK_EQUAL(a->result, -ECANCELED);
  CHECK(a->got == greenlet_exit);
}

static void throw_at_a_waiting_one(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_a, NULL), 0);
  CHECK_EQUAL(a->result, -ECANCELED);
  CHECK(a->got == err_a && is_dead(a));
}

/* An error that is thrown comes before those that are pending. */
static void throw_goes_first(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_b, NULL), 0);
  CHECK(a->got == err_b && is_dead(a));
  CHECK_EQUAL(dropped_errors, 1);
}

static void throw_at_a_new_one(void) {
  struct subject *a = make_raw(run_note, "a", &hub.main);
  struct subject *b = make_raw(run_note, "b", &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_a, &answer), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK(is_dead(a));
  CHECK_EQUAL(a->died_new, 1);
  CHECK_EQUAL(greenlet_throw(&b->greenlet, greenlet_exit, &answer), 0);
  CHECK(answer == greenlet_exit && is_dead(b));
  run_all();
  CHECK_NOTES("");
}

/* The parent of such a one is the hub, which takes no errors. */
static void throw_at_a_new_greenlet(void) {
  struct subject *a = make(run_note, "a");
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_a, NULL), -EDEADLK);
  CHECK(is_dead(a) && a->greenlet.error == err_a);
  CHECK_EQUAL(a->died_new, 1);
  CHECK(!hub.self.errors);
  CHECK_EQUAL(dropped_errors, 0);
  CHECK_NOTES("");
}

static void throw_at_a_dead_greenlet(void) {
  struct subject *a = spawn(run_note, "a");
  run_all();
  CHECK_EQUAL(greenlet_throw(&a->greenlet, err_a, NULL), -EDEADLK);
  CHECK(!hub.self.errors);
  CHECK_EQUAL(dropped_errors, 1);
  clear_notes();
}

/* ---- Parents ---- */

static void error_goes_to_the_parent(void) {
  struct subject *a = make_raw(run_fail, err_a, &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, &answer), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK(is_dead(a));
  CHECK_EQUAL(a->failed, 0);
}

static void exit_arrives_as_value(void) {
  struct subject *a = make_raw(run_fail, greenlet_exit, &hub.main);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, &answer), 0);
  CHECK(answer == greenlet_exit);
}

static bool exit_value(struct hub *of, void *error, void **value) {
  CHECK(of == &hub);
  if (error != err_b)
    return false;
  *value = err_c;
  return true;
}

static void host_says_what_kills_silently(void) {
  struct subject *a = make_raw(run_fail, err_a, &hub.main),
                 *b = make_raw(run_fail, err_b, &hub.main);
  void *answer = NULL;
  host.exit_value = exit_value;
  CHECK_EQUAL(greenlet_switch(&a->greenlet, NULL, &answer), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK_EQUAL(greenlet_switch(&b->greenlet, NULL, &answer), 0);
  CHECK(answer == err_c);
}

static void failure_under_the_hub(void) {
  struct subject *a = spawn(run_fail, err_a), *b = spawn(run_fail, greenlet_exit),
                 *c = spawn(run_note, "c");
  run_all();
  CHECK_EQUAL(a->failed, 1);
  CHECK(a->greenlet.error == err_a);
  CHECK_EQUAL(b->failed, 1); /* what to say of it is the host's */
  CHECK_EQUAL(c->failed, 0);
  clear_notes();
}

static void value_passes_dead_parents(void) {
  /* main <- a <- b <- c, and b is dead when c ends. */
  struct subject *a = make_raw(run_park, NULL, &hub.main);
  struct subject *b = make_raw(run_note, "b", &a->greenlet);
  struct subject *c = make_raw(run_note, "c", &b->greenlet);
  CHECK_EQUAL(greenlet_kill(&b->greenlet, greenlet_exit), 0);
  CHECK(is_dead(b));
  CHECK_EQUAL(b->released, 0); /* a dead parent is kept */
  CHECK(greenlet_living(&b->greenlet) == &a->greenlet);
  CHECK_EQUAL(greenlet_switch(&c->greenlet, NULL, NULL), -EDEADLK);
  CHECK(is_dead(c));
  CHECK_EQUAL(c->released, 1);
  CHECK_EQUAL(b->released, 1);
  /* a, which had not begun, was started with the value, and waits. */
  CHECK(a->greenlet.begun && !is_dead(a));
  CHECK_EQUAL(a->greenlet.holders, 0);
  CHECK_NOTES("c");
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &hub.self), 0);
  kill_rest();
}

static void *run_value(struct greenlet *greenlet, void *arg) {
  (void)arg;
  subject_of(greenlet)->got = greenlet->value;
  return greenlet->value;
}

static void value_starts_a_parent(void) {
  struct subject *parent = make_raw(run_value, NULL, &hub.main);
  struct subject *child = make_raw(run_value, NULL, &parent->greenlet);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&child->greenlet, err_a, &answer), 0);
  CHECK(answer == err_a && parent->got == err_a && is_dead(parent) && is_dead(child));
}

static void error_kills_unstarted_parents(void) {
  struct subject *top = make_raw(run_value, NULL, &hub.main);
  struct subject *middle = make_raw(run_value, NULL, &top->greenlet);
  struct subject *child = make_raw(run_fail, err_a, &middle->greenlet);
  CHECK_EQUAL(greenlet_switch(&child->greenlet, NULL, NULL), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
  CHECK(is_dead(top) && is_dead(middle));
  CHECK_EQUAL(top->died_new, 1);
  CHECK_EQUAL(middle->died_new, 1);
}

static void error_ends_under_the_hub(void) {
  struct subject *parent = make(run_value, NULL); /* its parent is the hub */
  struct subject *child = make_raw(run_fail, err_a, &parent->greenlet);
  CHECK_EQUAL(greenlet_switch(&child->greenlet, NULL, NULL), -EDEADLK);
  CHECK(is_dead(parent) && parent->greenlet.error == err_a);
  CHECK_EQUAL(parent->died_new, 1);
  CHECK(!hub.self.errors);
}

static void cycles_are_refused(void) {
  struct subject *a = make(run_note, "a"), *b = make(run_note, "b"), *c = make(run_note, "c");
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &a->greenlet), -ELOOP);
  CHECK_EQUAL(greenlet_set_parent(&b->greenlet, &a->greenlet), 0);
  CHECK_EQUAL(greenlet_set_parent(&c->greenlet, &b->greenlet), 0);
  CHECK_EQUAL(greenlet_set_parent(&a->greenlet, &c->greenlet), -ELOOP);
  CHECK_EQUAL(greenlet_set_parent(&hub.main, &a->greenlet), -ELOOP);
  CHECK_EQUAL(greenlet_set_parent(&hub.self, &a->greenlet), -ELOOP);
  CHECK(a->greenlet.parent == &hub.self);
  CHECK_EQUAL(a->greenlet.holders, 1);
  CHECK_EQUAL(greenlet_set_parent(&c->greenlet, &b->greenlet), 0); /* the same again */
  CHECK_EQUAL(b->greenlet.holders, 1);
  CHECK_EQUAL(greenlet_set_parent(&c->greenlet, &a->greenlet), 0);
  CHECK_EQUAL(a->greenlet.holders, 2);
  CHECK_EQUAL(b->greenlet.holders, 0);
  CHECK_EQUAL(greenlet_set_parent(&c->greenlet, &hub.self), 0);
  CHECK_EQUAL(greenlet_set_parent(&b->greenlet, &hub.self), 0);
}

static void dead_parent_is_released_when_let_go(void) {
  struct subject *parent = make(run_note, "p"), *child = make(run_note, "c");
  CHECK_EQUAL(greenlet_set_parent(&child->greenlet, &parent->greenlet), 0);
  CHECK_EQUAL(greenlet_kill(&parent->greenlet, greenlet_exit), 0);
  CHECK_EQUAL(parent->released, 0);
  CHECK_EQUAL(greenlet_set_parent(&child->greenlet, &hub.self), 0);
  CHECK_EQUAL(parent->released, 1);
}

static void long_chain_is_released(void) {
  enum { LENGTH = 100000 };
  struct subject *first = make(run_note, "x"), *last = first;
  for (int i = 0; i < LENGTH; i++) { /* not set_parent: it would look for cycles */
    struct subject *child = make(run_note, "x");
    child->greenlet.parent = &last->greenlet;
    last->greenlet.holders++;
    greenlet_kill(&last->greenlet, greenlet_exit);
    last = child;
  }
  CHECK_EQUAL(first->released, 0);
  CHECK_EQUAL(greenlet_kill(&last->greenlet, greenlet_exit), 0);
  CHECK_EQUAL(first->released, 1);
}

/* ---- Killing ---- */

static void kill_new(void) {
  struct subject *a = make(run_note, "a");
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK(is_dead(a) && a->got == err_a && a->greenlet.error == err_a);
  CHECK_EQUAL(a->died_new, 1);
  CHECK_EQUAL(a->released, 1);
  CHECK_EQUAL(a->failed, 0);
  greenlet_start(&a->greenlet);
  run_all();
  CHECK_NOTES("");
}

static void kill_ready_unbegun(void) {
  struct subject *a = spawn(run_note, "a"), *b = spawn(run_note, "b");
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK(is_dead(a));
  CHECK_EQUAL(a->died_new, 1);
  run_all();
  CHECK_NOTES("b");
  (void)b;
}

static void kill_ready_begun(void) {
  struct subject *a = spawn(run_yield, NULL);
  spawn(run_yield, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_READY);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_READY);
  run_all();
  CHECK_EQUAL(a->result, -ECANCELED);
  CHECK(a->got == err_a);
}

static void kill_waiting(void) {
  struct subject *a = spawn(run_park, NULL), *b = spawn(run_sleep_long, NULL);
  struct subject *c = spawn(run_join, a);
  c->name = "c";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&b->greenlet, err_b), 0);
  CHECK_EQUAL(b->greenlet.state, GREENLET_READY);
  CHECK(!timer_active(&b->greenlet.timer));
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
  CHECK(b->result == -ECANCELED && b->got == err_b);
  CHECK_EQUAL(c->result, 0);
  CHECK_NOTES("c");
}

static void kill_suspended(void) {
  struct subject *a = make_raw(run_echo, NULL, &hub.main);
  CHECK_EQUAL(greenlet_switch(&a->greenlet, &values[0], NULL), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_READY);
  CHECK_EQUAL(hub_join(&hub, -1), -EBADE); /* its death switches to main, which waits */
  CHECK(is_dead(a) && a->got == err_a);
  CHECK_EQUAL(a->result, -ECANCELED);
}

static void *run_kill_itself(struct greenlet *greenlet, void *arg) {
  (void)arg;
  CHECK_EQUAL(greenlet_kill(greenlet, err_a), 0);
  CHECK_EQUAL(self()->greenlet.state, GREENLET_RUNNING);
  self()->result = waiter_sleep(&hub, LONG_SECONDS, true);
  CHECK(greenlet_take_error(&self()->greenlet) == err_a);
  CHECK_EQUAL(waiter_yield(&hub), 0); /* once only */
  return NULL;
}

static void kill_running(void) {
  struct subject *a = spawn(run_kill_itself, NULL);
  run_all();
  CHECK_EQUAL(a->result, -ECANCELED);
}

static void kill_dead(void) {
  struct subject *a = spawn(run_note, "a");
  run_all();
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, greenlet_exit), 0);
  CHECK(a->greenlet.error == NULL);
  CHECK_EQUAL(dropped_errors, 1); /* greenlet_exit needs no dropping */
  clear_notes();
}

static void kill_of_the_hub(void) {
  CHECK_EQUAL(greenlet_kill(&hub.self, err_a), -EPERM);
}

static void kill_of_main(void) {
  CHECK_EQUAL(greenlet_kill(&hub.main, err_a), 0);
  CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
}

static void *run_two_waits(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(waiter_sleep(&hub, LONG_SECONDS, true), -ECANCELED);
    note("%c", "abc"[(char *)greenlet_take_error(&self()->greenlet) == err_b]);
  }
  return NULL;
}

static void two_kills_in_order(void) {
  struct subject *a = spawn(run_two_waits, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_b), 0);
  run_all();
  CHECK_NOTES("a b");
}

static void pending_errors_are_dropped_by_death(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  run_all();
  CHECK_EQUAL(dropped_errors, 2);
}

/* ---- Joining ---- */

static void joiners_in_order(void) {
  struct subject *target = make(run_note, "t");
  const char *const names[] = {"a", "b", "c"};
  struct subject *joiners[3];
  for (int i = 0; i < 3; i++) {
    joiners[i] = spawn(run_join, target);
    joiners[i]->name = names[i];
  }
  greenlet_start(&target->greenlet);
  run_all();
  CHECK_NOTES("t a b c");
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(joiners[i]->result, 0);
  CHECK_EQUAL(greenlet_join(&target->greenlet, -1), 0); /* at once */
  CHECK_EQUAL(greenlet_join(&target->greenlet, 0), 0);
}

static void join_with_a_limit(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(greenlet_join(&a->greenlet, 0), -ETIMEDOUT);
  CHECK(!a->greenlet.begun);
  CHECK_EQUAL(greenlet_join(&a->greenlet, 0.001), -ETIMEDOUT);
  CHECK(a->greenlet.begun && list_empty(&a->greenlet.links));
  CHECK_EQUAL(greenlet_kill(&a->greenlet, greenlet_exit), 0);
  CHECK_EQUAL(greenlet_join(&a->greenlet, LONG_SECONDS), 0);
  CHECK_EQUAL(hub.timers.count, 0);
}

static void join_is_killed(void) {
  struct subject *a = spawn(run_park, NULL), *b = spawn(run_join, a), *c = spawn(run_join, a);
  b->name = "b", c->name = "c";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&b->greenlet, err_a), 0);
  waiter_wake(&a->greenlet, 0);
  run_all();
  CHECK_EQUAL(b->result, -ECANCELED);
  CHECK_EQUAL(c->result, 0);
  CHECK_NOTES("b c");
}

static void join_deadlocks(void) {
  struct subject *a = spawn(run_park, NULL);
  CHECK_EQUAL(greenlet_join(&a->greenlet, -1), -EDEADLK);
  CHECK(list_empty(&a->greenlet.links));
  CHECK_EQUAL(greenlet_join(&a->greenlet, -1), -EDEADLK); /* and again */
  kill_rest();
}

static void join_of_one_that_never_ran(void) {
  struct subject *a = make(run_note, "a"), *b = spawn(run_join, a);
  b->name = "b";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, greenlet_exit), 0);
  CHECK_EQUAL(b->greenlet.state, GREENLET_READY);
  run_all();
  CHECK_NOTES("b");
}

/* ---- Links ---- */

struct named_link {
  struct link link;
  const char *name;
  struct named_link *adds;
  int join;
};

static struct greenlet *linked;

static void on_link(struct link *link, void *source) {
  struct named_link *named = container_of(link, struct named_link, link);
  CHECK(hub.current == &hub.self);
  CHECK(source == linked && greenlet_dead(linked));
  note("%s", named->name);
  if (named->adds)
    note(greenlet_link(linked, &named->adds->link) ? "y" : "n");
  if (named->join)
    CHECK_EQUAL(greenlet_join(&subjects->greenlet, -1), is_dead(subjects) ? 0 : -EPERM);
}

static struct named_link named_link(const char *name) {
  struct named_link named = {.name = name};
  return named;
}

static void link_on(struct subject *of, struct named_link *named) {
  linked = &of->greenlet;
  link_init(&named->link, on_link);
  CHECK(greenlet_link(&of->greenlet, &named->link));
}

static void links_and_joiners_in_order(void) {
  struct named_link x = named_link("x"), y = named_link("y");
  struct subject *target = make(run_note, "t"), *a = spawn(run_join, target);
  a->name = "a";
  link_on(target, &x);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  link_on(target, &y);
  struct subject *b = spawn(run_join, target);
  b->name = "b";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  greenlet_start(&target->greenlet);
  run_all();
  CHECK_NOTES("t x y a b"); /* callbacks in the hub; joiners become ready in turn */
  CHECK_EQUAL(target->released, 1);
}

static void link_to_a_dead_one(void) {
  struct named_link x = named_link("x"), y = named_link("y");
  struct subject *a = make(run_note, "a");
  link_on(a, &x);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, greenlet_exit), 0);
  CHECK(is_dead(a) && !a->greenlet.told);
  CHECK_EQUAL(a->released, 0); /* not before all are told */
  link_on(a, &y);              /* dead, but they are not told yet */
  run_all();
  CHECK_NOTES("x y");
  CHECK_EQUAL(a->released, 1);
  link_init(&x.link, on_link);
  CHECK(!greenlet_link(&a->greenlet, &x.link));
  CHECK(list_empty(&x.link.node));
}

static void link_from_the_last_link(void) {
  struct named_link x = named_link("x"), y = named_link("z");
  struct subject *a = make(run_note, "a");
  x.adds = &y;
  link_init(&y.link, on_link);
  link_on(a, &x);
  greenlet_start(&a->greenlet);
  run_all();
  CHECK_NOTES("a x y z"); /* added meanwhile: notified in the same round */
}

static void link_removed(void) {
  struct named_link x = named_link("x");
  struct subject *a = spawn(run_note, "a");
  link_on(a, &x);
  list_remove(&x.link.node);
  run_all();
  CHECK_NOTES("a");
}

static void link_may_not_wait(void) {
  struct named_link x = named_link("x");
  x.join = 1;
  struct subject *a = spawn(run_note, "a"), *b = spawn(run_park, NULL);
  CHECK(subjects == b);
  link_on(a, &x);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_NOTES("a x");
  kill_rest();
}

/* ---- Setting aside ---- */

/* Leaves its stack in the middle of each wait, and is run again afterwards. */
static void *run_aside(struct greenlet *greenlet, void *arg) {
  struct subject *subject = subject_of(greenlet), *of = arg;
  int result = -1;
  note("%s%d", subject->name, subject->stage);
  if (subject->stage > 0)
    subject->result = waiter_answer(greenlet);
  switch (subject->stage++) {
    case 0:
      result = waiter_begin_turn(&hub);
      break;
    case 1:
      result = waiter_begin_sleep(&hub, 100, true);
      break;
    case 2:
      result = of ? greenlet_begin_join(&of->greenlet, -1) : -1;
      break;
  }
  if (result == 0)
    return NULL;
  subject->got = greenlet_take_error(greenlet);
  return subject;
}

static void set_aside_and_run_again(void) {
  struct subject *t = make(run_note, "t"), *a = spawn(run_aside, t), *b = spawn(run_aside, NULL);
  a->name = "a", b->name = "b";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(stack_fresh(&a->greenlet.stack) && a->greenlet.state == GREENLET_READY);
  CHECK(a->greenlet.begun);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  pass_time(1000);
  run_all();
  CHECK_NOTES("a0 b0 a1 b1 a2 b2");
  greenlet_start(&t->greenlet);
  run_all();
  CHECK_NOTES("t a3");
  CHECK(a->greenlet.value == a && b->greenlet.value == b);
  CHECK(a->result == 0 && a->got == NULL);
}

static void killed_while_set_aside(void) {
  struct subject *a = spawn(run_aside, NULL), *b = spawn(run_aside, NULL);
  a->name = "a", b->name = "b";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0); /* ready */
  a->stage = b->stage = 9;
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a && is_dead(a));
  CHECK(b->result == 0 && b->got == NULL);
  struct subject *c = spawn(run_aside, NULL), *d = spawn(run_aside, NULL);
  c->stage = d->stage = 1;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&c->greenlet, err_a), 0); /* waiting */
  CHECK_EQUAL(greenlet_set_parent(&d->greenlet, &hub.main), 0);
  void *answer = NULL;
  CHECK_EQUAL(greenlet_switch(&d->greenlet, NULL, &answer), 0);
  CHECK(answer == d && d->result == -EBADE);
  run_all();
  CHECK(c->result == -ECANCELED && c->got == err_a);
  clear_notes();
}

static void many_set_aside(void) {
  for (int i = 0; i < 200; i++) {
    struct subject *subject = make(i % 3 ? run_aside : run_yield, NULL);
    stack_init(&subject->greenlet.stack, i % 30 == 0);
    greenlet_start(&subject->greenlet);
  }
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(waiter_yield(&hub), 0);
  pass_time(1000);
  run_all();
  for (struct subject *subject = subjects; subject; subject = subject->next)
    CHECK(is_dead(subject) && subject->result == 0);
  clear_notes();
}

/* ---- Small things ---- */

static void idents_are_small_and_unique(void) {
  enum { COUNT = 300 };
  static struct subject *all[COUNT];
  bool seen[COUNT] = {false};
  for (int i = 0; i < COUNT; i++) {
    all[i] = make(run_note, "x");
    int ident = greenlet_ident(&all[i]->greenlet);
    CHECK(ident >= 0 && ident < COUNT && !seen[ident]);
    seen[ident] = true;
    CHECK_EQUAL(greenlet_ident(&all[i]->greenlet), ident);
  }
  CHECK_EQUAL(greenlet_kill(&all[7]->greenlet, greenlet_exit), 0);
  struct subject *again = make(run_note, "x");
  CHECK_EQUAL(greenlet_ident(&again->greenlet), 7);
}

static void pinned_greenlets_stay(void) {
  struct subject *all[20];
  for (int i = 0; i < 20; i++) {
    all[i] = make(run_yield, NULL);
    stack_init(&all[i]->greenlet.stack, i % 2);
    greenlet_start(&all[i]->greenlet);
  }
  CHECK_EQUAL(waiter_yield(&hub), 0);
  for (int i = 1; i < 20; i += 2)
    CHECK(!all[i]->greenlet.stack.image && all[i]->greenlet.stack.slot->own);
  run_all();
}

static void on_arrived(struct hub *of, struct greenlet *origin) {
  const char *names[2] = {"?", "?"};
  struct greenlet *who[2] = {origin, of->current};
  for (int i = 0; i < 2; i++)
    names[i] = who[i] == &hub.main ? "m" : who[i] == &hub.self ? "h" : subject_of(who[i])->name;
  note("%s%s", names[0], names[1]);
}

static void every_arrival_is_seen(void) {
  struct subject *a = spawn(run_yield, NULL), *b = spawn(run_yield, NULL);
  a->name = "a", b->name = "b";
  host.arrived = on_arrived;
  hub.traced = true;
  run_all();
  hub.traced = false;
  CHECK_NOTES("ma ab ba ab bh hm");
}

static void many_of_them(void) {
  enum { COUNT = 400 };
  for (int i = 0; i < COUNT; i++) {
    struct subject *subject = make(i % 3 ? run_yield : run_sleep_long, NULL);
    stack_init(&subject->greenlet.stack, i % 50 == 49);
    greenlet_start(&subject->greenlet);
  }
  CHECK_EQUAL(waiter_yield(&hub), 0);
  kill_rest();
}

int main(void) {
  check_begin();
  EACH_MODE(starts_in_order);
  EACH_MODE(starts_later);
  EACH_MODE(starts_of_no_time_in_order);
  EACH_MODE(late_start_is_killed);
  EACH_MODE(term_of_a_late_start_leaves_nothing);
  EACH_MODE(starts_behind_the_ready);
  EACH_MODE(values_go_in_and_out);
  EACH_MODE(switch_to_oneself);
  EACH_MODE(switch_to_a_dead_one);
  EACH_MODE(switch_ends_a_wait);
  EACH_MODE(switch_to_a_ready_one);
  EACH_MODE(switch_to_one_to_start_later);
  EACH_MODE(switch_to_a_ready_unbegun_one);
  EACH_MODE(switch_keeps_what_was_handed);
  EACH_MODE(chain_of_switches);
  EACH_MODE(deadlock_of_a_suspended_main);
  EACH_MODE(throw_at_a_suspended_one);
  EACH_MODE(throw_of_exit_at_a_suspended_one);
  EACH_MODE(throw_at_a_waiting_one);
  EACH_MODE(throw_goes_first);
  EACH_MODE(throw_at_a_new_one);
  EACH_MODE(throw_at_a_new_greenlet);
  EACH_MODE(throw_at_a_dead_greenlet);
  EACH_MODE(error_goes_to_the_parent);
  EACH_MODE(exit_arrives_as_value);
  EACH_MODE(host_says_what_kills_silently);
  EACH_MODE(failure_under_the_hub);
  EACH_MODE(value_passes_dead_parents);
  EACH_MODE(value_starts_a_parent);
  EACH_MODE(error_kills_unstarted_parents);
  EACH_MODE(error_ends_under_the_hub);
  EACH_MODE(cycles_are_refused);
  EACH_MODE(dead_parent_is_released_when_let_go);
  EACH_MODE(long_chain_is_released);
  EACH_MODE(kill_new);
  EACH_MODE(kill_ready_unbegun);
  EACH_MODE(kill_ready_begun);
  EACH_MODE(kill_waiting);
  EACH_MODE(kill_suspended);
  EACH_MODE(kill_running);
  EACH_MODE(kill_dead);
  EACH_MODE(kill_of_the_hub);
  EACH_MODE(kill_of_main);
  EACH_MODE(two_kills_in_order);
  EACH_MODE(pending_errors_are_dropped_by_death);
  EACH_MODE(joiners_in_order);
  EACH_MODE(join_with_a_limit);
  EACH_MODE(join_is_killed);
  EACH_MODE(join_deadlocks);
  EACH_MODE(join_of_one_that_never_ran);
  EACH_MODE(links_and_joiners_in_order);
  EACH_MODE(link_to_a_dead_one);
  EACH_MODE(link_from_the_last_link);
  EACH_MODE(link_removed);
  EACH_MODE(link_may_not_wait);
  EACH_MODE(set_aside_and_run_again);
  EACH_MODE(killed_while_set_aside);
  EACH_MODE(many_set_aside);
  EACH_MODE(idents_are_small_and_unique);
  EACH_MODE(pinned_greenlets_stay);
  EACH_MODE(every_arrival_is_seen);
  EACH_MODE(many_of_them);
  return check_summary();
}
