#include "core/hub.h"

#include <fcntl.h>
#include <pthread.h>

#include "core/watcher.h"
#include "spec/core/fixture.h"

/* ---- Init and join ---- */

static void sizes_that_make_no_sense(void) {
  struct hub other;
  CHECK_EQUAL(hub_init(&other, 0, SLOT_BYTES, &host, NULL), -EINVAL);
  CHECK_EQUAL(hub_init(&other, 1, 1, &host, NULL), -EINVAL);
  CHECK_EQUAL(hub_init(&other, 1, SLOT_BYTES, &host, err_a), 0);
  CHECK(other.data == err_a && other.current == &other.main);
  CHECK(!hub_alive(&other));
  hub_term(&other);
}

static void *run_join_hub(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = hub_join(&hub, -1);
  return NULL;
}

static void *run_sleep(struct greenlet *greenlet, void *arg) {
  const double *seconds = arg;
  (void)greenlet;
  self()->result = waiter_sleep(&hub, seconds ? *seconds : LONG_SECONDS, true);
  note("slept");
  return NULL;
}

static void join_waits_for_all(void) {
  static const double SHORT = 0.001;
  CHECK_EQUAL(hub_join(&hub, -1), 0); /* nothing is left to run */
  struct subject *a = spawn(run_join_hub, NULL);
  spawn(run_sleep, &SHORT);
  CHECK(hub_alive(&hub));
  CHECK_EQUAL(hub_join(&hub, -1), 0);
  CHECK_NOTES("slept");
  CHECK_EQUAL(a->result, -EPERM);
  CHECK(!hub_alive(&hub));
}

static void join_with_a_limit(void) {
  struct subject *a = spawn(run_sleep, NULL);
  CHECK_EQUAL(hub_join(&hub, 0), -ETIMEDOUT);
  CHECK(!a->greenlet.begun);
  CHECK_EQUAL(hub_join(&hub, 0.002), -ETIMEDOUT);
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  CHECK_EQUAL(greenlet_kill(&a->greenlet, greenlet_exit), 0);
  /* The limit itself is nothing that is left to run. */
  CHECK_EQUAL(hub_join(&hub, LONG_SECONDS), 0);
  CHECK(is_dead(a));
  CHECK_EQUAL(hub.timers.count, 0);
  clear_notes();
}

static void *run_kill_main(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  CHECK_EQUAL(greenlet_kill(&hub.main, arg), 0);
  return NULL;
}

static void join_is_killed(void) {
  spawn(run_kill_main, err_a);
  CHECK_EQUAL(hub_join(&hub, -1), -ECANCELED);
  CHECK(greenlet_take_error(&hub.main) == err_a);
}

/* ---- Callbacks ---- */

struct named {
  struct callback callback;
  const char *name;
  struct named *again;
  int times;
};

static void on_call(struct callback *callback) {
  struct named *named = container_of(callback, struct named, callback);
  CHECK(hub.current == &hub.self);
  CHECK(!callback_pending(callback));
  note("%s", named->name);
  if (named->times-- > 0)
    hub_call(&hub, &named->again->callback);
}

static void call(struct named *named, const char *name) {
  *named = (struct named){.name = name};
  callback_init(&named->callback, on_call);
  hub_call(&hub, &named->callback);
}

static void *run_note(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  note("%s", (const char *)arg);
  return NULL;
}

static void callbacks_and_greenlets_in_order(void) {
  static struct named x, y, z;
  call(&x, "x");
  spawn(run_note, "a");
  spawn(run_note, "b");
  call(&y, "y");
  call(&z, "z");
  spawn(run_note, "c");
  callback_stop(&y.callback);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_NOTES("x a b z c");
  x.again = &x;
  x.times = 2;
  hub_call(&hub, &x.callback);
  spawn(run_note, "d");
  run_all();
  CHECK_NOTES("x d x x");
}

/* ---- Fairness ---- */

static bool seen;

static void *run_spin(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  while (!seen && waiter_yield(&hub) == 0)
    continue;
  return NULL;
}

static void on_readable(struct watcher *watcher, int events) {
  CHECK_EQUAL(events, EV_READ);
  seen = true;
  watcher_stop(watcher);
}

