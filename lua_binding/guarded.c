#include "lua_binding/guarded.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

_Static_assert(sizeof(pthread_t) == sizeof(uintptr_t), "a thread's name is a number");

/* What faults do is a matter of the whole process: one thread at a time. In that it may be
 * nested, since a signal may interrupt a handler. */
static _Atomic uintptr_t owner; /* a pthread_t; 0: none */
static sigjmp_buf *no_sense;    /* of the innermost */
static struct sigaction segv, bus;

static uintptr_t self(void) {
  return (uintptr_t)pthread_self();
}

static void on_fault(int number) {
  if (atomic_load(&owner) == self() && no_sense)
    siglongjmp(*no_sense, 1);
  signal(number, SIG_DFL); /* another thread dies of its own */
}

/* Wait for another thread, but not for one that a fork has left behind. */
static bool enter(void) {
  enum { TRIES = 2000 };
  const struct timespec millisecond = {.tv_nsec = 1000000};
  struct sigaction guard = {.sa_handler = on_fault};
  uintptr_t nobody = 0;
  for (int i = 0; !atomic_compare_exchange_strong(&owner, &nobody, self()); i++, nobody = 0) {
    if (i == TRIES)
      return false;
    nanosleep(&millisecond, NULL);
  }
  sigaction(SIGSEGV, &guard, &segv);
  sigaction(SIGBUS, &guard, &bus);
  return true;
}

static void leave(void) {
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  atomic_store(&owner, 0);
}

bool l_guarded(void (*read)(void *data), void *data) {
  sigjmp_buf here, *volatile outer = NULL;
  volatile bool made_sense = false;
  volatile bool nested = atomic_load(&owner) == self();
  if (!nested && !enter())
    return false;
  outer = no_sense;
  if (sigsetjmp(here, 1) == 0) {
    no_sense = &here;
    read(data);
    made_sense = true;
  }
  no_sense = outer;
  if (!nested)
    leave();
  return made_sense;
}
