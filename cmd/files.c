#include "cmd/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

/* How long a lock is asked for, and how often a file that is replaced is opened anew:
 * its holder may be a stopped process. Names beyond MOST_NAMES are not listed. */
enum { LOCK_TRIES = 200, LOCK_NANOSECONDS = 1000000, OPEN_TRIES = 10, MOST_NAMES = 100000 };

static int fail(lua_State *L, const char *path) {
  return luaL_fileresult(L, false, path);
}

/* ---- Opening, locking ---- */

/* A pipe's open could wait for its other end, hence O_NONBLOCK. Returns -1 with errno. */
static int open_regular(const char *path, int flags, struct stat *status) {
  int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  if (fstat(fd, status) == 0 && S_ISREG(status->st_mode))
    return fd;
  close(fd);
  errno = S_ISDIR(status->st_mode) ? EISDIR : EINVAL;
  return -1;
}

static bool lock(int fd) {
  static const struct timespec pause = {.tv_nsec = LOCK_NANOSECONDS};
  for (int i = 0; i < LOCK_TRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
      return true;
    if (errno != EWOULDBLOCK && errno != EINTR)
      return false; /* a file system without locks */
    nanosleep(&pause, NULL);
  }
  return false;
}

static bool is_at(const char *path, const struct stat *status) {
  struct stat now;
  return stat(path, &now) == 0 && now.st_dev == status->st_dev && now.st_ino == status->st_ino;
}

/* Open a file and lock it, the one that bears the name once it is locked: one that
 * was replaced in between would take what is written along. */
static int open_locked(const char *path, int flags, struct stat *status, bool *locked) {
  for (int i = 1;; i++) {
    int fd = open_regular(path, flags, status);
    if (fd < 0)
      return -1;
    *locked = lock(fd);
    if (i == OPEN_TRIES || !*locked || is_at(path, status)) {
      fstat(fd, status); /* it may have grown until the lock was free */
      return fd;
    }
    close(fd);
  }
}

/* Close, with errno kept for who reports. */
static void close_quietly(int fd) {
  int error = errno;
  close(fd);
  errno = error;
}

static bool write_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    if (n < 0 && errno != EINTR)
      return false;
    if (n > 0) {
      data += n;
      length -= (size_t)n;
    }
  }
  return true;
}

/* Read the end of a file of that size into the buffer: how many bytes, or -1. */
static ssize_t read_end(int fd, off_t size, char *buffer, size_t room) {
  off_t offset = size > (off_t)room ? size - (off_t)room : 0;
  size_t length = 0;
  while (length < room) {
    ssize_t n = pread(fd, buffer + length, room - length, offset + (off_t)length);
    if (n < 0 && errno != EINTR)
      return -1;
    if (n == 0)
      break;
    if (n > 0)
      length += (size_t)n;
  }
  return (ssize_t)length;
}

/* ---- Functions: nothing may raise while a descriptor is open ---- */

/* Push a buffer for the end of the file at the path, or NULL with errno. */
static char *push_room(lua_State *L, const char *path, size_t *room) {
  struct stat status;
  lua_Integer most = luaL_checkinteger(L, 2);
  luaL_argcheck(L, most > 0, 2, "must be positive");
  if (stat(path, &status) != 0)
    return NULL;
  *room = status.st_size < most ? (size_t)status.st_size : (size_t)most;
  return lua_newuserdatauv(L, *room + 1, 0);
}

static int l_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat status;
  size_t room;
  char *buffer = push_room(L, path, &room);
  int fd = buffer ? open_regular(path, O_RDONLY, &status) : -1;
  if (fd < 0)
    return fail(L, path);
  ssize_t length = read_end(fd, status.st_size, buffer, room);
  close_quietly(fd);
  if (length < 0)
    return fail(L, path);
  lua_pushlstring(L, buffer, (size_t)length);
  return 1;
}

/* Did somebody leave a line that has no end? */
static bool is_torn(int fd, const struct stat *status) {
  char last;
  return status->st_size > 0 && pread(fd, &last, 1, status->st_size - 1) == 1 && last != '\n';
}