static void io_is_seen_while_greenlets_spin(void) {
  static struct watcher watcher;
  int ends[2];
  seen = false;
  CHECK_EQUAL(pipe(ends), 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(watcher_init_io(&watcher, &hub, ends[0], EV_READ), 0);
  watcher.callback = on_readable;
  CHECK_EQUAL(watcher_start(&watcher), 0);
  spawn(run_spin, NULL);
  spawn(run_spin, NULL);
  run_all();
  CHECK(seen);
  close(ends[0]);
  close(ends[1]);
}

static void spin_callback(struct callback *callback) {
  if (!seen)
    hub_call(&hub, callback);
}

static void *run_sleep_then_see(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  CHECK_EQUAL(waiter_sleep(&hub, 0.001, true), 0);
  seen = true;
  return NULL;
}

static void timers_are_seen_while_callbacks_spin(void) {
  static struct callback callback;
  seen = false;
  callback_init(&callback, spin_callback);
  hub_call(&hub, &callback);
  spawn(run_sleep_then_see, NULL);
  run_all();
  CHECK(seen);
}

/* A batch that never ends polls nothing: so the interval is what ends it. */
static void interval_is_what_ends_a_batch(void) {
  hub.switch_interval = 1e9;
  hub.batch_end = hub.now + 1e9;
  unsigned before = hub.iteration;
  struct subject *a = spawn(run_spin, NULL), *b = spawn(run_spin, NULL);
  seen = false;
  for (int i = 0; i < 2000; i++)
    CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(hub.iteration, before);
  hub.batch_end = 0;
  hub.switch_interval = 0;
  for (int i = 0; i < 2000; i++)
    CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK(hub.iteration > before);
  seen = true;
  run_all();
  CHECK(is_dead(a) && is_dead(b));
}

/* ---- Turns ---- */

static void *run_turns(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  for (int i = 0; i < 2; i++) {
    unsigned before = hub.iteration;
    CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
    CHECK(hub.iteration > before);
    note("%s%d", (const char *)arg, i);
  }
  return NULL;
}

static void turns(void) {
  spawn(run_turns, "a");
  spawn(run_turns, "b");
  run_all();
  CHECK_NOTES("a0 b0 a1 b1");
}

static void turn_with_nothing_to_wait_for(void) {
  unsigned before = hub.iteration;
  CHECK_EQUAL(hub_wait_turn(&hub, false), 0);
  CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
  CHECK(hub.iteration >= before + 2);
}

static void turn_does_not_wait_for_timers(void) {
  struct subject *a = spawn(run_sleep, NULL);
  CHECK_EQUAL(hub_wait_turn(&hub, true), 0);
  CHECK_EQUAL(a->greenlet.state, GREENLET_WAITING);
  kill_rest();
  clear_notes();
}

static void turn_waits_for_an_event(void) {
  static const double SHORT = 0.005;
  spawn(run_sleep, &SHORT);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(hub_wait_turn(&hub, false), 0);
  run_all();
  CHECK_NOTES("slept");
}

static void *run_turn(struct greenlet *greenlet, void *arg) {
  (void)greenlet, (void)arg;
  self()->result = hub_wait_turn(&hub, true);
  self()->got = greenlet_take_error(&self()->greenlet);
  return NULL;
}

static void *run_kill(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  CHECK_EQUAL(greenlet_kill(arg, err_a), 0);
  return NULL;
}

static void turn_is_killed(void) {
  struct subject *a = spawn(run_turn, NULL);
  spawn(run_kill, &a->greenlet);
  run_all();
  CHECK(a->result == -ECANCELED && a->got == err_a);
}

/* ---- What the host is told ---- */

static void on_revived(struct greenlet *greenlet) {
  greenlet->weak = false;
  note("%s", subject_of(greenlet)->name);
}

static void *run_park(struct greenlet *greenlet, void *arg) {
  (void)greenlet;
  note("%d", waiter_park(&hub, WAIT_LINKS, NULL, NULL, -1, true));
  return arg;
}

static void weak_ones_are_told_of(void) {
  struct subject *a = spawn(run_park, NULL), *b = spawn(run_park, NULL),
                 *c = spawn(run_park, NULL);
  a->name = "a", b->name = "b", c->name = "c";
  host.revived = on_revived;
  CHECK_EQUAL(waiter_yield(&hub), 0);
  a->greenlet.weak = b->greenlet.weak = c->greenlet.weak = true;
  waiter_wake(&a->greenlet, 0);
  CHECK_NOTES("a");
  CHECK_EQUAL(greenlet_set_parent(&b->greenlet, &hub.main), 0);
  CHECK_EQUAL(greenlet_switch(&b->greenlet, NULL, NULL), 0);
  char answers[32];
  snprintf(answers, sizeof answers, "b %d", -EBADE);
  CHECK_NOTES(answers);
  kill_rest();
  snprintf(answers, sizeof answers, "c %d %d", -ECANCELED, -ECANCELED);
  CHECK_NOTES(answers);
}

/* ---- Other stacks ---- */

static void stacks_may_change_before_anybody_runs(void) {
  struct subject *pinned = make(run_park, NULL), *a = spawn(run_park, NULL);
  stack_init(&pinned->greenlet.stack, true);
  CHECK_EQUAL(hub_set_stacks(&hub, 0, SLOT_BYTES), -EINVAL);
  CHECK_EQUAL(hub_set_stacks(&hub, 5, 1), -EINVAL);
  CHECK_EQUAL(stack_reserve(&hub.stacks), 0);
  CHECK_EQUAL(hub_set_stacks(&hub, 5, 3 * SLOT_BYTES + 1), 0);
  CHECK_EQUAL(hub.stacks.limit, 5);
  CHECK(hub.stacks.slot_bytes > 3 * SLOT_BYTES);
  CHECK_EQUAL(stack_begin(&hub.stacks, &pinned->greenlet.stack), 0);
  CHECK_EQUAL(hub_set_stacks(&hub, 2, SLOT_BYTES), -EBUSY);
  stack_term(&hub.stacks, &pinned->greenlet.stack);
  CHECK_EQUAL(hub_set_stacks(&hub, 2, SLOT_BYTES), 0);
  greenlet_start(&pinned->greenlet);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(hub_set_stacks(&hub, 7, SLOT_BYTES), -EBUSY);
  CHECK_EQUAL(hub.stacks.limit, 2);
  kill_rest();
  CHECK(is_dead(a) && is_dead(pinned));
  CHECK_EQUAL(hub_set_stacks(&hub, 7, SLOT_BYTES), -EBUSY); /* the hub itself has run */
}

/* The main greenlet has run on, but others have run before. */
static void stacks_stay_after_a_raw_switch(void) {
  make_raw(run_note, "a", &hub.main);
  CHECK_EQUAL(greenlet_switch(&subjects->greenlet, NULL, NULL), 0);
  CHECK_NOTES("a");
  CHECK_EQUAL(hub_set_stacks(&hub, 7, SLOT_BYTES), -EBUSY);
}

/* ---- Giving stacks back ---- */

static bool all_given_back(void) {
  for (unsigned i = 0; i < hub.stacks.count; i++)
    if (hub.stacks.slots[i].ran & SLOT_TO_TRIM)
      return false;
  for (struct list *node = hub.stacks.own.next; node != &hub.stacks.own; node = node->next)
    if (container_of(node, struct slot, all_own)->ran & SLOT_TO_TRIM)
      return false;
  return true;
}

static void sleep_a_little(void) {
  CHECK_EQUAL(waiter_sleep(&hub, 0.0001, true), 0);
}

static void resting_stacks_are_given_back(void) {
  spawn(run_sleep, NULL);
  struct subject *pinned = make(run_sleep, NULL);
  stack_init(&pinned->greenlet.stack, true);
  greenlet_start(&pinned->greenlet);
  hub.trim_at = clock_seconds() + LONG_SECONDS;
  sleep_a_little();
  CHECK(!all_given_back());
  hub.trim_at = 0;
  sleep_a_little();
  CHECK(all_given_back());
  CHECK(hub.trim_at > hub.now);
  kill_rest();
  clear_notes();
}

static void wake_main_if_all_is_given_back(struct watcher *watcher, int events) {
  (void)watcher, (void)events;
  if (all_given_back())
    waiter_wake(&hub.main, 0);
}

/* It waits for what comes in a long while; so it wakes once for that alone. */
static void a_long_wait_is_interrupted_to_give_back(void) {
  static struct watcher prepare;
  spawn(run_sleep, NULL);
  sleep_a_little();
  CHECK_EQUAL(watcher_init(&prepare, &hub, WATCHER_PREPARE), 0);
  prepare.callback = wake_main_if_all_is_given_back;
  watcher_set_ref(&prepare, false);
  CHECK_EQUAL(watcher_start(&prepare), 0);
  hub.trim_at = clock_seconds() + 0.01;
  unsigned before = hub.iteration;
  CHECK_EQUAL(waiter_park(&hub, WAIT_LINKS, NULL, NULL, LONG_SECONDS, true), 0);
  CHECK(hub.iteration - before <= 3);
  watcher_stop(&prepare);
  kill_rest();
  clear_notes();
}

/* ---- Termination ---- */

static void *run_deep_sleep(struct greenlet *greenlet, void *arg) {
  char block[3000];
  memset(block, 1, sizeof block);
  __asm__ volatile("" : : "r"(block) : "memory");
  (void)greenlet, (void)arg;
  waiter_sleep(&hub, LONG_SECONDS, true);
  return NULL;
}

/* Greenlets live on, some of them images, some pinned: all is freed (the leak
 * checkers say so) and nothing runs. */
static void term_with_living_greenlets(void) {
  struct subject *all[20];
  for (int i = 0; i < 20; i++) {
    all[i] = spawn(run_deep_sleep, NULL);
    stack_init(&all[i]->greenlet.stack, i % 5 == 4);
  }
  CHECK_EQUAL(waiter_yield(&hub), 0);
  for (int i = 0; i < 20; i++)
    CHECK_EQUAL(all[i]->greenlet.state, GREENLET_WAITING);
  CHECK_EQUAL(greenlet_kill(&all[0]->greenlet, err_a), 0);
  CHECK_EQUAL(greenlet_kill(&hub.main, err_a), 0);
  for (int i = 0; i < 20; i++)
    greenlet_abandon(&all[i]->greenlet);
  CHECK_EQUAL(hub.greenlet_count, 0);
  hub_term(&hub);
  while (subjects) {
    struct subject *next = subjects->next;
    free(subjects);
    subjects = next;
  }
  open_hub(); /* for the one that closes it */
}

/* ---- A hub per thread ---- */

static struct hub thread_hubs[3];

static void *run_thread_greenlet(struct greenlet *greenlet, void *arg) {
  unsigned *count = arg;
  struct hub *own = greenlet->hub;
  for (int i = 0; i < 200; i++) {
    waiter_sleep(own, i % 50 ? 0 : 0.0001, true);
    ++*count;
  }
  return NULL;
}

static void *thread(void *arg) {
  struct hub *own = arg;
  static const struct hub_host nothing;
  unsigned counts[10] = {0}, sum = 0;
  struct greenlet greenlets[10];
  if (hub_init(own, 2, SLOT_BYTES, &nothing, NULL) < 0)
    return NULL;
  for (int i = 0; i < 10; i++) {
    greenlet_init(&greenlets[i], own, run_thread_greenlet, &counts[i]);
    greenlet_start(&greenlets[i]);
  }
  int result = hub_join(own, -1);
  for (int i = 0; i < 10; i++) {
    sum += counts[i];
    greenlet_term(&greenlets[i]);
  }
  hub_term(own);
  return result == 0 && sum == 2000 ? err_a : NULL;
}

static void threads_have_hubs_of_their_own(void) {
  pthread_t ids[3];
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(pthread_create(&ids[i], NULL, thread, &thread_hubs[i]), 0);
  for (int i = 0; i < 3; i++) {
    void *answer = NULL;
    CHECK_EQUAL(pthread_join(ids[i], &answer), 0);
    CHECK(answer == err_a);
  }
}

int main(void) {
  check_begin();
  EACH_MODE(sizes_that_make_no_sense);
  EACH_MODE(stacks_may_change_before_anybody_runs);
  EACH_MODE(stacks_stay_after_a_raw_switch);
  EACH_MODE(join_waits_for_all);
  EACH_MODE(join_with_a_limit);
  EACH_MODE(join_is_killed);
  EACH_MODE(callbacks_and_greenlets_in_order);
  EACH_MODE(io_is_seen_while_greenlets_spin);
  EACH_MODE(timers_are_seen_while_callbacks_spin);
  EACH_MODE(interval_is_what_ends_a_batch);
  EACH_MODE(turns);
  EACH_MODE(turn_with_nothing_to_wait_for);
  EACH_MODE(turn_does_not_wait_for_timers);
  EACH_MODE(turn_waits_for_an_event);
  EACH_MODE(turn_is_killed);
  EACH_MODE(weak_ones_are_told_of);
  EACH_MODE(resting_stacks_are_given_back);
  EACH_MODE(a_long_wait_is_interrupted_to_give_back);
  EACH_MODE(term_with_living_greenlets);
  threads_have_hubs_of_their_own();
  return check_summary();
}
