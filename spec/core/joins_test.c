#include "core/joins.h"

#include "core/greenlet.h"
#include "spec/core/fixture.h"

enum { MOST = 4 };

/* What a greenlet waits for. It is kept in its subject's memory: static. */
struct wanted {
  double seconds;
  size_t missing;
  bool (*last)(const struct greenlet *);
  size_t count;
  struct subject *of[MOST];
  struct joins *joins; /* memory of the test's own */
};

static void *dies(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  note("%s", self()->name);
  return NULL;
}

static void *sleeps_once(struct greenlet *greenlet, void *arg) {
  waiter_yield(&hub);
  return dies(greenlet, arg);
}

static void *rests(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  waiter_park(&hub, "rest", NULL, NULL, -1, true);
  return NULL;
}

/* The numbers of the dead, in their order. */
static void note_ready(const struct joins *joins) {
  for (struct list *node = joins->ready.next; node != &joins->ready; node = node->next)
    note("%d", (int)(container_of(node, struct joined, link.node) - joins->of));
}

static void *run_join(struct greenlet *greenlet, void *arg) {
  struct wanted *wanted = arg;
  struct joins *joins = wanted->joins;
  joins_init(joins, wanted->count, wanted->missing, wanted->last);
  for (size_t i = 0; i < wanted->count; i++) {
    if (is_dead(wanted->of[i]))
      joins_add_dead(joins, i);
    else
      joins_add(joins, i, &wanted->of[i]->greenlet);
  }
  int result = joins_begin(&hub, joins, wanted->seconds);
  if (result == 0)
    result = waiter_finish(&hub, false);
  self()->result = result;
  self()->got = greenlet_take_error(greenlet);
  CHECK_EQUAL(joins->linked, 0);
  CHECK(!joins_ending(joins));
  note("%s:", self()->name);
  note_ready(joins);
  return NULL;
}

/* Begin to wait in a greenlet of that name. */
static struct subject *joining(const char *name, struct wanted *wanted) {
  struct subject *subject = make(run_join, wanted);
  subject->name = name;
  wanted->joins = malloc(joins_bytes(wanted->count));
  greenlet_start(&subject->greenlet);
  return subject;
}

static struct subject *named(const char *name, body *run) {
  struct subject *subject = spawn(run, NULL);
  subject->name = name;
  return subject;
}

static void end(struct wanted *wanted) {
  run_all();
  free(wanted->joins);
}

static void all_of_them(void) {
  struct wanted wanted = {.seconds = -1, .missing = 3, .count = 3};
  struct subject *j = joining("j", &wanted);
  wanted.of[1] = named("b", dies);
  wanted.of[0] = named("a", sleeps_once);
  wanted.of[2] = named("c", dies);
  end(&wanted);
  CHECK_NOTES("b c a j: 1 2 0");
  CHECK_EQUAL(j->result, 0);
}

static void some_of_them(void) {
  struct wanted wanted = {.seconds = -1, .missing = 1, .count = 3};
  struct subject *dead = named("d", dies), *rest = named("r", rests);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  wanted.missing = 2;
  wanted.of[0] = rest, wanted.of[1] = dead, wanted.of[2] = named("a", sleeps_once);
  joining("j", &wanted);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_NOTES("d a j: 1 2");
  CHECK(list_empty(&rest->greenlet.links));
  kill_rest();
  end(&wanted);
}

static void one_twice(void) {
  struct wanted both = {.seconds = -1, .missing = 3, .count = 3};
  struct wanted once = {.seconds = -1, .missing = 1, .count = 3};
  struct subject *a = make(sleeps_once, NULL), *b = make(dies, NULL);
  a->name = "a", b->name = "b";
  both.of[0] = both.of[2] = once.of[0] = once.of[2] = a;
  both.of[1] = b, once.of[1] = a;
  joining("j", &both), joining("k", &once);
  greenlet_start(&a->greenlet), greenlet_start(&b->greenlet);
  end(&both), end(&once);
  CHECK_NOTES("b a j: 1 0 2 k: 0");
}

static bool by_error(const struct greenlet *greenlet) {
  return subject_of((struct greenlet *)greenlet)->died_new;
}

static void the_last_early(void) {
  struct wanted wanted = {.seconds = -1, .missing = 3, .last = by_error, .count = 3};
  struct subject *rest = named("r", rests), *bad = make(dies, NULL);
  wanted.of[0] = rest, wanted.of[1] = named("a", dies), wanted.of[2] = bad;
  joining("j", &wanted);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&bad->greenlet, err_a), 0);
  CHECK(list_empty(&rest->greenlet.links));
  CHECK_EQUAL(waiter_yield(&hub), 0);
  kill_rest();
  end(&wanted);
}

/* A link of another kind is told in the hub: those before it keep their turn. */
static void told(struct link *link, void *source) {
  (void)link;
  note("link of %s", subject_of(source)->name);
}

