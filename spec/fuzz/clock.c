#include "spec/fuzz/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds);

enum { TICK = 1000, MILLISECOND = 1000 * 1000, SECOND = 1000 * MILLISECOND };
static const long long BEGINNING = 1000LL * SECOND;

static bool started;
static long long nanoseconds;

void fuzz_clock_start(void) {
  started = true;
  nanoseconds = BEGINNING;
}

double fuzz_clock_seconds(void) {
  return (double)(nanoseconds - BEGINNING) / SECOND;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
  if (!started || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
    return __real_clock_gettime(clock, now);
  nanoseconds += TICK;
  now->tv_sec = nanoseconds / SECOND;
  now->tv_nsec = nanoseconds % SECOND;
  return 0;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
  int count = __real_epoll_wait(epoll, events, most, 0);
  if (!started || count != 0 || milliseconds == 0)
    return count;
  if (milliseconds < 0) {
    fputs("the loop waits for ever: no timer is active\n", stderr);
    abort();
  }
  nanoseconds += (long long)milliseconds * MILLISECOND;
  return 0;
}
