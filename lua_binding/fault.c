#define _GNU_SOURCE /* REG_RSP */
#include "lua_binding/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/output.h"
#include "lua_binding/guarded.h"
#include "lua_binding/stuck.h"
#include "lua_binding/tracer.h"

/* Runtimes whose faults are told of: as many threads have one. */
enum { RUNTIMES = 64 };

static struct runtime *_Atomic runtimes[RUNTIMES];
static atomic_flag asked = ATOMIC_FLAG_INIT; /* the system, whether SIGSEGV is to be had */
static atomic_bool taken;                    /* it is ours */

struct fault {
  const struct runtime *rt;
  const char *address;
  uintptr_t sp;
  bool overrun;
};

/* ---- What has happened ---- */

/* A frame's size away from the end of the thread's own stack: the kernel lets that grow
 * as far as it may, wherever below it is touched. */
enum { NEAR_BYTES = 1 << 20 };

static uintptr_t stack_pointer(const void *context) {
  const ucontext_t *state = context;
#if defined __x86_64__
  return (uintptr_t)state->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
  return (uintptr_t)state->uc_mcontext.sp;
#else
#error "where is the stack pointer in a ucontext_t of this architecture?"
#endif
}

static bool is_overrun(const struct fault *fault) {
  const struct hub *hub = &fault->rt->hub;
  if (hub->current != &hub->main)
    return stack_pool_guard_of(&hub->stacks, fault->address) == &hub->current->stack;
  return (uintptr_t)fault->address - (fault->sp - NEAR_BYTES) < 2UL * NEAR_BYTES;
}

/* Of several in this thread the one whose guard was touched, or any. */
static struct runtime *find_runtime(const struct fault *fault) {
  struct runtime *found = NULL;
  for (int i = 0; i < RUNTIMES; i++) {
    struct runtime *rt = runtimes[i];
    if (!rt || !pthread_equal(rt->thread, pthread_self()))
      continue;
    if (!found || stack_pool_guard_of(&rt->hub.stacks, fault->address))
      found = rt;
  }
  return found;
}

/* ---- Telling ---- */

static void add_size(struct text *text, size_t bytes) {
  l_add_text(text, " of ");
  l_add_number(text, bytes / 1024, 10);
  l_add_text(text, " KB");
}