static void order_among_links(void) {
  static struct link link;
  struct wanted wanted = {.seconds = -1, .missing = 2, .count = 2};
  struct subject *a = make(dies, NULL), *b = make(dies, NULL);
  a->name = "a", b->name = "b";
  wanted.of[0] = b, wanted.of[1] = a;
  link_init(&link, told);
  CHECK(greenlet_link(&a->greenlet, &link));
  joining("j", &wanted);
  greenlet_start(&a->greenlet), greenlet_start(&b->greenlet);
  end(&wanted);
  CHECK_NOTES("a b link of a j: 1 0"); /* a was first, though it is told later */
}

static void waker_among_links(void) {
  static struct link link;
  struct wanted wanted = {.seconds = -1, .missing = 1, .count = 1};
  struct subject *a = make(dies, NULL);
  a->name = "a";
  wanted.of[0] = a;
  link_init(&link, told);
  CHECK(greenlet_link(&a->greenlet, &link));
  struct subject *j = joining("j", &wanted);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  greenlet_start(&a->greenlet);
  named("k", dies);
  end(&wanted);
  CHECK_NOTES("a k link of a j: 0");
  CHECK_EQUAL(j->result, 0);
}

static void not_in_time(void) {
  struct wanted polls = {.seconds = 0, .missing = 1, .count = 1};
  struct wanted late = {.seconds = 100, .missing = 2, .count = 2};
  struct subject *rest = named("r", rests);
  polls.of[0] = late.of[0] = rest;
  late.of[1] = named("a", dies);
  struct subject *j = joining("j", &polls), *k = joining("k", &late);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(j->result, -ETIMEDOUT);
  pass_time(1000);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_EQUAL(waiter_sleep(&hub, 0, true), 0);
  CHECK_EQUAL(k->result, -ETIMEDOUT);
  CHECK(list_empty(&rest->greenlet.links));
  kill_rest();
  end(&polls), end(&late);
}

static void killed(void) {
  struct wanted first = {.seconds = -1, .missing = 2, .count = 2}, second = first;
  struct subject *rest = named("r", rests), *a = make(sleeps_once, NULL);
  a->name = "a";
  first.of[0] = first.of[1] = second.of[0] = rest;
  second.of[1] = a, second.missing = 1;
  struct subject *j = joining("j", &first), *k = joining("k", &second);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&j->greenlet, err_a), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, NULL), 0); /* k is woken, and killed then */
  CHECK(list_empty(&rest->greenlet.links));
  CHECK_EQUAL(greenlet_kill(&k->greenlet, err_a), 0);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(j->result == -ECANCELED && j->got == err_a);
  CHECK(k->result == -ECANCELED && k->got == err_a);
  kill_rest();
  end(&first), end(&second);
}

/* While the last one's links are yet to be told, the waiter is killed. */
static void killed_before_its_turn(void) {
  static struct link link;
  struct wanted wanted = {.seconds = -1, .missing = 1, .count = 1};
  struct subject *a = make(dies, NULL);
  a->name = "a";
  wanted.of[0] = a;
  link_init(&link, told);
  CHECK(greenlet_link(&a->greenlet, &link));
  struct subject *j = joining("j", &wanted);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, NULL), 0);
  CHECK(joins_ending(wanted.joins));
  CHECK_EQUAL(greenlet_kill(&j->greenlet, err_a), 0);
  CHECK(!joins_ending(wanted.joins));
  end(&wanted);
  CHECK(j->result == -ECANCELED && j->got == err_a);
}

static void in_the_hub(struct callback *callback) {
  struct wanted *wanted = hub.data;
  (void)callback;
  joins_init(wanted->joins, 1, 1, NULL);
  joins_add(wanted->joins, 0, &wanted->of[0]->greenlet);
  CHECK_EQUAL(joins_begin(&hub, wanted->joins, -1), -EPERM);
  CHECK(list_empty(&wanted->of[0]->greenlet.links));
}

static void callbacks_may_not_wait(void) {
  static struct callback callback;
  struct wanted wanted = {.of = {make(dies, NULL)}, .joins = malloc(joins_bytes(1))};
  hub.data = &wanted;
  callback_init(&callback, in_the_hub);
  hub_call(&hub, &callback);
  end(&wanted);
}

int main(void) {
  check_begin();
  EACH_MODE(all_of_them);
  EACH_MODE(some_of_them);
  EACH_MODE(one_twice);
  EACH_MODE(the_last_early);
  EACH_MODE(order_among_links);
  EACH_MODE(waker_among_links);
  EACH_MODE(not_in_time);
  EACH_MODE(killed);
  EACH_MODE(killed_before_its_turn);
  EACH_MODE(callbacks_may_not_wait);
  return check_summary();
}
