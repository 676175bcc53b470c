#include "cmd/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cmd/output.h"
#include "cmd/screen.h"
#include "lua_binding/binding.h"

enum { FIRST_DESCRIPTOR = 10 }; /* out of the way of scripts that count on small ones */

static const char end_paste_brackets[] = "\033[?2004l";

static int out = -1;
static pid_t owner;                   /* a forked child is not to touch the terminal */
static struct termios plain;          /* the settings outside of the prompt */
static volatile sig_atomic_t edited;  /* the settings are readline's */

bool terminal_usable(void) {
  const char *name = getenv("TERM");
  return isatty(TERMINAL_IN) && isatty(STDOUT_FILENO) && name && *name &&
         strcmp(name, "dumb") != 0;
}

int terminal_out(void) {
  return out;
}

void terminal_write(const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(out, text, length);
    if (written > 0) {
      text += written;
      length -= (size_t)written;
    } else if (written < 0 && errno == EAGAIN) { /* whoever shares it has made it so */
      poll(&(struct pollfd){.fd = out, .events = POLLOUT}, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      return;
    }
  }
}

void terminal_size(int *columns, int *rows) {
  struct winsize size = {0};
  ioctl(out, TIOCGWINSZ, &size);
  *columns = size.ws_col > 1 ? size.ws_col : 80;
  *rows = size.ws_row > 0 ? size.ws_row : 24;
}

/* ---- The way back ---- */

/* Safe in signal handlers. A job in the background has no say about the terminal. */
static void restore(void) {
  if (!edited || getpid() != owner)
    return;
  edited = 0;
  if (tcgetpgrp(TERMINAL_IN) != getpgrp())
    return;
  for (int rows = screen_rows_below() + 1; rows > 0; rows--)
    terminal_write("\r\n", 2);
  terminal_write(end_paste_brackets, sizeof end_paste_brackets - 1);
  tcsetattr(TERMINAL_IN, TCSANOW, &plain);
}

static void at_exit(void) {
  if (getpid() != owner)
    return;
  restore();
  output_end();
}

static void leave(void) {
  restore();
  if (getpid() == owner)
    output_spill();
}

static void on_fatal(int number) {
  int kept = errno;
  leave();
  signal(number, SIG_DFL);
  raise(number);
  errno = kept;
}

static void guard(void) {
  static const int fatal[] = {SIGTERM, SIGHUP, SIGQUIT, SIGABRT};
  struct sigaction action = {.sa_handler = on_fatal}, before;
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
    if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction(fatal[i], &action, NULL);
  }
}

bool terminal_start(void) {
  out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
  owner = getpid();
  if (out < 0 || tcgetattr(TERMINAL_IN, &plain) < 0)
    return false;
  atexit(at_exit);
  binding_last_resort(leave);
  guard();
  return true;
}

void terminal_edited(void) {
  guard(); /* a signal that a script has watched has its default action again */
  if (!edited)
    tcgetattr(TERMINAL_IN, &plain);
  edited = 1;
}

void terminal_plain(void) {
  edited = 0;
}

/* ---- For the console ---- */

/* terminal.stop(): what Ctrl-Z does to a program; returns when it goes on */
static int terminal_stop(lua_State *L) {
  struct sigaction now = {.sa_handler = SIG_DFL}, before;
  sigset_t stop, mask;
  (void)L;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  sigaction(SIGTSTP, &now, &before);
  sigprocmask(SIG_UNBLOCK, &stop, &mask);
  raise(SIGTSTP);
  sigprocmask(SIG_SETMASK, &mask, NULL);
  sigaction(SIGTSTP, &before, NULL);
  return 0;
}

static int write_text(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  terminal_write(text, length);
  return 0;
}

/* terminal.size() -> columns, rows */
static int size(lua_State *L) {
  int columns, rows;
  terminal_size(&columns, &rows);
  lua_pushinteger(L, columns);
  lua_pushinteger(L, rows);
  return 2;
}

void terminal_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"stop", terminal_stop}, {"write", write_text}, {"size", size}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "terminal");
}
