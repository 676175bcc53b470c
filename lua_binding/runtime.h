/*
 * runtime.h: what the files of the binding share.
 *
 * One runtime per Lua state: a hub, and the Lua side of its greenlets. A
 * greenlet is three things, two of which are recycled together:
 *
 *     handle   the userdata that scripts hold; keeps the outcome
 *     pair     struct greenlet + lua_State, from start to death
 *
 *                  pair <--> handle            anchors[pair->anchor] == handle
 *       greenlet --'  `-- L                    threads[pair->anchor] == L
 *
 * Anchors: a pair in use is held by two tables, so that a greenlet that nobody
 * holds lives while it can still run. garbage.c takes those out that can only
 * be woken by somebody who holds them.
 *
 * Everything that may raise a Lua error runs in a protected call of some kind,
 * and no Lua error ever passes a frame of core: core returns a code, and then
 * the binding raises.
 */
#ifndef LUA_BINDING_RUNTIME_H
#define LUA_BINDING_RUNTIME_H

#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/greenlet.h"
#include "core/hub.h"
#include "core/waitlist.h"
#include "core/watcher.h"
#include "lua_binding/owner.h"
#include "lua_binding/trail.h"

struct handle;
struct runtime;
struct notice;
struct sentinel;
struct tracer;

struct pair {
  struct greenlet own;      /* unless this is main's or the hub's */
  lua_State *L;             /* its base thread */
  lua_State *at;            /* the innermost thread when it last gave way */
  union {
    struct handle *handle;  /* NULL once released */
    struct pair *next;      /* in the free list */
  };
  int anchor;               /* index in anchors and threads */
  int arguments;            /* on L, for the function below them */
  bool aside;               /* it has yielded its stack: see l_finish */
  bool demoted;             /* not anchored: see garbage.c */
  bool held;                /* demoted, and held by what it waits for */
  bool spoilt;              /* its thread is of no more use */
  bool ending;              /* killed by core.end_all, and not resisting */
  bool dying;               /* killed as garbage already */
  struct sentinel *sentinel; /* garbage.c */
  l_owner owner;            /* what locks know it by; 0: it has taken none */
  unsigned permits;         /* of locks that it has */
  l_site site;              /* where it waits for one */
  l_site place;             /* where it waits, and for what, as a text's number: only while */
  uint32_t label;           /* watched */
  struct notice *notice;    /* tells the links that Lua keeps; often NULL */
  struct greenlet *g;       /* &own, &hub.main or &hub.self */
};

/* NEW: not started; has a pair only if somebody joins or links it. LIVE: has a
 * pair. DEAD: has one until its links are told. */
enum handle_state { HANDLE_NEW, HANDLE_LIVE, HANDLE_DEAD };

/* The userdata. Its user values: */
enum {
  UV_FIELDS = 1, /* what the user assigned, and private keys; nil at first */
  UV_RUN,        /* the function; for a NEW one with arguments a packed table */
  UV_RESULT,     /* dead: value, packed values or error. Alive: L, if demoted */
  UV_ORIGIN,     /* where and by whom it was made: trail.h; nil if not tracked */
  UV_COUNT = UV_ORIGIN,
  UV_MEMBERS,    /* only in those that a list of members has spawned: members.c */
};

struct handle {
  const void *kind;         /* &handle_kind */
  struct runtime *rt;
  struct pair *pair;
  uint8_t state;
  bool raw;                 /* class greenlet.greenlet: values go to a parent */
  bool failed;              /* died of an error: UV_RESULT */
  bool exited;              /* died of a GreenletExit: its value */
  bool packed;              /* UV_RESULT is a table of values with n */
  bool packed_run;          /* UV_RUN is {run or false, arguments ..., n} */
  bool taken;               /* somebody took the error */
  bool counted;             /* the error counts for the exit status */
  bool has_links;           /* greenlet.lua keeps links of it */
  bool quiet;               /* its failure is the business of its list of members */
  bool named;               /* tostring shows the name */
  bool has_value;
  int ident;                /* minimal_ident + 1 when asked for; else 0 */
};

