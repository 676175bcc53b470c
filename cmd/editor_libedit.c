/*
 * editor_libedit.c: libedit, by its own interface.
 *
 * Its display goes nowhere; brackets of pastes, of which it knows nothing, are ours.
 */
#include "cmd/editor.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <histedit.h>

#include "cmd/line.h"
#include "cmd/terminal.h"

static const char begin_brackets[] = "\033[?2004h", end_brackets[] = "\033[?2004l";
static const char paste_begins[] = "\033[200~", paste_ends[] = "\033[201~";

/* Keys that nobody has, for what is done by pushing keys. */
static const char older[] = "\033[9001~", newer[] = "\033[9002~";

#define SYMBOLS(X)                                                                   \
  X(el_init_fd) X(el_set) X(el_gets) X(el_line) X(el_insertstr) X(el_deletestr) X(el_push) \
  X(el_cursor) X(el_reset) X(el_resize) X(el_source) X(history_init) X(history)

static struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): what it defines is a member */
#define SYMBOL(name) __typeof__(&name) name;
  SYMBOLS(SYMBOL)
#undef SYMBOL
} le;

static EditLine *line;
static History *entries;
static bool complete; /* what is edited is a whole text */
static bool pushed;   /* keys of ours are to be read */

static bool load(void) {
  void *library = line_library();
  if (!library)
    return false;
#define SYMBOL(name)                                       \
  if (!(*(void **)&le.name = dlsym(library, #name)))       \
    return false;
  SYMBOLS(SYMBOL)
#undef SYMBOL
  return true;
}

/* ---- What it calls ---- */

static char *no_prompt(EditLine *el) {
  static char none[] = "";
  (void)el;
  return none;
}

/* It asks for characters, which come as bytes. Those that are none are dropped. */
static int get_key(EditLine *el, wchar_t *character) {
  mbstate_t state = {0};
  (void)el;
  edit_redisplay(); /* in the middle of a search, it shows what was found */
  for (;;) {
    int key = edit_read_key();
    char byte = (char)key;
    if (key < 0)
      return 0;
    size_t length = mbrtowc(character, &byte, 1, &state);
    if (length <= 1)
      return 1;
    if (length == (size_t)-1)
      state = (mbstate_t){0};
  }
}

static void push(const char *keys) {
  le.el_push(line, keys);
  pushed = true;
}

static unsigned char on_enter(EditLine *el, int key) {
  (void)el, (void)key;
  if (edit_on_enter())
    return CC_REFRESH;
  complete = true;
  return CC_NEWLINE;
}

static unsigned char on_end(EditLine *el, int key) {
  const LineInfo *info = le.el_line(el);
  if (edit_on_end())
    return on_enter(el, key);
  if (info->cursor < info->lastchar)
    push("\033[3~");
  return CC_NORM;
}

static unsigned char on_up(EditLine *el, int key) {
  (void)el, (void)key;
  if (!edit_on_up())
    push(older);
  return CC_CURSOR;
}

static unsigned char on_down(EditLine *el, int key) {
  (void)el, (void)key;
  if (!edit_on_down())
    push(newer);
  return CC_CURSOR;
}

static unsigned char on_new_line(EditLine *el, int key) {
  (void)el, (void)key;
  edit_on_new_line();
  return CC_REFRESH;
}

static unsigned char on_tab(EditLine *el, int key) {
  (void)el, (void)key;
  edit_on_tab();
  return CC_REFRESH;
}

static unsigned char on_clear(EditLine *el, int key) {
  (void)el, (void)key;
  edit_on_clear();
  return CC_REFRESH;
}

/* Read a paste as far as its end. */
static unsigned char on_paste(EditLine *el, int key) {
  size_t length = 0, room = 4096, end = sizeof paste_ends - 1;
  char *text = malloc(room);
  (void)key;
  for (int byte; text && (byte = edit_read_key()) >= 0;) {
    text[length++] = (char)(byte == '\r' ? '\n' : byte);
    if (length >= end && memcmp(text + length - end, paste_ends, end) == 0) {
      length -= end;
      break;
    }
    if (length + 1 == room) {
      char *grown = realloc(text, room *= 2);
      if (!grown)
        free(text);
      text = grown;
    }
  }
  if (text) {
    text[length] = '\0';
    le.el_insertstr(el, text);
    edit_on_paste();
  }
  free(text);
  return CC_REFRESH;
}

/* ---- Setting up ---- */

static void bind(const char *key, const char *name,
                 unsigned char (*function)(EditLine *, int)) {
  if (function)
    le.el_set(line, EL_ADDFN, name, name, function);
  le.el_set(line, EL_BIND, key, name, NULL);
}

static void bind_keys(void) {
  static const char *const up[] = {"\033[A", "\033OA", "^P"};
  static const char *const down[] = {"\033[B", "\033OB", "^N"};
  bind(older, "ed-prev-history", NULL);
  bind(newer, "ed-next-history", NULL);
  bind("\033[3~", "ed-delete-next-char", NULL);
  for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
    bind(up[i], "console-up", i == 0 ? on_up : NULL);
    bind(down[i], "console-down", i == 0 ? on_down : NULL);
  }
  bind("\033[H", "ed-move-to-beg", NULL);
  bind("\033[1~", "ed-move-to-beg", NULL);
  bind("\033[F", "ed-move-to-end", NULL);
  bind("\033[4~", "ed-move-to-end", NULL);
  bind("^U", "vi-kill-line-prev", NULL); /* as in readline; by default it takes all */
  bind("^R", "em-inc-search-prev", NULL);
  bind(paste_begins, "console-paste", on_paste);
  bind("^M", "console-enter", on_enter);
  bind("^J", "console-enter", NULL);
  bind("\033\r", "console-new-line", on_new_line);
  bind("^I", "console-tab", on_tab);
  bind("^L", "console-clear", on_clear);
  bind("^D", "console-end", on_end);
}

bool editor_start(int most) {
  HistEvent event;
  FILE *nowhere = load() ? fopen("/dev/null", "we") : NULL;
  if (!nowhere)
    return false;
  /* It asks the descriptor whether this is a terminal, and writes to the stream. */
  line = le.el_init_fd("lua", stdin, nowhere, nowhere, TERMINAL_IN, terminal_out(), terminal_out());
  entries = le.history_init();
  if (!line || !entries)
    return false;
  le.history(entries, &event, H_SETSIZE, most);
  le.el_set(line, EL_HIST, le.history, entries);
  le.el_set(line, EL_SIGNAL, 0);
  le.el_set(line, EL_PROMPT, no_prompt);
  le.el_set(line, EL_EDITOR, "emacs");
  le.el_set(line, EL_GETCFN, get_key);
  le.el_source(line, NULL); /* the user's settings */
  bind_keys();
  return true;
}

/* ---- For edit.c ---- */

void editor_take_terminal(void) {
  terminal_write(begin_brackets, sizeof begin_brackets - 1);
  le.el_set(line, EL_PREP_TERM, 1);
}

void editor_give_terminal(void) {
  le.el_set(line, EL_PREP_TERM, 0);
  terminal_write(end_brackets, sizeof end_brackets - 1);
}

void editor_begin(const char *prompt) {
  (void)prompt;
  complete = false;
  terminal_write(begin_brackets, sizeof begin_brackets - 1);
  le.el_set(line, EL_UNBUFFERED, 1);
  edit_redisplay();
}

static void end(void) {
  le.el_set(line, EL_UNBUFFERED, 0);
  terminal_write(end_brackets, sizeof end_brackets - 1);
}

void editor_key(void) {
  int count;
  do {
    pushed = false;
    le.el_gets(line, &count);
  } while (pushed);
  if (!complete) {
    edit_redisplay();
    return;
  }
  struct editor_text text = editor_text();
  char *copy = strndup(text.bytes, text.length);
  end();
  edit_done(copy);
}

void editor_cancel(void) {
  le.el_reset(line);
  end();
}

struct editor_text editor_text(void) {
  const LineInfo *info = le.el_line(line);
  return (struct editor_text){.bytes = info->buffer,
                              .length = (size_t)(info->lastchar - info->buffer),
                              .point = (size_t)(info->cursor - info->buffer)};
}

void editor_insert(const char *text) {
  le.el_insertstr(line, text);
}

/* It counts characters. */
static int characters(const char *bytes, size_t length) {
  int count = 0;
  for (size_t i = 0; i < length; i++)
    count += (bytes[i] & 0xc0) != 0x80;
  return count;
}

void editor_delete(size_t start) {
  struct editor_text text = editor_text();
  le.el_deletestr(line, characters(text.bytes + start, text.point - start));
}

void editor_go_to(size_t point) {
  struct editor_text text = editor_text();
  bool back = point < text.point;
  int distance = back ? characters(text.bytes + point, text.point - point)
                      : characters(text.bytes + text.point, point - text.point);
  le.el_cursor(line, back ? -distance : distance);
}

void editor_remember(const char *text) {
  HistEvent event;
  le.history(entries, &event, H_ENTER, text);
}

void editor_resize(void) {
  le.el_resize(line);
}
