#include "core/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void output_init(struct output *output, int file) {
  output->file = file;
  output->error = 0;
  output->length = 0;
}

bool output_write(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      bytes += written;
      count -= (size_t)written;
    }
  }
  return true;
}

int output_flush(struct output *output) {
  if (!output->error && !output_write(output->file, output->bytes, output->length))
    output->error = errno;
  output->length = 0;
  return output->error;
}

void output_bytes(struct output *output, const char *bytes, size_t count) {
  while (count > 0) {
    size_t room = OUTPUT_BYTES - output->length, part = count < room ? count : room;
    memcpy(output->bytes + output->length, bytes, part);
    output->length += part;
    bytes += part;
    count -= part;
    if (output->length == OUTPUT_BYTES)
      output_flush(output);
  }
}

void output_text(struct output *output, const char *text) {
  output_bytes(output, text, strlen(text));
}

/* Write it before `end`; where it begins. */
static char *write_digits(char *end, uint64_t number) {
  do
    *--end = (char)('0' + number % 10);
  while (number /= 10);
  return end;
}

void output_number(struct output *output, uint64_t number) {
  char digits[20], *end = digits + sizeof digits, *begin = write_digits(end, number);
  output_bytes(output, begin, (size_t)(end - begin));
}

void output_microseconds(struct output *output, uint64_t nanoseconds) {
  char digits[24], *end = digits + sizeof digits, *at = end;
  unsigned fraction = (unsigned)(nanoseconds % 1000);
  if (fraction) {
    for (int i = 0; i < 3; i++, fraction /= 10)
      *--at = (char)('0' + fraction % 10);
    *--at = '.';
    while (end[-1] == '0')
      end--;
  }
  at = write_digits(at, nanoseconds / 1000);
  output_bytes(output, at, (size_t)(end - at));
}

/* ---- Strings ---- */

/* The bytes of the character that begins here; 0: it is none. */
static size_t sequence(const unsigned char *at) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t length = *at < 0x80 ? 1 : *at < 0xC2 ? 0 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : *at < 0xF5 ? 4 : 0;
  uint32_t code = length < 2 ? *at : *at & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xC0) != 0x80)
      return 0;
    code = code << 6 | (at[i] & 0x3F);
  }
  if (length > 1 && (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)))
    return 0;
  return length;
}

static void output_code(struct output *output, unsigned char c) {
  static const char digits[] = "0123456789abcdef";
  const char code[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
  output_bytes(output, code, sizeof code);
}

void output_escaped(struct output *output, const char *text) {
  const unsigned char *at = (const unsigned char *)text, *plain = at;
  for (; *at;) {
    size_t length = sequence(at);
    if (length > 1 || (length == 1 && *at >= ' ' && !strchr("\"\\<\x7F", *at))) {
      at += length;
      continue;
    }
    output_bytes(output, (const char *)plain, (size_t)(at - plain));
    if (length == 0)
      output_text(output, "\\ufffd");
    else
      output_code(output, *at);
    plain = ++at;
  }
  output_bytes(output, (const char *)plain, (size_t)(at - plain));
}
