#define _GNU_SOURCE /* wcwidth */
#include "cmd/screen.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cmd/terminal.h"

enum { TAB = 8, NO_LIMIT = 1 << 30 };

struct bytes {
  char *at;
  size_t length, room;
  bool failed;
};

struct row {
  size_t start, end;    /* in the frame's bytes */
  int width;
  bool wrapped;         /* it is full, and its line goes on in the next */
};

struct frame {
  struct bytes bytes;   /* what is written for it */
  struct row *rows;
  int count, room;
  int cursor_row, cursor_column;
  int top;              /* the first row that is on the screen */
  int shown;            /* how many of them are */
};

static struct frame frames[2]; /* the one that is shown, and one to be filled */
static int current;
static volatile int at_row, below; /* the cursor's row on the screen, from the frame's first */
static int at_column, columns = 80, height = 24;
static struct bytes out;

/* ---- Bytes ---- */

static void append(struct bytes *bytes, const char *text, size_t length) {
  if (length == 0)
    return;
  if (bytes->length + length > bytes->room) {
    size_t room = (bytes->length + length) * 2;
    char *grown = realloc(bytes->at, room);
    bytes->failed = bytes->failed || !grown;
    if (!grown)
      return;
    bytes->at = grown;
    bytes->room = room;
  }
  memcpy(bytes->at + bytes->length, text, length);
  bytes->length += length;
}

static void append_text(struct bytes *bytes, const char *text) {
  append(bytes, text, strlen(text));
}

static void append_move(char direction, int count) {
  char sequence[24];
  int length = snprintf(sequence, sizeof sequence, "\033[%d%c", count, direction);
  if (count > 0)
    append(&out, sequence, (size_t)length);
}

static void send(void) {
  terminal_write(out.at, out.length);
  out.length = 0;
}

/* ---- Characters ---- */

/* How many bytes the first character has; -1 in *width: it cannot be printed. */
static size_t measure(const char *text, size_t length, int *width) {
  wchar_t wide;
  mbstate_t state = {0};
  if ((unsigned char)*text < 0x80) {
    *width = *text >= ' ' && *text != 0x7f ? 1 : -1;
    return 1;
  }
  if (MB_CUR_MAX == 1) {
    *width = 1;
    return 1;
  }
  size_t bytes = mbrtowc(&wide, text, length, &state);
  if (bytes == 0 || bytes > length) {
    *width = -1;
    return 1;
  }
  *width = wcwidth(wide);
  return bytes;
}

/* The length of the escape sequence that begins here. */
static size_t escape_length(const char *text, size_t length) {
  size_t i = 2;
  if (length < 2 || text[1] != '[')
    return length < 2 ? length : 2;
  while (i < length && (text[i] < '@' || text[i] > '~'))
    i++;
  return i < length ? i + 1 : length;
}

size_t screen_width(const char *bytes, size_t length) {
  size_t columns_taken = 0;
  for (size_t i = 0; i < length;) {
    int width;
    if (bytes[i] == '\033') {
      i += escape_length(bytes + i, length - i);
      continue;
    }
    if (bytes[i] == '\t')
      columns_taken += TAB - columns_taken % TAB;
    if (bytes[i] == '\r')
      columns_taken = 0;
    i += measure(bytes + i, length - i, &width);
    columns_taken += width > 0 ? (size_t)width : 0;
  }
  return columns_taken;
}

/* ---- Laying out ---- */

static struct row *last_row(struct frame *frame) {
  return &frame->rows[frame->count - 1];
}

static void begin_row(struct frame *frame) {
  if (frame->count == frame->room) {
    int room = frame->room ? frame->room * 2 : 16;
    struct row *grown = realloc(frame->rows, (size_t)room * sizeof *grown);
    frame->bytes.failed = frame->bytes.failed || !grown;
    if (!grown)
      return;
    frame->rows = grown;
    frame->room = room;
  }
  size_t start = frame->bytes.length;
  frame->rows[frame->count++] = (struct row){.start = start, .end = start};
}

static void put(struct frame *frame, const char *bytes, size_t length, int width) {
  if (last_row(frame)->width + width > columns) {
    last_row(frame)->wrapped = true;
    begin_row(frame);
  }
  append(&frame->bytes, bytes, length);
  last_row(frame)->end = frame->bytes.length;
  last_row(frame)->width += width;
}

