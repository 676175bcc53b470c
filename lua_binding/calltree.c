#include "lua_binding/calltree.h"

#include <stdlib.h>
#include <string.h>

/* A script may have as many different stacks as it likes; a page with more is of no use. */
enum { MOST_NODES = 1 << 21, FIRST_ROOM = 64 };

/* ---- Places by hash ---- */

static uint32_t mix(uint64_t value) {
  return (uint32_t)((value * 0x9e3779b97f4a7c15u) >> 32);
}

static uint32_t *first_place(const struct index *index, uint32_t hash) {
  return &index->places[hash & (index->size - 1)];
}

static uint32_t *next_place(const struct index *index, uint32_t *place) {
  return ++place == index->places + index->size ? index->places : place;
}

static uint32_t *free_place(const struct index *index, uint32_t hash) {
  uint32_t *place = first_place(index, hash);
  while (*place)
    place = next_place(index, place);
  return place;
}

/* Make room in an array of `room` items; its index has twice as many places. */
static bool grow(void **items, size_t bytes, uint32_t *room, struct index *index) {
  uint32_t more = *room ? *room * 2 : FIRST_ROOM;
  uint32_t *places = calloc(2 * (size_t)more, sizeof *places);
  void *moved = places ? realloc(*items, more * bytes) : NULL;
  if (!moved) {
    free(places);
    return false;
  }
  free(index->places);
  *index = (struct index){places, 2 * more};
  *items = moved;
  *room = more;
  /* cppcheck-suppress memleak; index->places is it */
  return true;
}

/* ---- Frames ---- */

/* Of a text that may be long its length and its end tell enough. */
static uint32_t hash_frame(unsigned kind, const char *text, size_t length, int line,
                           const void *address) {
  uint64_t tail = 0;
  size_t bytes = length < sizeof tail ? length : sizeof tail;
  if (bytes)
    memcpy(&tail, text + length - bytes, bytes);
  return mix((tail ^ (uintptr_t)address) * 31 + ((uint64_t)line << 8 | kind) + length);
}

static uint32_t hash_of(const struct frame *frame) {
  return hash_frame(frame->kind, frame->text, frame->text ? strlen(frame->text) : 0, frame->line,
                    frame->address);
}

static bool is_frame(const struct frame *frame, unsigned kind, const char *text, size_t length,
                     int line, const void *address) {
  return frame->kind == kind && frame->line == line && frame->address == address &&
         (text ? frame->text && strncmp(frame->text, text, length) == 0 &&
                     frame->text[length] == '\0'
               : !frame->text);
}

static bool room_for_frame(struct calltree *tree) {
  if (tree->frame_count < tree->frame_room)
    return true;
  void *frames = tree->frames;
  if (!grow(&frames, sizeof *tree->frames, &tree->frame_room, &tree->frame_index))
    return false;
  tree->frames = frames;
  for (uint32_t i = 0; i < tree->frame_count; i++)
    *free_place(&tree->frame_index, hash_of(&tree->frames[i])) = i + 1;
  return true;
}

uint32_t calltree_frame(struct calltree *tree, enum frame_kind kind, const char *text,
                        size_t length, int line, const void *address) {
  length = text ? strnlen(text, length) : 0;
  uint32_t hash = hash_frame(kind, text, length, line, address);
  if (tree->frame_index.size)
    for (uint32_t *at = first_place(&tree->frame_index, hash); *at;
         at = next_place(&tree->frame_index, at))
      if (is_frame(&tree->frames[*at - 1], kind, text, length, line, address))
        return *at - 1;
  char *own = text ? strndup(text, length) : NULL;
  if ((text && !own) || !room_for_frame(tree)) {
    free(own);
    return CALLTREE_NONE;
  }
  tree->frames[tree->frame_count] =
      (struct frame){.kind = (uint8_t)kind, .line = line, .address = address, .text = own};
  *free_place(&tree->frame_index, hash) = tree->frame_count + 1;
  return tree->frame_count++;
}

void calltree_name(struct calltree *tree, uint32_t frame, const char *name) {
  if (!tree->frames[frame].name)
    tree->frames[frame].name = strdup(name);
}

/* ---- Nodes ---- */

static uint32_t hash_node(uint32_t parent, uint32_t frame) {
  return mix((uint64_t)parent << 32 | frame);
}

static bool room_for_node(struct calltree *tree) {
  if (tree->node_count < tree->node_room)
    return true;
  void *nodes = tree->nodes;
  if (tree->node_room >= MOST_NODES ||
      !grow(&nodes, sizeof *tree->nodes, &tree->node_room, &tree->node_index))
    return false;
  tree->nodes = nodes;
  for (uint32_t i = 0; i < tree->node_count; i++)
    *free_place(&tree->node_index, hash_node(tree->nodes[i].parent, tree->nodes[i].frame)) =
        i + 1;
  return true;
}

uint32_t calltree_node(struct calltree *tree, uint32_t parent, uint32_t frame) {
  uint32_t hash = hash_node(parent, frame);
  if (tree->node_index.size)
    for (uint32_t *at = first_place(&tree->node_index, hash); *at;
         at = next_place(&tree->node_index, at)) {
      const struct node *node = &tree->nodes[*at - 1];
      if (node->parent == parent && node->frame == frame)
        return *at - 1;
    }
  if (!room_for_node(tree))
    return CALLTREE_NONE;
  tree->nodes[tree->node_count] = (struct node){.parent = parent, .frame = frame};
  tree->frames[frame].used = true;
  *free_place(&tree->node_index, hash) = tree->node_count + 1;
  return tree->node_count++;
}

void calltree_term(struct calltree *tree) {
  for (uint32_t i = 0; i < tree->frame_count; i++) {
    free(tree->frames[i].text);
    free(tree->frames[i].name);
  }
  free(tree->frames);
  free(tree->nodes);
  free(tree->frame_index.places);
  free(tree->node_index.places);
  *tree = (struct calltree){.frames = NULL};
}
