/*
 * check.h: counts what holds and what does not.
 *
 * CHECK(condition) counts one. What happens in which order is written down by
 * note("a") and compared by CHECK_NOTES("a b c"), which also clears the notes.
 * A program ends by `return check_summary()`.
 */
#ifndef SPEC_CORE_CHECK_H
#define SPEC_CORE_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The only time limit in these tests: after it a program is taken to hang. Waits
 * that must end earlier by themselves use half of it. */
enum { PATIENCE_SECONDS = 400 };

static unsigned checks_passed, checks_failed;
static const char *check_context = ""; /* which test, in which mode */
static char check_notes[1 << 16];
static size_t check_notes_length;

static inline bool check(bool ok, const char *file, int line, const char *what) {
  if (ok) {
    checks_passed++;
    return true;
  }
  checks_failed++;
  fprintf(stderr, "%s:%d: %s: FAILED: %s\n", file, line, check_context, what);
  return false;
}

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define FAIL(what) check(false, __FILE__, __LINE__, what)

static inline bool check_equal(long long got, long long want, const char *file, int line,
                               const char *what) {
  char text[512];
  snprintf(text, sizeof text, "%s: got %lld, want %lld", what, got, want);
  return check(got == want, file, line, text);
}

#define CHECK_EQUAL(got, want) \
  check_equal((long long)(got), (long long)(want), __FILE__, __LINE__, #got)

static inline void __attribute__((format(printf, 1, 2))) note(const char *format, ...) {
  char text[64];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (length < 0 || check_notes_length + (size_t)length + 2 > sizeof check_notes)
    abort(); /* a test that notes too much */
  if (check_notes_length)
    check_notes[check_notes_length++] = ' ';
  memcpy(check_notes + check_notes_length, text, (size_t)length + 1);
  check_notes_length += (size_t)length;
}

static inline void clear_notes(void) {
  check_notes[check_notes_length = 0] = '\0';
}

static inline void compare_notes(const char *want, const char *file, int line) {
  bool ok = strcmp(check_notes, want) == 0;
  if (!ok)
    fprintf(stderr, "  got \"%.400s\"\n", check_notes);
  check(ok, file, line, want);
  clear_notes();
}

#define CHECK_NOTES(want) compare_notes(want, __FILE__, __LINE__)

static inline int check_summary(void) {
  printf("%u passed, %u failed\n", checks_passed, checks_failed);
  return checks_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline void check_begin(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(PATIENCE_SECONDS);
}

#endif
