#include "lua_binding/profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "lua_binding/attention.h"
#include "lua_binding/tracer.h"

enum { WALKS = 256 }; /* between two looks at how many waits are read */

/* Walks of this many waits shall take so long, at least: a hundredth of the time. */
static const uint64_t WALKS_NANOSECONDS = WALKS * UINT64_C(50000), SHORTEST_WAIT = 1000000;
/* Until a tick that led to no sample is repeated: in units of the interval; seconds. */
static const double RETRY_INTERVALS = 10, LONGEST_RETRY = 1;

struct profile l_profile = {.file = -1};
static struct profile *const p = &l_profile;

static uint64_t cpu_nanoseconds(void) {
  return clock_nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
}

/* xorshift64*: of equal chances is all that is asked of it. */
static uint64_t random_number(void) {
  p->random ^= p->random >> 12;
  p->random ^= p->random << 25;
  p->random ^= p->random >> 27;
  return p->random * 0x2545f4914f6cdd1du;
}

/* ---- CPU time ---- */

static void arm(void) {
  /* At uneven distances, so as not to keep step with what the script does. */
  double jitter = 0.75 + (double)(random_number() >> 40) * 0x1p-25;
  p->retry = RETRY_INTERVALS * p->interval;
  p->ticking = ticker_set(&p->ticker, p->interval * jitter, p->retry);
}

/* Whatever runs has done so until now. */
static void charge_run(uint64_t now) {
  if (p->running != CALLTREE_NONE && now > p->run_since) {
    struct share *share = &p->shares[p->running];
    share->cpu += now - p->run_since;
    share->unsampled += now - p->run_since;
  }
  p->run_since = now;
}

/* Both clocks. That of the CPU takes a system call, at the end of which another process may get
 * its turn: read it first, and what that had shows. */
static void read_clocks(uint64_t *now, uint64_t *cpu) {
  *cpu = cpu_nanoseconds();
  *now = clock_nanoseconds();
}

/* Runs are measured by the clock of the wall, which costs less. When another process had the
 * CPU meanwhile, a tick was waiting for us: so it was in the run that is under way now. */
static uint64_t charge_run_exactly(void) {
  uint64_t now, cpu;
  read_clocks(&now, &cpu);
  uint64_t wall = now - p->read_at, used = cpu - p->cpu_read;
  if (wall > used) {
    p->run_since += wall - used;
    if (p->run_since > now)
      p->run_since = now;
  }
  p->read_at = now;
  p->cpu_read = cpu;
  charge_run(now);
  return now;
}

static void charge_node(struct share *share, uint32_t node) {
  p->tree.nodes[node].cpu += share->unsampled;
  share->unsampled = 0;
  share->last = node;
}

static uint32_t note_in(uint32_t node, enum frame_kind kind, const char *text) {
  if (p->frozen)
    return node;
  uint32_t frame = calltree_frame(&p->tree, kind, text, strlen(text), 0, NULL);
  uint32_t in = frame == CALLTREE_NONE ? frame : calltree_node(&p->tree, node, frame);
  return in == CALLTREE_NONE ? node : in;
}

/* What runs, down to the thread `at`; NULL: nobody knows where it is. */
static void take_sample(const struct pair *pair, lua_State *at) {
  p->due = false;
  arm(); /* from here on a tick waits for us, should another process get its turn */
  charge_run_exactly();
  if (p->running == CALLTREE_NONE) {
    p->dropped++;
  } else {
    uint32_t node = p->shares[p->running].node;
    if (at && p->foreign)
      node = note_in(node, FRAME_NOTE, "[while a debug hook was set]");
    else if (at)
      node = l_walk(&p->tree, node, pair, at, p->fast);
    charge_node(&p->shares[p->running], node);
    p->samples++;
  }
  p->foreign = false;
}

/* ---- Ticks ---- */

/* Safe for a thread that has inherited it, or gets it back from whoever has saved it: it
 * keeps nothing of a hook that was there before, for it is set where there is none. */
static void on_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  l_profile_hooked(L);
}

void l_profile_hooked(lua_State *L) {
  if (!p->due || !p->rt || p->asleep || p->busy || l_find_runtime(L) != p->rt)
    return;
  p->busy = true;
  p->foreign = false;
  take_sample(l_current(p->rt), L);
  p->busy = false;
}

void l_profile_unhook(lua_State *L) {
  if (lua_gethook(L) == on_hook)
    lua_sethook(L, NULL, 0, 0);
}

/* The hook may be called in the middle of a C function that returns: then it is the one that
 * took the time. A script's hook stays as it is, which to set it again would not leave it:
 * then the sample is taken at the next switch. */
