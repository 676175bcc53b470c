/*
 * clock.h: the one function that tells the time to timers.
 *
 * Seconds of CLOCK_MONOTONIC. Everything that waits reads the time here and
 * nowhere else, so that another clock can take its place.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline double clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline uint64_t clock_nanoseconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The same clock for those who only look on: observers. */
static inline uint64_t clock_nanoseconds(void) {
  return clock_nanoseconds_of(CLOCK_MONOTONIC);
}

#endif
