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

/* As stack_pool_init. */
int slots_init(struct stack_pool *pool, unsigned slots, size_t slot_bytes);

/* As stack_pool_resize, which gives `begun` its new slot: it finds one. */
int slots_resize(struct stack_pool *pool, unsigned slots, size_t slot_bytes,
                 const struct stack *begun);

/* Unmap all slots. */
void slots_term(struct stack_pool *pool);

/* A slot without owner: from the free list or a new one; NULL if there is
 * none. */
struct slot *slot_take(struct stack_pool *pool, bool pinned);

/* The owner has left it, or never came. */
void slot_release(struct stack_pool *pool, struct slot *slot);

/* Second chance: the first slot since the hand's last stop that has not run. */
struct slot *slot_victim(struct stack_pool *pool);

#endif
