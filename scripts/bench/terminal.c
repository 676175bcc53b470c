/*
 * terminal.c: runs programs on a terminal of its own, for prompt.lua.
 *
 * Usage: terminal first ROUNDS PROGRAM [ARGUMENT...] [-- PROGRAM [ARGUMENT...]]...
 *          In each round each program starts in turn, until its first prompt; a line of
 *          microseconds.
 *        terminal type MILLISECONDS TEXT PROGRAM [ARGUMENT...]
 *          From the first prompt on types TEXT, a key every so many milliseconds, again and again
 *          until the program ends.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A program that shows no prompt for so long is ended. */
enum { PATIENCE_MS = 20000 };

struct session {
  int terminal;
  pid_t program;
  char seen[4096]; /* the end of what it printed, without escape sequences */
  size_t length;
  bool in_escape;
};

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void fail(const char *what) {
  fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

static void start(struct session *session, char **command) {
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  memset(session, 0, sizeof *session);
  session->program = forkpty(&session->terminal, NULL, NULL, &size);
  if (session->program < 0)
    fail("forkpty");
  if (session->program == 0) {
    execvp(command[0], command);
    fail(command[0]);
  }
}

/* Escape sequences are left out: from ESC to a letter, as far as prompts have them. */
static void note(struct session *session, char byte) {
  if (byte == '\033')
    session->in_escape = true;
  else if (session->in_escape)
    session->in_escape = !((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'));
  else {
    if (session->length == sizeof session->seen) {
      session->length /= 2;
      memmove(session->seen, session->seen + session->length, session->length);
    }
    session->seen[session->length++] = byte;
  }
}

/* Take what the program printed, within some milliseconds: false at its end. */
static bool watch(struct session *session, int timeout_ms) {
  struct pollfd ready = {.fd = session->terminal, .events = POLLIN};
  if (poll(&ready, 1, timeout_ms) <= 0)
    return true;
  char bytes[4096];
  ssize_t count = read(session->terminal, bytes, sizeof bytes);
  for (ssize_t i = 0; i < count; i++)
    note(session, bytes[i]);
  return count > 0;
}

static bool at_prompt(const struct session *session) {
  return session->length >= 2 && memcmp(session->seen + session->length - 2, "> ", 2) == 0;
}

static void wait_for_prompt(struct session *session, const char *program) {
  double give_up = now_us() + PATIENCE_MS * 1e3;
  while (!at_prompt(session)) {
    if (!watch(session, PATIENCE_MS) || now_us() > give_up) {
      kill(session->program, SIGKILL);
      fprintf(stderr, "terminal: %s shows no prompt\n", program);
      exit(EXIT_FAILURE);
    }
  }
}

/* What it prints while it ends must have somewhere to go. */
static int finish(struct session *session) {
  while (watch(session, -1))
    ;
  close(session->terminal);
  int status;
  if (waitpid(session->program, &status, 0) < 0)
    fail("waitpid");
  return status;
}

static double first_prompt(char **command) {
  struct session session;
  double started = now_us();
  start(&session, command);
  wait_for_prompt(&session, command[0]);
  double taken = now_us() - started;
  kill(session.program, SIGKILL);
  finish(&session);
  return taken;
}

static int first(long rounds, char **commands) {
  for (; rounds > 0; rounds--) {
    char **command = commands;
    while (command) {
      char **end = command;
      while (*end && strcmp(*end, "--") != 0)
        end++;
      char *mark = *end;
      *end = NULL;
      printf("%.0f%s", first_prompt(command), mark ? " " : "\n");
      *end = mark;
      command = mark ? end + 1 : NULL;
    }
  }
  return EXIT_SUCCESS;
}

static int type(int pause_ms, const char *text, char **command) {
  struct session session;
  start(&session, command);
  wait_for_prompt(&session, command[0]);
  double due = now_us();
  for (const char *key = text;; key = key[1] ? key + 1 : text) {
    if (write(session.terminal, key, 1) != 1)
      break;
    due += pause_ms * 1e3;
    for (double left; (left = due - now_us()) > 0;)
      if (!watch(&session, (int)(left / 1e3) + 1))
        return finish(&session);
  }
  return finish(&session);
}

int main(int argc, char **argv) {
  setenv("TERM", "xterm", 1);
  if (argc >= 4 && strcmp(argv[1], "first") == 0)
    return first(atol(argv[2]), argv + 3);
  if (argc >= 5 && strcmp(argv[1], "type") == 0 && argv[3][0] != '\0')
    return type(atoi(argv[2]), argv[3], argv + 4) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  fprintf(stderr, "usage: terminal first|type ...\n");
  return 2;
}