static int l_append(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushliteral(L, "\n");
  lua_insert(L, 2);
  lua_pushliteral(L, "\n");
  lua_concat(L, 3);
  size_t length;
  const char *line = lua_tolstring(L, 2, &length);
  struct stat status;
  bool locked;
  int fd = open_locked(path, O_RDWR | O_APPEND | O_CREAT, &status, &locked);
  if (fd < 0)
    return fail(L, path);
  size_t skipped = is_torn(fd, &status) ? 0 : 1;
  bool written = write_all(fd, line + skipped, length - skipped);
  close_quietly(fd);
  return written ? luaL_fileresult(L, true, path) : fail(L, path);
}

struct block {
  char *data;
  size_t length;
};

/* (f, block): what the file becomes, or nil */
static int call_editor(lua_State *L) {
  const struct block *block = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushlstring(L, block->data, block->length);
  lua_call(L, 1, 1);
  if (!lua_isnil(L, -1))
    luaL_checkstring(L, -1);
  return 1;
}

/* Put a new file in the place of the one at the path. */
static bool replace(const char *path, const char *temporary, const char *data, size_t length) {
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return false;
  bool written = write_all(fd, data, length);
  close_quietly(fd);
  if (written && rename(temporary, path) == 0)
    return true;
  int error = errno;
  unlink(temporary);
  errno = error;
  return false;
}

/* What lies under the lock: leaves the editor's answer, or its error, on top. */
static bool edit(lua_State *L, int fd, const struct stat *status, const char *path,
                 const char *temporary, struct block *room, int *answer) {
  ssize_t length = read_end(fd, status->st_size, room->data, room->length);
  if (length < 0)
    return false;
  room->length = (size_t)length;
  lua_pushcfunction(L, call_editor);
  lua_pushvalue(L, 3);
  lua_pushlightuserdata(L, room);
  *answer = lua_pcall(L, 2, 1, 0);
  if (*answer != LUA_OK || lua_isnil(L, -1))
    return true;
  size_t size;
  const char *data = lua_tolstring(L, -1, &size);
  return replace(path, temporary, data, size);
}

static int l_rewrite(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  char real[PATH_MAX]; /* a link to the file stays one */
  if (!realpath(path, real))
    return fail(L, path);
  const char *temporary = lua_pushfstring(L, "%s.new", real);
  struct block room;
  struct stat status;
  room.data = push_room(L, real, &room.length);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bool locked = false;
  int fd = room.data ? open_locked(real, O_RDONLY, &status, &locked) : -1;
  if (fd < 0)
    return fail(L, path);
  int answer = LUA_OK;
  errno = EBUSY;
  bool ok = locked && edit(L, fd, &status, real, temporary, &room, &answer);
  close_quietly(fd);
  if (!ok)
    return fail(L, path);
  if (answer != LUA_OK)
    return lua_error(L);
  lua_pushboolean(L, true);
  return 1;
}

static int l_make_directory(lua_State *L) {
  const char *given = luaL_checkstring(L, 1);
  char path[PATH_MAX];
  if ((size_t)snprintf(path, sizeof path, "%s/", given) >= sizeof path) {
    errno = ENAMETOOLONG;
    return fail(L, given);
  }
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
      return fail(L, given);
    *slash = '/';
  }
  struct stat status;
  bool made = stat(path, &status) == 0; /* the / at its end asks for a directory */
  return made ? luaL_fileresult(L, true, given) : fail(L, given);
}

static bool is_directory(DIR *directory, const struct dirent *entry) {
  struct stat status;
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
    return entry->d_type == DT_DIR;
  return fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

/* (directory): its names */
static int push_names(lua_State *L) {
  DIR *directory = lua_touserdata(L, 1);
  const struct dirent *entry;
  lua_newtable(L);
  for (int i = 1; i <= MOST_NAMES && (entry = readdir(directory));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    lua_pushfstring(L, is_directory(directory, entry) ? "%s/" : "%s", entry->d_name);
    lua_rawseti(L, -2, i++);
  }
  return 1;
}

static int l_list(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  DIR *directory = opendir(path);
  if (!directory)
    return fail(L, path);
  lua_pushcfunction(L, push_names);
  lua_pushlightuserdata(L, directory);
  int status = lua_pcall(L, 1, 1, 0);
  closedir(directory);
  return status == LUA_OK ? 1 : lua_error(L);
}

int files_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read", l_read},
      {"append", l_append},
      {"rewrite", l_rewrite},
      {"make_directory", l_make_directory},
      {"list", l_list},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}
