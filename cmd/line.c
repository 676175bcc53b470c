#include "cmd/line.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef LINE_EDIT
#include <editline/readline.h>

#define LIBRARY "libedit.so.2"
#else
#include <readline/history.h>
#include <readline/readline.h>

/* A shared library is named after the version of its interface. */
#define TEXT(number) #number
#define NAME(major) "libreadline.so." TEXT(major)
#define LIBRARY NAME(RL_VERSION_MAJOR)
#endif

/* NULL as long as the library is not there. */
static __typeof__(readline) *read_by_readline;
static __typeof__(add_history) *add_to_history;

void *line_library(void) {
  static bool tried;
  static void *library;
  if (tried)
    return library;
  tried = true;
  library = dlopen(LIBRARY, RTLD_NOW);
  const char **name = library ? dlsym(library, "rl_readline_name") : NULL;
  if (!name)
    return library = NULL;
  *name = "lua"; /* users have settings for it in their inputrc */
  *(void **)&read_by_readline = dlsym(library, "readline");
  *(void **)&add_to_history = dlsym(library, "add_history");
  return library;
}

static char *read_plainly(const char *prompt) {
  char *line = NULL;
  size_t room = 0;
  fputs(prompt, stdout);
  fflush(stdout);
  ssize_t length = getline(&line, &room, stdin);
  if (length < 0) {
    free(line);
    return NULL;
  }
  if (length > 0 && line[length - 1] == '\n')
    line[length - 1] = '\0';
  return line;
}

char *line_read(const char *prompt) {
  line_library();
  return read_by_readline ? read_by_readline(prompt) : read_plainly(prompt);
}

void line_remember(const char *text) {
  if (add_to_history)
    add_to_history(text);
}
