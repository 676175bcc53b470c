#include "lua_binding/text.h"

#include "core/output.h"

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

void l_write_text(int fd, const struct text *text) {
  output_write(fd, text->bytes, text->length);
}
