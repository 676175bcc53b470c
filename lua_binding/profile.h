/*
 * profile.h: where the time of a program goes.
 *
 * Each greenlet has a share, together with those of the same name or, without one, of the
 * same function: a root in the tree of calls (calltree.h). What a share gets in all is
 * measured at every switch, so it is right however short the turns are. In which functions it
 * was spent is sampled: a timer ticks, a hook reads the stack of whatever runs, and all that
 * its share has got since its last sample goes there. So it is with waits, each of which
 * has its stack read where it ends, if it was long, or else is one of those chosen.
 *
 *     profile.c          the clocks, the ticks and what core tells: struct observer
 *     profile_shares.c   whose time it is
 *     profile_walk.c     Lua's stacks into the tree
 *     profile_names.c    what functions are called
 *     profile_write.c    the files
 *     profile_run.c      beginning and end, the setting and the module
 *
 * A process has one profile, as it has one SIGURG.
 */
#ifndef LUA_BINDING_PROFILE_H
#define LUA_BINDING_PROFILE_H

#include <signal.h>

#include "core/observer.h"
#include "lua_binding/calltree.h"
#include "lua_binding/runtime.h"
#include "lua_binding/ticker.h"

/* What greenlets of one name, or of one function, took. Nanoseconds. */
struct share {
  uint32_t node;              /* its root */
  uint32_t last, ready_node;  /* nodes charged last with CPU, with waits for its turn; or none */
  uint32_t greenlets;         /* that have run */
  uint64_t cpu, wait, ready;
  uint64_t unsampled;         /* of cpu: not in the tree yet */
  uint64_t unread;            /* of wait: the same */
};

/* What is known of a greenlet. */
struct sight {
  const struct greenlet *greenlet;
  uint32_t share;             /* its number and 1; 0: not known yet */
  uint64_t parked, readied;   /* when it gave way, when it got ready; 0: it did not */
};

struct profile {
  struct runtime *rt;         /* NULL: there is none */
  struct observer observer;
  struct ticker ticker;
  char *path;                 /* from the root */
  int file, pid;              /* whose it is */
  bool page;                  /* of HTML, not folded */
  bool frozen;                /* in a signal handler: no memory */
  bool fast;                  /* struct call_info is as callinfo.h has it */
  volatile sig_atomic_t busy; /* what is below is being changed */
  volatile sig_atomic_t due;  /* a sample */
  volatile sig_atomic_t ticking; /* the ticker is set */
  volatile sig_atomic_t asleep;  /* the loop polls */
  volatile sig_atomic_t foreign; /* a tick found the hook of a script */
  volatile double retry;      /* seconds until the next tick, if no sample is taken */
  double interval;            /* seconds */
  uint64_t random;

  uint64_t began, cpu_began;  /* both clocks */
  uint64_t run_since;         /* what runs now does so since then */
  uint64_t read_at, cpu_read; /* both clocks, when both were read */
  uint64_t wall, cpu;         /* at the end: how long it took */
  uint64_t idle;              /* of wall: the loop has polled */
  uint32_t running;           /* the share that gets the time; CALLTREE_NONE */

  uint64_t threshold;         /* waits of this length have their stacks read */
  uint64_t walks_since;
  uint32_t walks;

  uint64_t samples, dropped;  /* dropped: for want of memory */
  uint32_t named;             /* shares that have a name */
  struct calltree tree;
  struct share *shares;
  uint32_t share_count, share_room;
  struct sight *sights;       /* by hash */
  uint32_t sight_count, sight_room;
};

/* The one that is taken now. */
extern struct profile l_profile;

/* ---- profile_run.c ---- */

/* The setting `profile`: begin, or for "" end and write it. NULL, or why not. */
const char *l_set_profile(lua_State *L, struct runtime *rt, const char *path);
/* Its file; "" if there is none. */
const char *l_get_profile(const struct runtime *rt);
/* The child of a fork has none. */
void l_profile_forked(void);
/* The state is being closed: it is written. */
void l_profile_close(struct runtime *rt);
/* The same where a signal is about to end the process, in the handler. */
void l_profile_last_resort(void);

void l_open_profile(lua_State *L, struct runtime *rt);

/* ---- profile.c ---- */

/* With path, file and tree set: from now on time is charged. `interval` is that of samples, in
 * seconds. */
void l_profile_begin(struct runtime *rt, double interval);
/* Charge what is left, so that it can be written; with L, the thread that runs. When `frozen`,
 * in a signal handler, no stack is read and no memory taken. */
void l_profile_finish(lua_State *L, bool frozen);
/* Nothing is charged any more. */
void l_profile_leave(void);
/* In the signal handler: a tick. */
void l_profile_tick(struct runtime *rt);
/* A hook of the thread that runs is called: a sample is taken, if one is due. */
void l_profile_hooked(lua_State *L);
/* Take our hook off the thread. */
void l_profile_unhook(lua_State *L);
/* ---- profile_shares.c ---- */

/* What is known of a greenlet; NULL without memory. Good until another is looked for. */
struct sight *l_sight_of(const struct greenlet *g);
/* The same; NULL if nothing is. Safe in signal handlers. */
struct sight *l_find_sight(const struct greenlet *g);
/* The number of its share, looked for if need be; CALLTREE_NONE without memory. */
uint32_t l_share_of_sight(struct sight *sight);

/* ---- profile_walk.c ---- */

/* The frame of the function that a greenlet runs, which may be about to begin. */
uint32_t l_walk_function(struct calltree *tree, const struct pair *pair, bool fast);
/* The node, in the share of `root`, of the stack of a greenlet down to the thread `at`. As far as
 * there is memory. */
uint32_t l_walk(struct calltree *tree, uint32_t root, const struct pair *pair, lua_State *at,
                bool fast);
/* The frame that says what a greenlet, which has not run since, waited for. */
uint32_t l_walk_wait(struct calltree *tree, const struct greenlet *g);
/* Know the names of the functions of the libraries that are loaded. Raises for memory. */
void l_walk_libraries(lua_State *L, struct calltree *tree);

/* ---- profile_names.c ---- */

/* Give functions the names by which they are defined, where their files can be read. */
void l_profile_read_names(struct calltree *tree);

/* ---- profile_write.c ---- */

/* Into its file. 0 or -errno. Safe in signal handlers. */
int l_profile_write(const struct profile *profile);

#endif
