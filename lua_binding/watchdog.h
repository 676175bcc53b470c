/*
 * watchdog.h: who does not give way?
 *
 * While the watchdog is on, a timer ticks, and the handler compares what the hub
 * keeps anyway: which greenlet runs, how many switches are left of the batch, and
 * how often the loop has turned. Nothing is done when greenlets switch. If nothing
 * has changed for longer than allowed, the greenlet is reported, once. While the loop
 * waits for events the timer is stopped.
 */
#ifndef LUA_BINDING_WATCHDOG_H
#define LUA_BINDING_WATCHDOG_H

#include "lua_binding/runtime.h"

/* Have it bark after so many seconds; 0: never. NULL, or why it cannot be. */
const char *l_set_watchdog(struct runtime *rt, double seconds);
double l_get_watchdog(const struct runtime *rt);

/* The timer has ticked, in a signal handler. */
void l_watchdog_tick(struct runtime *rt);

/* Report the greenlet that runs, if it still is the one. */
void l_watchdog_report(lua_State *L, struct runtime *rt);

void l_watchdog_forked(void);
void l_watchdog_end(void);

#endif