/* That of the process, or of a thread, which has its size from whoever has made it. */
static void add_own_stack(struct text *text) {
  struct rlimit limit;
  bool process = syscall(SYS_gettid) == getpid();
  l_add_text(text, process ? "the process's C stack" : "the thread's C stack");
  if (process && getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    add_size(text, limit.rlim_cur);
  l_add_text(text, process ? "; ulimit -s makes it larger" : "");
}

static void tell_what(const struct fault *fault) {
  const struct hub *hub = &fault->rt->hub;
  struct text text = {.length = 0};
  l_add_text(&text, "greenlua: ");
  l_add_current(fault->rt, &text);
  if (!fault->overrun) {
    l_add_text(&text, " got SIGSEGV at address 0x");
    l_add_number(&text, (uintptr_t)fault->address, 16);
  } else if (hub->current == &hub->main) {
    l_add_text(&text, " has overrun ");
    add_own_stack(&text);
  } else {
    l_add_text(&text, " has overrun its C stack");
    add_size(&text, slot_space(hub->current->stack.slot));
    l_add_text(&text, "; the setting stack_size (GREENLUA_STACK_SIZE) makes it larger");
  }
  l_add_text(&text, "\n");
  l_write_text(STDERR_FILENO, &text);
}

/* ---- The traceback ---- */

/* As luaL_traceback has it, but for names that it looks for in package.loaded. */
static void add_function(struct text *text, const lua_Debug *ar) {
  if (*ar->namewhat) {
    l_add_text(text, *ar->namewhat == 'g' ? "function" : ar->namewhat);
    l_add_text(text, " '");
    l_add_text(text, ar->name);
    l_add_text(text, "'");
  } else if (*ar->what == 'm') {
    l_add_text(text, "main chunk");
  } else if (*ar->what == 'C') {
    l_add_text(text, "?");
  } else {
    l_add_text(text, "function <");
    l_add_text(text, ar->short_src);
    l_add_text(text, ":");
    l_add_number(text, (uintmax_t)ar->linedefined, 10);
    l_add_text(text, ">");
  }
}

static void write_level(lua_State *L, lua_Debug *ar) {
  struct text text = {.length = 0};
  lua_getinfo(L, "Sln", ar);
  l_add_text(&text, "\t");
  l_add_text(&text, ar->short_src);
  if (ar->currentline > 0) {
    l_add_text(&text, ":");
    l_add_number(&text, (uintmax_t)ar->currentline, 10);
  }
  l_add_text(&text, ": in ");
  add_function(&text, ar);
  l_add_text(&text, "\n");
  l_write_text(STDERR_FILENO, &text);
}

static void write_skipped(int levels) {
  struct text text = {.length = 0};
  l_add_text(&text, "\t...\t(skipping ");
  l_add_number(&text, (uintmax_t)levels, 10);
  l_add_text(&text, " levels)\n");
  l_write_text(STDERR_FILENO, &text);
}

/* How many levels there are; bounded, should they go in a circle. */
static int count_levels(lua_State *L) {
  enum { MOST = 1 << 20 };
  lua_Debug ar;
  int low = 0, high = 1;
  while (high < MOST && lua_getstack(L, high, &ar)) {
    low = high;
    high *= 2;
  }
  while (low < high) { /* lua_getstack fails at `high` */
    int middle = (low + high) / 2;
    if (lua_getstack(L, middle, &ar))
      low = middle + 1;
    else
      high = middle;
  }
  return high;
}

static void write_thread(lua_State *L) {
  enum { FIRST = 10, LAST = 11 };
  int levels = count_levels(L);
  lua_Debug ar;
  for (int level = 0; level < levels && lua_getstack(L, level, &ar); level++) {
    if (level == FIRST && levels > FIRST + LAST) {
      write_skipped(levels - FIRST - LAST);
      level = levels - LAST;
      lua_getstack(L, level, &ar);
    }
    write_level(L, &ar);
  }
}

static bool is_among(lua_State *thread, lua_State *const *threads, int count) {
  for (int i = 0; i < count; i++)
    if (threads[i] == thread)
      return true;
  return false;
}

/* The coroutine that the running thread has resumed; NULL if it runs itself. */
static lua_State *resumed_by(lua_State *thread) {
  lua_Debug ar;
  lua_State *next = l_resumed_by(thread);
  bool runs = next && lua_status(next) == LUA_OK && lua_getstack(next, 0, &ar);
  return runs ? next : NULL;
}

static void write_traceback(void *data) {
  enum { DEEPEST = 220 }; /* Lua has at most 200 nested */
  static lua_State *threads[DEEPEST];
  const struct runtime *rt = data;
  int count = 0;
  lua_State *thread = l_current(rt)->L;
  while (thread && count < DEEPEST - 1 && !is_among(thread, threads, count)) {
    threads[count++] = thread;
    thread = resumed_by(thread);
  }
  /* Ours only; stock Lua's coroutine functions do not tell which thread runs. */
  if (rt->mark_threads && !is_among(rt->L, threads, count))
    threads[count++] = rt->L;
  while (count-- > 0)
    write_thread(threads[count]);
}

static void tell(void *data) {
  static const char title[] = "stack traceback:\n";
  struct fault *fault = data;
  fault->overrun = is_overrun(fault);
  tell_what(fault);
  output_write(STDERR_FILENO, title, sizeof title - 1);
  l_guarded(write_traceback, (void *)fault->rt);
}

/* ---- The signal ---- */

/* The instruction faults again when this returns, and then ends the process: a dump has
 * the state of that moment. A fault in here ends it, too. */
static void on_fault(int number, siginfo_t *info, void *context) {
  struct fault fault = {.address = info->si_addr, .sp = stack_pointer(context)};
  signal(number, SIG_DFL);
  bool sent = info->si_code <= 0; /* by somebody: returning would not end the process */
  if (!sent && (fault.rt = find_runtime(&fault)))
    tell(&fault);
  l_traces_crash(sent ? "a signal" : "SIGSEGV");
  l_last_resort();
  if (sent)
    raise(number);
}

static void on_other_fault(int number, siginfo_t *info, void *context) {
  (void)context;
  signal(number, SIG_DFL);
  l_traces_crash(number == SIGABRT ? "abort" : "a fault");
  l_last_resort();
  if (info->si_code <= 0)
    raise(number);
}

void l_take_fault(int number) {
  struct sigaction action = {.sa_sigaction = on_other_fault}, before;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction(number, &action, NULL);
}

/* Whether it is to be told of faults: a host's handler stays. */
static bool take_signal(void) {
  struct sigaction action = {.sa_sigaction = on_fault}, before;
  if (atomic_flag_test_and_set(&asked))
    return atomic_load(&taken);
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  if (sigaction(SIGSEGV, &action, &before) < 0)
    return false;
  atomic_store(&taken, before.sa_handler == SIG_DFL);
  if (!atomic_load(&taken))
    sigaction(SIGSEGV, &before, NULL);
  return atomic_load(&taken);
}

static stack_t alternate(const struct runtime *rt) {
  const struct slot *slot = rt->hub.stacks.scratch;
  return (stack_t){.ss_sp = slot->low, .ss_size = (size_t)(slot->top - slot->low)};
}

static void lend_stack(const struct runtime *rt) {
  stack_t ours = alternate(rt), before;
  if (sigaltstack(&ours, &before) == 0 && !(before.ss_flags & SS_DISABLE))
    sigaltstack(&before, NULL);
}

void l_open_faults(struct runtime *rt) {
  rt->thread = pthread_self();
  if (!take_signal())
    return;
  for (int i = 0; i < RUNTIMES; i++) {
    struct runtime *none = NULL;
    if (atomic_compare_exchange_strong(&runtimes[i], &none, rt)) {
      lend_stack(rt);
      return;
    }
  }
}

static void take_stack_back(const struct runtime *rt) {
  stack_t ours = alternate(rt), none = {.ss_flags = SS_DISABLE}, before;
  if (sigaltstack(&none, &before) == 0 && before.ss_sp != ours.ss_sp)
    sigaltstack(&before, NULL);
}

void l_close_faults(struct runtime *rt) {
  for (int i = 0; i < RUNTIMES; i++) {
    struct runtime *it = rt;
    if (!atomic_compare_exchange_strong(&runtimes[i], &it, NULL))
      continue;
    take_stack_back(rt);
    for (int other = 0; other < RUNTIMES; other++)
      if ((it = runtimes[other]) && pthread_equal(it->thread, pthread_self()))
        lend_stack(it);
  }
}
