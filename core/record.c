#define _GNU_SOURCE /* O_TMPFILE */
#include "core/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hub.h"
#include "core/output.h"

const char RECORD_ENDED[] = "ended", RECORD_AWAY[] = "away";

_Static_assert(sizeof(struct record) == 32, "two records share a cache line");

enum { FILE_RECORDS = 1 << 11 }; /* 64 KB at a time */
#define TIME_MASK ((UINT64_C(1) << 56) - 1)

static struct recorder *of(struct observer *observer) {
  return container_of(observer, struct recorder, observer);
}

/* ---- Keeping records ---- */

/* The records are full. The child of a fork shares the file with its parent, whose it is. */
static void flush(struct recorder *recorder) {
  size_t count = recorder->mask + 1;
  if (recorder->error || recorder->pid != getpid()) {
    recorder->lost += count;
    return;
  }
  if (output_write(recorder->file, (const char *)recorder->records, count * sizeof(struct record)))
    return;
  recorder->error = errno;
  recorder->lost += count;
}

static void add(struct recorder *recorder, struct record record) {
  int error = errno;
  record.at = (clock_nanoseconds() - recorder->began) & TIME_MASK;
  recorder->records[recorder->total & recorder->mask] = record;
  recorder->total++;
  if ((recorder->total & recorder->mask) == 0 && recorder->file >= 0)
    flush(recorder);
  errno = error;
}

/* ---- Observing ---- */

/* A ring forgets who was spawned by whom; the living keep that, as long as they live. */
static void keep(struct recorder *recorder, const struct lane *facts) {
  if (recorder->file >= 0)
    return;
  struct lane *lane = lanes_make(&recorder->living, facts->serial);
  if (lane)
    *lane = *facts;
}

static void see(struct recorder *recorder, struct greenlet *greenlet, enum record_kind kind) {
  struct lane facts = {.serial = greenlet->serial};
  recorder->host->describe(recorder, greenlet, &facts);
  keep(recorder, &facts);
  add(recorder, (struct record){.kind = kind, .who = facts.serial, .other = facts.spawner,
                                .object = facts.function, .place = facts.place});
  if (facts.name)
    add(recorder, (struct record){.kind = RECORD_NAME, .who = facts.serial,
                                  .object = facts.name});
}

/* Whom one has switched to may be no more by now: the switch itself tells. */
uint32_t recorder_object(struct recorder *recorder, const struct greenlet *greenlet) {
  const struct wait *wait = &greenlet->wait;
  if (!wait->what || wait->what == WAIT_SWITCH)
    return 0;
  if (wait->what == WAIT_JOIN)
    return greenlet_serial((struct greenlet *)wait->object) | RECORD_GREENLET;
  return recorder->host->object(recorder, greenlet);
}

/* What a greenlet that does not run does instead. */
static void tell_state(struct recorder *recorder, const struct greenlet *greenlet,
                       struct record *record) {
  if (greenlet == &recorder->hub->self) {
    record->what = RECORD_AWAY;
  } else if (greenlet->state == GREENLET_WAITING || greenlet->state == GREENLET_SUSPENDED) {
    record->what = greenlet->wait.what ? greenlet->wait.what : WAIT_SWITCH;
    record->object = recorder_object(recorder, greenlet);
    record->place = recorder->host->place(greenlet);
  }
}

static void spawned(struct observer *observer, struct greenlet *greenlet) {
  see(of(observer), greenlet, RECORD_SEEN);
}

static void switched(struct observer *observer, struct greenlet *origin,
                     struct greenlet *target) {
  struct recorder *recorder = of(observer);
  struct record record = {.kind = RECORD_SWITCH, .who = greenlet_serial(target)};
  if (origin) {
    record.other = greenlet_serial(origin);
    tell_state(recorder, origin, &record);
    if (record.what == WAIT_SWITCH)
      record.object = record.who | RECORD_GREENLET;
  } else {
    record.what = RECORD_ENDED;
  }
  add(recorder, record);
}

/* Of one that only lets others go first there is nothing to tell. */
static void readied(struct observer *observer, struct greenlet *greenlet) {
  struct recorder *recorder = of(observer);
  struct greenlet *current = recorder->hub->current;
  if (greenlet == current)
    return;
  add(recorder, (struct record){.kind = RECORD_READY, .who = greenlet_serial(greenlet),
                                .other = greenlet_serial(current)});
}

static void polling(struct observer *observer, bool begins) {
  struct recorder *recorder = of(observer);
  add(recorder, (struct record){.kind = begins ? RECORD_POLL : RECORD_POLLED,
                                .who = recorder->hub->self.serial});
}

static void note(struct observer *observer, enum record_kind kind, struct greenlet *greenlet) {
  struct recorder *recorder = of(observer);
  add(recorder, (struct record){.kind = kind, .who = greenlet_serial(greenlet),
                                .other = greenlet_serial(recorder->hub->current)});
}

static void killed(struct observer *observer, struct greenlet *greenlet) {
  note(observer, RECORD_KILL, greenlet);
}

static void linked(struct observer *observer, struct greenlet *greenlet) {
  note(observer, RECORD_LINK, greenlet);
}

static void ended(struct observer *observer, struct greenlet *greenlet) {
  struct recorder *recorder = of(observer);
  uint32_t who = greenlet_serial(greenlet);
  add(recorder, (struct record){.kind = RECORD_END, .who = who,
                                .object = recorder->host->how(greenlet)});
  lanes_remove(&recorder->living, who);
}