static void set_hook(lua_State *L) {
  lua_Hook hook = lua_gethook(L);
  if (hook && hook != on_hook)
    p->foreign = true;
  else
    lua_sethook(L, on_hook, LUA_MASKCOUNT | LUA_MASKRET, 1);
}

void l_profile_tick(struct runtime *rt) {
  if (p->rt != rt)
    return;
  if (p->asleep) {
    p->ticking = !ticker_set(&p->ticker, 0, 0);
    return;
  }
  if (p->due) { /* a C function takes long: it may be in a system call, which this disturbs */
    p->retry = p->retry * 2 < LONGEST_RETRY ? p->retry * 2 : LONGEST_RETRY;
    ticker_set(&p->ticker, p->retry, p->retry);
  }
  p->due = true;
  if (rt->hub.current != &rt->hub.self || rt->L == rt->hub_L)
    set_hook(rt->L);
}

/* ---- Waiting ---- */

/* As many as cost little: the threshold is where the time is that most of them take. */
static void count_walk(uint64_t now) {
  if (++p->walks < WALKS)
    return;
  uint64_t took = now - p->walks_since;
  if (took < WALKS_NANOSECONDS)
    p->threshold *= 2;
  else if (took > 4 * WALKS_NANOSECONDS && p->threshold > SHORTEST_WAIT)
    p->threshold /= 2;
  p->walks = 0;
  p->walks_since = now;
}

static void charge_wait(struct share *share, const struct greenlet *g, uint64_t waited,
                        uint64_t now) {
  uint64_t amount = waited;
  share->wait += waited;
  if (waited < p->threshold) {
    share->unread += waited;
    if (random_number() % p->threshold >= waited)
      return;
    amount = share->unread;
    share->unread = 0;
  }
  count_walk(now);
  uint32_t node = l_walk(&p->tree, share->node, l_pair(g), l_innermost(l_pair(g)), p->fast);
  uint32_t frame = l_walk_wait(&p->tree, g);
  uint32_t leaf = frame == CALLTREE_NONE ? frame : calltree_node(&p->tree, node, frame);
  p->tree.nodes[leaf == CALLTREE_NONE ? node : leaf].wait += amount;
}

static void charge_ready(struct share *share, uint64_t waited) {
  share->ready += waited;
  if (share->ready_node == CALLTREE_NONE)
    share->ready_node = note_in(share->node, FRAME_READY, "[ready]");
  p->tree.nodes[share->ready_node].wait += waited;
}

/* It has waited until now: until it was ready, and from then on for its turn. */
static void charge_rest(const struct sight *sight, struct share *share, uint64_t now) {
  bool readied = sight->readied && sight->readied >= sight->parked;
  uint64_t until = readied ? sight->readied : now;
  if (sight->parked && until > sight->parked)
    charge_wait(share, sight->greenlet, until - sight->parked, now);
  if (readied && now > until)
    charge_ready(share, now - until);
}

/* ---- What core tells ---- */

static void park(const struct greenlet *origin, uint64_t now) {
  struct sight *sight = l_sight_of(origin);
  if (!sight)
    return;
  sight->parked = now;
  sight->readied = origin->state == GREENLET_READY ? now : 0;
}

static void arrive(const struct greenlet *target, uint64_t now) {
  struct sight *sight = l_sight_of(target);
  p->running = l_share_of_sight(sight);
  if (p->running == CALLTREE_NONE)
    p->dropped++;
  else if (target != &target->hub->self)
    charge_rest(sight, &p->shares[p->running], now);
}

static void on_switched(struct observer *observer, struct greenlet *origin,
                        struct greenlet *target) {
  (void)observer;
  bool self = origin && origin == &origin->hub->self;
  p->busy = true;
  if (p->due && !p->asleep)
    take_sample(origin ? l_pair(origin) : NULL, origin && !self ? l_pair(origin)->at : NULL);
  uint64_t now = clock_nanoseconds();
  charge_run(now);
  if (origin)
    park(origin, now);
  arrive(target, now);
  if (!p->ticking)
    arm();
  p->busy = false;
}

static void on_readied(struct observer *observer, struct greenlet *g) {
  (void)observer;
  p->busy = true;
  struct sight *sight = l_sight_of(g);
  if (sight)
    sight->readied = clock_nanoseconds();
  p->busy = false;
}

