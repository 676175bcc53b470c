/*
 * edit.h: what is typed at the prompt, key by key.
 *
 * The library that edits (editor.h) is asked to read a key when there is one. If it
 * wants more, in the middle of a paste, say, it waits through the hub, so that other
 * greenlets run on. Only the main greenlet calls it, which stands on the stack of the
 * process, and no Lua error passes through it: what is called from inside it is
 * protected. What it would draw is drawn by screen.c.
 */
#ifndef CMD_EDIT_H
#define CMD_EDIT_H

#include <stdbool.h>

#include <lua.h>

/* Load and set up the library; false if it is not there. */
bool edit_start(void);

/* Set cmd.edit, `cmd` being on top. */
void edit_open(lua_State *L);

#endif
