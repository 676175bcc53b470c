#include "core/trace.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/clock.h"
#include "core/hub.h"

/* Between two values of the counters, at least. */
enum { COUNTER_NANOSECONDS = 10000 };

struct writer {
  struct output output;
  struct recorder *recorder;
  const struct trace_host *host;
  const char *script;
  struct lanes lanes;
  struct lane nobody;
  bool writing;             /* what comes now is to be told, not only followed */
  bool first;               /* event */
  bool careful;
  uint64_t from, now;       /* nanoseconds */
  uint64_t counted;         /* when the counters were last written */
  uint64_t living, ready, living_told, ready_told;
  uint64_t runs_since;
  uint32_t runs;            /* serial; 0: nobody */
  uint32_t arrows;
};

/* ---- Pieces of events ---- */

static void put(struct writer *writer, const char *text) {
  output_text(&writer->output, text);
}

static const char *text_of(const struct writer *writer, uint32_t number) {
  return number ? writer->host->text(writer->recorder, number) : NULL;
}

/* {"ph":"X","pid":1,"tid":2 */
static void begin(struct writer *writer, const char *phase, uint32_t tid) {
  put(writer, writer->first ? "\n{\"ph\":\"" : ",\n{\"ph\":\"");
  writer->first = false;
  put(writer, phase);
  put(writer, "\",\"pid\":");
  output_number(&writer->output, (uint64_t)writer->recorder->pid);
  put(writer, ",\"tid\":");
  output_number(&writer->output, tid);
}

static void put_time(struct writer *writer, const char *key, uint64_t nanoseconds) {
  put(writer, ",\"");
  put(writer, key);
  put(writer, "\":");
  output_microseconds(&writer->output, nanoseconds);
}

static void put_kind(struct writer *writer, const char *category) {
  put(writer, ",\"cat\":\"");
  put(writer, category);
  put(writer, "\",\"name\":\"");
}

/* "key":"text" of a text's number, before it `separator`; nothing without a text. */
static bool put_member(struct writer *writer, const char *separator, const char *key,
                       uint32_t number) {
  const char *text = text_of(writer, number);
  if (!text)
    return false;
  put(writer, separator);
  put(writer, "\"");
  put(writer, key);
  put(writer, "\":\"");
  output_escaped(&writer->output, text);
  put(writer, "\"");
  return true;
}

static void put_name(struct writer *writer, uint32_t serial, uint32_t number) {
  const char *name = text_of(writer, number);
  if (name) {
    output_escaped(&writer->output, name);
    return;
  }
  put(writer, "greenlet ");
  output_number(&writer->output, serial);
}

/* ---- Tracks ---- */

