/*
 * trace.h: what a recorder has recorded, as Chrome trace events.
 *
 * One object a line. A track (tid) for each greenlet, the number of which is its serial;
 * on it one slice after the other: run, ready, or what it waits for. Perfetto, and the
 * pages that greenlua writes, read it; docs/manual/trace_format.md says what is in it.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/output.h"
#include "core/record.h"

struct trace_host {
  /* A text by its number, for ever; NULL if there is none. Safe in signal handlers. */
  const char *(*text)(const struct recorder *, uint32_t number);
  const char *program;
  /* More members of otherData, each after a comma; NULL: none. */
  void (*more)(struct output *, const struct recorder *);
};

/*
 * Write the trace, at most the last `most` records (0: all). 0 or -errno. The recorder may go on
 * meanwhile only in another thread's absence: call it between two records. With `careful`,
 * in a signal handler, nothing is called that is not safe there.
 */
int trace_write(struct recorder *recorder, const struct trace_host *host, const char *script,
                int file, uint64_t most, bool careful);

#endif
