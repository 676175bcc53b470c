/*
 * tracer.h: traces of what greenlets do, to files.
 *
 * A tracer is a recorder (core/record.h), what Lua knows of its greenlets, and a file:
 * that of `--trace` and greenlet.trace, which has everything, or the flight recorder's,
 * which has the last records when something bad has happened.
 */
#ifndef LUA_BINDING_TRACER_H
#define LUA_BINDING_TRACER_H

#include "lua_binding/runtime.h"

/* Note where the current greenlet is about to wait and, of the object at index 1, for
 * what. Only while somebody observes. Runs no finalizers. */
void l_note_wait(lua_State *L, struct runtime *rt);

/* What was noted last is of waits that are over: since then nobody observed. */
void l_forget_waits(struct runtime *rt);

/* Somebody has begun to observe, or has ended: from now on that is noted, or no more. */
void l_watch(struct runtime *rt);

/* Have places told from addresses again, after a cycle of the collector. */
void l_watch_places(struct runtime *rt);

/* The settings `trace` and `flight_recorder`: begin, or for "" end and write the trace.
 * NULL, or why not, in a buffer of the runtime's. */
const char *l_set_trace(lua_State *L, struct runtime *rt, const char *path);
const char *l_set_flight(lua_State *L, struct runtime *rt, const char *path);
/* The file, "" if there is none. */
const char *l_get_trace(const struct runtime *rt);
const char *l_get_flight(const struct runtime *rt);

/* Something bad has happened, `why`, a word: the flight recorder writes its file. */
void l_flight_write(struct runtime *rt, const char *why);

/* The same for all in this process, in a signal handler, before a fault ends it: and the
 * traces are written too. */
void l_traces_crash(const char *why);

/* A signal is about to end the process: the traces are written. In a signal handler. */
void l_traces_last_resort(void);

/* The state is being closed; it has become the child of a fork, which traces nothing. */
void l_close_traces(struct runtime *rt);
void l_drop_traces(struct runtime *rt);

void l_open_trace(lua_State *L, struct runtime *rt);

#endif
