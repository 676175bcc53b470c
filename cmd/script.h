/*
 * script.h: running chunks, and the one gate and the one printer for errors.
 *
 * Every chunk runs through script_call, under a handler that turns its error
 * into a message with a traceback, as stock lua writes it. A function here
 * that returns an exit status has already reported what went wrong: 0 means
 * that the chunk ended well, anything else is how the program should exit.
 */
#ifndef CMD_SCRIPT_H
#define CMD_SCRIPT_H

#include <lua.h>

/* Set the name in front of messages, NULL for none. Returns the one before. */
const char *script_name_program(const char *name);

/* Print a message on stderr, after the program's name. */
void script_message(const char *message);

/* lua_pcall under the message handler. Returns Lua's status. */
int script_call(lua_State *L, int nargs, int nresults);

/* Unless status is LUA_OK, print and pop the message on top. Returns an exit status.
 * A signal that ended the program needs no words. */
int script_report(lua_State *L, int status);

/* The signal that the program is to die by, its exit status being this; 0: none. */
int script_signal(int exit_status);

/* Run a file (NULL: standard input) or a string without arguments. */
int script_run_file(lua_State *L, const char *name);
int script_run_string(lua_State *L, const char *code, const char *chunk_name);

/* Run a C function without arguments as if it were a chunk. */
int script_run_function(lua_State *L, lua_CFunction function);

/* `-l name` or `-l global=module`, which is cut in two in place. */
int script_require(lua_State *L, char *name);

/* Run what LUA_INIT_5_4, or else LUA_INIT, asks for. */
int script_run_init(lua_State *L);

/* Run the script at argv[0] with the values that the table `arg` has by now. */
int script_run_main(lua_State *L, char **argv);

#endif
