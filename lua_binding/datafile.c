#include "lua_binding/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool l_ends_in(const char *path, const char *suffix) {
  size_t length = strlen(path), end = strlen(suffix);
  return length > end && strcmp(path + length - end, suffix) == 0;
}

int l_complete_path(char *complete, const char *path) {
  char directory[PATH_MAX] = "", number[16] = "";
  const char *slash = *path == '/' ? "" : "/", *mark = strstr(path, "%p");
  int before = mark ? (int)(mark - path) : (int)strlen(path);
  if (*slash && !getcwd(directory, sizeof directory))
    return -errno;
  if (mark)
    snprintf(number, sizeof number, "%d", (int)getpid());
  int length = snprintf(complete, PATH_MAX, "%s%s%.*s%s%s", directory, slash, before, path, number,
                        mark ? mark + 2 : "");
  return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int l_open_datafile(const char *path, int flags) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | flags, 0666);
  if (file < 0)
    return -errno;
  if (file > STDERR_FILENO)
    return file;
  int higher = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  close(file);
  return higher < 0 ? -error : higher;
}

int l_check_writable(const char *path) {
  char directory[PATH_MAX];
  if (access(path, W_OK) == 0)
    return 0;
  if (errno != ENOENT)
    return -errno;
  snprintf(directory, sizeof directory, "%s", path);
  char *slash = strrchr(directory, '/');
  slash[slash == directory] = '\0';
  return access(directory, W_OK | X_OK) == 0 ? 0 : -errno;
}

const char *l_datafile_problem(struct runtime *rt, const char *path, int error) {
  snprintf(rt->problem, sizeof rt->problem, "cannot be written to '%.400s': %s", path,
           strerror(error));
  return rt->problem;
}

const char *l_check_suffix(struct runtime *rt, const char *path, const char *one,
                           const char *other) {
  if (l_ends_in(path, one) || l_ends_in(path, other))
    return NULL;
  snprintf(rt->problem, sizeof rt->problem,
           "needs a file whose name ends in %s or %s (got '%.400s')", one, other, path);
  return rt->problem;
}
