/*
 * fault.h: whose C code has overrun its stack, or got SIGSEGV otherwise.
 *
 * The kernel can deliver SIGSEGV to a thread whose stack is full on another stack
 * only. That is the stack on which core moves stacks: it has a guard and is idle.
 * Where the program or a library handles the signal itself, or has given the thread
 * an alternate stack, that stays.
 */
#ifndef LUA_BINDING_FAULT_H
#define LUA_BINDING_FAULT_H

#include "lua_binding/runtime.h"

/* From now on faults of this thread are told of, then end the process as ever. */
void l_open_faults(struct runtime *rt);

/* Another signal that a fault sends: from now on the traces are written, before it ends the
 * process. Unless somebody handles it. */
void l_take_fault(int number);

/* Before the stacks go. */
void l_close_faults(struct runtime *rt);

#endif
