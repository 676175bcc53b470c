/*
 * switch.h: the one place where the machine's stack pointer changes.
 *
 * Both functions are in switch_<arch>.S. A stack that is not running is
 * described by one word, its stack pointer; everything that the ABI wants kept
 * across a call lies on the stack below it. The floating point control words
 * (mxcsr, x87, fpcr) are shared by all stacks: nothing in Lua changes them.
 */
#ifndef CORE_SWITCH_H
#define CORE_SWITCH_H

/*
 * Save the callee-saved registers on the current stack, store the stack
 * pointer in *from, continue at `to`. Returns when somebody switches back.
 */
void switch_stack(void **from, void *to);

/*
 * Lay out an unstarted stack that ends at top (any alignment). The first
 * switch to the returned stack pointer calls entry(arg), which must not return.
 */
void *switch_prepare(void *top, void (*entry)(void *), void *arg);

#endif
