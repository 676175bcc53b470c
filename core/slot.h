/*
 * slot.h: the memory of stacks: address space, guards, free lists.
 *
 * For stack.c only; struct slot and the pool are in stack.h.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/stack.h"

/* A slot outside the pool's array, for a pinned stack or as scratch; NULL if
 * there is no memory. */
struct slot *slot_new(struct stack_pool *pool);

/* A slot without owner: from the free list or a new one; NULL if there is
 * none. */
struct slot *slot_take(struct stack_pool *pool, bool pinned);

/* The owner has left it, or never came. */
void slot_release(struct stack_pool *pool, struct slot *slot);

/* Second chance: the first slot since the hand's last stop that has not run. */
struct slot *slot_victim(struct stack_pool *pool);

/* Unmap all slots. */
void slots_term(struct stack_pool *pool);

#endif
