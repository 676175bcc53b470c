/*
 * datafile.h: the files that traces and profiles are written to.
 *
 * They are opened when those begin, so that what cannot be is said at once, and found again
 * wherever a script has changed to meanwhile.
 */
#ifndef LUA_BINDING_DATAFILE_H
#define LUA_BINDING_DATAFILE_H

#include <limits.h>

#include "lua_binding/runtime.h"

bool l_ends_in(const char *path, const char *suffix);

/* The path from the root, in PATH_MAX bytes; `%p` in it becomes the number of the process.
 * 0 or -errno. */
int l_complete_path(char *complete, const char *path);

/* Open it to be written anew: a descriptor that is none of the standard streams', should those
 * be closed, or -errno. `flags` are more of open(2). Safe in signal handlers. */
int l_open_datafile(const char *path, int flags);

/* Could it be opened, as far as can be told without making it? 0 or -errno. */
int l_check_writable(const char *path);

/* "cannot be written to ...", in the runtime's buffer. */
const char *l_datafile_problem(struct runtime *rt, const char *path, int error);

/* NULL, or that its name ends in none of the two. */
const char *l_check_suffix(struct runtime *rt, const char *path, const char *one,
                           const char *other);

#endif