struct runtime {
  struct hub hub;
  pthread_t thread;         /* whose faults are told of: fault.c */
  lua_State *L;             /* the innermost Lua thread that runs */
  lua_State *main_L, *hub_L;
  lua_State *transfer;      /* values on their way from switch to switch */
  lua_State *store;         /* stack: the tables of pair.h. Never runs a function:
                               so these keep their indices */
  lua_State *aux;           /* for protected work that never switches */
  struct pair main_pair, hub_pair;
  struct pair *free;
  struct notice *spare_notice; /* for the next whose death is watched, or NULL */
  int free_count, free_least; /* least: since the list was shrunk */
  double pool_ages;         /* when it is shrunk at the latest, if it is long */
  int anchors;
  int core_ref;             /* registry: the table that the Lua parts share */
  int trace_ref;            /* settrace's function, or LUA_NOREF */
  int print_reports_ref;    /* hub.lua prints what is in core.reports */
  bool tracing;             /* inside it: not called again */
  union {                   /* what a wait must heed: see l_enter */
    struct {
      bool closing;         /* the state is being closed: nothing may wait */
      bool tracing_aside;   /* tracing on aux, where nothing may switch */
      bool watched;         /* somebody wants to know where greenlets wait: tracer.h */
      uint8_t still;        /* calls under way in which nothing may switch: on aux */
    };
    uint32_t heeded;        /* any of them */
  };
  bool throwing;            /* the last raw switch was a throw */
  bool spawn_callbacks;     /* somebody wants to know of starts */
  bool spawns_member;       /* the next handle is to have UV_MEMBERS */
  bool track_tree;
  bool pinning;             /* somebody has assigned `pinned`: pinned.c */
  bool started;             /* the hub is */
  bool mark_threads;        /* the extra space of threads is ours: protect.c */
  struct trail trail;
  struct tracer *tracer, *flight; /* trace.c: while they trace */
  struct texts labels;      /* names and such, for those */
  char problem[512];        /* why they cannot */
  unsigned selections;      /* changes with each choice of a select */
  int peak_kilobytes;       /* of the Lua heap since memory was given back */
  int failures;             /* errors that nobody took */
  struct owners owners;
  unsigned dead_owners;     /* how many have died with locks in their hands */
  uint8_t leaks;            /* what to do about greenlets that are left: ending.h */
  bool why_alive;           /* tell what keeps the program running */
  bool report_late;         /* no errors that somebody still may take */
  uint8_t deadlock;         /* what becomes of waits in a circle: cycle.h */
  struct callback cycles;   /* tells of those */
  struct callback report;   /* prints what is in core.reports */
  struct watcher interrupt; /* async: Ctrl-C */
  struct watcher attention; /* async: attention.h; only if it is used */
};

extern const char handle_kind, watcher_kind_tag, timeout_kind, loop_kind, callback_kind;

/* ---- Anybody's runtime ---- */

/* All that a switch needs in one function. What is more: each return after a
 * switch is one that the CPU has not seen the call of, and mispredicts. */
#define HOT __attribute__((flatten, aligned(64)))
#define COLD __attribute__((cold, noinline))

/* The runtime, as long as the process has had but one; else NULL. */
extern struct runtime *l_only_runtime;

/* The runtime of a function that was made by l_functions. */
static inline struct runtime *l_runtime(lua_State *L) {
  return l_only_runtime ? l_only_runtime : lua_touserdata(L, lua_upvalueindex(1));
}

/* The runtime of any state, from its registry; NULL if there is none. */
struct runtime *l_find_runtime(lua_State *L);

/* Set functions in the table on top, each with the runtime as upvalue 1. */
void l_functions(lua_State *L, struct runtime *rt, const luaL_Reg *functions);

/* A symbol that the shared module shows. */
#define L_EXPORTED __attribute__((visibility("default")))

/* Have the table on top, `greenlet`, load its modules at first use. */
void l_open_modules(lua_State *L, struct runtime *rt); /* modules.c */

/* Push a field of the table that the Lua parts share. */
void l_push_core(lua_State *L, struct runtime *rt, const char *field);

static inline struct runtime *l_rt(const struct pair *pair) {
  return container_of(pair->own.hub, struct runtime, hub);
}

static inline struct pair *l_pair(const struct greenlet *g) {
  return g->arg;
}

/* Main's; in a forked child that of whoever has forked. */
static inline struct pair *l_root(const struct runtime *rt) {
  return l_pair(rt->hub.root);
}

/* The innermost thread of a greenlet that rests. `at` says it only of one that
 * is parked where a script has called: not of a dead one, nor of the hub, unless
 * a callback has switched away. */
