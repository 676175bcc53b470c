/*
 * list.h: a circular doubly linked list whose nodes live inside their owners.
 *
 * An initialised node that is on no list points at itself, so list_remove may
 * be called on it any number of times. A list head is such a node, too.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
  struct list *next, *prev;
};

#define container_of(pointer, type, member) \
  ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void list_init(struct list *node) {
  node->next = node->prev = node;
}

static inline bool list_empty(const struct list *head) {
  return head->next == head;
}

/* Append node, which must be on no list. */
static inline void list_append(struct list *head, struct list *node) {
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}

/* Put node, which must be on no list, before all others. */
static inline void list_prepend(struct list *head, struct list *node) {
  list_append(head->next, node);
}

static inline void list_remove(struct list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  list_init(node);
}

#endif