static void named(struct observer *observer, struct greenlet *greenlet) {
  struct recorder *recorder = of(observer);
  struct lane facts = {.serial = greenlet->serial};
  if (!greenlet->serial || greenlet_dead(greenlet)) /* it is named when it is seen */
    return;
  recorder->host->describe(recorder, greenlet, &facts);
  keep(recorder, &facts);
  add(recorder, (struct record){.kind = RECORD_NAME, .who = facts.serial, .object = facts.name});
}

/* ---- Life ---- */

static int init(struct recorder *recorder, struct hub *hub, size_t records, int file,
                const struct recorder_host *host, void *data) {
  *recorder = (struct recorder){
      .observer = {.spawned = spawned, .switched = switched, .readied = readied, .polling = polling,
                   .killed = killed, .linked = linked, .ended = ended, .named = named},
      .hub = hub, .host = host, .data = data, .mask = records - 1, .file = file,
      .pid = getpid()};
  recorder->records = mmap(NULL, records * sizeof *recorder->records, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (recorder->records != MAP_FAILED)
    return 0;
  if (file >= 0)
    close(file);
  return -ENOMEM;
}

int recorder_init_ring(struct recorder *recorder, struct hub *hub, size_t records,
                       const struct recorder_host *host, void *data) {
  return init(recorder, hub, records, -1, host, data);
}

/* Not all file systems have files without a name: then it loses its name at once. */
static int open_nameless(const char *path) {
  char name[PATH_MAX];
  const char *slash = strrchr(path, '/');
  int length = slash == path ? 1 : slash ? (int)(slash - path) : 1;
  const char *directory = slash ? path : ".";
  if (snprintf(name, sizeof name, "%.*s", length, directory) >= (int)sizeof name)
    return -ENAMETOOLONG;
  int file = open(name, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0)
    return file;
  if (snprintf(name, sizeof name, "%.*s/.greenlua-XXXXXX", length, directory) >=
      (int)sizeof name)
    return -ENAMETOOLONG;
  file = mkostemp(name, O_CLOEXEC);
  if (file < 0)
    return -errno;
  unlink(name);
  return file;
}

int recorder_init_file(struct recorder *recorder, struct hub *hub, const char *path,
                       const struct recorder_host *host, void *data) {
  int file = open_nameless(path);
  return file < 0 ? file : init(recorder, hub, FILE_RECORDS, file, host, data);
}

static void find(struct recorder *recorder, struct greenlet *greenlet) {
  greenlet_serial(greenlet);
  see(recorder, greenlet, RECORD_FOUND);
  struct record record = {.kind = RECORD_STATE, .who = greenlet->serial};
  if (greenlet == recorder->hub->current || greenlet->state == GREENLET_NEW) /* its timer runs */
    return;
  tell_state(recorder, greenlet, &record);
  add(recorder, record);
}

void recorder_stop_clock(struct recorder *recorder) {
  recorder->ended = clock_nanoseconds();
  recorder->cpu_ended = clock_nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void recorder_start(struct recorder *recorder) {
  struct hub *hub = recorder->hub;
  const struct list *head = &hub->greenlets;
  recorder->began = clock_nanoseconds();
  recorder->cpu_began = clock_nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
  find(recorder, &hub->main);
  find(recorder, &hub->self);
  for (const struct list *node = head->next; node != head; node = node->next)
    find(recorder, container_of(node, struct greenlet, all));
  bool ending = greenlet_dead(hub->current); /* its last words */
  if (ending)
    find(recorder, hub->current);
  /* Who goes on is told as by a switch. */
  add(recorder, (struct record){.kind = RECORD_SWITCH, .who = greenlet_serial(hub->current),
                                .what = RECORD_ENDED});
  hub_observe(hub, &recorder->observer);
  if (ending)
    ended(&recorder->observer, hub->current);
}

void recorder_stop(struct recorder *recorder) {
  hub_ignore(recorder->hub, &recorder->observer);
  recorder_stop_clock(recorder);
}

void recorder_term(struct recorder *recorder) {
  munmap(recorder->records, (recorder->mask + 1) * sizeof *recorder->records);
  lanes_term(&recorder->living);
  if (recorder->file >= 0)
    close(recorder->file);
}

/* ---- Reading ---- */

static struct record_spans ring_spans(const struct recorder *recorder) {
  size_t room = recorder->mask + 1, next = recorder->total & recorder->mask;
  const struct record *records = recorder->records;
  if (recorder->total < room)
    return (struct record_spans){.spans = {{records, next}}};
  return (struct record_spans){.spans = {{records + next, room - next}, {records, next}}};
}

static struct record_spans file_spans(const struct recorder *recorder) {
  struct record_spans spans = {.spans = {{NULL, 0}}};
  struct stat status;
  spans.spans[1] = (struct record_span){
      recorder->records, recorder->error ? 0 : recorder->total & recorder->mask};
  if (fstat(recorder->file, &status) < 0 || status.st_size < (off_t)sizeof(struct record))
    return spans;
  size_t bytes = (size_t)status.st_size;
  void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, recorder->file, 0);
  if (mapped == MAP_FAILED) {
    spans.error = errno;
    return spans;
  }
  spans.spans[0] = (struct record_span){mapped, bytes / sizeof(struct record)};
  spans.mapped = mapped;
  spans.mapped_bytes = bytes;
  return spans;
}

struct record_spans recorder_spans(const struct recorder *recorder) {
  return recorder->file < 0 ? ring_spans(recorder) : file_spans(recorder);
}

void recorder_close_spans(struct record_spans *spans) {
  if (spans->mapped)
    munmap(spans->mapped, spans->mapped_bytes);
  spans->mapped = NULL;
}