static inline lua_State *l_innermost(const struct pair *pair) {
  bool parked = pair->g->state != GREENLET_DEAD &&
                (pair->g != &pair->g->hub->self || pair->g->hub->nested);
  return parked ? pair->at : pair->L;
}

static inline struct pair *l_current(const struct runtime *rt) {
  return l_pair(rt->hub.current);
}

/* ---- The Lua parts: parts.c ---- */

/* Run a part with the shared table as its argument. */
void l_run_part(lua_State *L, struct runtime *rt, const char *name, int results);
void l_open_parts(lua_State *L, struct runtime *rt);

/* ---- Objects: object.c ---- */

/* The userdata at idx if it is of our kind, else NULL. Kinds are told by the
 * first word, since every class derived has a metatable of its own. */
void *l_test_kind(lua_State *L, int idx, const void *kind);

/* The same, or the usual error. */
void *l_check_kind(lua_State *L, int idx, const void *kind, const char *name);

/* Push the metatable of the instances of the class at idx; raises if that is none:
 * scripts may call what makes objects. */
void l_push_meta(lua_State *L, int idx);

/* Make a userdata of the class at index `class` with its metatable; push it. */
void *l_new_object(lua_State *L, int class, size_t bytes, int user_values, const void *kind);

/* Replace the function at `first` and the arguments above it by the table
 * {function, arguments ..., n = how many arguments}. */
void l_pack_call(lua_State *L, int first);

/* Push the fields table of the object at idx, made if need be. */
void l_push_fields(lua_State *L, int idx);

/* Read and write a private field: a key that no script can name. */
int l_get_private(lua_State *L, int idx, const void *key);
/* Push the private table under that key, made if it is missing. What makes it may run
 * finalizers, which may make it too. */
void l_push_private_table(lua_State *L, int idx, const void *key);
void l_set_private(lua_State *L, int idx, const void *key); /* pops the value */

/* Raise `bad argument` with the position of the script that called us,
 * whatever lies between. */
int l_argerror(lua_State *L, int argument, const char *function, const char *message);
int l_typeerror(lua_State *L, int idx, int argument, const char *function, const char *type);
bool l_callable(lua_State *L, int idx);
void l_check_callable(lua_State *L, int idx);
double l_check_seconds(lua_State *L, int idx);

/* Raise if the state is being closed and the hub is gone: finalizers may call
 * anything until the very end. */
void l_check_started(lua_State *L, const struct runtime *rt);

/* Register a class: push core.<parent>:extend(name), with methods, getters and
 * setters, and an allocator. */
struct l_class {
  const char *name, *parent;
  lua_CFunction allocate; /* (class) -> object */
  const luaL_Reg *methods, *getters, *setters;
};
void l_register_class(lua_State *L, struct runtime *rt, const struct l_class *class);
/* The same; allocate makes a table, whose fields the objects' fields are: they and
 * methods kept there are found faster. */
void l_register_table_class(lua_State *L, struct runtime *rt, const struct l_class *class);
int l_object_open(lua_State *L, struct runtime *rt);

/* ---- Errors: errors.c ---- */

/* Own the value on top (popped) as an error for core. May raise for memory. */
void *l_box(lua_State *L);

/* An error that needs no memory, as a reference in the registry: "not enough memory".
 * To unref a negative one has no effect. */
enum { L_NO_MEMORY = LUA_NOREF - 1 };

/* Push what was boxed, and disown it. */
void l_unbox(lua_State *L, struct runtime *rt, void *error);
void l_drop_error(struct hub *hub, void *error);

/* Replace a class on top of the stack by a new instance. */
void l_instantiate(lua_State *L);

/* Marks of the value at idx's class. */
bool l_is_uncatchable(lua_State *L, int idx);
bool l_is_exit(lua_State *L, int idx);
bool l_is_a(lua_State *L, struct runtime *rt, int idx, const char *class);

/* Raise a new error of the named class. */
int l_raise(lua_State *L, struct runtime *rt, const char *class, const char *format, ...);

/* If the error at idx was raised elsewhere before, complete its traceback, a
 * string on top, by that from there. */
void l_add_origin(lua_State *L, struct runtime *rt, int idx);

/* Raise the value on top. As lua_error, but the handler of an xpcall is not
 * called for a kill: protect.c. */
