#include "lua_binding/stuck.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

/* ---- Texts ---- */

void l_add_text(struct text *text, const char *more) {
  while (*more && text->length < TEXT_BYTES)
    text->bytes[text->length++] = *more++;
}

static void add_number(struct text *text, uintmax_t number, unsigned base) {
  char digits[24], *at = digits + sizeof digits - 1;
  *at = '\0';
  do
    *--at = "0123456789abcdef"[number % base];
  while (number /= base);
  l_add_text(text, at);
}

void l_add_seconds(struct text *text, double seconds) {
  uintmax_t tenths = seconds > 0 ? (uintmax_t)(seconds * 10 + 0.5) : 0;
  add_number(text, tenths / 10, 10);
  l_add_text(text, ".");
  add_number(text, tenths % 10, 10);
  l_add_text(text, " s");
}

bool l_write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    }
  }
  return true;
}

void l_write_text(int fd, const struct text *text) {
  l_write_all(fd, text->bytes, text->length);
}

/* ---- Names ---- */

/* Where the name of a greenlet is depends on Lua's tables, which a handler must not
 * touch. So the names that were given last are kept here, too: each in the place that
 * its handle's address says. */
enum { NAMES = 1024, NAME_BYTES = 56 };

static struct {
  const struct handle *handle;
  char name[NAME_BYTES];
} names[NAMES];

static size_t place_of(const struct handle *handle) {
  return ((uintptr_t)handle >> 4) % NAMES;
}

void l_note_name(const struct handle *handle, const char *name) {
  size_t place = place_of(handle);
  names[place].handle = NULL; /* should a handler look now */
  __asm__ volatile("" ::: "memory");
  strncpy(names[place].name, name, NAME_BYTES - 1);
  __asm__ volatile("" ::: "memory");
  names[place].handle = handle;
}

void l_add_current(const struct runtime *rt, struct text *text) {
  const struct handle *handle = l_current(rt)->handle;
  size_t place = place_of(handle);
  l_add_text(text, "greenlet ");
  if (handle && handle->named && names[place].handle == handle) {
    l_add_text(text, "\"");
    l_add_text(text, names[place].name);
    l_add_text(text, "\"");
  } else {
    l_add_text(text, "at 0x");
    add_number(text, (uintptr_t)handle, 16);
  }
}

/* ---- Places ---- */

/* The frames of a thread that is in C do not change, unless the C function calls
 * Lua's interface just now. Should what is read then make no sense, better nothing
 * is said than that the program dies of it. */
static sigjmp_buf no_sense;

static void on_fault(int number) {
  (void)number;
  siglongjmp(no_sense, 1);
}

static void add_position(struct text *text, const lua_Debug *ar) {
  l_add_text(text, ", called at ");
  l_add_text(text, ar->short_src);
  l_add_text(text, ":");
  add_number(text, (uintmax_t)ar->currentline, 10);
}

/* The innermost line of a script; true if a C function is on top. */
static bool read_frames(lua_State *L, struct text *text) {
  enum { DEEPEST = 50 };
  lua_Debug ar;
  bool c_function = false;
  for (int level = 0; level < DEEPEST && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "nSl", &ar);
    if (level == 0)
      c_function = *ar.what == 'C';
    if (level == 0 && c_function && ar.name) {
      l_add_text(text, " in '");
      l_add_text(text, ar.name);
      l_add_text(text, "'");
    }
    if (ar.currentline > 0 && strncmp(ar.short_src, "[greenlet", 9) != 0) {
      add_position(text, &ar);
      break;
    }
  }
  return c_function;
}

bool l_add_c_place(const struct runtime *rt, struct text *text) {
  struct sigaction guard = {.sa_handler = on_fault}, segv, bus;
  struct text found = {.length = 0};
  volatile bool c_function = true;
  sigaction(SIGSEGV, &guard, &segv);
  sigaction(SIGBUS, &guard, &bus);
  if (sigsetjmp(no_sense, 1) == 0)
    c_function = read_frames(rt->L, &found);
  else
    found.length = 0;
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  for (size_t i = 0; i < found.length && text->length < TEXT_BYTES; i++)
    text->bytes[text->length++] = found.bytes[i];
  return c_function;
}

bool l_describe_stuck(const struct runtime *rt, struct text *text) {
  l_add_text(text, "greenlua: ");
  l_add_current(rt, text);
  l_add_text(text, " runs in C");
  if (!l_add_c_place(rt, text)) {
    text->length = 0;
    return false;
  }
  l_add_text(text, "; the loop has not turned for ");
  l_add_seconds(text, clock_seconds() - rt->hub.now);
  l_add_text(text, "\n");
  return true;
}
