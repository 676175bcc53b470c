/*
 * binding.h: what a program that embeds greenlua needs of the binding.
 *
 * A host opens Lua's libraries, calls binding_install once on the main thread,
 * runs its chunks there (that is the main greenlet), and at the end runs
 * binding_wait and binding_finish, both as protected calls:
 *
 *     luaL_openlibs(L);
 *     binding_install(L);
 *     ... run chunks under lua_pcall ...
 *     lua_pushcfunction(L, binding_wait);    run on until nothing can run
 *     lua_pcall(L, 0, 0, msgh);
 *     lua_pushcfunction(L, binding_finish);  kill what is still blocked
 *     lua_pcall(L, 0, 0, msgh);
 *     status = binding_failures(L) ? 1 : 0;
 *
 * A stock `lua5.4` needs none of it: `require "greenlet"` calls luaopen_greenlet.
 */
#ifndef LUA_BINDING_BINDING_H
#define LUA_BINDING_BINDING_H

#include <stdbool.h>

#include <lua.h>

/*
 * A new state with an allocator that is faster for greenlets than malloc; NULL
 * without memory. It has no panic function. For one thread only, as are states
 * that C libraries make with the same allocator.
 */
lua_State *binding_newstate(void);

/* Close a state of binding_newstate. */
void binding_close(lua_State *L);

/* Open the module `greenlet` and push its table. Leaves the globals alone. */
LUAMOD_API int luaopen_greenlet(lua_State *L);

/*
 * Make `greenlet` a global and a loaded module, and install the functions that
 * let kills pass: pcall, xpcall, coroutine.resume, wrap, close, yield and
 * isyieldable, os.exit. L must be the main thread with its libraries open.
 */
void binding_install(lua_State *L);

/*
 * Set greenlet.config's `name` to what `text` says, read as a variable of the
 * environment is. `source` is who says so, for messages: "--leaks". True; or false with
 * the message pushed.
 */
bool binding_set(lua_State *L, const char *name, const char *source, const char *text);

/* The setting `dump`: tell what greenlets do when SIGUSR1 or another process asks. */
void binding_listen(lua_State *L);

/*
 * How a process asks another of the same user what its greenlets do. It makes a random
 * number that is not 0, listens on a stream socket whose abstract name is
 * BINDING_ASK_NAME and the number in 8 digits (hexadecimal, lower case), and sends the
 * number with SIGURG (sigqueue). The answer is one of the bytes below and then text.
 */
#define BINDING_ASK_NAME "greenlua-ask-"
enum { BINDING_ASK_TREE = 1 };            /* bit of the number: a tree, not a list */
enum { BINDING_ANSWER = 'A', BINDING_ANSWER_STUCK = 'C' }; /* C: it runs in C */

/*
 * A lua_CFunction for the main greenlet, no arguments: run until no greenlet
 * can run any more, as greenlet.wait() does. Returns nothing; raises what is
 * raised in the main greenlet meanwhile (KeyboardInterrupt, say).
 */
int binding_wait(lua_State *L);

/*
 * A lua_CFunction for the main greenlet, no arguments: raise GreenletExit in
 * every greenlet that is still alive, so that its to-be-closed variables
 * close, and wait for their ends. A greenlet that refuses to die a hundred
 * times is left. From here on Ctrl-C ends the process at once, but one that follows
 * another within 0.2 s: keys repeat.
 */
int binding_finish(lua_State *L);

/* How many greenlets, links or callbacks died of an error that nobody took. */
int binding_failures(lua_State *L);

/*
 * A lua_CFunction (f, ...): f(...), during which no greenlet can switch: what would
 * have to wait raises InvalidSwitchError.
 */
int binding_without_switches(lua_State *L);

/*
 * luaL_traceback, for a message handler and the error at idx: if a scope has raised
 * that again, with the traceback of the greenlet that it comes from first.
 */
void binding_traceback(lua_State *L, int idx, const char *message, int level);

/*
 * The exit status for the uncaught error at idx of the main greenlet: 3 for
 * LoopExit (a deadlock), 130 for KeyboardInterrupt, 1 for all others. For Terminated
 * it is BINDING_BY_SIGNAL and the signal's number: the host should die by that.
 */
enum { BINDING_BY_SIGNAL = 256 };
int binding_exit_status(lua_State *L, int idx);

/* What stdio has buffered is written, then the process ends by that signal, as whoever sent
 * it expects. Returns where it is blocked. */
void binding_die_by(int number);

/*
 * A lua_CFunction (number, f): have f(running, seconds) decide what becomes of a
 * signal, SIGINT or SIGTSTP, from now on; nil: what becomes of it by default. f runs
 * in the hub (both arguments are nil and 0 then), or in the middle of what a greenlet
 * does, `running`, which has not given way for that many seconds; it must not wait,
 * and its errors are dropped. Then that greenlet gives way, and so gets what f has
 * killed it with. If a signal comes and one before it was not taken for 0.2 s, since
 * whatever runs is not Lua, it has its default action at once. Stopped processes should call this
 * again when they go on.
 */
int binding_attend(lua_State *L);

/*
 * From now on SIGTERM and SIGHUP, unless they are ignored, raise Terminated in the main
 * greenlet; or (off) they have their default action again. One more, 0.2 s after the
 * first, has that at once; so has the first if nobody takes it in that time, since a C
 * function does not return.
 */
void binding_heed_termination(lua_State *L, bool on);

/* Call f, in the signal handler, before such a default action, and before a fault (SIGSEGV)
 * ends the process. NULL: nothing. */
void binding_last_resort(void (*f)(void));

/*
 * A lua_CFunction (g): from now on the greenlet, those that it starts and coroutines
 * that it makes give way by themselves when they run for longer than the switch
 * interval. No effect on threads that have a debug hook.
 */
int binding_slice(lua_State *L);

/*
 * A lua_CFunction (boolean): is the main greenlet the host's, which may take its time, and
 * the terminal not always free for reports? Then the watchdog lets main alone, and a C
 * function return before it reports whoever has called that.
 */
int binding_watch_aside(lua_State *L);

/* A lua_CFunction (g): the failure of this greenlet is the caller's business: it is
 * neither reported nor counted. */
int binding_quiet(lua_State *L);

/*
 * Lua code in the program itself: as text and, if the Makefile has compiled it, as
 * bytecode. embed.inc defines the symbols.
 */
struct binding_part {
  const char *name, *text, *text_end, *code, *code_end;
};

#define BINDING_DECLARE_PART(name) \
  extern const char text_##name[], text_##name##_end[], code_##name[], code_##name##_end[];
#define BINDING_PART(name) \
  {#name, text_##name, text_##name##_end, code_##name, code_##name##_end}

/*
 * Push a part as a function, whose chunk is named [greenlet.<name>]: reports leave
 * such lines out. Raises what loading does (memory).
 */
void binding_push_part(lua_State *L, const struct binding_part *part);

#endif
