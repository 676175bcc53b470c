#include "core/trace.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/greenlet.h"
#include "spec/core/fixture.h"

/* ---- Lanes ---- */

/* Against a table that has all: in and out at random. */
static void lanes_keep_what_is_in_them(void) {
  enum { SERIALS = 5000, STEPS = 60000 };
  static bool in[SERIALS + 1];
  struct lanes lanes = {.table = NULL};
  uint32_t random = 12345;
  size_t count = 0;
  CHECK(!lanes_find(&lanes, 1));
  lanes_remove(&lanes, 1);
  for (int step = 0; step < STEPS; step++) {
    random = random * 1664525u + 1013904223u;
    uint32_t serial = (random >> 8) % SERIALS + 1;
    struct lane *lane = lanes_find(&lanes, serial);
    CHECK((lane != NULL) == in[serial]);
    if (lane) {
      CHECK_EQUAL(lane->place, serial * 7);
      lanes_remove(&lanes, serial);
    } else if ((lane = lanes_make(&lanes, serial))) {
      lane->place = serial * 7;
    }
    in[serial] = !in[serial];
    count += in[serial] ? 1 : -1UL;
    CHECK_EQUAL(lanes.count, count);
  }
  lanes_term(&lanes);
  CHECK(!lanes_find(&lanes, 1));
}

/* ---- Output ---- */

static char text[1 << 20];

static void open_output(struct output *output) {
  int file = memfd_create("output", 0);
  CHECK(file >= 0);
  output_init(output, file);
}