int l_error(lua_State *L);

/* ---- Waiting: wait.c ---- */

/* Before anything that switches: raises inside __gc and other forbidden
 * places, and notes where the current greenlet is. */
void l_enter(lua_State *L, struct runtime *rt);

/*
 * The second half of a wait: waiter_finish, or WAITER_LEAVE when the greenlet
 * is to leave its C stack, by `return lua_yieldk(L, 0, context, k)` from the
 * function that Lua has called. k then asks l_answer.
 */
int l_finish(struct runtime *rt);
bool l_can_leave(const struct greenlet *g);
/* In k: what the wait came to; l_answer the same, through l_leave. */
int l_outcome(lua_State *L, struct runtime *rt);
int l_answer(lua_State *L, struct runtime *rt);

/* After it: raises what `result` says, but returns 0 and -ETIMEDOUT. */
int l_leave(lua_State *L, struct runtime *rt, int result);

/* A timeout argument: nil, seconds or a Timeout object. */
struct l_time {
  double seconds;          /* negative: for ever */
  struct l_timeout *timeout;
  int index;               /* of the object */
  bool started;            /* here */
};
struct l_time l_check_time(lua_State *L, int idx);
void l_start_time(lua_State *L, struct runtime *rt, struct l_time *time);
/* After the wait: l_leave, but the object's own expiry is -ETIMEDOUT too. */
int l_leave_time(lua_State *L, struct runtime *rt, struct l_time *time, int result);
/* Who waits for core.unpark is in the field `waiting` of the table at idx, and is taken out of
 * it when woken: was that before the wait? Nothing that follows it may run finalizers. */
bool l_was_woken(lua_State *L, int idx);
/* Raise what an expiry raises. */
int l_raise_expired(lua_State *L, struct runtime *rt, struct l_time *time);

/* ---- Greenlets ---- */

struct handle *l_check_handle(lua_State *L, int idx);
struct handle *l_test_handle(lua_State *L, int idx);

/* Push the handle of a living pair. */
void l_push_handle(lua_State *L, struct pair *pair);

/* Take a pair for the NEW handle at idx: pair.c. */
struct pair *l_take_pair(lua_State *L, struct runtime *rt, struct handle *handle, int idx);
/* Memory of the state's allocator, zeroed; raises without any. */
void *l_new(lua_State *L, size_t bytes);
void *l_try_new(struct runtime *rt, size_t bytes); /* NULL without any */
void l_delete(struct runtime *rt, void *block, size_t bytes);
/* The same with function and arguments loaded; or the pair that it has. */
struct pair *l_prepare(lua_State *L, struct runtime *rt, int idx);
/* The same for one that is not to run yet: it may become garbage. */
struct pair *l_prepare_resting(lua_State *L, struct runtime *rt, int idx);
/* Nothing needs to be told of its death any more. */
void l_detach_notice(struct pair *pair);
/* Have the death of the handle at idx told, to its links and its list of members;
 * NULL if it is dead: greenlet.c. */
struct notice *l_watch_death(lua_State *L, int idx);
/* Have what that needs for one that has been started; false without memory. */
bool l_spare_notice(struct runtime *rt);
void l_spawn_fast(lua_State *L, struct runtime *rt, bool raw);
/* Check the run argument at 2 of an init: raw.c. */
void l_check_run(lua_State *L);
void l_mark_main(lua_State *L, int handle);
int l_get_name(lua_State *L);
/* The name of the handle at idx, if that is a string, else NULL. Allocates nothing. */
const char *l_peek_greenlet_name(lua_State *L, int idx);
int l_set_name(lua_State *L);
int l_greenlet_tostring(lua_State *L);
/* The name that a script has given it, NULL if none has, or one that is no string. Lasts as
 * long as the name; no memory is allocated. */
const char *l_given_name(struct pair *pair);
/* Push a NEW handle with the metatable at index `meta`. */
struct handle *l_new_handle(lua_State *L, struct runtime *rt, int meta);
/* Kill the handle at idx, not dead, by the error at `error` (0: GreenletExit),
 * without waiting. */
