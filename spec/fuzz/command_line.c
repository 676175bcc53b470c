/*
 * command_line.c: fuzz the command line, the environment, and what comes by standard input.
 *
 * An input says which words and variables there are: of the lists below, or any bytes; what is
 * left is the standard input, and the file script.lua. The program's own main runs in this
 * process, in an empty directory, with standard streams that are files. A reader of options
 * as simple as can be says what must come of them.
 */
#define _GNU_SOURCE /* memfd_create */
#define main greenlua_main
int greenlua_main(int argc, char **argv);
#include "cmd/main.c"
#undef main

#include <stdint.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/mman.h>

#include <sanitizer/common_interface_defs.h>

#include "spec/fuzz/clock.h"
#include "spec/fuzz/fuzz.h"

enum { MOST_WORDS = 8, MOST_VARIABLES = 4, MOST_TEXT = 40, MOST_OUTPUT = 1 << 16 };

static const char *const words[] = {
  "-", "--", "-e", "-l", "-i", "-v", "-E", "-W", "-x", "-ee", "-vi", "-", "script.lua",
  "missing.lua",
  "--help", "--version", "--leaks", "--leaks=off", "--leaks=warn", "--leaks=error", "--leaks=",
  "--leaks=of", "--report=now", "--report=unobserved", "--report", "--deadlock=off",
  "--deadlock=error", "--deadlock=warn", "--watchdog=0.5", "--watchdog=", "--watchdog=nan",
  "--watchdog=-1", "--watchdog=1e99", "--why-alive", "--why-alive=1", "--help=1", "--helpme", "---",
  "", " ", "ps", "tree", "0", "1", "999999999", "99999999999", "-1", "string", "greenlet",
  "-lstring",
  "-eprint(1)", "-lgreenlet.queue", "-lm=string", "print(...)", "print(1)", "error('x')", "error()",
  "error({})", "error(setmetatable({}, {__tostring = error}))", "greenlet.sleep(0.01)",
  "greenlet.spawn(error, 'boom')", "greenlet.queue.Queue():get()", "x =",
  "greenlet.spawn(function() greenlet.queue.Queue():get() end)",
  "for i = -3, 3 do print(arg[i]) end",
  "setmetatable({}, {__gc = function() error('gc') end})", "warn('@on', 'x')", "warn('a', 'b')",
  "greenlet.get_hub():destroy()", "io.read('a')", "debug.sethook(print, 'l')", "goto x",
  "local x <close> = setmetatable({}, {__close = error})", "coroutine.wrap(greenlet.sleep)(0)",
  "arg = nil", "arg = {[-1] = 1, 2}", "greenlet = nil", "require 'missing'",
  "error(greenlet.GreenletExit)",
  "greenlet.get_hub().loop:timer(0.1):start(error, 'in a timer')",
  "greenlet.kill(greenlet.getcurrent())",
  "collectgarbage() collectgarbage()", "greenlet.config.leaks = 'error'",
};

static const char *const names[] = {
  "GREENLUA_STACK_SLOTS", "GREENLUA_STACK_SIZE", "GREENLUA_STACK_MOVE", "GREENLUA_WATCHDOG",
  "GREENLUA_LEAKS", "GREENLUA_REPORT", "GREENLUA_DEADLOCK", "GREENLUA_DUMP", "GREENLUA_WHY_ALIVE",
  "GREENLUA_TRACK_GREENLET_TREE", "GREENLUA_", "LUA_INIT", "LUA_INIT_5_4", "LUA_PATH",
  "LUA_PATH_5_4",
  "HOME", "TERM", "XDG_STATE_HOME", "GREENLUA_HISTORY", "NO_COLOR",
};

static const char *const values[] = {
  "", "0", "1", "2", "on", "off", "true", "no", "10k", "64k", "1m", "64m", "1g", "1e9", "-1",
  "nan", "inf",
  "warn", "error", "now", "unobserved", "@script.lua", "@missing.lua", "print(1)", "error('init')",
  "x =", "0x10", "99999999999999999999", "1048576", "1048577", " 1 ", "1.5", "?.lua;;", ";;", "1k1",
};

static int directory, home, streams[3], kept[3];

/* ---- What is in an input ---- */

struct input { const uint8_t *at, *end; };

static unsigned byte(struct input *input) {
  return input->at < input->end ? *input->at++ : 0;
}