static const char *take_output(struct output *output) {
  CHECK_EQUAL(output_flush(output), 0);
  ssize_t length = pread(output->file, text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = '\0';
  close(output->file);
  return text;
}

static void expect_escaped(const char *given, const char *wanted) {
  static struct output output;
  open_output(&output);
  output_escaped(&output, given);
  if (strcmp(take_output(&output), wanted) != 0)
    fprintf(stderr, "got %s, want %s\n", text, wanted);
  CHECK(strcmp(text, wanted) == 0);
}

static void strings_are_data(void) {
  expect_escaped("", "");
  expect_escaped("plain", "plain");
  expect_escaped("a\"b\\c", "a\\u0022b\\u005cc");
  expect_escaped("</script>", "\\u003c/script>");
  expect_escaped("a\nb\tc\x01\x7f", "a\\u000ab\\u0009c\\u0001\\u007f");
  expect_escaped("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  expect_escaped("\xFF", "\\ufffd");
  expect_escaped("a\xC3", "a\\ufffd");            /* cut off */
  expect_escaped("\xC0\xAF", "\\ufffd\\ufffd");   /* longer than need be */
  expect_escaped("\xED\xA0\x80", "\\ufffd\\ufffd\\ufffd"); /* a surrogate */
  expect_escaped("\xF4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"); /* too large */
  expect_escaped("\x80z", "\\ufffdz");
}

static void expect_microseconds(uint64_t nanoseconds, const char *wanted) {
  static struct output output;
  open_output(&output);
  output_microseconds(&output, nanoseconds);
  CHECK(strcmp(take_output(&output), wanted) == 0);
}

static void numbers_are_exact(void) {
  expect_microseconds(0, "0");
  expect_microseconds(1, "0.001");
  expect_microseconds(10, "0.01");
  expect_microseconds(999, "0.999");
  expect_microseconds(1000, "1");
  expect_microseconds(1020, "1.02");
  expect_microseconds(123456789012, "123456789.012");
}

static void what_is_longer_than_the_buffer(void) {
  static struct output output;
  open_output(&output);
  for (int i = 0; i < 20000; i++)
    output_text(&output, "0123456789");
  take_output(&output);
  CHECK_EQUAL(strlen(text), 200000);
  CHECK(strncmp(text + 199990, "0123456789", 10) == 0);
}

static void a_file_that_is_full(void) {
  static struct output output;
  int file = open("/dev/full", O_WRONLY);
  if (file < 0)
    return;
  output_init(&output, file);
  output_text(&output, "lost");
  CHECK_EQUAL(output_flush(&output), ENOSPC);
  output_text(&output, "too");
  CHECK_EQUAL(output_flush(&output), ENOSPC);
  close(file);
}

/* ---- Records ---- */

static struct recorder recorder;

/* Names are numbers of these. */
static const char *const texts[] = {NULL, "named", "place", "function"};

static void describe(struct recorder *of, struct greenlet *greenlet, struct lane *facts) {
  (void)of;
  facts->name = greenlet->arg == &recorder;
  facts->place = 2;
  facts->function = 3;
  facts->spawner = hub.current->serial;
}

static uint32_t no_object(struct recorder *of, const struct greenlet *greenlet) {
  (void)of, (void)greenlet;
  return 0;
}

static uint32_t some_place(const struct greenlet *greenlet) {
  (void)greenlet;
  return 2;
}

static enum record_how how(const struct greenlet *greenlet) {
  return greenlet->error ? RECORD_BY_ERROR : RECORD_BY_VALUE;
}

static const char *text_of(const struct recorder *of, uint32_t number) {
  (void)of;
  return number < 4 ? texts[number] : NULL;
}

static const struct recorder_host recorder_host = {describe, no_object, some_place, how};
static const struct trace_host trace_host = {.text = text_of, .program = "test"};

static const char *take_trace(uint64_t most) {
  int file = memfd_create("trace", 0);
  CHECK_EQUAL(trace_write(&recorder, &trace_host, "script", file, most, false), 0);
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = '\0';
  close(file);
  recorder_term(&recorder);
  return text;
}

static int count(const char *what) {
  int found = 0;
  for (const char *at = text; (at = strstr(at, what)); at++)
    found++;
  return found;
}

static void *sleeps(struct greenlet *self, void *arg) {
  (void)arg;
  CHECK_EQUAL(waiter_sleep(self->hub, 0.001, true), 0);
  return NULL;
}

static void *joins(struct greenlet *self, void *arg) {
  (void)self;
  greenlet_join(arg, -1);
  return NULL;
}

static void a_program(void) {
  struct subject *sleeper = spawn(sleeps, &recorder);
  spawn(joins, &sleeper->greenlet);
  struct subject *victim = spawn(sleeps, NULL);
  CHECK_EQUAL(greenlet_kill(&victim->greenlet, greenlet_exit), 0);
  run_all();
}

static void expect_program(void) {
  take_trace(0);
  CHECK_EQUAL(count("\"name\":\"spawn\""), 3);
  CHECK_EQUAL(count("\"name\":\"kill\""), 1);
  CHECK_EQUAL(count("\"name\":\"end\""), 3);
  CHECK_EQUAL(count("\"how\":\"error\""), 1);
  CHECK_EQUAL(count("\"name\":\"sleep\""), 1);
  CHECK_EQUAL(count("\"name\":\"join of named\""), 1);
  CHECK_EQUAL(count("\"args\":{\"name\":\"named\",\"function\":\"function\",\"spawner\":1,"
                    "\"spawned\":\"place\"}"), 1);
  CHECK_EQUAL(count("\"ph\":\"s\""), count("\"ph\":\"f\"") + 1); /* the victim never runs */
  CHECK(count("\"name\":\"poll\"") > 0);
  CHECK(strstr(text, "\"lost\":0,"));
  CHECK(strcmp(text + strlen(text) - 3, "}}\n") == 0);
}

static void all_records_in_a_file(void) {
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  CHECK(hub.observers == &recorder.observer);
  a_program();
  recorder_stop(&recorder);
  CHECK(!hub.observers);
  expect_program();
}

static void the_last_in_a_ring(void) {
  CHECK_EQUAL(recorder_init_ring(&recorder, &hub, 1024, &recorder_host, NULL), 0);
  recorder_start(&recorder);
  a_program();
  recorder_stop(&recorder);
  expect_program();
}

static void *yields(struct greenlet *self, void *arg) {
  for (intptr_t left = (intptr_t)arg; left > 0; left--)
    CHECK_EQUAL(waiter_yield(self->hub), 0);
  return NULL;
}

/* What has begun long ago is known as long as it lives. */
static void a_ring_forgets_records_only(void) {
  CHECK_EQUAL(recorder_init_ring(&recorder, &hub, 64, &recorder_host, NULL), 0);
  struct subject *old = spawn(joins, &hub.main);
  old->greenlet.arg = &hub.main;
  recorder_start(&recorder);
  spawn(yields, (void *)200);
  spawn(yields, (void *)200);
  CHECK_EQUAL(waiter_sleep(&hub, 0.001, true), 0);
  recorder_stop(&recorder);
  CHECK_EQUAL(recorder.living.count, 3); /* main, the hub and old */
  take_trace(0);
  CHECK(strstr(text, "\"events\":64,"));
  CHECK(!strstr(text, "\"lost\":0,"));
  CHECK_EQUAL(count("\"name\":\"join of "), 1);
  kill_rest();
}

static void more_records_than_are_kept_in_memory(void) {
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  spawn(yields, (void *)1500);
  spawn(yields, (void *)1500);
  run_all();
  recorder_stop(&recorder);
  CHECK(recorder.total > 3000);
  take_trace(0);
  CHECK(count("\"cat\":\"run\"") >= 3000);
}

static void only_the_last_are_wanted(void) {
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  spawn(yields, (void *)1500);
  spawn(yields, (void *)1500);
  run_all();
  recorder_stop(&recorder);
  long long total = (long long)recorder.total;
  char lost[64];
  snprintf(lost, sizeof lost, "\"events\":100,\"lost\":%lld,", total - 100);
  take_trace(100);
  CHECK(strstr(text, lost));
  CHECK(count("\"cat\":\"run\"") <= 100);
  CHECK_EQUAL(count("\"name\":\"end\""), 2);
}

static void two_at_a_time(void) {
  static struct recorder other;
  CHECK_EQUAL(recorder_init_ring(&other, &hub, 1024, &recorder_host, NULL), 0);
  CHECK_EQUAL(recorder_init_ring(&recorder, &hub, 1024, &recorder_host, NULL), 0);
  recorder_start(&other);
  recorder_start(&recorder);
  a_program();
  recorder_stop(&other);
  recorder_term(&other);
  recorder_stop(&recorder);
  expect_program();
}

static void begun_in_the_middle(void) {
  struct subject *sleeper = spawn(sleeps, &recorder);
  spawn(joins, &sleeper->greenlet);
  CHECK_EQUAL(waiter_yield(&hub), 0);
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  run_all();
  recorder_stop(&recorder);
  take_trace(0);
  CHECK_EQUAL(count("\"name\":\"spawn\""), 0);
  CHECK_EQUAL(count("\"name\":\"sleep\""), 1);
  CHECK_EQUAL(count("\"name\":\"join of named\""), 1);
}

/* It ends where the records do. */
static void a_disk_that_is_full(void) {
  char end[64];
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  spawn(yields, (void *)1500);
  spawn(yields, (void *)1500);
  while (recorder.total < 2048)
    CHECK_EQUAL(waiter_yield(&hub), 0);
  recorder.error = ENOSPC;
  run_all();
  recorder_stop(&recorder);
  long long lost = (long long)recorder.total - 2048;
  unsigned long long ended = recorder.ended - recorder.began;
  take_trace(0);
  snprintf(end, sizeof end, "\"events\":2048,\"lost\":%lld,", lost);
  CHECK(strstr(text, end));
  snprintf(end, sizeof end, "\"to\":%llu", ended / 1000);
  CHECK(!strstr(text, end));
}

/* There is not enough for all that is in the file: it is written, but not as if that were all. */
static void no_memory_for_the_file(void) {
  struct rlimit before, none;
  getrlimit(RLIMIT_AS, &before);
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "trace.json", &recorder_host, NULL), 0);
  recorder_start(&recorder);
  a_program();
  recorder_stop(&recorder);
  int file = memfd_create("trace", 0);
  CHECK_EQUAL(ftruncate(recorder.file, (off_t)1 << 40), 0);
  none = (struct rlimit){.rlim_cur = 1UL << 39, .rlim_max = before.rlim_max};
  CHECK_EQUAL(setrlimit(RLIMIT_AS, &none), 0);
  /* ENOMEM; valgrind says EINVAL of what is so large. */
  CHECK(trace_write(&recorder, &trace_host, "script", file, 0, false) < 0);
  setrlimit(RLIMIT_AS, &before);
  close(file);
  recorder_term(&recorder);
}

static void where_no_file_can_be(void) {
  CHECK_EQUAL(recorder_init_file(&recorder, &hub, "/nowhere/trace.json", &recorder_host, NULL),
              -ENOENT);
}

int main(void) {
  check_begin();
  lanes_keep_what_is_in_them();
  strings_are_data();
  numbers_are_exact();
  what_is_longer_than_the_buffer();
  a_file_that_is_full();
  EACH_MODE(all_records_in_a_file);
  EACH_MODE(the_last_in_a_ring);
  EACH_MODE(a_ring_forgets_records_only);
  EACH_MODE(more_records_than_are_kept_in_memory);
  EACH_MODE(only_the_last_are_wanted);
  EACH_MODE(two_at_a_time);
  EACH_MODE(begun_in_the_middle);
  EACH_MODE(a_disk_that_is_full);
  EACH_MODE(no_memory_for_the_file);
  EACH_MODE(where_no_file_can_be);
  return check_summary();
}
