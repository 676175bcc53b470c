/*
 * profile_write.c: a profile as a file: folded stacks, or a page with the same as JSON.
 *
 * Names come from scripts and may be anything: they are made harmless here.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "core/output.h"
#include "lua_binding/pages.h"
#include "lua_binding/profile.h"

static struct output out; /* large, and only one is written at a time */

static void put(const char *text) {
  output_text(&out, text);
}

static void put_number(uint64_t number) {
  output_number(&out, number);
}

static uint64_t microseconds(uint64_t nanoseconds) {
  return (nanoseconds + 500) / 1000;
}

/* ---- What frames are called ---- */

/* Where a function is: a file, or what its chunk is called: from `*start` on, so long. */
static size_t find_source(const struct frame *frame, const char **start) {
  enum { MOST_OF_A_STRING = 40 };
  *start = frame->text;
  if (*frame->text == '@' || *frame->text == '=') {
    ++*start;
    return strlen(*start);
  }
  size_t line = strcspn(frame->text, "\n");
  return line < MOST_OF_A_STRING ? line : MOST_OF_A_STRING;
}

static const char *name_of(const struct frame *frame) {
  switch (frame->kind) {
    case FRAME_LUA:
      return frame->line == 0 ? "main chunk" : frame->name ? frame->name : "function";
    case FRAME_C: return frame->name ? frame->name : "?";
    case FRAME_MAIN: return "main";
    case FRAME_HUB: return "hub";
    default: return frame->text;
  }
}

/* ---- Folded stacks ---- */

/* The character that parts frames, and the end of the line, are other characters in a name. */
static void put_folded(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    output_bytes(&out, c == ';' ? ":" : (unsigned char)c < ' ' || c == 0x7f ? " " : &c, 1);
  }
}

static void put_folded_frame(const struct frame *frame) {
  const char *name = name_of(frame), *source;
  put(";");
  put_folded(name, strlen(name));
  if (frame->kind == FRAME_C)
    put(" [C]");
  if (frame->kind != FRAME_LUA)
    return;
  size_t length = find_source(frame, &source);
  put(" (");
  put_folded(source, length);
  if (frame->line > 0) {
    put(":");
    put_number((uint64_t)frame->line);
  }
  put(")");
}

enum { MOST_DEEP = 512 }; /* profile_walk.c reads fewer frames */

static void put_stack(const struct calltree *tree, const char *clock, uint32_t node,
                      uint64_t time) {
  uint32_t frames[MOST_DEEP];
  int count = 0;
  if (microseconds(time) == 0)
    return;
  for (; node != CALLTREE_NONE && count < MOST_DEEP; node = tree->nodes[node].parent)
    frames[count++] = tree->nodes[node].frame;
  put(clock);
  while (count > 0)
    put_folded_frame(&tree->frames[frames[--count]]);
  put(" ");
  put_number(microseconds(time));
  put("\n");
}

static void put_folded_stacks(const struct calltree *tree) {
  for (uint32_t i = 0; i < tree->node_count; i++)
    put_stack(tree, "cpu", i, tree->nodes[i].cpu);
  for (uint32_t i = 0; i < tree->node_count; i++)
    put_stack(tree, "wait", i, tree->nodes[i].wait);
}

/* ---- JSON ---- */

static void put_string(const char *text, size_t length) {
  char piece[PATH_MAX];
  if (length >= sizeof piece)
    length = sizeof piece - 1;
  memcpy(piece, text, length);
  piece[length] = '\0';
  put("\"");
  output_escaped(&out, piece);
  put("\"");
}

/* ,"name":number */
static void put_field(const char *name, uint64_t number) {
  put(",\"");
  put(name);
  put("\":");
  put_number(number);
}

/* [kind, name, file, line] */
static void put_frame(const struct frame *frame) {
  const char *name = name_of(frame), *source = "";
  size_t length = frame->kind == FRAME_LUA ? find_source(frame, &source) : 0;
  put("[");
  put_number(frame->kind);
  put(",");
  put_string(name, strlen(name));
  put(",");
  put_string(source, length);
  put(",");
  put_number((uint64_t)frame->line);
  put("]");
}

static void put_frames(const struct calltree *tree) {
  put(",\n\"frames\":[");
  for (uint32_t i = 0; i < tree->frame_count; i++) {
    put(i > 0 ? ",\n" : "\n");
    if (tree->frames[i].used)
      put_frame(&tree->frames[i]);
    else
      put("0");
  }
  put("]");
}

static void put_list(const uint64_t *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    put(i > 0 ? "," : "[");
    put_number(numbers[i]);
  }
  put("]");
}

/* [the parent's number and 1, frame, cpu, wait], parents first */
static void put_nodes(const struct calltree *tree) {
  put(",\n\"nodes\":[");
  for (uint32_t i = 0; i < tree->node_count; i++) {
    const struct node *node = &tree->nodes[i];
    uint32_t parent = node->parent == CALLTREE_NONE ? 0 : node->parent + 1;
    put(i > 0 ? ",\n" : "\n");
    put_list((uint64_t[]){parent, node->frame, microseconds(node->cpu), microseconds(node->wait)},
             4);
  }
  put("]");
}

/* [node, greenlets, cpu, wait, ready] */
static void put_shares(const struct profile *profile) {
  put(",\n\"shares\":[");
  for (uint32_t i = 0; i < profile->share_count; i++) {
    const struct share *share = &profile->shares[i];
    put(i > 0 ? ",\n" : "\n");
    put_list((uint64_t[]){share->node, share->greenlets, microseconds(share->cpu),
                          microseconds(share->wait), microseconds(share->ready)},
             5);
  }
  put("]");
}

/* What was typed: words with zeros between them. */
static void put_command(void) {
  char words[400];
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, words, sizeof words);
  if (fd >= 0)
    close(fd);
  for (ssize_t i = 0; i < length; i++)
    if (words[i] == '\0')
      words[i] = ' ';
  while (length > 0 && words[length - 1] == ' ')
    length--;
  put_string(words, length > 0 ? (size_t)length : 0);
}

/* Times are in microseconds. */
static void put_json(const struct profile *profile) {
  put("{\"program\":\"greenlua " GREENLUA_VERSION "\",\"command\":");
  put_command();
  put_field("samples", profile->samples);
  put_field("dropped", profile->dropped);
  put_field("interval", microseconds((uint64_t)(profile->interval * 1e9)));
  put_field("wall", microseconds(profile->wall));
  put_field("cpu", microseconds(profile->cpu));
  put_field("idle", microseconds(profile->idle));
  put_frames(&profile->tree);
  put_nodes(&profile->tree);
  put_shares(profile);
  put("}\n");
}

int l_profile_write(const struct profile *profile) {
  output_init(&out, profile->file);
  if (profile->page) {
    struct page_parts page = l_flame_page();
    output_bytes(&out, page.head, page.head_size);
    put_json(profile);
    output_bytes(&out, page.tail, page.tail_size);
  } else {
    put_folded_stacks(&profile->tree);
  }
  return -output_flush(&out);
}
