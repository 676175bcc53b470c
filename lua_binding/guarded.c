#include "lua_binding/guarded.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf no_sense;
static pthread_t reader;

static void on_fault(int number) {
  if (pthread_equal(pthread_self(), reader))
    siglongjmp(no_sense, 1);
  signal(number, SIG_DFL); /* another thread dies of its own */
}

bool l_guarded(void (*read)(void *data), void *data) {
  struct sigaction guard = {.sa_handler = on_fault}, segv, bus;
  volatile bool made_sense = false;
  reader = pthread_self();
  sigaction(SIGSEGV, &guard, &segv);
  sigaction(SIGBUS, &guard, &bus);
  if (sigsetjmp(no_sense, 1) == 0) {
    read(data);
    made_sense = true;
  }
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  return made_sense;
}