static void put_prompt(struct frame *frame, const char *prompt) {
  size_t length = strlen(prompt);
  for (size_t i = 0; i < length;) {
    int width;
    size_t bytes = measure(prompt + i, length - i, &width);
    if (prompt[i] == '\n') {
      begin_row(frame);
    } else if (prompt[i] == '\033') {
      bytes = escape_length(prompt + i, length - i);
      put(frame, prompt + i, bytes, 0);
    } else if (width >= 0) { /* readline's marks around what takes no room are not shown */
      put(frame, prompt + i, bytes, width);
    }
    i += bytes;
  }
}

/* A character that cannot be printed, as readline shows it: ^A, \377. */
static void put_escaped(struct frame *frame, unsigned char byte) {
  char text[8];
  int length = byte < 0x80 ? snprintf(text, sizeof text, "^%c", byte ^ 0x40)
                           : snprintf(text, sizeof text, "\\%03o", byte);
  for (int i = 0; i < length; i++)
    put(frame, text + i, 1, 1);
}

static void put_tab(struct frame *frame) {
  do
    put(frame, " ", 1, 1);
  while (last_row(frame)->width % TAB != 0 && last_row(frame)->width < columns);
}

static size_t put_character(struct frame *frame, const struct screen_text *text, size_t i) {
  int width;
  size_t bytes = measure(text->bytes + i, text->length - i, &width);
  if (text->bytes[i] == '\n') {
    begin_row(frame);
    put_prompt(frame, text->more);
  } else if (text->bytes[i] == '\t') {
    put_tab(frame);
  } else if (width >= 0) {
    put(frame, text->bytes + i, bytes, width);
  } else {
    for (size_t k = 0; k < bytes; k++)
      put_escaped(frame, (unsigned char)text->bytes[i + k]);
  }
  return bytes;
}

/* The cursor is where the next character will be: in the next row if this is full. */
static void place_cursor(struct frame *frame) {
  if (last_row(frame)->width >= columns) {
    last_row(frame)->wrapped = true;
    begin_row(frame);
  }
  frame->cursor_row = frame->count - 1;
  frame->cursor_column = last_row(frame)->width;
}

static bool lay_out(struct frame *frame, const struct screen_text *text) {
  frame->bytes.length = 0;
  frame->bytes.failed = false;
  frame->count = 0;
  begin_row(frame);
  if (frame->count == 0)
    return false;
  put_prompt(frame, text->prompt);
  for (size_t i = 0; i < text->length && !frame->bytes.failed;) {
    if (i == text->point)
      place_cursor(frame);
    i += put_character(frame, text, i);
  }
  if (text->point >= text->length)
    place_cursor(frame);
  return !frame->bytes.failed;
}

/* Which rows are to be seen: those that were, if the cursor is among them. */
static void choose_rows(struct frame *frame, int before, int most) {
  int last_top = frame->count > most ? frame->count - most : 0;
  frame->top = before < last_top ? before : last_top;
  if (frame->top > frame->cursor_row)
    frame->top = frame->cursor_row;
  if (frame->top <= frame->cursor_row - most)
    frame->top = frame->cursor_row - most + 1;
  frame->shown = frame->count - frame->top < most ? frame->count - frame->top : most;
}

/* ---- Drawing ---- */

/* Rows below `*exist` are made, by newlines, which scroll the screen if need be. */
static void move_to(int row, int column, int *exist) {
  if (row < at_row)
    append_move('A', at_row - row);
  else if (row < *exist)
    append_move('B', row - at_row);
  else
    at_column = -1;
  if (column != at_column)
    append_text(&out, "\r");
  for (int i = at_row; row >= *exist && i < row; i++)
    append_text(&out, "\n");
  if (column != at_column)
    append_move('C', column);
  if (row >= *exist)
    *exist = row + 1;
  at_row = row;
  at_column = column;
}

static bool same(const struct frame *a, const struct row *row, const struct frame *b,
                 const struct row *other) {
  size_t length = row->end - row->start;
  return length == other->end - other->start && row->wrapped == other->wrapped &&
         memcmp(a->bytes.at + row->start, b->bytes.at + other->start, length) == 0;
}

/* How many bytes of the row are on the screen already: whole characters, and none if
 * there are escape sequences, whose effect may reach further. */
