#include "lua_binding/ticker.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* glibc hides the name of the member. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static bool make(struct ticker *ticker) {
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGURG;
  event.sigev_value.sival_int = ticker->value;
  event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
  ticker->made = syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ticker->id) == 0;
  return ticker->made;
}

static struct timespec to_timespec(double seconds) {
  struct timespec time = {.tv_sec = (time_t)seconds};
  time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
  return time;
}

bool ticker_set(struct ticker *ticker, double first, double interval) {
  struct itimerspec times = {.it_value = to_timespec(first), .it_interval = to_timespec(interval)};
  if (!ticker->made && (first == 0 || !make(ticker)))
    return first == 0;
  return syscall(SYS_timer_settime, ticker->id, 0, &times, NULL) == 0;
}

void ticker_end(struct ticker *ticker) {
  if (ticker->made)
    syscall(SYS_timer_delete, ticker->id);
  ticker->made = false;
}