/* A text of the list, or any: the caller's to free. */
static char *text(struct input *input, const char *const *list, size_t count) {
  unsigned which = byte(input);
  if (which < 200)
    return strdup(list[which % count]);
  size_t length = byte(input) % MOST_TEXT;
  if (length > (size_t)(input->end - input->at))
    length = (size_t)(input->end - input->at);
  char *any = strndup((const char *)input->at, length);
  input->at += length;
  return any;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- What must come of the words ---- */

enum outcome { RUNS, SHOWS, FAILS };

static bool is_one_of(const char *word, const char *const *list) {
  for (; *list; list++)
    if (strcmp(word, *list) == 0)
      return true;
  return false;
}

static enum outcome read_own(const char *word) {
  static const char *const fine[] = {
    "--leaks=off", "--leaks=warn", "--leaks=error", "--report=now", "--report=unobserved",
    "--deadlock=off", "--deadlock=warn", "--deadlock=error", "--why-alive", NULL};
  static const char *const shown[] = {"--help", "--version", NULL};
  if (is_one_of(word, shown))
    return SHOWS;
  bool watchdog = strncmp(word, "--watchdog=", 11) == 0 && word[11];
  return watchdog || is_one_of(word, fine) ? RUNS : FAILS;
}

/* As lua.c does. */
static enum outcome expect(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (word[0] != '-' || strcmp(word, "-") == 0 || strcmp(word, "--") == 0)
      return RUNS;
    if (word[1] == '-') {
      enum outcome outcome = read_own(word);
      if (outcome != RUNS)
        return outcome;
    } else if (word[1] == 'e' || word[1] == 'l') {
      if (word[2])
        continue;
      if (i + 1 == argc || argv[i + 1][0] == '-')
        return FAILS;
      i++;
    } else if (!strchr("EivW", word[1]) || word[2]) {
      return FAILS;
    }
  }
  return RUNS;
}

/* ---- Running ---- */

static int memory(void) {
  int fd = memfd_create("stream", MFD_CLOEXEC);
  if (fd < 0)
    abort();
  return fd;
}

static void begin(const uint8_t *bytes, size_t length) {
  for (int i = 0; i < 3; i++)
    streams[i] = memory();
  int script = openat(directory, "script.lua", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  bool written = write(streams[0], bytes, length) >= 0 && write(script, bytes, length) >= 0;
  close(script);
  lseek(streams[0], 0, SEEK_SET);
  if (!written || fchdir(directory) < 0)
    abort();
  fflush(NULL);
  for (int i = 0; i < 3; i++)
    dup2(streams[i], i);
}

static void end(void) {
  fflush(NULL);
  __fpurge(stdin);
  clearerr(stdin);
  for (int i = 0; i < 3; i++)
    dup2(kept[i], i);
  if (fchdir(home) < 0)
    abort();
}

/* What was written to a stream, as a text. */
static const char *written(int stream) {
  static char output[2][MOST_OUTPUT];
  char *text = output[stream - 1];
  ssize_t length = pread(streams[stream], text, MOST_OUTPUT - 1, 0);
  text[length < 0 ? 0 : length] = '\0';
  return text;
}

static void fail(const char *what, int status, char **argv) {
  fprintf(stderr, "%s: status %d of", what, status);
  for (; *argv; argv++)
    fprintf(stderr, " '%s'", *argv);
  fprintf(stderr, "\n-- standard output:\n%s\n-- standard error:\n%s\n", written(1), written(2));
  abort();
}

static void check(enum outcome outcome, int status, char **argv) {
  const char *out = written(1), *err = written(2);
  if (outcome == FAILS) {
    bool told = strstr(err, ": unrecognized option '") || strstr(err, "' needs argument\n");
    if (status != 1 || *out || !told || !strstr(err, "usage: "))
      fail("a wrong option", status, argv);
  } else if (outcome == SHOWS) {
    if (status != 0 || *err || (strncmp(out, "usage: ", 7) != 0 && strncmp(out, "greenlua ",
      9) != 0))
      fail("an option that shows something", status, argv);
  } else if (status != 0 && status != 1 && status != 3) {
    fail("no status of ours", status, argv);
  } else if (status != 0 && !*err) {
    fail("a failure without a word", status, argv);
  }
}

/* Without readline: what that makes of lines is not ours, and it reads behind its own buffers. */
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags) {
  (void)name, (void)flags;
  return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static char name[] = "/tmp/greenlua-fuzz-XXXXXX";
  (void)argc, (void)argv;
  home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!mkdtemp(name) || (directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
    abort();
  for (int i = 0; i < 3; i++)
    kept[i] = dup(i);
  __sanitizer_set_report_fd((void *)(intptr_t)kept[2]);
  for (size_t i = 0; i < COUNT(names); i++)
    unsetenv(names[i]);
  setenv("XDG_STATE_HOME", name, 1);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, data + size};
  char *argv[MOST_WORDS + 2] = {strdup("greenlua")};
  int argc = 1, count = (int)(byte(&input) % MOST_WORDS);
  while (argc <= count)
    argv[argc++] = text(&input, words, COUNT(words));
  const char *set[MOST_VARIABLES];
  unsigned variables = byte(&input) % MOST_VARIABLES;
  for (unsigned i = 0; i < variables; i++) {
    set[i] = names[byte(&input) % COUNT(names)];
    char *value = text(&input, values, COUNT(values));
    setenv(set[i], value, 1);
    free(value);
  }
  enum outcome outcome = expect(argc, argv);
  begin(input.at, (size_t)(input.end - input.at));
  fuzz_clock_start();
  int status = greenlua_main(argc, argv);
  end();
  check(outcome, status, argv);
  for (unsigned i = 0; i < variables; i++)
    unsetenv(set[i]);
  for (int i = 0; i < argc; i++)
    free(argv[i]);
  for (int i = 0; i < 3; i++)
    close(streams[i]);
  return 0;
}