static size_t common(const char *text, size_t length, const char *other, size_t other_length) {
  size_t i = 0;
  if (memchr(text, '\033', length) || memchr(other, '\033', other_length))
    return 0;
  while (i < length && i < other_length && text[i] == other[i])
    i++;
  while (i > 0 && ((i < length && (text[i] & 0x80)) || (i < other_length && (other[i] & 0x80))))
    i--; /* it may be a mark that belongs to the one before */
  return i;
}

/* Write row i of what is on the screen, of which `old` is there now, if anything. */
static void write_row(const struct frame *frame, int i, const char *old, size_t old_length,
                      bool flows, int *exist) {
  const struct row *row = &frame->rows[frame->top + i];
  const char *text = frame->bytes.at + row->start;
  size_t length = row->end - row->start;
  size_t kept = flows ? 0 : common(text, length, old, old_length);
  if (flows) { /* the terminal breaks the line, and so knows that it is one */
    if (length == 0)
      append_text(&out, " \r");
    *exist = i >= *exist ? i + 1 : *exist;
    at_row = i;
  } else {
    move_to(i, (int)screen_width(text, kept), exist);
  }
  append(&out, text + kept, length - kept);
  at_column = row->width < columns ? row->width : -1;
  if (row->width < columns)
    append_text(&out, "\033[K");
}

static void draw(const struct frame *old, const struct frame *new) {
  int exist = old->shown > 0 ? old->shown : 1;
  bool flows = false;
  for (int i = 0; i < new->shown; i++) {
    const struct row *row = &new->rows[new->top + i];
    const struct row *before = i < old->shown ? &old->rows[old->top + i] : NULL;
    if (before && same(new, row, old, before)) {
      flows = false;
      continue;
    }
    write_row(new, i, before ? old->bytes.at + before->start : "",
              before ? before->end - before->start : 0, flows, &exist);
    flows = row->wrapped && row->width == columns;
  }
  if (old->shown > new->shown) {
    move_to(new->shown, 0, &exist);
    append_text(&out, "\033[J");
  }
  move_to(new->cursor_row - new->top, new->cursor_column, &exist);
  below = new->shown - 1 - at_row;
}

static bool show(const struct screen_text *text, int most) {
  struct frame *old = &frames[current], *new = &frames[!current];
  if (!lay_out(new, text))
    return false;
  choose_rows(new, old->top, most);
  draw(old, new);
  send();
  current = !current;
  return true;
}

/* ---- What others ask for ---- */

void screen_show(const struct screen_text *text) {
  terminal_size(&columns, &height);
  show(text, height);
}

static void forget(void) {
  frames[current].shown = frames[current].top = 0;
  at_row = at_column = below = 0;
}

void screen_hide(void) {
  int exist = frames[current].shown;
  if (exist == 0)
    return;
  move_to(0, 0, &exist);
  append_text(&out, "\033[J");
  send();
  forget();
}

void screen_leave(const struct screen_text *text, const char *mark) {
  struct screen_text whole = *text;
  whole.point = whole.length;
  if (frames[current].count > frames[current].shown)
    screen_hide(); /* for all of it to be in what can be scrolled back to */
  if (show(&whole, NO_LIMIT))
    append_text(&out, mark);
  append_text(&out, frames[current].cursor_column == 0 && !*mark && frames[current].count > 1 &&
                        frames[current].rows[frames[current].count - 2].wrapped
                    ? "\r" : "\r\n");
  send();
  forget();
}

void screen_clear(void) {
  append_text(&out, "\033[H\033[2J");
  send();
  forget();
}

/* How many rows further down something is in a line that has been broken anew. */
static int rows_of(int width) {
  return width > columns ? (width - 1) / columns : 0;
}

void screen_resize(void) {
  const struct frame *frame = &frames[current];
  int up = 0, width = 0;
  terminal_size(&columns, &height);
  for (int i = frame->top; i < frame->top + frame->shown && i <= frame->top + at_row; i++) {
    bool here = i == frame->top + at_row;
    width += here ? at_column + 1 : frame->rows[i].width;
    if (frame->rows[i].wrapped && !here)
      continue;
    up += rows_of(width) + !here;
    width = 0;
  }
  append_text(&out, "\r");
  append_move('A', up);
  append_text(&out, "\033[J");
  send();
  forget();
}

void screen_fresh_row(void) {
  terminal_size(&columns, &height);
  for (int i = 0; i < columns; i++)
    append_text(&out, " ");
  append_text(&out, "\r\033[K");
  send();
}

int screen_rows_below(void) {
  return below;
}
