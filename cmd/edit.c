#include "cmd/edit.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cmd/editor.h"
#include "cmd/screen.h"
#include "cmd/terminal.h"

enum { HISTORY_ENTRIES = 10000, END_KEY = 4 /* Ctrl-D */ };
static const double LONGEST_TURN = 0.002; /* seconds without giving way, in a paste */

static struct {
  lua_State *L;       /* whoever called us last */
  char *prompt, *more;
  char *line;         /* what was read, once `done` */
  bool reading, done;
  bool ended;         /* the terminal has hung up */
  bool end_typed;     /* Ctrl-D, where nothing else is */
  bool no_more;       /* the text is to have no further lines */
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

/* For ever if `seconds` is negative. */
bool edit_await_key(double seconds) {
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

/* ---- What the library calls ---- */

/* Ctrl-D is taken for Enter: the library would take it for a reason to move the cursor. */
int edit_read_key(void) {
  unsigned char key;
  give_way();
  while (edit_await_key(-1)) {
    ssize_t count = read(TERMINAL_IN, &key, 1);
    if (count == 1) {
      edit.end_typed = key == END_KEY && editor_text().length == 0;
      return edit.end_typed ? '\n' : key;
    }
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    edit.ended = true;
    break;
  }
  return -1;
}

static void show(void) {
  struct editor_text now = editor_text();
  struct screen_text text = {.prompt = now.prompt ? now.prompt : edit.prompt,
                             .more = edit.more,
                             .bytes = now.bytes,
                             .length = now.length,
                             .point = now.point};
  screen_show(&text);
  edit.stale = false;
}

/* When more keys have come, it is the last that shows. */
void edit_redisplay(void) {
  edit.stale = edit.hidden || edit.done || readable();
  if (!edit.stale)
    show();
}

void edit_done(char *text) {
  edit.line = text;
  edit.done = true;
  edit.reading = false;
}

static bool needs_more(void) {
  struct editor_text text = editor_text();
  lua_pushlstring(edit.L, text.bytes, text.length);
  call_hook("incomplete", 1, 1);
  bool more = lua_toboolean(edit.L, -1);
  lua_pop(edit.L, 1);
  return more;
}

bool edit_on_enter(void) {
  if (edit.ended || edit.end_typed || edit.no_more || !needs_more())
    return false;
  editor_insert("\n");
  return true;
}

void edit_on_new_line(void) {
  editor_insert("\n");
}

/* Where the next line would begin, Ctrl-D says that there is no more of it. */
bool edit_on_end(void) {
  struct editor_text text = editor_text();
  edit.no_more = text.length == text.point && text.length > 0 &&
                 text.bytes[text.length - 1] == '\n';
  return edit.no_more;
}

static size_t line_start(const struct editor_text *text, size_t at) {
  while (at > 0 && text->bytes[at - 1] != '\n')
    at--;
  return at;
}

static size_t line_end(const struct editor_text *text, size_t at) {
  while (at < text->length && text->bytes[at] != '\n')
    at++;
  return at;
}

/* Put the cursor into the line that begins at `start`, as far from there as in its own. */
static void go_to_line(const struct editor_text *text, size_t start) {
  size_t offset = text->point - line_start(text, text->point), end = line_end(text, start);
  size_t at = start + offset < end ? start + offset : end;
  while (at > start && at < end && (text->bytes[at] & 0xc0) == 0x80)
    at--; /* not into the middle of a character */
  editor_go_to(at);
}

bool edit_on_up(void) {
  struct editor_text text = editor_text();
  size_t start = line_start(&text, text.point);
  if (start > 0)
    go_to_line(&text, line_start(&text, start - 1));
  return start > 0;
}

bool edit_on_down(void) {
  struct editor_text text = editor_text();
  size_t end = line_end(&text, text.point);
  if (end < text.length)
    go_to_line(&text, end + 1);
  return end < text.length;
}

void edit_on_tab(void) {
  lua_State *L = edit.L;
  struct editor_text text = editor_text();
  lua_pushlstring(L, text.bytes, text.length);
  lua_pushinteger(L, (lua_Integer)text.point);
  call_hook("complete", 2, 2);
  if (lua_isstring(L, -1)) {
    editor_delete((size_t)lua_tointeger(L, -2));
    editor_insert(lua_tostring(L, -1));
  }
  lua_pop(L, 2);
}

/* What is pasted waits for Enter; its last newline is not meant to be a further line. */
void edit_on_paste(void) {
  struct editor_text text = editor_text();
  size_t last = text.point;
  while (text.point == text.length && last > 0 && text.bytes[last - 1] == '\n')
    last--;
  if (last < text.point)
    editor_delete(last);
}

void edit_on_clear(void) {
  screen_clear();
  edit_redisplay();
}

/* ---- Setting up ---- */

/* The library takes the encoding from the environment. Where that asks for none (no LANG,
 * or C), terminals are UTF-8 nowadays. It affects the category LC_CTYPE alone. */
bool edit_start(void) {
  const char *all = getenv("LC_ALL"), *type = getenv("LC_CTYPE"), *language = getenv("LANG");
  const char *name = all && *all ? all : type && *type ? type : language ? language : "";
  bool none = !*name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0;
  bool ours = none && !(all && *all) && setenv("LC_CTYPE", "C.UTF-8", 1) == 0;
  setlocale(LC_CTYPE, "");
  bool started = editor_start(HISTORY_ENTRIES);
  if (ours && type)
    setenv("LC_CTYPE", "C", 1);
  else if (ours)
    unsetenv("LC_CTYPE");
  return started;
}

/* ---- cmd.edit ---- */

static void set_text(char **place, const char *text) {
  free(*place);
  *place = strdup(text);
}

static void begin(void) {
  edit.done = edit.hidden = edit.stale = edit.end_typed = edit.no_more = false;
  edit.reading = true;
  terminal_edited();
  editor_begin(edit.prompt);
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
  editor_key();
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
  struct editor_text text = editor_text();
  lua_pushlstring(L, text.bytes, text.length);
  leave(lua_tostring(L, -1), "^C");
  edit.reading = false;
  edit.done = true; /* it would show the text again */
  editor_cancel();
  return 1;
}

/* edit.pause(): give the terminal back as it was; edit.go_on(): take it again */
static int edit_pause(lua_State *L) {
  (void)L;
  screen_hide();
  edit.hidden = true;
  editor_give_terminal();
  terminal_plain();
  return 0;
}

static int edit_go_on(lua_State *L) {
  (void)L;
  terminal_edited();
  editor_take_terminal();
  edit.hidden = false;
  edit_redisplay();
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
  show();
  return 0;
}

static int edit_stale(lua_State *L) {
  lua_pushboolean(L, edit.stale && edit.reading);
  return 1;
}

static int edit_resize(lua_State *L) {
  (void)L;
  screen_resize();
  editor_resize();
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
  editor_remember(luaL_checkstring(L, 1));
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
