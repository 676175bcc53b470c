/*
 * profile_names.c: what functions are called where they are defined.
 *
 * A call tells a name, but it is that of the variable which the caller has the function in:
 * many are called `f` or `callback`, and what a greenlet runs is called by no name at all. The
 * line that defines a function says more: `local function parse(`, `M.parse = function(`.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua_binding/profile.h"

/* A file that has been read last: most functions follow others of the same one. */
struct source {
  const char *text;      /* the frame's; NULL: none yet */
  char *bytes;           /* ended by a zero; NULL: it cannot be read */
};

static bool is_name(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '.' || c == ':';
}

/* No device or pipe: a script says what its chunk is called. */
static char *read_file(const char *path) {
  enum { MOST_BYTES = 8 << 20 };
  struct stat status;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  char *bytes = NULL;
  size_t length = 0;
  if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_size <= MOST_BYTES)
    bytes = malloc((size_t)status.st_size + 1);
  while (bytes && length < (size_t)status.st_size) {
    ssize_t got = read(fd, bytes + length, (size_t)status.st_size - length);
    if (got <= 0)
      break;
    length += (size_t)got;
  }
  if (bytes)
    bytes[length] = '\0';
  if (fd >= 0)
    close(fd);
  return bytes;
}

static const char *find_line(const char *bytes, int line) {
  while (bytes && --line > 0) {
    bytes = strchr(bytes, '\n');
    bytes = bytes ? bytes + 1 : NULL;
  }
  return bytes;
}

/* The word `function` in a line, if it is there once. */
static const char *find_function(const char *line, const char *end) {
  static const char word[] = "function";
  const size_t length = sizeof word - 1;
  const char *found = NULL;
  for (const char *at = line; at + length <= end; at++) {
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the file was read into it, with a zero */
    if (strncmp(at, word, length) != 0 || (at > line && is_name(at[-1])) || is_name(at[length]))
      continue;
    if (found)
      return NULL;
    found = at;
  }
  return found;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t';
}

/* The name in `function name(` or `name = function(`: so long, from *start on. */
static size_t find_name(const char *line, const char *end, const char **start) {
  const char *at = find_function(line, end);
  if (!at)
    return 0;
  const char *after = at + strlen("function"), *last;
  while (is_space(*after))
    after++;
  for (last = after; is_name(*last);)
    last++;
  *start = after;
  if (last > after)
    return (size_t)(last - after);
  while (at > line && is_space(at[-1]))
    at--;
  if (at == line || *--at != '=')
    return 0;
  while (at > line && is_space(at[-1]))
    at--;
  for (last = at; at > line && is_name(at[-1]);)
    at--;
  *start = at;
  return (size_t)(last - at);
}

static void name_frame(struct frame *frame, struct source *source) {
  if (!source->text || strcmp(source->text, frame->text) != 0) {
    free(source->bytes);
    source->text = frame->text;
    source->bytes = read_file(frame->text + 1);
  }
  const char *line = find_line(source->bytes, frame->line), *start;
  size_t length = line ? find_name(line, line + strcspn(line, "\n"), &start) : 0;
  char *name = length > 0 ? strndup(start, length) : NULL;
  if (name) {
    free(frame->name);
    frame->name = name;
  }
}

void l_profile_read_names(struct calltree *tree) {
  struct source source = {.text = NULL};
  for (uint32_t i = 0; i < tree->frame_count; i++) {
    struct frame *frame = &tree->frames[i];
    if (frame->kind == FRAME_LUA && frame->used && frame->line > 0 && *frame->text == '@')
      name_frame(frame, &source);
  }
  free(source.bytes);
}
