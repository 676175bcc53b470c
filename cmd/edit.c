#include "cmd/edit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "cmd/line.h"
#include "cmd/screen.h"
#include "cmd/terminal.h"

enum { HISTORY_ENTRIES = 10000, END_KEY = 4 /* Ctrl-D */ };
static const double LONGEST_TURN = 0.002; /* seconds without giving way, in a paste */

/* What is used of the library, by the names without rl_. */
#define SYMBOLS(X)                                                                     \
  X(callback_handler_install) X(callback_handler_remove) X(callback_read_char)         \
  X(callback_sigcleanup) X(free_line_state) X(initialize) X(resize_terminal)           \
  X(set_keyboard_input_timeout) X(insert_text) X(delete_text) X(newline) X(delete)     \
  X(get_previous_history) X(get_next_history) X(begin_undo_group) X(end_undo_group)    \
  X(bind_keyseq_in_map) X(function_of_keyseq) X(catch_signals)      \
  X(catch_sigwinch) X(prep_term_function) X(deprep_term_function) X(line_buffer) X(point) X(end) X(instream) X(outstream)            \
  X(getc_function) X(input_available_hook) X(redisplay_function) X(display_prompt)     \
  X(erase_empty_line) X(bracketed_paste_begin)

static struct {
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

static struct {
  lua_State *L;       /* whoever called us last */
  char *prompt, *more;
  char *line;         /* what was read, once `done` */
  bool reading, done;
  bool ended;         /* the terminal has hung up */
  bool end_typed;     /* Ctrl-D, where nothing else is */
  bool hidden, stale; /* the text is not shown, or not as it is by now */
  double gave_way;    /* when we last did */
} edit;

/* ---- Asking Lua ---- */

static const char hooks_key;

/* Call hooks.<name> with the arguments on top, which become the results: nil if it fails. */
static void call_hook(const char *name, int arguments, int results) {
  lua_State *L = edit.L;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_insert(L, -1 - arguments);
  int base = lua_gettop(L) - arguments - 1;
  if (lua_pcall(L, arguments, results, 0) != LUA_OK)
    lua_settop(L, base);
  lua_settop(L, base + results);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Is there a key to be read, or will there never be one? */
static bool readable(void) {
  return poll(&(struct pollfd){.fd = TERMINAL_IN, .events = POLLIN}, 1, 0) != 0;
}

/* Wait for a key: for so many seconds, negative: for ever. False: there is none. */
static bool await_key(double seconds) {
  double end = seconds_now() + seconds;
  while (!readable()) {
    double left = end - seconds_now();
    if (seconds >= 0 && left <= 0)
      return false;
    if (seconds >= 0)
      lua_pushnumber(edit.L, left);
    else
      lua_pushnil(edit.L);
    call_hook("wait", 1, 1);
    bool go_on = lua_toboolean(edit.L, -1);
    lua_pop(edit.L, 1);
    edit.gave_way = seconds_now();
    if (!go_on)
      return false;
  }
  return true;
}

/* A long paste is read without waiting: let others run. */
static void give_way(void) {
  if (seconds_now() - edit.gave_way < LONGEST_TURN)
    return;
  call_hook("give_way", 0, 0);
  edit.gave_way = seconds_now();
}

/* ---- What readline calls ---- */

/* Readline itself would take the end of the input for a reason to move the cursor. */
static int get_key(FILE *stream) {
  unsigned char key;
  (void)stream;
  give_way();
  while (await_key(-1)) {
    ssize_t count = read(TERMINAL_IN, &key, 1);
    if (count == 1)
      return (edit.end_typed = key == END_KEY && *rl.end == 0) ? '\n' : key;
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    edit.ended = true;
    break;
  }
  return EOF;
}

static int key_is_there(void) {
  int microseconds = rl.set_keyboard_input_timeout(-1);
  return await_key(microseconds * 1e-6);
}

static struct screen_text edited(void) {
  return (struct screen_text){.prompt = *rl.display_prompt ? *rl.display_prompt : "",
                              .more = edit.more,
                              .bytes = *rl.line_buffer,
                              .length = (size_t)*rl.end,
                              .point = (size_t)*rl.point};
}

/* When more keys have come, it is the last that shows. */
static void redisplay(void) {
  edit.stale = edit.hidden || edit.done || readable();
  if (edit.stale)
    return;
  struct screen_text text = edited();
  screen_show(&text);
}

static void take_line(char *line) {
  edit.line = line;
  edit.done = true;
  edit.reading = false;
  rl.callback_handler_remove();
}

static int accept(int key) {
  *rl.erase_empty_line = 1; /* or it would move the cursor, about which it knows nothing */
  return rl.newline(1, key);
}

static bool needs_more(void) {
  lua_pushlstring(edit.L, *rl.line_buffer, (size_t)*rl.end);
  call_hook("incomplete", 1, 1);
  bool more = lua_toboolean(edit.L, -1);
  lua_pop(edit.L, 1);
  return more;
}

/* Enter: the end of a text, or of a line of it if the text needs more. */
static int on_enter(int count, int key) {
  (void)count;
  if (edit.ended || edit.end_typed || !needs_more())
    return accept(key);
  rl.insert_text("\n");
  return 0;
}

static int on_new_line(int count, int key) {
  (void)count, (void)key;
  rl.insert_text("\n");
  return 0;
}

/* Ctrl-D where the next line would begin: there is no more of it. */
static int on_end(int count, int key) {
  if (*rl.point == *rl.end && *rl.end > 0 && (*rl.line_buffer)[*rl.end - 1] == '\n')
    return accept(key);
  return rl.delete(count, key);
}

static int line_start(int at) {
  while (at > 0 && (*rl.line_buffer)[at - 1] != '\n')
    at--;
  return at;
}

static int line_end(int at) {
  while (at < *rl.end && (*rl.line_buffer)[at] != '\n')
    at++;
  return at;
}

/* Put the cursor into the line that begins at `start`, as far from there as in its own. */
static void go_to_line(int start) {
  int offset = *rl.point - line_start(*rl.point), end = line_end(start);
  int at = start + offset < end ? start + offset : end;
  while (at > start && at < end && ((*rl.line_buffer)[at] & 0xc0) == 0x80)
    at--; /* not into the middle of a character */
  *rl.point = at;
}

static int on_up(int count, int key) {
  int start = line_start(*rl.point);
  if (start == 0)
    return rl.get_previous_history(count, key);
  go_to_line(line_start(start - 1));
  return 0;
}

static int on_down(int count, int key) {
  int end = line_end(*rl.point);
  if (end == *rl.end)
    return rl.get_next_history(count, key);
  go_to_line(end + 1);
  return 0;
}

static int on_tab(int count, int key) {
  lua_State *L = edit.L;
  (void)count, (void)key;
  lua_pushlstring(L, *rl.line_buffer, (size_t)*rl.end);
  lua_pushinteger(L, *rl.point);
  call_hook("complete", 2, 2);
  if (lua_isstring(L, -1)) {
    rl.begin_undo_group();
    int start = (int)lua_tointeger(L, -2);
    rl.delete_text(start, *rl.point);
    *rl.point = start;
    rl.insert_text(lua_tostring(L, -1));
    rl.end_undo_group();
  }
  lua_pop(L, 2);
  return 0;
}

/* What is pasted waits for Enter; its last newline is not meant to be a further line. */
static int on_paste(int count, int key) {
  int result = rl.bracketed_paste_begin(count, key), last = *rl.point;
  while (last > 0 && *rl.point == *rl.end && (*rl.line_buffer)[last - 1] == '\n')
    last--;
  if (last < *rl.point) {
    rl.delete_text(last, *rl.point);
    *rl.point = last;
  }
  return result;
}

static int on_clear_screen(int count, int key) {
  (void)count, (void)key;
  screen_clear();
  redisplay();
  return 0;
}

/* ---- Setting up ---- */

static bool load(void) {
  void *library = line_library();
  if (!library)
    return false;
#define SYMBOL(name)                                             \
  *(void **)&rl.name = dlsym(library, "rl_" #name);              \
  if (!rl.name)                                                  \
    return false;
  SYMBOLS(SYMBOL)
#undef SYMBOL
  *(void **)&rl.add_history = dlsym(library, "add_history");
  *(void **)&rl.stifle_history = dlsym(library, "stifle_history");
  *(void **)&rl.using_history = dlsym(library, "using_history");
  *(void **)&rl.emacs = dlsym(library, "emacs_standard_keymap");
  *(void **)&rl.vi_insertion = dlsym(library, "vi_insertion_keymap");
  *(void **)&rl.vi_movement = dlsym(library, "vi_movement_keymap");
  return rl.add_history && rl.stifle_history && rl.using_history && rl.emacs && rl.vi_insertion && rl.vi_movement;
}

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
  bind("\f", on_clear_screen);
  rl.bind_keyseq_in_map("\004", on_end, *rl.emacs);
}

/* Readline takes the encoding from the environment. Where that asks for none (no LANG, or
 * C), terminals are UTF-8 nowadays. It affects the category LC_CTYPE alone. */
static void initialize(void) {
  const char *all = getenv("LC_ALL"), *type = getenv("LC_CTYPE"), *language = getenv("LANG");
  const char *name = all && *all ? all : type && *type ? type : language ? language : "";
  bool none = !*name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0;
  bool ours = none && !(all && *all) && setenv("LC_CTYPE", "C.UTF-8", 1) == 0;
  rl.initialize();
  if (ours && !type)
    unsetenv("LC_CTYPE");
}

bool edit_start(void) {
  FILE *out = load() ? fdopen(fcntl(terminal_out(), F_DUPFD_CLOEXEC, terminal_out()), "w") : NULL;
  if (!out)
    return false;
  *rl.instream = stdin;
  *rl.outstream = out;
  *rl.catch_signals = *rl.catch_sigwinch = 0;
  *rl.getc_function = get_key;
  *rl.input_available_hook = key_is_there;
  rl.stifle_history(HISTORY_ENTRIES);
  initialize();
  *rl.redisplay_function = redisplay; /* before, it would not look at what keys send */
  bind_keys();
  return true;
}

/* ---- cmd.edit ---- */

static void set_text(char **place, const char *text) {
  free(*place);
  *place = strdup(text);
}

static void begin(void) {
  edit.done = edit.hidden = edit.stale = edit.end_typed = false;
  edit.reading = true;
  terminal_edited();
  rl.callback_handler_install(edit.prompt, take_line);
}

/* edit.begin(prompt, more): show the prompt, begin to read */
static int edit_begin(lua_State *L) {
  edit.L = L;
  set_text(&edit.prompt, luaL_checkstring(L, 1));
  set_text(&edit.more, luaL_checkstring(L, 2));
  if (!edit.prompt || !edit.more)
    return luaL_error(L, "not enough memory");
  edit.gave_way = seconds_now();
  begin();
  return 0;
}

static void leave(const char *bytes, const char *mark) {
  struct screen_text text = {.prompt = edit.prompt, .more = edit.more, .bytes = bytes,
                             .length = strlen(bytes)};
  screen_leave(&text, mark);
  terminal_plain();
}

/* edit.key(): read a key that is there; true and, unless the input has ended, the text,
 * when that is complete */
static int edit_key(lua_State *L) {
  edit.L = L;
  edit.gave_way = seconds_now();
  rl.callback_read_char();
  if (!edit.done)
    return 0;
  leave(edit.line ? edit.line : "", "");
  lua_pushboolean(L, true);
  lua_pushstring(L, edit.end_typed ? NULL : edit.line); /* NULL: nil */
  free(edit.line);
  edit.line = NULL;
  return 2;
}

/* edit.cancel(): drop what was typed, and read no more; the text */
static int edit_cancel(lua_State *L) {
  if (!edit.reading)
    return 0;
  lua_pushlstring(L, *rl.line_buffer, (size_t)*rl.end);
  (*rl.line_buffer)[*rl.end] = '\0';
  leave(*rl.line_buffer, "^C");
  edit.reading = false;
  edit.done = true; /* it would show the text again */
  rl.free_line_state();
  rl.callback_sigcleanup();
  rl.callback_handler_remove();
  return 1;
}

/* edit.pause(): give the terminal back as it was; edit.go_on(): take it again */
static int edit_pause(lua_State *L) {
  (void)L;
  screen_hide();
  edit.hidden = true;
  (*rl.deprep_term_function)();
  terminal_plain();
  return 0;
}

static int edit_go_on(lua_State *L) {
  (void)L;
  terminal_edited();
  (*rl.prep_term_function)(1);
  edit.hidden = false;
  redisplay();
  return 0;
}

static int edit_hide(lua_State *L) {
  (void)L;
  screen_hide();
  edit.hidden = true;
  return 0;
}

/* edit.show(): after hide, or to bring up to date what is shown */
static int edit_show(lua_State *L) {
  (void)L;
  if (!edit.reading)
    return 0;
  edit.hidden = false;
  struct screen_text text = edited();
  screen_show(&text);
  edit.stale = false;
  return 0;
}

static int edit_stale(lua_State *L) {
  lua_pushboolean(L, edit.stale && edit.reading);
  return 1;
}

static int edit_resize(lua_State *L) {
  (void)L;
  screen_resize();
  rl.resize_terminal();
  return 0;
}

static int edit_readable(lua_State *L) {
  lua_pushboolean(L, readable());
  return 1;
}

static int edit_ended(lua_State *L) {
  lua_pushboolean(L, edit.ended);
  return 1;
}

/* edit.remember(text): what Up goes to first */
static int edit_remember(lua_State *L) {
  rl.add_history(luaL_checkstring(L, 1));
  rl.using_history();
  return 0;
}

/* edit.hook(table): the functions that are called in the middle of edit.key: wait(seconds),
 * give_way(), incomplete(text), complete(text, point) */
static int edit_hook(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
  return 0;
}

static int fresh_row(lua_State *L) {
  (void)L;
  screen_fresh_row();
  return 0;
}

static int width(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_pushinteger(L, (lua_Integer)screen_width(text, length));
  return 1;
}

void edit_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"begin", edit_begin},
                                       {"key", edit_key},
                                       {"cancel", edit_cancel},
                                       {"pause", edit_pause},
                                       {"go_on", edit_go_on},
                                       {"hide", edit_hide},
                                       {"show", edit_show},
                                       {"stale", edit_stale},
                                       {"resize", edit_resize},
                                       {"readable", edit_readable},
                                       {"ended", edit_ended},
                                       {"remember", edit_remember},
                                       {"hook", edit_hook},
                                       {"fresh_row", fresh_row},
                                       {"width", width},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "edit");
}
