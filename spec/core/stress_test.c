/*
 * Everything at once, at random, against a model. The seed is printed; give it
 * as the first argument to see the same run again, and a number of greenlets as
 * the second one.
 */
#include <alloca.h>
#include <stdint.h>

#include "core/timeout.h"
#include "core/watcher.h"
#include "spec/core/fixture.h"

enum { ALL = 400, STEPS = 25 };

/* What the model knows of a greenlet, beside the subject that it is. */
struct model {
  struct subject *subject;
  struct timeout timeouts[2];
  struct watcher timer;
  struct link link;
  unsigned begun, returned, told, links;
  bool linked, killed, timed;
  bool raw;         /* run by a switch of its parent */
  bool aside;       /* has left its stack in the middle of a wait */
};

static struct model models[ALL];
static size_t spawned, limit = ALL;
static uint32_t seed, state;
static struct list waiting_room;

static unsigned chance(unsigned n) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state % n;
}

static struct model *me(void) {
  return self()->arg;
}

static struct model *anyone(void) {
  return &models[chance((unsigned)spawned)];
}

static void *run(struct greenlet *greenlet, void *arg);

static struct model *create(bool raw) {
  if (spawned == limit)
    return NULL;
  struct model *model = &models[spawned++];
  *model = (struct model){.raw = raw};
  model->subject = make(run, model);
  stack_init(&model->subject->greenlet.stack, chance(40) == 0);
  timeout_init(&model->timeouts[0]);
  timeout_init(&model->timeouts[1]);
  model->timeouts[0].error = model->timeouts[1].error = err_a;
  CHECK_EQUAL(watcher_init_timer(&model->timer, &hub, 0.0001, 0), 0);
  return model;
}

/* Errors come only to those who were killed or have started a timeout. */
static void settle(int result) {
  struct model *model = me();
  void *error;
  CHECK(result == 0 || result == -ECANCELED || result == -ETIMEDOUT || result == -EBADE ||
        result == -EBUSY);
  if (result == -ECANCELED)
    CHECK(greenlet_first_error(hub.current) != NULL);
  while ((error = greenlet_take_error(hub.current))) {
    CHECK(error == greenlet_exit ? model->killed : error == err_a && model->timed);
    if (error == greenlet_exit && chance(3)) {
      self()->got = error; /* die of it */
      return;
    }
  }
}

static void leave_room(struct greenlet *greenlet) {
  list_remove(&greenlet->join.node);
}

static void wake_one(void) {
  if (list_empty(&waiting_room))
    return;
  struct greenlet *greenlet = container_of(waiting_room.next, struct greenlet, join.node);
  list_remove(&greenlet->join.node);
  waiter_wake(greenlet, (int)chance(2));
}

static void on_link(struct link *link, void *source) {
  struct model *model = container_of(link, struct model, link);
  CHECK(source == &model->subject->greenlet && greenlet_dead(source));
  model->told++;
}

static void link_to(struct model *model) {
  if (model->linked)
    return;
  model->linked = true;
  link_init(&model->link, on_link);
  model->links += greenlet_link(&model->subject->greenlet, &model->link);
}

/* Create a raw child and talk to it by switches until it has ended. */
static void converse(void) {
  struct model *child = create(true);
  if (!child)
    return;
  CHECK_EQUAL(greenlet_set_parent(&child->subject->greenlet, hub.current), 0);
  for (int i = 0; i < 200 && !is_dead(child->subject); i++)
    settle(greenlet_switch(&child->subject->greenlet, NULL, NULL));
  if (!is_dead(child->subject))
    CHECK_EQUAL(greenlet_set_parent(&child->subject->greenlet, &hub.self), 0);
}

static void step(void) {
  struct model *other = anyone(), *model = me(), *fresh;
  switch (chance(16)) {
    case 0:
    case 1:
      settle(waiter_yield(&hub));
      break;
    case 2:
      settle(waiter_sleep(&hub, chance(20) * 0.0001, true));
      break;
    case 3:
    case 4:
      if ((fresh = create(false)))
        greenlet_start(&fresh->subject->greenlet);
      break;
    case 5:
      if ((fresh = create(false)))
        CHECK_EQUAL(greenlet_start_later(&fresh->subject->greenlet, chance(10) * 0.0001), 0);
      break;
    case 6:
      if (chance(3) == 0) {
        other->killed = true;
        CHECK_EQUAL(greenlet_kill(&other->subject->greenlet, greenlet_exit), 0);
      }
      break;
    case 7:
      settle(greenlet_join(&other->subject->greenlet, chance(20) * 0.0001));
      break;
    case 8:
      timeout_stop(&model->timeouts[chance(2)]);
      break;
    case 9:
      fresh = me();
      if (!timeout_pending(&fresh->timeouts[0])) {
        fresh->timed = true;
        CHECK_EQUAL(timeout_start(&hub, &fresh->timeouts[0], chance(20) * 0.0001, true), 0);
      }
      break;
    case 10:
      list_append(&waiting_room, &hub.current->join.node);
      settle(waiter_park(&hub, WAIT_LINKS, &waiting_room, leave_room, 0.003, true));
      break;
    case 11:
      wake_one();
      break;
    case 12:
      if (chance(2))
        converse();
      else if (!model->timer.active)
        settle(watcher_wait(&model->timer, chance(2) ? -1 : 0));
      break;
    case 13:
      link_to(other);
      if (model->raw && chance(2))
        settle(greenlet_switch(greenlet_living(hub.current->parent), NULL, NULL));
      break;
    case 14:
      stack_pool_trim(&hub.stacks, &hub.current->stack);
      break;
    case 15:
      if (chance(20) == 0)
        hub.stacks.move_always = !hub.stacks.move_always;
      break;
  }
}

