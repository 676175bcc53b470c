/*
 * interrupts.c: a signal at any moment of a program.
 *
 * Usage: interrupts [-n MOMENTS] [-s SEED] [-k INT|TERM|HUP] PROGRAM SCRIPT.lua
 *
 * Runs the script undisturbed once, which says how long it takes, and then MOMENTS times, each
 * time with the signal sent at another random moment, from before the program's first instruction
 * to after its end. The script tells on its standard output, unbuffered, how far it is:
 *
 *     start   what tells `clean` at the end is there
 *     end     its last: what follows is the program's own end
 *     clean   everything is closed as it should be; anything else is a failure
 *
 * What is right depends on that, see judge(). A program that neither ends nor dies is a hang.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 4096, PATIENCE_MS = 20000, HUNG = -1 };

static struct {
  int number;
  const char *name, *program, *script;
} setting = {SIGINT, "INT", NULL, NULL};

struct outcome {
  int status; /* as waitpid; HUNG */
  char out[TEXT], err[TEXT];
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int patience(void) {
  const char *factor = getenv("SPEC_PATIENCE");
  return PATIENCE_MS * (factor && atoi(factor) > 0 ? atoi(factor) : 1);
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static pid_t start(int out, int err) {
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid > 0)
    return pid;
  signal(setting.number, SIG_DFL); /* whoever runs us in the background ignores it */
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execl(setting.program, "lua", setting.script, (char *)NULL);
  _exit(127);
}

static void take_text(int fd, char *text) {
  ssize_t length = pread(fd, text, TEXT - 1, 0);
  text[length > 0 ? length : 0] = '\0';
  close(fd);
}

/* Wait so long at most; has it ended? */
static bool ends(int pidfd, double seconds) {
  struct timespec time = {.tv_sec = (time_t)seconds};
  time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
  return ppoll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, &time, NULL) > 0;
}

/* A run with the signal after so many seconds; negative: without. */
static struct outcome run(double seconds) {
  struct outcome outcome;
  int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
  pid_t pid = start(out, err);
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    fail("pidfd_open");
  if (seconds >= 0 && !ends(pidfd, seconds))
    kill(pid, setting.number);
  bool hung = !ends(pidfd, patience() / 1000.0);
  if (hung)
    kill(pid, SIGKILL);
  waitpid(pid, &outcome.status, 0);
  if (hung)
    outcome.status = HUNG;
  close(pidfd);
  take_text(out, outcome.out);
  take_text(err, outcome.err);
  return outcome;
}

/* ---- Judging ---- */

static bool says(const struct outcome *outcome, const char *line) {
  return strstr(outcome->out, line) != NULL;
}

static bool died(const struct outcome *outcome) {
  return WIFSIGNALED(outcome->status) && WTERMSIG(outcome->status) == setting.number;
}

/* It got the signal as an error in the main greenlet. */
static bool was_told(const struct outcome *outcome) {
  static const char message[] = "lua: KeyboardInterrupt\n";
  if (setting.number != SIGINT)
    return died(outcome) && !outcome->err[0];
  return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == 130 &&
         strncmp(outcome->err, message, strlen(message)) == 0;
}

static bool ended(const struct outcome *outcome) {
  return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == 0 && !outcome->err[0];
}

/* NULL if all is well. */
static const char *judge(const struct outcome *outcome) {
  bool silent = !outcome->err[0];
  if (outcome->status == HUNG)
    return "it hangs";
  if (!says(outcome, "start\n"))
    return (died(outcome) && silent) || was_told(outcome) ? NULL : "wrong end before the script";
  if (!says(outcome, "end\n"))
    return !was_told(outcome) ? "wrong end within the script"
           : says(outcome, "clean\n") ? NULL : "not clean within the script";
  /* The last greenlets, finalizers, the state: no more is owed to who kills it there. */
  if (died(outcome) && silent)
    return NULL;
  if (!was_told(outcome) && !ended(outcome))
    return "wrong end after the script";
  return says(outcome, "clean\n") ? NULL : "not clean after the script";
}

/* ---- The whole ---- */

static struct {
  int before, within, after, late;
} seen;

static void count(const struct outcome *outcome) {
  if (!says(outcome, "start\n"))
    seen.before++;
  else if (!says(outcome, "end\n"))
    seen.within++;
  else if (ended(outcome))
    seen.late++;
  else
    seen.after++;
}

static bool try_at(double seconds) {
  struct outcome outcome = run(seconds);
  const char *wrong = judge(&outcome);
  count(&outcome);
  if (!wrong)
    return true;
  printf("%s, SIG%s after %.6f s: status %#x\n-- stdout:\n%s-- stderr:\n%s--\n", wrong,
         setting.name, seconds, outcome.status, outcome.out, outcome.err);
  return false;
}

static void choose(const char *name) {
  setting.name = name;
  setting.number = strcmp(name, "TERM") == 0 ? SIGTERM : strcmp(name, "HUP") == 0 ? SIGHUP : SIGINT;
}

int main(int argc, char **argv) {
  int moments = 1000, failures = 0, option;
  long seed = (long)time(NULL);
  while ((option = getopt(argc, argv, "n:s:k:")) > 0) {
    if (option == 'n')
      moments = atoi(optarg);
    else if (option == 's')
      seed = atol(optarg);
    else if (option == 'k')
      choose(optarg);
    else
      return 2;
  }
  if (optind + 2 != argc)
    return 2;
  setting.program = argv[optind];
  setting.script = argv[optind + 1];
  setvbuf(stdout, NULL, _IOLBF, 0);
  srand48(seed);
  double began = now();
  struct outcome undisturbed = run(-1);
  double seconds = now() - began;
  if (!ended(&undisturbed) || !says(&undisturbed, "clean\n")) {
    printf("undisturbed: status %#x\n%s%s", undisturbed.status, undisturbed.out, undisturbed.err);
    return 1;
  }
  for (int i = 0; i < moments; i++)
    failures += !try_at(drand48() * seconds * 1.1);
  printf("SIG%s at %d moments of %.0f ms (seed %ld): %d before the script, %d within, %d after, "
         "%d too late; %d failed\n", setting.name, moments, seconds * 1e3, seed, seen.before,
         seen.within, seen.after, seen.late, failures);
  return failures > 0;
}
