#define _GNU_SOURCE /* pipe2 */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cmd/terminal.h"

enum { PIECE = 4096, MOST = 16 << 20 /* bytes kept; more go to the terminal at once */ };

static struct {
  bool started, captured;
  int read_end, write_end, wake;
  int streams[2];        /* where stdout and stderr led before */
  pthread_mutex_t mutex; /* of what follows */
  char *bytes;
  size_t length, room;
} output = {.read_end = -1, .write_end = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

static bool keep(const char *bytes, size_t length) {
  if (output.length + length > output.room) {
    size_t room = output.room ? output.room * 2 : 2UL * PIECE;
    char *grown = room > MOST ? NULL : realloc(output.bytes, room);
    if (!grown)
      return false;
    output.bytes = grown;
    output.room = room;
  }
  for (size_t i = 0; i < length; i++)
    output.bytes[output.length + i] = bytes[i];
  output.length += length;
  return true;
}

/* Read what is in the pipe. With the mutex: so what was read is in order. */
static void empty_pipe(void) {
  char piece[PIECE];
  ssize_t length;
  while ((length = read(output.read_end, piece, sizeof piece)) > 0) {
    if (keep(piece, (size_t)length))
      continue;
    terminal_write(output.bytes, output.length);
    terminal_write(piece, (size_t)length);
    output.length = 0;
  }
}

static void wake(void) {
  uint64_t one = 1;
  ssize_t ignored = write(output.wake, &one, sizeof one); /* fails when it is set already */
  (void)ignored;
}

static void *drain(void *unused) {
  (void)unused;
  for (;;) {
    poll(&(struct pollfd){.fd = output.read_end, .events = POLLIN}, 1, -1);
    pthread_mutex_lock(&output.mutex);
    size_t before = output.length;
    empty_pipe();
    bool more = output.length > before;
    pthread_mutex_unlock(&output.mutex);
    if (more)
      wake();
  }
  return NULL;
}

/* Signals are the main thread's. */
static bool start_thread(void) {
  pthread_t thread;
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  int result = pthread_create(&thread, NULL, drain, NULL);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return result == 0 && pthread_detach(thread) == 0;
}

/* Descriptors of ours get large numbers. */
static int move_up(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, terminal_out());
  close(fd);
  return moved;
}

static bool start(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return false;
  output.read_end = move_up(ends[0]);
  output.write_end = move_up(ends[1]);
  output.wake = move_up(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  for (int i = 0; i < 2; i++)
    output.streams[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, terminal_out());
  if (output.read_end < 0 || output.write_end < 0 || output.wake < 0 || output.streams[0] < 0)
    return false;
  fcntl(output.read_end, F_SETFL, O_NONBLOCK); /* the reader's alone, unlike the other end */
  setvbuf(stdout, NULL, _IOLBF, 0);            /* a pipe would have it buffered in full */
  output.started = start_thread();
  return output.started;
}

/* ---- Where the streams lead ---- */

static void flush(void) {
  fflush(stdout);
  fflush(stderr);
}

/* A stream that was closed, or led elsewhere by the user (2>log), stays so. */
static void lead(bool into_pipe) {
  if (into_pipe == output.captured)
    return;
  flush();
  for (int i = 0; i < 2; i++) {
    if (isatty(output.streams[i]))
      dup2(into_pipe ? output.write_end : output.streams[i], STDOUT_FILENO + i);
  }
  output.captured = into_pipe;
}

void output_end(void) {
  if (!output.started)
    return;
  lead(false);
  pthread_mutex_lock(&output.mutex);
  empty_pipe();
  terminal_write(output.bytes, output.length);
  output.length = 0;
  pthread_mutex_unlock(&output.mutex);
}

void output_spill(void) {
  char piece[PIECE];
  ssize_t length;
  if (!output.started || pthread_mutex_trylock(&output.mutex) != 0)
    return;
  terminal_write(output.bytes, output.length);
  while ((length = read(output.read_end, piece, sizeof piece)) > 0)
    terminal_write(piece, (size_t)length);
  output.length = 0;
  pthread_mutex_unlock(&output.mutex);
}

/* ---- For the console ---- */

/* output.start(): make pipe and thread; a descriptor that is readable when something has come */
static int start_output(lua_State *L) {
  if (!start())
    return luaL_error(L, "no descriptors or threads are left for the output of greenlets");
  lua_pushinteger(L, output.wake);
  return 1;
}

static int capture(lua_State *L) {
  (void)L;
  lead(true);
  return 0;
}

static int release(lua_State *L) {
  (void)L;
  lead(false);
  return 0;
}

/* output.take(): what has come, or nil */
static int take(lua_State *L) {
  uint64_t count;
  ssize_t ignored = read(output.wake, &count, sizeof count);
  (void)ignored;
  pthread_mutex_lock(&output.mutex);
  empty_pipe();
  char *bytes = output.bytes;
  size_t length = output.length;
  output.bytes = NULL;
  output.length = output.room = 0;
  pthread_mutex_unlock(&output.mutex);
  if (length == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, bytes, length);
  free(bytes);
  return 1;
}

/* output.write(text): to where stdout leads, after what is in its buffer */
static int write_text(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  flush();
  while (length > 0) {
    ssize_t written = write(STDOUT_FILENO, text, length);
    if (written < 0 && errno == EAGAIN)
      poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
    else if (written < 0 && errno != EINTR)
      break;
    text += written > 0 ? written : 0;
    length -= written > 0 ? (size_t)written : 0;
  }
  return 0;
}

static int flush_streams(lua_State *L) {
  (void)L;
  flush();
  return 0;
}

void output_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"start", start_output},
                                       {"capture", capture},
                                       {"release", release},
                                       {"take", take},
                                       {"write", write_text},
                                       {"flush", flush_streams},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "output");
}
