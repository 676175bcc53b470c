/*
 * lanes.h: what is known of each greenlet that a trace tells of, by its serial.
 *
 * The memory comes from mmap, so that a signal handler can write a trace: nothing
 * here calls malloc. One that interrupts a change may miss a lane, or see it twice.
 */
#ifndef CORE_LANES_H
#define CORE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lane_state { LANE_UNKNOWN, LANE_RUNS, LANE_READY, LANE_WAITS, LANE_ENDED };

struct lane {
  uint32_t serial;          /* 0: nobody's */
  uint32_t spawner;         /* serial; 0: not known. The others are numbers of texts: */
  uint32_t place;           /* where it was spawned */
  uint32_t function, name;
  /* For who follows the records (trace.c): */
  uint32_t waits_at, object;
  uint32_t target;          /* the name of the greenlet that the object is */
  uint32_t arrow;           /* which has woken it; 0: none */
  const char *what;         /* it waits for */
  uint64_t since;           /* it is in that state */
  uint8_t state;
  bool told;                /* it has a track */
};

struct lanes {
  struct lane *table;
  size_t room, count;       /* room: a power of two, or 0 */
};

/* The lane of a greenlet, or NULL. */
struct lane *lanes_find(const struct lanes *lanes, uint32_t serial);

/* The same, made if need be; NULL if there is no memory. Those found before may move. */
struct lane *lanes_make(struct lanes *lanes, uint32_t serial);

void lanes_remove(struct lanes *lanes, uint32_t serial);
void lanes_term(struct lanes *lanes);

#endif