void l_kill(lua_State *L, int idx, int error);
/* Push the error of an argument: absent is GreenletExit, a class an instance. */
void l_push_exception(lua_State *L, struct runtime *rt, int idx);
/* Push what reports call the handle at idx: its name, "main", "Greenlet-3". */
void l_push_label(lua_State *L, int idx);
/* Push what a greenlet runs, as text: "function <file:line>". */
void l_push_function_name(lua_State *L, int idx);
void l_pair_open(lua_State *L, struct runtime *rt);
void l_anchor(struct pair *pair);      /* with the handle on top of store */

/* Greenlets that are pinned: pinned.c. Is the NEW handle at idx to be? */
bool l_is_pinned(lua_State *L, int idx);
/* Give a greenlet that has not begun a stack of its own, or take it away; false,
 * and not pinned, if there is no memory. */
bool l_pin(struct greenlet *g, bool pinned);
int l_no_stack(lua_State *L);          /* raises */
int l_get_pinned(lua_State *L);
int l_set_pinned(lua_State *L);

/* Values on their way from one raw switch to another, and what stands for
 * them in core. */
extern char l_values[1];
/* Registry key: while tracing, the handle of the greenlet that ended last. */
extern char l_ended_key;
bool l_send_values(lua_State *L, struct runtime *rt, int count);
int l_receive_values(lua_State *L, struct runtime *rt);

/* Call settrace's function: raw.c. */
void l_arrived(struct hub *hub, struct greenlet *origin);
extern const struct hub_host l_host;

/* Record that the handle at idx, which never ran, died of the value on top. */
void l_record_new_death(lua_State *L, int idx);
/* Push the traceback of the handle at idx, or nil. */
int l_push_death_traceback(lua_State *L, int idx);
void l_take(struct handle *handle);    /* somebody took its error */
void l_untake(struct handle *handle);  /* nobody did */
/* Somebody kills the handle at idx with the error on top (left there). */
void l_note_killer(lua_State *L, int idx);
void l_schedule_report(lua_State *L, struct runtime *rt, int idx);
int l_report_late(lua_State *L);

/* Tell the list of members of the death of the handle at idx, unless it knows. May
 * raise for memory: it goes on where it was when it is called again. members.c */
void l_tell_members(lua_State *L, int idx);
void l_try_tell_members(lua_State *L); /* of that on top (popped); raises nothing */
/* Push the argument of the handle at idx, if it is a call of a map: job.c. */
bool l_push_item(lua_State *L, int idx);
/* Push the first value of the dead handle at idx; nil if it has none. */
void l_push_value(lua_State *L, int idx);

/* Greenlets as garbage: garbage.c. */
void l_demote(lua_State *L, struct pair *pair);
void l_revived(struct greenlet *g);
/* The loop is about to poll: look after collector and memory. */
void l_polling(struct hub *hub);
void l_dismiss_sentinel(struct pair *pair);
void l_end_orphan(struct pair *pair);
void l_push_demoted(lua_State *L, struct pair *pair);
/* Free pairs that were not needed lately: pair.c. */
void l_shrink_pool(struct runtime *rt);
/* The same, if there are many and it is time. */
void l_age_pool(struct runtime *rt);
/* Mark the threads of greenlets, so that coroutine functions know them: all
 * there are, and one. */
void l_mark_threads(struct runtime *rt);
void l_mark_base(lua_State *thread);

/* Print the failures that nobody took, if they were kept back: hub.lua. */
void l_print_late_reports(lua_State *L, struct runtime *rt);

/* Push the origin of what is made here and now: trail.c. */
void l_push_origin(lua_State *L, struct runtime *rt);
/* Push the spawning stack of the handle at idx, or "". */
void l_push_trail(lua_State *L, int handle);
/* Push its first line; false, with nothing pushed, if there is none. */
bool l_push_site(lua_State *L, int handle);
/* Can the addresses of instructions be read, and do those noted tell a place? May run
 * finalizers. */
bool l_trail_ready(lua_State *L, struct runtime *rt);
/* Where the innermost function of a script is: site.c. May run finalizers. */
l_site l_here(lua_State *L, struct runtime *rt);
/* The same, but nothing is allocated in Lua, and so no finalizer runs. It takes longer while
 * the addresses tell nothing. */
