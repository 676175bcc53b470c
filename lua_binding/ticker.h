/*
 * ticker.h: a timer that sends a signal to the thread that made it.
 *
 * By POSIX timers of CLOCK_MONOTONIC and by bare system calls: what is here is
 * safe in signal handlers, and a timer that is never set costs nothing. The
 * signal is SIGURG: whoever does not listen for it ignores it, so none that is
 * on its way can end a program.
 */
#ifndef LUA_BINDING_TICKER_H
#define LUA_BINDING_TICKER_H

#include <signal.h>
#include <stdbool.h>

struct ticker {
  int value;    /* the si_value of its signals, whose si_code is SI_TIMER */
  int id;       /* the kernel's */
  bool made;
};

/* Tick in `first` seconds and then every `interval` seconds, 0: once. A first of
 * 0 stops it. False if the kernel has no more timers. */
bool ticker_set(struct ticker *ticker, double first, double interval);

/* Give it back to the kernel. */
void ticker_end(struct ticker *ticker);

/* The child of a fork has none of its parent's timers. */
static inline void ticker_forget(struct ticker *ticker) {
  ticker->made = false;
}

#endif
