#include "core/waitlist.h"

#include "core/greenlet.h"
#include "spec/core/fixture.h"

static const char WHAT[] = "test of";
static struct list list;
static char object[1];

/* Waits once, for `*arg` seconds, and notes its name; what it was handed but
 * refuses it hands on. */
static void *run_wait(struct greenlet *greenlet, void *arg) {
  const double *seconds = arg;
  int result = waitlist_begin(&hub, &list, WHAT, object, seconds ? *seconds : -1);
  if (result == 0)
    result = waiter_finish(&hub, false);
  self()->result = result;
  if (waitlist_refuses(greenlet)) {
    note("%s-", self()->name);
    waitlist_hand(&list);
  } else {
    note("%s", self()->name);
  }
  self()->got = greenlet_take_error(greenlet);
  return NULL;
}

static struct subject *waiting(const char *name, const double *seconds) {
  struct subject *subject = spawn(run_wait, seconds);
  subject->name = name;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  return subject;
}

static void in_order(void) {
  list_init(&list);
  CHECK(waitlist_hand(&list) == NULL);
  waitlist_wake_all(&list);
  struct subject *a = waiting("a", NULL), *b = waiting("b", NULL), *c = waiting("c", NULL);
  CHECK(waitlist_waits(&a->greenlet) && a->greenlet.wait.object == object);
  CHECK(a->greenlet.wait.what == WHAT);
  CHECK(!waitlist_waits(&hub.main));
  CHECK(waitlist_hand(&list) == &a->greenlet);
  CHECK(!waitlist_waits(&a->greenlet));
  CHECK_NOTES(""); /* to be woken is not to run */
  waitlist_wake_all(&list);
  CHECK(list_empty(&list));
  run_all();
  CHECK_NOTES("a b c");
  CHECK_EQUAL(a->result, 0);
  CHECK_EQUAL(b->result, 0);
  CHECK_EQUAL(c->result, 0);
}

static void out_of_time(void) {
  static const double patience = 100, none = 0;
  list_init(&list);
  struct subject *polls = waiting("polls", &none);
  CHECK_EQUAL(polls->result, -ETIMEDOUT);
  struct subject *a = waiting("a", &patience), *b = waiting("b", NULL);
  pass_time(1000);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(a->result, -ETIMEDOUT);
  CHECK(waitlist_hand(&list) == &b->greenlet);
  run_all();
  CHECK_NOTES("polls a b");
  CHECK(list_empty(&list));
}

static void killed_while_it_waits(void) {
  list_init(&list);
  struct subject *a = waiting("a", NULL), *b = waiting("b", NULL);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK(waitlist_hand(&list) == &b->greenlet);
  run_all();
  CHECK_NOTES("a b");
  CHECK_EQUAL(a->result, -ECANCELED);
  CHECK(a->got == err_a);
  CHECK_EQUAL(b->result, 0);
}

/* Between the hand-over and its turn: what it was handed goes to the next. */
static void killed_when_handed(void) {
  list_init(&list);
  struct subject *a = waiting("a", NULL), *b = waiting("b", NULL), *c = waiting("c", NULL);
  CHECK(waitlist_hand(&list) == &a->greenlet);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_NOTES("a- b");
  CHECK(a->got == err_a);
  CHECK_EQUAL(b->result, 0);
  CHECK(waitlist_waits(&c->greenlet)); /* one thing was handed, one is had */
  waitlist_wake_all(&list);
  CHECK_EQUAL(greenlet_kill(&c->greenlet, err_a), 0);
  run_all();
  CHECK_NOTES("c"); /* woken, but handed nothing: there is nothing to refuse */
  CHECK_EQUAL(c->result, -ECANCELED);
}

static void in_the_hub(struct callback *callback) {
  (void)callback;
  CHECK_EQUAL(waitlist_begin(&hub, &list, WHAT, object, -1), -EPERM);
  CHECK_EQUAL(waitlist_begin(&hub, &list, WHAT, object, 0), -EPERM);
  CHECK(list_empty(&list));
  note("refused");
}

static void refused_in_the_hub(void) {
  static struct callback callback;
  list_init(&list);
  callback_init(&callback, in_the_hub);
  hub_call(&hub, &callback);
  run_all();
  CHECK_NOTES("refused");
}

/* To wake many takes a step for each. */
static void many(void) {
  enum { MANY = 10000 };
  list_init(&list);
  for (int i = 0; i < MANY; i++)
    spawn(run_wait, NULL)->name = "";
  CHECK_EQUAL(waiter_yield(&hub), 0);
  waitlist_wake_all(&list);
  run_all();
  clear_notes();
  unsigned woken = 0;
  for (struct subject *subject = subjects; subject; subject = subject->next)
    woken += is_dead(subject) && subject->result == 0;
  CHECK_EQUAL(woken, MANY);
}

int main(void) {
  check_begin();
  EACH_MODE(in_order);
  EACH_MODE(out_of_time);
  EACH_MODE(killed_while_it_waits);
  EACH_MODE(killed_when_handed);
  EACH_MODE(refused_in_the_hub);
  EACH_MODE(many);
  return check_summary();
}