static void put_track(struct writer *writer, struct lane *lane) {
  lane->told = true;
  begin(writer, "M", lane->serial);
  put(writer, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
  put_name(writer, lane->serial, lane->name);
  put(writer, "\"");
  put_member(writer, ",", "function", lane->function);
  if (lane->spawner) {
    put(writer, ",\"spawner\":");
    output_number(&writer->output, lane->spawner);
  }
  put_member(writer, ",", "spawned", lane->place);
  put(writer, "}}");
  begin(writer, "M", lane->serial);
  put(writer, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":");
  output_number(&writer->output, lane->serial);
  put(writer, "}}");
}

/* Is an event of this greenlet to be written? Its track is there then. */
static bool tells_of(struct writer *writer, struct lane *lane) {
  if (writer->writing && !lane->told)
    put_track(writer, lane);
  return writer->writing;
}

/* Without memory for a lane what it does is not told. */
static struct lane *lane_of(struct writer *writer, uint32_t serial) {
  struct lane *lane = lanes_make(&writer->lanes, serial);
  if (lane)
    return lane;
  writer->nobody = (struct lane){.serial = serial, .told = true};
  return &writer->nobody;
}

/* ---- Slices ---- */

static bool begin_slice(struct writer *writer, struct lane *lane, uint64_t since,
                        const char *category) {
  since = since > writer->from ? since : writer->from;
  if (writer->now <= since || !tells_of(writer, lane))
    return false;
  begin(writer, "X", lane->serial);
  put_time(writer, "ts", since);
  put_time(writer, "dur", writer->now - since);
  put_kind(writer, category);
  return true;
}

/* What it waits for is a word for the kind of wait, or what the object is called. */
static void put_wait(struct writer *writer, const struct lane *lane) {
  if (lane->object & RECORD_GREENLET) {
    put(writer, lane->what);
    put(writer, lane->what == WAIT_SWITCH ? " to " : " ");
    put_name(writer, lane->object & ~RECORD_GREENLET, lane->target);
    return;
  }
  const char *object = text_of(writer, lane->object);
  if (!object || (lane->what != WAIT_WATCHER && lane->what != WAIT_LINKS))
    put(writer, lane->what);
  if (object && lane->what != WAIT_WATCHER && lane->what != WAIT_LINKS)
    put(writer, " ");
  if (object)
    output_escaped(&writer->output, object);
}

static void put_waiting(struct writer *writer, struct lane *lane) {
  if (!begin_slice(writer, lane, lane->since, "wait"))
    return;
  put_wait(writer, lane);
  put(writer, "\",\"args\":{\"reason\":\"");
  put(writer, lane->what);
  put(writer, "\"");
  put_member(writer, ",", "line", lane->waits_at);
  put(writer, "}}");
}

static void put_ready(struct writer *writer, struct lane *lane) {
  if (begin_slice(writer, lane, lane->since, "ready"))
    put(writer, "ready\"}");
}

static void put_running(struct writer *writer, struct lane *lane) {
  if (begin_slice(writer, lane, writer->runs_since, "run"))
    put(writer, "run\"}");
}

/* What it did until now. */
static void close_slice(struct writer *writer, struct lane *lane) {
  if (lane->state == LANE_WAITS)
    put_waiting(writer, lane);
  else if (lane->state == LANE_READY)
    put_ready(writer, lane);
  else if (lane->state == LANE_RUNS)
    put_running(writer, lane);
  if (lane->state == LANE_READY)
    writer->ready--;
}

static void enter(struct writer *writer, struct lane *lane, enum lane_state state) {
  close_slice(writer, lane);
  lane->state = (uint8_t)state;
  lane->since = writer->now;
  if (state == LANE_READY)
    writer->ready++;
}

/* One that it waits for may be gone when the wait is over. */
static void set_object(struct writer *writer, struct lane *lane, uint32_t object) {
  const struct lane *target =
      (object & RECORD_GREENLET) ? lanes_find(&writer->lanes, object & ~RECORD_GREENLET) : NULL;
  lane->object = object;
  lane->target = target ? target->name : 0;
}

static void enter_wait(struct writer *writer, struct lane *lane, const struct record *record) {
  enter(writer, lane, LANE_WAITS);
  lane->what = record->what;
  lane->waits_at = record->place;
  set_object(writer, lane, record->object);
}

/* ---- Arrows, marks and counters ---- */

static void put_arrow(struct writer *writer, const char *phase, struct lane *lane,
                      uint32_t arrow) {
  if (!tells_of(writer, lane))
    return;
  begin(writer, phase, lane->serial);
  put_time(writer, "ts", writer->now);
  put_kind(writer, "wake");
  put(writer, *phase == 'f' ? "wake\",\"bp\":\"e\",\"id\":" : "wake\",\"id\":");
  output_number(&writer->output, arrow);
  put(writer, "}");
}

static bool begin_mark(struct writer *writer, struct lane *lane, const char *what) {
  if (!tells_of(writer, lane))
    return false;
  begin(writer, "i", lane->serial);
  put_time(writer, "ts", writer->now);
  put(writer, ",\"s\":\"t\"");
  put_kind(writer, what);
  put(writer, what);
  put(writer, "\",\"args\":{");
  return true;
}

static void put_mark(struct writer *writer, const char *what, uint32_t by, uint32_t target,
                     uint32_t place) {
  if (!by || !begin_mark(writer, lane_of(writer, by), what))
    return;
  put(writer, "\"target\":");
  output_number(&writer->output, target);
  put_member(writer, ",", "line", place);
  put(writer, "}}");
}

static void put_end(struct writer *writer, struct lane *lane, uint32_t how) {
  static const char *const words[] = {"value", "error", "killed"};
  if (!begin_mark(writer, lane, "end"))
    return;
  put(writer, "\"how\":\"");
  put(writer, words[how <= RECORD_BY_KILL ? how : RECORD_BY_VALUE]);
  put(writer, "\"}}");
}

static void put_counters(struct writer *writer) {
  if (!writer->writing || (writer->living == writer->living_told &&
                           writer->ready == writer->ready_told))
    return;
  writer->living_told = writer->living;
  writer->ready_told = writer->ready;
  writer->counted = writer->now;
  begin(writer, "C", writer->recorder->hub->self.serial);
  put_time(writer, "ts", writer->now);
  put(writer, ",\"name\":\"greenlets\",\"args\":{\"living\":");
  output_number(&writer->output, writer->living);
  put(writer, ",\"ready\":");
  output_number(&writer->output, writer->ready);
  put(writer, "}}");
}

/* ---- Following the records ---- */

/* Nobody runs any more: who did has ended, or is the hub. */
static void stop_running(struct writer *writer, bool ended) {
  uint32_t serial = writer->runs;
  writer->runs = 0;
  if (!serial)
    return;
  enter(writer, lane_of(writer, serial), LANE_UNKNOWN);
  if (ended)
    lanes_remove(&writer->lanes, serial);
}

static void run(struct writer *writer, uint32_t serial) {
  struct lane *lane = lane_of(writer, serial);
  enter(writer, lane, LANE_RUNS);
  if (lane->arrow)
    put_arrow(writer, "f", lane, lane->arrow);
  lane->arrow = 0;
  writer->runs = serial;
  writer->runs_since = writer->now;
}

static void follow_switch(struct writer *writer, const struct record *record) {
  struct lane *left = record->other ? lane_of(writer, record->other) : NULL;
  if (left && !record->what)
    enter(writer, left, LANE_READY);
  else if (left && record->what != RECORD_ENDED && record->what != RECORD_AWAY)
    enter_wait(writer, left, record);
  else
    stop_running(writer, record->what == RECORD_ENDED);
  run(writer, record->who);
}

static void follow_ready(struct writer *writer, const struct record *record) {
  struct lane *lane = lane_of(writer, record->who);
  if (lane->state == LANE_READY)
    return;
  enter(writer, lane, LANE_READY);
  if (!writer->writing)
    return;
  lane->arrow = ++writer->arrows;
  uint32_t arrow = lane->arrow;
  put_arrow(writer, "s", lane_of(writer, record->other), arrow);
}

static void know(struct writer *writer, struct lane *lane, const struct record *record) {
  writer->living++;
  lane->spawner = record->other;
  lane->place = record->place;
  lane->function = record->object;
}

static void follow_end(struct writer *writer, const struct record *record) {
  struct lane *lane = lane_of(writer, record->who);
  put_end(writer, lane, record->object);
  writer->living -= writer->living > 0;
  if (writer->runs == record->who) /* it tells its links, and goes at the next switch */
    return;
  enter(writer, lane, LANE_ENDED);
  lanes_remove(&writer->lanes, record->who);
}

static void follow_poll(struct writer *writer, bool begins) {
  static const char poll[] = "poll";
  uint32_t hub = writer->recorder->hub->self.serial;
  struct lane *lane = lane_of(writer, hub);
  if (begins) {
    stop_running(writer, false);
    enter(writer, lane, LANE_WAITS);
    lane->what = poll;
    lane->object = lane->waits_at = 0;
  } else {
    run(writer, hub);
  }
}

static void follow(struct writer *writer, const struct record *record) {
  struct lane *lane;
  if (record->at - writer->now >= COUNTER_NANOSECONDS) /* what they were meanwhile */
    put_counters(writer);
  writer->now = record->at;
  switch ((enum record_kind)record->kind) {
    case RECORD_SWITCH: follow_switch(writer, record); break;
    case RECORD_READY: follow_ready(writer, record); break;
    case RECORD_SEEN:
      know(writer, lane_of(writer, record->who), record);
      put_mark(writer, "spawn", record->other, record->who, record->place);
      break;
    case RECORD_FOUND: know(writer, lane_of(writer, record->who), record); break;
    case RECORD_STATE:
      lane = lane_of(writer, record->who);
      if (!record->what)
        enter(writer, lane, LANE_READY);
      else if (record->what != RECORD_AWAY)
        enter_wait(writer, lane, record);
      break;
    case RECORD_NAME:
      lane = lane_of(writer, record->who);
      lane->name = record->object;
      if (lane->told)
        put_track(writer, lane);
      break;
    case RECORD_POLL: follow_poll(writer, true); break;
    case RECORD_POLLED: follow_poll(writer, false); break;
    case RECORD_KILL: put_mark(writer, "kill", record->other, record->who, 0); break;
    case RECORD_LINK: put_mark(writer, "link", record->other, record->who, 0); break;
    case RECORD_END: follow_end(writer, record); break;
  }
  if (writer->now - writer->counted >= COUNTER_NANOSECONDS)
    put_counters(writer);
}

/* ---- The whole ---- */

/* What a ring knows of the living, whose records it may have overwritten. */
static void take_living(struct writer *writer) {
  const struct lanes *living = &writer->recorder->living;
  for (size_t i = 0; i < living->room; i++) {
    const struct lane *known = &living->table[i];
    if (!known->serial)
      continue;
    struct lane *lane = lane_of(writer, known->serial);
    *lane = *known;
  }
}

/* How many there were before the first record: of those now, some were spawned since. */
static void count_living(struct writer *writer, const struct record_spans *spans) {
  uint64_t living = writer->recorder->living.count, spawned = 0;
  for (int i = 0; i < 2; i++)
    for (size_t at = 0; at < spans->spans[i].count; at++) {
      uint64_t kind = spans->spans[i].records[at].kind;
      living += kind == RECORD_END;
      spawned += kind == RECORD_SEEN || kind == RECORD_FOUND;
    }
  writer->living = living > spawned ? living - spawned : 0;
}

/* Those that have not been heard of wait since before the first record. */
static void put_silent(struct writer *writer, struct greenlet *greenlet) {
  struct lane *lane = lanes_find(&writer->lanes, greenlet->serial);
  if (!lane || lane->state != LANE_UNKNOWN || greenlet == writer->recorder->hub->current)
    return;
  if (greenlet->state == GREENLET_WAITING || greenlet->state == GREENLET_SUSPENDED) {
    lane->state = LANE_WAITS;
    lane->what = greenlet->wait.what ? greenlet->wait.what : WAIT_SWITCH;
    set_object(writer, lane,
               writer->careful ? 0 : recorder_object(writer->recorder, greenlet));
    lane->waits_at = writer->recorder->host->place(greenlet);
  } else if (greenlet->state == GREENLET_READY) {
    lane->state = LANE_READY;
    writer->ready++;
  }
  lane->since = writer->from;
}

static void put_all_silent(struct writer *writer) {
  struct hub *hub = writer->recorder->hub;
  const struct list *head = &hub->greenlets;
  if (writer->recorder->file >= 0)
    return;
  put_silent(writer, &hub->main);
  for (const struct list *node = head->next; node != head; node = node->next)
    put_silent(writer, container_of(node, struct greenlet, all));
}

/* All that goes on when the trace ends. */
static void close_all(struct writer *writer, uint64_t to) {
  writer->now = writer->now > to ? writer->now : to;
  put_all_silent(writer);
  put_counters(writer);
  for (size_t i = 0; i < writer->lanes.room; i++) {
    struct lane *lane = &writer->lanes.table[i];
    if (!lane->serial || lane->state == LANE_ENDED)
      continue;
    tells_of(writer, lane);
    close_slice(writer, lane);
  }
}

static void put_rest(struct writer *writer, uint64_t lost, uint64_t to) {
  const struct recorder *recorder = writer->recorder;
  put(writer, "\n],\n\"otherData\":{\"program\":\"");
  put(writer, writer->host->program);
  put(writer, "\",\"script\":\"");
  output_escaped(&writer->output, writer->script);
  put(writer, "\",\"events\":");
  output_number(&writer->output, recorder->total - lost);
  put(writer, ",\"lost\":");
  output_number(&writer->output, lost);
  put_time(writer, "from", writer->from);
  put_time(writer, "to", to);
  put_time(writer, "cpu", recorder->cpu_ended - recorder->cpu_began);
  if (writer->host->more && !writer->careful)
    writer->host->more(&writer->output, recorder);
  put(writer, "}}\n");
}

static void put_head(struct writer *writer) {
  put(writer, "{\"traceEvents\":["); /* no displayTimeUnit: some took times to be of that unit */
  begin(writer, "M", writer->recorder->hub->main.serial);
  put(writer, ",\"name\":\"process_name\",\"args\":{\"name\":\"greenlua ");
  output_escaped(&writer->output, writer->script);
  put(writer, "\"}}");
}

/* Follow the records; the first `skipped` are not to be seen. */
static void put_records(struct writer *writer, const struct record_spans *spans,
                        uint64_t skipped) {
  bool begun = false;
  for (int i = 0; i < 2; i++)
    for (size_t at = 0; at < spans->spans[i].count; at++) {
      const struct record *record = &spans->spans[i].records[at];
      if (skipped > 0) {
        skipped--;
      } else if (!begun) {
        begun = writer->writing = true;
        writer->from = writer->now = record->at;
      }
      follow(writer, record);
    }
  writer->writing = true;
}

static int write_all(struct writer *writer, uint64_t most) {
  const struct recorder *recorder = writer->recorder;
  struct record_spans spans = recorder_spans(recorder);
  uint64_t there = spans.spans[0].count + spans.spans[1].count;
  uint64_t skipped = most && there > most ? there - most : 0;
  /* What could not be written came last. */
  uint64_t to = recorder->error ? 0 : recorder->ended - recorder->began;
  put_head(writer);
  if (recorder->file < 0) {
    take_living(writer);
    count_living(writer, &spans);
  }
  put_records(writer, &spans, skipped);
  close_all(writer, to);
  put_rest(writer, recorder->total - there + skipped, writer->now);
  recorder_close_spans(&spans);
  lanes_term(&writer->lanes);
  int error = output_flush(&writer->output);
  return error ? -error : -spans.error;
}

int trace_write(struct recorder *recorder, const struct trace_host *host, const char *script,
                int file, uint64_t most, bool careful) {
  struct writer *writer = mmap(NULL, sizeof *writer, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (writer == MAP_FAILED)
    return -ENOMEM;
  writer->recorder = recorder;
  writer->host = host;
  writer->script = script ? script : "";
  writer->careful = careful;
  writer->first = true;
  output_init(&writer->output, file);
  int result = write_all(writer, most);
  munmap(writer, sizeof *writer);
  return result;
}
