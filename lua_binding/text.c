#include "lua_binding/text.h"

#include <errno.h>
#include <unistd.h>

void l_add_text(struct text *text, const char *more) {
  while (*more && text->length < TEXT_BYTES)
    text->bytes[text->length++] = *more++;
}

void l_add_number(struct text *text, uintmax_t number, unsigned base) {
  char digits[24], *at = digits + sizeof digits - 1;
  *at = '\0';
  do
    *--at = "0123456789abcdef"[number % base];
  while (number /= base);
  l_add_text(text, at);
}

void l_add_seconds(struct text *text, double seconds) {
  uintmax_t tenths = seconds > 0 ? (uintmax_t)(seconds * 10 + 0.5) : 0;
  l_add_number(text, tenths / 10, 10);
  l_add_text(text, ".");
  l_add_number(text, tenths % 10, 10);
  l_add_text(text, " s");
}

bool l_write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    }
  }
  return true;
}

void l_write_text(int fd, const struct text *text) {
  l_write_all(fd, text->bytes, text->length);
}
