/*
 * profile_walk.c: the stacks of greenlets in a tree of calls.
 *
 * It is done in the middle of switches: nothing here may raise or run a finalizer, and Lua's
 * allocator is not called.
 */
#include <stdio.h>
#include <string.h>

#include "lua_binding/callinfo.h"
#include "lua_binding/facts.h"
#include "lua_binding/profile.h"
#include "lua_binding/select.h"

enum {
  MOST_FRAMES = 256, /* of a stack: the innermost ones */
  MOST_TRIES = 16,   /* to learn the name of a function, which not all calls tell */
};

static uint32_t note(struct calltree *tree, enum frame_kind kind, const char *text) {
  return calltree_frame(tree, kind, text, strlen(text), 0, NULL);
}

/* ---- Frames ---- */

/* The next level out; false at the end. */
static bool step_out(lua_State *L, lua_Debug *ar, int *level, bool fast) {
  if (!fast)
    return lua_getstack(L, ++*level, ar);
  struct call_info *outer = ((struct call_info *)ar->i_ci)->previous;
  ar->i_ci = (struct CallInfo *)outer;
  return outer->previous != NULL;
}

/* The frame of the function on top of L (popped). */
static uint32_t frame_of_value(struct calltree *tree, lua_State *L) {
  lua_Debug ar;
  lua_CFunction function = lua_tocfunction(L, -1);
  if (function) {
    lua_pop(L, 1);
    return calltree_frame(tree, FRAME_C, NULL, 0, 0, (const void *)function);
  }
  lua_getinfo(L, ">S", &ar);
  return calltree_frame(tree, FRAME_LUA, ar.source, ar.srclen, ar.linedefined, NULL);
}

/* The frame of an active function. To push one value there is always room (EXTRA_STACK). */
static uint32_t frame_of_call(struct calltree *tree, lua_State *L, lua_Debug *ar) {
  uint32_t frame;
  lua_getinfo(L, "S", ar);
  if (*ar->what == 'C') {
    lua_getinfo(L, "f", ar);
    frame = frame_of_value(tree, L);
  } else {
    frame = calltree_frame(tree, FRAME_LUA, ar->source, ar->srclen, ar->linedefined, NULL);
  }
  if (frame == CALLTREE_NONE)
    return frame;
  struct frame *known = &tree->frames[frame];
  if (!known->name && known->tries < MOST_TRIES) {
    known->tries++;
    lua_getinfo(L, "n", ar);
    if (ar->name && *ar->name != '?')
      calltree_name(tree, frame, ar->name);
  }
  return frame;
}

uint32_t l_walk_function(struct calltree *tree, const struct pair *pair, bool fast) {
  lua_State *L = pair->L;
  lua_Debug ar;
  int level = 0;
  if (!pair->g->begun) {
    lua_pushvalue(L, -(pair->arguments + 1));
    return frame_of_value(tree, L);
  }
  if (!lua_getstack(L, 0, &ar))
    return note(tree, FRAME_NOTE, "greenlet");
  struct CallInfo *outermost;
  do
    outermost = ar.i_ci;
  while (step_out(L, &ar, &level, fast));
  ar.i_ci = outermost;
  return frame_of_call(tree, L, &ar);
}

/* ---- Stacks ---- */

struct stack_frames {
  int count;
  bool deeper;
  uint32_t frames[MOST_FRAMES]; /* the innermost first */
};

/* C functions that have no name are parts of others, called protected. */
static bool tells_something(const struct frame *frame) {
  return frame->kind != FRAME_C || frame->name;
}

static void add_thread(struct stack_frames *stack, struct calltree *tree, lua_State *L,
                       bool fast) {
  lua_Debug ar;
  int level = 0;
  bool any = lua_getstack(L, 0, &ar);
  for (; any; any = step_out(L, &ar, &level, fast)) {
    stack->deeper = stack->count == MOST_FRAMES;
    if (stack->deeper)
      return;
    uint32_t frame = frame_of_call(tree, L, &ar);
    if (frame == CALLTREE_NONE || tells_something(&tree->frames[frame]))
      stack->frames[stack->count++] = frame;
  }
}