static void __attribute__((noinline)) steps(unsigned depth) {
  size_t bytes = 16 + chance(chance(10) == 0 ? 9000 : 600);
  unsigned char *block = alloca(bytes), first = (unsigned char)chance(256);
  for (size_t i = 0; i < bytes; i++)
    block[i] = (unsigned char)(first + i);
  unsigned count = chance(STEPS);
  for (unsigned i = 0; i < count && !self()->got; i++)
    if (depth < 5 && chance(6) == 0)
      steps(depth + 1);
    else
      step();
  for (size_t i = 0; i < bytes; i++)
    if (block[i] != (unsigned char)(first + i)) {
      FAIL("a frame has changed");
      break;
    }
}

static void *run(struct greenlet *greenlet, void *arg) {
  struct model *model = arg;
  CHECK(&model->subject->greenlet == greenlet && hub.current == greenlet);
  if (model->aside)
    settle(waiter_answer(greenlet));
  model->begun += !model->aside;
  model->aside = false;
  steps(0);
  if (chance(3) == 0 && !greenlet->errors) {
    model->aside = true;
    CHECK_EQUAL(waiter_begin_sleep(&hub, chance(3) * 0.0001, true), 0);
    return NULL;
  }
  CHECK(hub.current == &me()->subject->greenlet);
  me()->returned++;
  return NULL;
}

/* ---- The end: what must hold of everybody ---- */

static void free_of_links(const struct model *model) {
  CHECK(list_empty(&model->subject->greenlet.join.node));
  CHECK(!model->subject->greenlet.timeouts);
  CHECK(!timeout_pending(&model->timeouts[0]) && !timeout_pending(&model->timeouts[1]));
  CHECK(!model->timer.active && !model->timer.waiter);
}

static void check_model(const struct model *model) {
  const struct subject *subject = model->subject;
  CHECK(is_dead(subject));
  CHECK(model->begun <= 1 && model->returned == model->begun);
  CHECK_EQUAL(subject->died_new, !model->begun);
  CHECK(model->begun || model->killed);
  CHECK_EQUAL(subject->released, 1);
  CHECK_EQUAL(model->told, model->links);
  CHECK(stack_fresh(&subject->greenlet.stack));
  free_of_links(model);
}

static void finish(void) {
  for (int round = 0; round < 1000; round++) {
    CHECK_EQUAL(hub_join(&hub, -1), 0);
    bool left = false;
    for (size_t i = 0; i < spawned; i++)
      if (!is_dead(models[i].subject)) {
        left = true;
        models[i].killed = true;
        CHECK_EQUAL(greenlet_kill(&models[i].subject->greenlet, greenlet_exit), 0);
      }
    if (!left)
      return;
  }
  FAIL("they do not end");
}

static void stress(void) {
  state = seed ? seed : 1;
  spawned = 0;
  list_init(&waiting_room);
  for (int i = 0; i < 10; i++)
    greenlet_start(&create(false)->subject->greenlet);
  finish();
  for (size_t i = 0; i < spawned; i++)
    check_model(&models[i]);
  CHECK(spawned > 10);
  unsigned owned = 0;
  for (unsigned i = 0; i < hub.stacks.count; i++)
    owned += hub.stacks.slots[i].owner != NULL;
  CHECK_EQUAL(owned, 0);
  CHECK(list_empty(&waiting_room));
}

int main(int argc, char **argv) {
  check_begin();
  seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : (uint32_t)getpid() * 2654435761u;
  if (argc > 2)
    limit = strtoul(argv[2], NULL, 0);
  limit = limit < 10 ? 10 : limit < ALL ? limit : ALL;
  printf("seed %u\n", seed);
  for (int round = 0; round < 3; round++) {
    EACH_MODE(stress);
    seed = seed * 1103515245u + 12345;
  }
  return check_summary();
}
