/*
 * calltree.h: stacks of calls, each kept once, and the time that was spent in them.
 *
 * A frame is what is called: a function, or what stands for one on a stack, as the name of
 * a greenlet or what it waits for. A node is a frame called from another node, and so stands
 * for a whole stack:
 *
 *     frames:  0 "main"   1 "serve (a.lua:3)"   2 "parse (a.lua:9)"   3 "[sleep]"
 *     nodes:   0: 0       1: 1 in 0             2: 2 in 1             3: 3 in 1
 *
 * Memory grows with the number of different stacks, not with time, and is malloc's. Without
 * any, CALLTREE_NONE is the answer, and nothing has changed.
 */
#ifndef LUA_BINDING_CALLTREE_H
#define LUA_BINDING_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLTREE_NONE UINT32_MAX

enum frame_kind {
  FRAME_LUA,       /* text is its source, line where it is defined */
  FRAME_C,         /* address tells it from others */
  FRAME_GREENLET,  /* text is the name that a script has given it */
  FRAME_MAIN,
  FRAME_HUB,
  FRAME_WAIT,      /* text is what for; of constants that the program has */
  FRAME_READY,     /* it waits for its turn */
  FRAME_NOTE,      /* text says what is not known */
};

struct frame {
  uint8_t kind;    /* enum frame_kind */
  uint8_t tries;   /* to find its name */
  bool used;       /* in a node */
  uint32_t share;  /* the owner's; 0 at first */
  int line;
  const void *address;
  char *text;      /* "@file.lua", as lua_Debug has it; or what kind says; may be NULL */
  char *name;      /* of a function; NULL: not known */
};

struct node {
  uint32_t parent, frame;  /* parent: CALLTREE_NONE for a root */
  uint64_t cpu, wait;      /* nanoseconds, here and not further in */
};

struct index {
  uint32_t *places;        /* numbers and 1; 0: free */
  uint32_t size;           /* a power of two, or 0 */
};

struct calltree {
  struct frame *frames;
  struct node *nodes;
  uint32_t frame_count, frame_room, node_count, node_room;
  struct index frame_index, node_index;
};

/* The frame that these tell from all others, made if it is new. */
uint32_t calltree_frame(struct calltree *tree, enum frame_kind kind, const char *text,
                        size_t length, int line, const void *address);

/* Give a function its name, unless it has one. */
void calltree_name(struct calltree *tree, uint32_t frame, const char *name);

/* The node of a call of `frame` from node `parent`, made if it is new. */
uint32_t calltree_node(struct calltree *tree, uint32_t parent, uint32_t frame);

/* Free all of it; it is empty then, as one of zeros. */
void calltree_term(struct calltree *tree);

#endif
