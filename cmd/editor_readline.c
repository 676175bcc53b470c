/*
 * editor_readline.c: GNU readline, by its callback interface.
 */
#include "cmd/editor.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "cmd/line.h"
#include "cmd/terminal.h"

enum { PREFIX = 0x18 /* Ctrl-X */, END_OF_SEARCH = 0x1b /* Escape */ };

/* What is used of the library, by the names without rl_. */
#define SYMBOLS(X)                                                                       \
  X(callback_handler_install) X(callback_handler_remove) X(callback_read_char)           \
  X(callback_sigcleanup) X(free_line_state) X(initialize) X(resize_terminal)             \
  X(set_keyboard_input_timeout) X(insert_text) X(delete_text) X(newline) X(delete)       \
  X(get_previous_history) X(get_next_history) X(begin_undo_group) X(end_undo_group)      \
  X(bind_keyseq_in_map) X(function_of_keyseq) X(catch_signals) X(catch_sigwinch)         \
  X(prep_term_function) X(deprep_term_function) X(line_buffer) X(point) X(end)           \
  X(instream) X(outstream) X(getc_function) X(input_available_hook)                      \
  X(readline_state) X(redisplay_function) X(display_prompt) X(erase_empty_line)          \
  X(bracketed_paste_begin)

static struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): what it defines is a member */
#define SYMBOL(name) __typeof__(&rl_##name) name;
  SYMBOLS(SYMBOL)
#undef SYMBOL
  __typeof__(&add_history) add_history;
  __typeof__(&stifle_history) stifle_history;
  __typeof__(&using_history) using_history;
  __typeof__(&emacs_standard_keymap) emacs;
  __typeof__(&vi_insertion_keymap) vi_insertion;
  __typeof__(&vi_movement_keymap) vi_movement;
} rl;

