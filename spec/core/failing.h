/*
 * failing.h: allocations that fail, for a program that is linked with --wrap for
 * each of these functions. The n-th call from now on, and the next few, get nothing.
 * Included once in a program.
 */
#ifndef SPEC_CORE_FAILING_H
#define SPEC_CORE_FAILING_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_mprotect(void *at, size_t bytes, int protection);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __wrap_mprotect(void *at, size_t bytes, int protection);

/* Calls until the first that fails, and then how many fail. */
static unsigned long calls_left;
static unsigned failures_left;
static bool armed, failed;

static bool fails(void) {
  if (!armed)
    return false;
  if (calls_left > 0) {
    calls_left--;
    return false;
  }
  if (failures_left == 0)
    return false;
  failures_left--;
  failed = true;
  errno = ENOMEM;
  return true;
}

void *__wrap_malloc(size_t bytes) {
  return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
  return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes) {
  return fails() ? NULL : __real_realloc(memory, bytes);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes) {
  return fails() ? ENOMEM : __real_posix_memalign(memory, alignment, bytes);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return fails() ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, fd, offset);
}

int __wrap_mprotect(void *at, size_t bytes, int protection) {
  return fails() ? -1 : __real_mprotect(at, bytes, protection);
}

#endif
