#include "core/choice.h"

#include "core/greenlet.h"
#include "core/waitlist.h"
#include "spec/core/fixture.h"

enum { THINGS = 3 };
static const char WHAT[] = "choice of";
static struct list things[THINGS];

/* What a greenlet waits for. It is kept in its subject's memory: static. */
struct wanted {
  double seconds;
  int count, which[4];
  struct choice choices[4];
  int taken; /* index of the choice, -1: none */
};

static void taken(struct link *link, void *source) {
  struct choice *choice = container_of(link, struct choice, link);
  struct wanted *wanted = subject_of(choice->greenlet)->arg;
  CHECK(list_empty(&link->node));
  wanted->taken = (int)(choice - wanted->choices);
  struct greenlet *greenlet = choice_take(choice);
  CHECK(greenlet == choice->greenlet);
  waiter_wake(greenlet, *(int *)source);
}

static void *run_choose(struct greenlet *greenlet, void *arg) {
  struct wanted *wanted = arg;
  wanted->taken = -1;
  for (int i = 0; i < wanted->count; i++)
    choice_add(&hub, &wanted->choices[i], &things[wanted->which[i]], taken);
  int result = choice_begin(&hub, WHAT, wanted, wanted->seconds);
  if (result == 0)
    result = waiter_finish(&hub, false);
  self()->result = result;
  self()->got = greenlet_take_error(greenlet);
  note("%s%d", self()->name, wanted->taken);
  return NULL;
}

static struct subject *choosing(const char *name, struct wanted *wanted) {
  struct subject *subject = spawn(run_choose, wanted);
  subject->name = name;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  return subject;
}

/* The first who waits for the thing gets it. */
static bool happen(int thing) {
  static int handed = WAITER_HANDED;
  struct list *links = &things[thing];
  if (list_empty(links))
    return false;
  struct link *link = container_of(links->next, struct link, node);
  list_remove(&link->node);
  link->notify(link, &handed);
  return true;
}

static void begin(void) {
  for (int i = 0; i < THINGS; i++)
    list_init(&things[i]);
}

static void nobody_waits(void) {
  for (int i = 0; i < THINGS; i++)
    CHECK(list_empty(&things[i]));
}

static void one_of_them(void) {
  static struct wanted wanted = {.seconds = -1, .count = 3, .which = {0, 1, 2}};
  begin();
  struct subject *a = choosing("a", &wanted);
  CHECK(a->greenlet.wait.what == WHAT && a->greenlet.wait.object == &wanted);
  CHECK(waitlist_waits(&a->greenlet));
  CHECK(happen(1));
  CHECK(!waitlist_waits(&a->greenlet));
  nobody_waits();
  CHECK(!happen(0));
  CHECK_NOTES(""); /* to be woken is not to run */
  run_all();
  CHECK_NOTES("a1");
  CHECK_EQUAL(a->result, 0);
}

static void in_order(void) {
  static struct wanted first = {.seconds = -1, .count = 2, .which = {0, 1}};
  static struct wanted second = {.seconds = -1, .count = 2, .which = {1, 0}};
  static struct wanted third = {.seconds = -1, .count = 1, .which = {1}};
  begin();
  choosing("a", &first), choosing("b", &second), choosing("c", &third);
  CHECK(happen(1)); /* a */
  CHECK(happen(1)); /* b */
  CHECK(!happen(0));
  CHECK(happen(1)); /* c */
  nobody_waits();
  run_all();
  CHECK_NOTES("a1 b0 c0");
}

static void the_same_twice(void) {
  static struct wanted wanted = {.seconds = -1, .count = 3, .which = {2, 2, 2}};
  static struct wanted next = {.seconds = -1, .count = 1, .which = {2}};
  begin();
  choosing("a", &wanted), choosing("b", &next);
  CHECK(happen(2));
  CHECK(happen(2));
  nobody_waits();
  run_all();
  CHECK_NOTES("a0 b0");
}

static void none_of_them(void) {
  static struct wanted polls = {.seconds = 0, .count = 2, .which = {0, 1}};
  static struct wanted late = {.seconds = 100, .count = 2, .which = {0, 1}};
  static struct wanted nothing = {.seconds = -1};
  begin();
  struct subject *a = choosing("a", &polls);
  CHECK_EQUAL(a->result, -ETIMEDOUT);
  nobody_waits();
  struct subject *b = choosing("b", &late);
  pass_time(1000);
  run_all();
  CHECK_EQUAL(b->result, -ETIMEDOUT);
  nobody_waits();
  struct subject *c = choosing("c", &nothing);
  CHECK_EQUAL(greenlet_kill(&c->greenlet, err_a), 0);
  run_all();
  CHECK_EQUAL(c->result, -ECANCELED);
  CHECK_NOTES("a-1 b-1 c-1");
}

static void killed(void) {
  static struct wanted wanted = {.seconds = -1, .count = 3, .which = {0, 1, 0}};
  begin();
  struct subject *a = choosing("a", &wanted);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, err_a), 0);
  nobody_waits();
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
  struct subject *b = choosing("b", &wanted);
  CHECK(happen(0));
  CHECK_EQUAL(greenlet_kill(&b->greenlet, err_a), 0);
  run_all();
  CHECK(b->result == 0 && b->got == err_a); /* it has what it was handed */
  CHECK_NOTES("a-1 b0");
}

/* The node serves the next wait, of whatever kind. */
static void *run_on(struct greenlet *greenlet, void *arg) {
  run_choose(greenlet, arg);
  self()->result = waitlist_begin(&hub, &things[0], WHAT, NULL, -1);
  self()->result = waiter_finish(&hub, false);
  return NULL;
}

static void another_wait(void) {
  static struct wanted wanted = {.seconds = -1, .count = 2, .which = {0, 1}};
  begin();
  struct subject *a = spawn(run_on, &wanted);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(happen(1));
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(waitlist_hand(&things[0]) == &a->greenlet);
  run_all();
  CHECK_EQUAL(a->result, 0);
  CHECK_NOTES("?1");
}

static void in_the_hub(struct callback *callback) {
  static struct choice choice;
  (void)callback;
  choice_add(&hub, &choice, &things[0], taken);
  CHECK_EQUAL(choice_begin(&hub, WHAT, NULL, -1), -EPERM);
  nobody_waits();
}

static void callbacks_may_not_wait(void) {
  static struct callback callback;
  begin();
  callback_init(&callback, in_the_hub);
  hub_call(&hub, &callback);
  run_all();
}

int main(void) {
  check_begin();
  EACH_MODE(one_of_them);
  EACH_MODE(in_order);
  EACH_MODE(the_same_twice);
  EACH_MODE(none_of_them);
  EACH_MODE(killed);
  EACH_MODE(another_wait);
  EACH_MODE(callbacks_may_not_wait);
  return check_summary();
}