static bool load(void) {
  void *library = line_library();
  if (!library)
    return false;
#define SYMBOL(name)                                                \
  if (!(*(void **)&rl.name = dlsym(library, "rl_" #name)))          \
    return false;
  SYMBOLS(SYMBOL)
#undef SYMBOL
  *(void **)&rl.add_history = dlsym(library, "add_history");
  *(void **)&rl.stifle_history = dlsym(library, "stifle_history");
  *(void **)&rl.using_history = dlsym(library, "using_history");
  *(void **)&rl.emacs = dlsym(library, "emacs_standard_keymap");
  *(void **)&rl.vi_insertion = dlsym(library, "vi_insertion_keymap");
  *(void **)&rl.vi_movement = dlsym(library, "vi_movement_keymap");
  return rl.add_history && rl.stifle_history && rl.using_history && rl.emacs &&
         rl.vi_insertion && rl.vi_movement;
}

/* ---- What it calls ---- */

static const char paste_end[] = "\033[201~";
static bool pasting;
static int cut; /* how much of that was made up */

/* In an incremental search the library (8.2) crashes at the key that follows a prefix. And it
 * reads past the text of a paste that ends without its bracket. */
static int get_key(FILE *stream) {
  (void)stream;
  int key = cut ? -1 : edit_read_key();
  if (key < 0 && pasting)
    return paste_end[cut++];
  return key == PREFIX && (*rl.readline_state & RL_STATE_ISEARCH) ? END_OF_SEARCH : key;
}

static int key_is_there(void) {
  int microseconds = rl.set_keyboard_input_timeout(-1);
  return edit_await_key(microseconds * 1e-6);
}

/* The handler is not to be called for a further line. */
static void take_line(char *line) {
  rl.callback_handler_remove();
  edit_done(line);
}

static int on_enter(int count, int key) {
  (void)count;
  if (edit_on_enter())
    return 0;
  *rl.erase_empty_line = 1; /* or it would move the cursor, about which it knows nothing */
  return rl.newline(1, key);
}

static int on_end(int count, int key) {
  return edit_on_end() ? on_enter(1, key) : rl.delete(count, key);
}

static int on_up(int count, int key) {
  return edit_on_up() ? 0 : rl.get_previous_history(count, key);
}

static int on_down(int count, int key) {
  return edit_on_down() ? 0 : rl.get_next_history(count, key);
}

static int on_paste(int count, int key) {
  pasting = true;
  int result = rl.bracketed_paste_begin(count, key);
  pasting = false;
  cut = 0;
  edit_on_paste();
  return result;
}

static int on_new_line(int count, int key) {
  (void)count, (void)key;
  edit_on_new_line();
  return 0;
}

static int on_tab(int count, int key) {
  (void)count, (void)key;
  edit_on_tab();
  return 0;
}

static int on_clear(int count, int key) {
  (void)count, (void)key;
  edit_on_clear();
  return 0;
}

/* ---- Setting up ---- */

static void bind(const char *keys, rl_command_func_t *function) {
  rl.bind_keyseq_in_map(keys, function, *rl.emacs);
  rl.bind_keyseq_in_map(keys, function, *rl.vi_insertion);
}

/* Keys that do what they do by default; others are the user's. */
static void replace(const char *keys, rl_command_func_t *before, rl_command_func_t *function) {
  int type;
  if (rl.function_of_keyseq(keys, *rl.emacs, &type) == before)
    rl.bind_keyseq_in_map(keys, function, *rl.emacs);
  if (rl.function_of_keyseq(keys, *rl.vi_insertion, &type) == before)
    rl.bind_keyseq_in_map(keys, function, *rl.vi_insertion);
}

static void bind_keys(void) {
  static const char *const up[] = {"\033[A", "\033OA", "\020"};
  static const char *const down[] = {"\033[B", "\033OB", "\016"};
  for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
    replace(up[i], rl.get_previous_history, on_up);
    replace(down[i], rl.get_next_history, on_down);
  }
  replace("\033[200~", rl.bracketed_paste_begin, on_paste);
  bind("\r", on_enter);
  bind("\n", on_enter);
  rl.bind_keyseq_in_map("\r", on_enter, *rl.vi_movement);
  rl.bind_keyseq_in_map("\n", on_enter, *rl.vi_movement);
  bind("\033\r", on_new_line);
  bind("\t", on_tab);
  bind("\f", on_clear);
  rl.bind_keyseq_in_map("\004", on_end, *rl.emacs);
}

bool editor_start(int history) {
  if (!load())
    return false;
  int fd = fcntl(terminal_out(), F_DUPFD_CLOEXEC, terminal_out());
  FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
  if (!out)
    return false;
  *rl.instream = stdin;
  *rl.outstream = out;
  *rl.catch_signals = *rl.catch_sigwinch = 0;
  *rl.getc_function = get_key;
  *rl.input_available_hook = key_is_there;
  rl.stifle_history(history);
  rl.initialize();
  *rl.redisplay_function = edit_redisplay; /* before, it would not look at what keys send */
  bind_keys();
  return true;
}

/* ---- For edit.c ---- */

void editor_begin(const char *prompt) {
  rl.callback_handler_install(prompt, take_line);
}

void editor_key(void) {
  rl.callback_read_char();
}

void editor_cancel(void) {
  rl.free_line_state();
  rl.callback_sigcleanup();
  rl.callback_handler_remove();
}

void editor_take_terminal(void) {
  (*rl.prep_term_function)(1);
}

void editor_give_terminal(void) {
  (*rl.deprep_term_function)();
}

struct editor_text editor_text(void) {
  return (struct editor_text){.prompt = *rl.display_prompt,
                              .bytes = *rl.line_buffer,
                              .length = (size_t)*rl.end,
                              .point = (size_t)*rl.point};
}

void editor_insert(const char *text) {
  rl.insert_text(text);
}

void editor_delete(size_t start) {
  rl.delete_text((int)start, *rl.point);
  *rl.point = (int)start;
}

void editor_go_to(size_t point) {
  *rl.point = (int)point;
}

void editor_remember(const char *text) {
  rl.add_history(text);
  rl.using_history();
}

void editor_resize(void) {
  rl.resize_terminal();
}
