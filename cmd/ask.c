#define _GNU_SOURCE /* struct ucred */

#include "cmd/ask.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "cmd/script.h"
#include "lua_binding/binding.h"

enum {
  ANSWER_MS = 2000,   /* for the answer to begin */
  AGAIN_MS = 250,     /* signals that wait for the same process become one: ask again */
  SILENCE_MS = 10000, /* within an answer */
  NAMES_TRIED = 16,
};

bool ask_is_meant(const struct options *options) {
  if (options->script != 1 || options->argc != 3)
    return false;
  const char *what = options->argv[1], *pid = options->argv[2];
  return (strcmp(what, "ps") == 0 || strcmp(what, "tree") == 0) && *pid &&
         strspn(pid, "0123456789") == strlen(pid) && access(what, F_OK) != 0;
}

static int complain(const char *format, ...) {
  char message[200];
  va_list arguments;
  va_start(arguments, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 errs */
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  script_message(message);
  return EXIT_FAILURE;
}

/* ---- Is it one that would answer? ---- */

/* A file of the process, or NULL. */
static FILE *open_proc(long pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
  return fopen(path, "r");
}

static bool ends_with(const char *line, const char *end) {
  size_t length = strcspn(line, "\n"), wanted = strlen(end);
  return length >= wanted && strncmp(line + length - wanted, end, wanted) == 0;
}

/* Has it the program mapped, or the module? By the file's name: what runs under
 * valgrind, or in an emulator, is of another program by itself. */
static bool is_greenlua(long pid) {
  char line[PATH_MAX + 100];
  bool found = false;
  FILE *maps = open_proc(pid, "maps");
  while (maps && !found && fgets(line, sizeof line, maps))
    found = ends_with(line, "/greenlua") || ends_with(line, "/greenlet.so") ||
            ends_with(line, "/greenlua (deleted)") || ends_with(line, "/greenlet.so (deleted)");
  if (maps)
    fclose(maps);
  return found;
}

/* What stands behind the name in /proc/PID/status, "" if it is not there. */
static void read_status(long pid, const char *name, char *value, size_t bytes) {
  char line[200];
  FILE *status = open_proc(pid, "status");
  *value = '\0';
  while (status && fgets(line, sizeof line, status)) {
    size_t length = strlen(name);
    if (strncmp(line, name, length) == 0 && line[length] == ':') {
      snprintf(value, bytes, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
      break;
    }
  }
  if (status)
    fclose(status);
}

/* Has it a handler for the signal that asks? */
static bool listens(long pid) {
  char caught[40];
  read_status(pid, "SigCgt", caught, sizeof caught);
  return strtoull(caught, NULL, 16) >> (SIGURG - 1) & 1;
}

/* The uid that the process runs as; -1 if there is none. */
static long user_of(long pid) {
  char uids[80];
  read_status(pid, "Uid", uids, sizeof uids);
  char *effective = strpbrk(uids, " \t");
  return effective ? strtol(effective, NULL, 10) : -1;
}

/* ---- The question ---- */

/* Listen under the number's name: a descriptor, or -1 with errno. */
static int listen_as(unsigned number) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s%08x",
                        BINDING_ASK_NAME, number);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  if (bind(fd, (struct sockaddr *)&address, bytes) == 0 && listen(fd, 4) == 0)
    return fd;
  int kept = errno;
  close(fd);
  errno = kept;
  return -1;
}

/* Listen under a name that nobody has. */
static int listen_somewhere(bool tree, unsigned *number) {
  int fd = -1;
  for (int i = 0; i < NAMES_TRIED && fd < 0; i++) {
    if (getrandom(number, sizeof *number, 0) != sizeof *number)
      return -1;
    *number = (*number | 2) & ~(unsigned)BINDING_ASK_TREE;
    *number |= tree ? BINDING_ASK_TREE : 0;
    fd = listen_as(*number);
    if (fd < 0 && errno != EADDRINUSE)
      return -1;
  }
  return fd;
}

/* Only the process that was asked may answer. */
static int accept_from(int listener, long pid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  int fd = accept(listener, NULL, NULL);
  if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == pid)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

static bool readable(int fd, int milliseconds) {
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  return poll(&poller, 1, milliseconds) > 0;
}

/* Ask until somebody answers: a descriptor to read from, or -1. */
static int ask(long pid, int listener, unsigned number) {
  union sigval value = {.sival_int = (int)number};
  for (int waited = 0; waited < ANSWER_MS; waited += AGAIN_MS) {
    if (sigqueue((pid_t)pid, SIGURG, value) < 0)
      return -1;
    if (readable(listener, AGAIN_MS)) {
      int fd = accept_from(listener, pid);
      if (fd >= 0)
        return fd;
    }
  }
  return -1;
}

/* Copy the answer: its first byte says whether it is what was asked for. */
static int copy(int fd, long pid) {
  char bytes[4096];
  FILE *out = NULL;
  ssize_t count;
  while (readable(fd, SILENCE_MS) && (count = read(fd, bytes, sizeof bytes)) > 0) {
    const char *from = bytes;
    if (!out) {
      out = *from++ == BINDING_ANSWER ? stdout : stderr;
      count--;
    }
    fwrite(from, 1, (size_t)count, out);
  }
  if (!out)
    return complain("process %ld has broken off its answer", pid);
  return out == stdout && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int no_answer(long pid) {
  char state[40];
  read_status(pid, "State", state, sizeof state);
  if (!*state)
    return complain("process %ld has ended", pid);
  if (*state == 'T' || *state == 't')
    return complain("process %ld is stopped and does not answer", pid);
  return complain("process %ld does not answer", pid);
}

static int ask_and_copy(long pid, bool tree) {
  unsigned number;
  int listener = listen_somewhere(tree, &number);
  if (listener < 0)
    return complain("cannot listen for the answer: %s", strerror(errno));
  int fd = ask(pid, listener, number);
  int status = fd < 0 ? no_answer(pid) : copy(fd, pid);
  if (fd >= 0)
    close(fd);
  close(listener);
  return status;
}

int ask_run(const char *what, const char *digits) {
  long pid = strlen(digits) < 10 ? strtol(digits, NULL, 10) : 0;
  long user = pid > 0 ? user_of(pid) : -1;
  if (user < 0)
    return complain("there is no process %s", digits);
  if (user != (long)geteuid())
    return complain("process %ld is another user's", pid);
  if (!is_greenlua(pid))
    return complain("process %ld is no greenlua", pid);
  if (!listens(pid))
    return complain("process %ld takes no questions: GREENLUA_DUMP=off, or its script watches "
                    "SIGURG", pid);
  return ask_and_copy(pid, strcmp(what, "tree") == 0);
}