/* What the root stands for itself, and what the host called before any script. */
static void leave_out(struct stack_frames *stack, const struct calltree *tree, uint32_t root) {
  uint32_t own = tree->nodes[root].frame;
  if (tree->frames[own].kind == FRAME_MAIN || tree->frames[own].kind == FRAME_HUB) {
    while (stack->count > 0 && stack->frames[stack->count - 1] != CALLTREE_NONE &&
           tree->frames[stack->frames[stack->count - 1]].kind == FRAME_C)
      stack->count--;
  } else if (stack->count > 0 && stack->frames[stack->count - 1] == own) {
    stack->count--;
  }
}

uint32_t l_walk(struct calltree *tree, uint32_t root, const struct pair *pair, lua_State *at,
                bool fast) {
  lua_State *threads[L_DEEPEST];
  struct stack_frames stack;
  stack.count = 0;
  stack.deeper = false;
  for (int i = l_threads_to(pair, at, threads); i > 0 && !stack.deeper; i--)
    add_thread(&stack, tree, threads[i - 1], fast);
  uint32_t node = root, next;
  if (stack.deeper) {
    uint32_t frame = note(tree, FRAME_NOTE, "[calls left out]");
    next = frame == CALLTREE_NONE ? frame : calltree_node(tree, node, frame);
    node = next == CALLTREE_NONE ? node : next;
  } else {
    leave_out(&stack, tree, root);
  }
  while (stack.count > 0) {
    uint32_t frame = stack.frames[--stack.count];
    next = frame == CALLTREE_NONE ? frame : calltree_node(tree, node, frame);
    if (next == CALLTREE_NONE)
      break;
    node = next;
  }
  return node;
}

/* ---- Waits ---- */

/* What traces call "read fd 5": there may be many of them. */
static const char *watcher_text(const struct watcher *watcher) {
  static const char *const texts[] = {
      [WATCHER_TIMER] = "timer", [WATCHER_SIGNAL] = "signal", [WATCHER_CHILD] = "child",
      [WATCHER_STAT] = "stat",   [WATCHER_ASYNC] = "async",   [WATCHER_IDLE] = "idle",
      [WATCHER_PREPARE] = "prepare", [WATCHER_CHECK] = "check", [WATCHER_FORK] = "fork"};
  if (watcher->kind != WATCHER_IO)
    return texts[watcher->kind];
  return watcher->of.io.events & EV_WRITE ? "write" : "read";
}

/* "[sleep]", `[acquire of lock "A"]` */
static uint32_t bracket(struct calltree *tree, const char *what, const char *object) {
  char text[240];
  int length = snprintf(text, sizeof text, "[%s%s%s]", what, *object ? " " : "", object);
  if (length >= (int)sizeof text)
    length = sizeof text - 1;
  return calltree_frame(tree, FRAME_WAIT, text, (size_t)length, 0, NULL);
}

uint32_t l_walk_wait(struct calltree *tree, const struct greenlet *g) {
  const struct wait *wait = &g->wait;
  if (!wait->what)
    return bracket(tree, "nothing", "");
  if (wait->what == WAIT_WATCHER)
    return bracket(tree, watcher_text(wait->object), "");
  if (wait->what == WAIT_LINKS)
    return bracket(tree, wait->object ? wait->object : "links", "");
  if (wait->what == WAIT_JOIN || wait->what == WAIT_DEATHS)
    return bracket(tree, "join", "");
  if (wait->what == WAIT_SELECT)
    return bracket(tree, "select", "");
  if (wait->what == WAIT_SLEEP || wait->what == WAIT_SWITCH || wait->what == WAIT_HUB ||
      wait->what == WAIT_TURN)
    return bracket(tree, wait->what, "");
  const char *object = l_waited_text(g);
  return bracket(tree, wait->what, object ? object : "something");
}

/* ---- Names of C functions ---- */

/* With a library's table on top. */
static void add_library(lua_State *L, struct calltree *tree, const char *library) {
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    lua_CFunction function = lua_tocfunction(L, -1);
    if (!function || lua_type(L, -2) != LUA_TSTRING)
      continue;
    const char *name = lua_tostring(L, -2);
    bool global = strcmp(library, LUA_GNAME) == 0;
    uint32_t frame = calltree_frame(tree, FRAME_C, NULL, 0, 0, (const void *)function);
    if (frame == CALLTREE_NONE)
      continue;
    calltree_name(tree, frame, global ? name : lua_pushfstring(L, "%s.%s", library, name));
    if (!global)
      lua_pop(L, 1);
  }
}

void l_walk_libraries(lua_State *L, struct calltree *tree) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1))
      add_library(L, tree, lua_tostring(L, -2));
  lua_pop(L, 1);
}
