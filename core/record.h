/*
 * record.h: an observer that notes what happens, cheaply.
 *
 * What happens becomes records of 32 bytes. They are kept in a ring, the last ones
 * of which are there at any time (a flight recorder), or go to a file without a
 * name, all of them. trace.h makes something to look at of them, afterwards.
 *
 * One record tells a whole switch: who goes on, and what the other does instead.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/lanes.h"
#include "core/observer.h"

enum record_kind {
  RECORD_SWITCH,  /* from other to who; other now waits for what, object, at place; what is
                     NULL: it is ready; RECORD_ENDED: it is no more, RECORD_AWAY: the hub */
  RECORD_READY,   /* who is ready, by other */
  RECORD_SEEN,    /* who was spawned by other at place, to run the function object */
  RECORD_FOUND,   /* the same, but it was there before; RECORD_STATE follows */
  RECORD_STATE,   /* who waits as in RECORD_SWITCH */
  RECORD_NAME,    /* of who is object */
  RECORD_POLL,    /* the hub asks the kernel, and has done so */
  RECORD_POLLED,
  RECORD_KILL,    /* other has sent who an error */
  RECORD_LINK,    /* other has linked itself to who */
  RECORD_END,     /* who has ended; object: enum record_how */
};

enum record_how { RECORD_BY_VALUE, RECORD_BY_ERROR, RECORD_BY_KILL };

extern const char RECORD_ENDED[], RECORD_AWAY[];

struct record {
  uint64_t at : 56;         /* nanoseconds since the recorder began */
  uint64_t kind : 8;
  const char *what;
  uint32_t who, other;      /* serials */
  uint32_t object;          /* a text's number; with RECORD_GREENLET set, a serial */
  uint32_t place;           /* a text's number */
};

#define RECORD_GREENLET (UINT32_C(1) << 31)

struct recorder;

/* What a host knows of its greenlets: all of it numbers of texts, 0: not known. Called in
 * the middle of switches, as observers are. */
struct recorder_host {
  /* Fill in spawner, place, function and name. */
  void (*describe)(struct recorder *, struct greenlet *, struct lane *);
  /* What it waits for, and where. */
  uint32_t (*object)(struct recorder *, const struct greenlet *);
  uint32_t (*place)(const struct greenlet *);
  enum record_how (*how)(const struct greenlet *);
};

struct recorder {
  struct observer observer;
  struct hub *hub;
  const struct recorder_host *host;
  void *data;               /* the host's */
  struct record *records;   /* a ring, or what does not stand in the file yet */
  uint64_t total;           /* records so far */
  uint64_t lost;            /* that could not be written */
  size_t mask;              /* of the number of a record to its place in records */
  struct lanes living;      /* a ring: those whose beginning it may have forgotten */
  uint64_t began, ended;    /* clock_nanoseconds */
  uint64_t cpu_began, cpu_ended; /* nanoseconds of the process */
  pid_t pid;                /* whose it is: a child of a fork writes nothing */
  int file;                 /* -1: a ring */
  int error;                /* errno of the first write that failed */
};

/* A ring of so many records, a power of two. 0 or -ENOMEM. */
int recorder_init_ring(struct recorder *recorder, struct hub *hub, size_t records,
                       const struct recorder_host *host, void *data);

/* All records, in a file that is beside `path`, which is to be written in the end, and has no
 * name. 0, -ENOMEM or the error of the file. */
int recorder_init_file(struct recorder *recorder, struct hub *hub, const char *path,
                       const struct recorder_host *host, void *data);

/* Observe from now on, beginning with those that are there already; no more. */
void recorder_start(struct recorder *recorder);
void recorder_stop(struct recorder *recorder);
/* What trace_write shows ends here, though it may go on. */
void recorder_stop_clock(struct recorder *recorder);
void recorder_term(struct recorder *recorder);

/* What it waits for, as in a record. */
uint32_t recorder_object(struct recorder *recorder, const struct greenlet *greenlet);

/* Records to be read in order: spans[0], then spans[1]. They are there until the next
 * record, or until recorder_close_spans. Safe in signal handlers. */
struct record_span {
  const struct record *records;
  size_t count;
};
struct record_spans {
  struct record_span spans[2];
  int error;                /* errno: why not all that is in the file is there */
  void *mapped;             /* to be given back */
  size_t mapped_bytes;
};
struct record_spans recorder_spans(const struct recorder *recorder);
void recorder_close_spans(struct record_spans *spans);

#endif