l_site l_here_quietly(lua_State *L, struct runtime *rt);
/* Do the addresses tell a place just now? */
bool l_trail_is_ready(const struct runtime *rt);
/* "file:line", or NULL. Safe in signal handlers. */
const char *l_site_text(const struct runtime *rt, l_site site);
/* Push "file:line"; nil if that is not known. */
void l_push_site_text(lua_State *L, const struct runtime *rt, l_site site);
void l_sites_term(struct sites *sites);
/* Origins are made anew from now on. */
void l_trail_forget(struct runtime *rt);
void l_trail_open(lua_State *L, struct runtime *rt);
void l_trail_term(struct trail *trail);

/* So many levels of a stack are looked at to find where or for what a greenlet waits:
 * it is near the top, and to go from level to level takes quadratic time. */
enum { LEVELS_UP = 200 };

/* Push the object in whose list the greenlet waits (core/waitlist.h), or has just
 * been woken from: waitable.c. */
void l_push_waited(lua_State *L, const struct pair *pair);

/* The innermost threads and tracebacks: report.c. */
/* The thread that the top frame of `thread` has resumed, or may have: a coroutine that it
 * holds. NULL if there is none. Safe in signal handlers. */
lua_State *l_resumed_by(lua_State *thread);
/* Fill threads[] with those of a living greenlet: from its base to `at`, the innermost;
 * returns how many. No memory is allocated. */
enum { L_DEEPEST = 200 };
int l_threads_to(const struct pair *pair, lua_State *at, lua_State **threads);
/* Visit the threads of a living greenlet: its base and the coroutines that it is in. */
void l_each_thread(struct pair *pair, void (*visit)(lua_State *));
void l_push_traceback(lua_State *L, struct pair *pair);
void l_push_wait(lua_State *L, struct pair *pair);
void l_push_place(lua_State *L, struct pair *pair);
/* The innermost script line of one that rests: the thread that it is in, or NULL; what
 * lua_getinfo says of "Sl". */
lua_State *l_find_place(const struct pair *pair, lua_Debug *ar);

/*
 * Call the function with `arguments` arguments on top of hub_L; below it lies
 * the context object that a failure is reported with. Pops all of it.
 */
void l_call_in_hub(struct runtime *rt, int arguments);

/* Push the function and arguments that the object at idx keeps: callbacks and
 * watchers alike. Returns the number of arguments. */
enum { UV_CALLBACK = UV_FIELDS + 1, UV_PATH, UV_WATCHER_COUNT = UV_PATH };
int l_push_callback(lua_State *L, int idx);
/* Keep function and arguments from `first` on in the object at idx. */
void l_keep_callback(lua_State *L, int idx, int first);
int l_push_callback_args(lua_State *L, int idx);

/* ---- Opening: one function per file, called in this order ---- */
void l_open_errors(lua_State *L, struct runtime *rt);
void l_open_greenlet(lua_State *L, struct runtime *rt);
void l_open_raw(lua_State *L, struct runtime *rt);
void l_open_joinall(lua_State *L, struct runtime *rt);
void l_open_timeout(lua_State *L, struct runtime *rt);
void l_open_watcher(lua_State *L, struct runtime *rt);
void l_open_loop(lua_State *L, struct runtime *rt);
void l_open_insist(lua_State *L, struct runtime *rt); /* insist.h */
void l_open_links(lua_State *L, struct runtime *rt);  /* links.h */
void l_open_hub(lua_State *L, struct runtime *rt);
void l_open_report(lua_State *L, struct runtime *rt);
void l_open_waits(lua_State *L, struct runtime *rt);
void l_open_garbage(lua_State *L, struct runtime *rt);
void l_open_protect(lua_State *L, struct runtime *rt);
void l_open_interrupt(lua_State *L, struct runtime *rt);
void l_close_interrupt(struct runtime *rt);
/* What the host wants done before a signal ends the process. Safe in signal handlers. */
void l_last_resort(void);
void l_open_functions(lua_State *L, struct runtime *rt);
void l_open_settings(lua_State *L, struct runtime *rt);
void l_open_fork(lua_State *L, struct runtime *rt);
/* The root of a forked child has ended: so does the process. */
_Noreturn void l_end_child(struct pair *pair, lua_State *L);
/* Stop the watchers that hold themselves, but those that tell of forks: watcher.c. */
void l_stop_watchers(lua_State *L);
void l_read_environment(lua_State *L, struct runtime *rt);
/* Set what a variable or an option, `source`, says; raises if it makes no sense. */
void l_set_by_text(lua_State *L, struct runtime *rt, const char *name, const char *source,
                   const char *text);

#endif
