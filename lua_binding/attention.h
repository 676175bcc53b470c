/*
 * attention.h: signals that ask a running program something.
 *
 * A signal handler runs no Lua. It notes what is wanted, wakes the loop, in case it
 * waits, and sets a hook on the Lua thread that runs, in case one does; whichever
 * comes first serves what is wanted. If neither does for a while, the thread is in a
 * C function, which a timer's signal tells (stuck.h).
 *
 *     SIGUSR1                    what all greenlets do, to stderr
 *     SIGURG, from sigqueue      the same, to the program that asks (answer.h)
 *     SIGURG, from a timer       ticks: is it stuck in C; the watchdog (watchdog.c); has
 *                                nobody taken SIGTERM (interrupt.c); samples (profile.c)
 *
 * A script that watches one of these signals itself takes it over: watchers replace
 * the handler, and put it back.
 */
#ifndef LUA_BINDING_ATTENTION_H
#define LUA_BINDING_ATTENTION_H

#include <signal.h>

#include "lua_binding/runtime.h"

enum { WANT_DUMP = 1, WANT_ANSWER = 2, WANT_WATCHDOG = 4 };

/* What the timers' signals carry. */
enum { TICK_STUCK = 1, TICK_WATCHDOG = 2, TICK_UNHEARD = 3, TICK_PROFILE = 4 };

/* Have this served soon. Safe in signal handlers. */
void l_want(struct runtime *rt, unsigned what);

/* Is it still to be served? Safe in signal handlers. */
bool l_wanted(unsigned what);

/* It is not wanted any more. Safe in signal handlers. */
void l_unwant(unsigned what);

/* Serve what is wanted, in a hook of the thread that runs. */
void l_serve(lua_State *L, struct runtime *rt);

/* Take SIGUSR1, unless it is ignored, and SIGURG; or give them back. */
void l_listen(struct runtime *rt, bool on);
bool l_listens(const struct runtime *rt);

/* Put back the hook that ours has replaced on the thread, if it has: what is wanted is
 * served elsewhere, by whoever has called this. May be called in signal handlers. */
void l_unhook(lua_State *L);

/* Take SIGURG for the watchdog alone. */
void l_take_ticks(struct runtime *rt);

/* The same in two steps: prepare it; and take it if nobody has, in a signal handler. */
void l_expect_ticks(struct runtime *rt);
void l_arm_ticks(void);

void l_open_attention(lua_State *L, struct runtime *rt);
void l_close_attention(struct runtime *rt);

/* Add the signals whose handlers set a hook: none may interrupt another. */
void l_mask_hookers(sigset_t *mask);

/* ---- interrupt.c ---- */

/* Its hook, which serves what is wanted, too. */
void l_on_interrupt_hook(lua_State *L, lua_Debug *ar);

/* The signal that asks the program to end was sent a while ago. In the signal handler. */
void l_unheard_tick(struct runtime *rt);

/* From now on Ctrl-C and such end the process at once. */
void l_default_interrupt(struct runtime *rt);

/* Raise what came before that, and nobody has taken. */
void l_raise_untaken(lua_State *L, struct runtime *rt);

/* In the child of a fork: what has come was the parent's. */
void l_forget_signals(void);

/* There is no prompt either, whose signals these might be. */
void l_forget_takers(void);

#endif