/* While the loop polls nothing ticks: what it takes is known. */
static void charge_poll(void) {
  uint64_t now, cpu;
  read_clocks(&now, &cpu);
  if (p->running != CALLTREE_NONE) {
    struct share *share = &p->shares[p->running];
    share->cpu += cpu - p->cpu_read;
    p->tree.nodes[note_in(share->node, FRAME_NOTE, "[poll]")].cpu += cpu - p->cpu_read;
  }
  p->idle += now - p->read_at;
  p->read_at = p->run_since = now;
  p->cpu_read = cpu;
}

static void on_polling(struct observer *observer, bool begins) {
  (void)observer;
  p->busy = true;
  if (begins)
    charge_run_exactly();
  else if (p->asleep)
    charge_poll();
  p->due = p->due && begins;
  p->asleep = begins;
  p->busy = false;
}

static void on_ended(struct observer *observer, struct greenlet *g) {
  (void)observer;
  p->busy = true;
  struct sight *sight = l_sight_of(g);
  if (sight)
    *sight = (struct sight){.greenlet = g};
  p->busy = false;
}

static void on_named(struct observer *observer, struct greenlet *g) {
  (void)observer;
  struct sight *sight = l_sight_of(g);
  if (!sight || !sight->share)
    return;
  p->busy = true;
  sight->share = 0;
  if (g == p->rt->hub.current) {
    charge_run(clock_nanoseconds());
    p->running = l_share_of_sight(sight);
  }
  p->busy = false;
}

/* ---- Beginning and end ---- */

static void see(const struct greenlet *g, const struct hub *hub) {
  if (g != hub->current && g->begun && l_sight_of(g))
    park(g, p->began);
}

/* Those that wait already do so for their shares from now on. */
static void see_all(const struct hub *hub) {
  see(&hub->main, hub);
  for (const struct list *node = hub->greenlets.next; node != &hub->greenlets; node = node->next)
    see(container_of(node, struct greenlet, all), hub);
}

void l_profile_begin(struct runtime *rt, double interval) {
  p->interval = interval;
  p->random = clock_nanoseconds() | 1;
  p->threshold = SHORTEST_WAIT;
  p->began = p->run_since = p->read_at = p->walks_since = clock_nanoseconds();
  p->cpu_began = p->cpu_read = cpu_nanoseconds();
  p->running = l_share_of_sight(l_sight_of(rt->hub.current));
  see_all(&rt->hub);
  p->observer = (struct observer){.switched = on_switched, .readied = on_readied,
                                  .polling = on_polling, .ended = on_ended, .named = on_named};
  p->ticker.value = TICK_PROFILE;
  p->rt = rt;
  hub_observe(&rt->hub, &p->observer);
  l_watch(rt);
  l_take_ticks(rt);
  arm();
}

void l_profile_leave(void) {
  ticker_end(&p->ticker);
  hub_ignore(&p->rt->hub, &p->observer);
  l_watch(p->rt);
}

/* Those that wait still have done so until now. */
static void charge_waiting(const struct greenlet *g, uint64_t now) {
  struct sight *sight = p->frozen ? l_find_sight(g) : l_sight_of(g);
  if (!sight || !sight->parked || g == p->rt->hub.current)
    return;
  if (!p->frozen && l_share_of_sight(sight) != CALLTREE_NONE) {
    charge_rest(sight, &p->shares[sight->share - 1], now);
  } else if (sight->share) {
    struct share *share = &p->shares[sight->share - 1];
    share->wait += now - sight->parked;
    share->unread += now - sight->parked;
  }
}

/* What no sample has told the place of: where the last one was, or nowhere. */
static void charge_leftovers(struct share *share) {
  if (share->unsampled)
    charge_node(share, share->last != CALLTREE_NONE
                           ? share->last
                           : note_in(share->node, FRAME_NOTE, "[too short to sample]"));
  if (share->unread)
    p->tree.nodes[note_in(share->node, FRAME_NOTE, "[short waits]")].wait += share->unread;
  share->unread = 0;
}

void l_profile_finish(lua_State *L, bool frozen) {
  const struct hub *hub = &p->rt->hub;
  p->busy = true;
  p->frozen = frozen;
  if (L)
    take_sample(l_current(p->rt), L);
  uint64_t now = charge_run_exactly();
  if (p->rt->started) {
    charge_waiting(&hub->main, now);
    for (struct list *node = hub->greenlets.next; node != &hub->greenlets; node = node->next)
      charge_waiting(container_of(node, struct greenlet, all), now);
  }
  for (uint32_t i = 0; i < p->share_count; i++)
    charge_leftovers(&p->shares[i]);
  p->wall = now - p->began;
  p->cpu = cpu_nanoseconds() - p->cpu_began;
}
