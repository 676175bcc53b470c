#include "lua_binding/sources.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua_binding/runtime.h"

enum { MOST_FILES = 64, LINE_BYTES = 256 };

/* "file:line" of a text: the line; 0 if it is none. */
static size_t split(const char *place, char *path, size_t size) {
  const char *colon = strrchr(place, ':');
  size_t length = colon ? (size_t)(colon - place) : 0;
  if (length == 0 || length >= size)
    return 0;
  memcpy(path, place, length);
  path[length] = '\0';
  return strtoul(colon + 1, NULL, 10);
}

static void put_line(struct output *output, bool *first, const char *place, char *line) {
  line[strcspn(line, "\r\n")] = '\0';
  output_text(output, *first ? "\"" : ",\n\"");
  output_escaped(output, place);
  output_text(output, "\":\"");
  output_escaped(output, line);
  output_text(output, "\"");
  *first = false;
}

static FILE *open_source(const char *path) {
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file >= 0 && (fstat(file, &status) < 0 || !S_ISREG(status.st_mode))) {
    close(file);
    file = -1;
  }
  return file >= 0 ? fdopen(file, "r") : NULL;
}

static void put_lines(struct output *output, bool *first, const struct texts *sites,
                      const char *path) {
  char line[LINE_BYTES], place[PATH_MAX + 24];
  bool begins = true;
  size_t number = 0;
  FILE *source = open_source(path);
  if (!source)
    return;
  while (fgets(line, sizeof line, source)) {
    bool ends = strchr(line, '\n');
    number += begins;
    snprintf(place, sizeof place, "%s:%zu", path, number);
    if (begins && l_find_text(sites, place))
      put_line(output, first, place, line);
    begins = ends;
  }
  fclose(source);
}

static bool is_among(const char *path, char *const *paths, int count) {
  for (int i = 0; i < count; i++)
    if (strcmp(paths[i], path) == 0)
      return true;
  return false;
}

/* Each file once. */
void l_put_sources(struct output *output, const struct recorder *recorder) {
  const struct texts *sites = &((struct runtime *)recorder->data)->trail.sites.texts;
  char *paths[MOST_FILES], path[PATH_MAX];
  int count = 0;
  bool first = true;
  output_text(output, ",\n\"sources\":{");
  for (uint32_t number = 1; number <= sites->count && count < MOST_FILES; number++) {
    if (!split(l_text_of(sites, number), path, sizeof path) || is_among(path, paths, count) ||
        !(paths[count] = strdup(path)))
      continue;
    put_lines(output, &first, sites, paths[count++]);
  }
  output_text(output, "}");
  while (count > 0)
    free(paths[--count]);
}
