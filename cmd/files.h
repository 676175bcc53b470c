/*
 * files.h: what the parts of the prompt need of files that Lua's io lacks.
 *
 * Two prompts may use one file at once: whoever writes it holds a lock on it, and a
 * file that was replaced meanwhile is opened anew. Nobody is waited for long, and no
 * call blocks on a pipe or device that bears the file's name.
 */
#ifndef CMD_FILES_H
#define CMD_FILES_H

#include <lua.h>

/*
 * Push a table of functions. They return nil and a message when something fails.
 *   read(path, most) -> the last `most` bytes of a regular file
 *   append(path, text) -> true; one write, on a line of its own, to a file that is made
 *     (mode 0600) if there is none
 *   rewrite(path, most, f) -> true; the file becomes f(its last `most` bytes), unless f
 *     returns nothing; f must not switch
 *   make_directory(path) -> true; with those above it, mode 0700
 *   list(path) -> the names in a directory, directories' with a / at their ends
 */
int files_open(lua_State *L);

#endif
