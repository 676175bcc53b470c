/*
 * output.h: text, JSON and numbers to a file, fast, and from signal handlers, too.
 */
#ifndef CORE_OUTPUT_H
#define CORE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write all of it, however often that is interrupted. False with errno. */
bool output_write(int file, const char *bytes, size_t count);

enum { OUTPUT_BYTES = 1 << 16 };

struct output {
  int file;
  int error;                /* errno of the first write that failed; nothing follows it */
  size_t length;
  char bytes[OUTPUT_BYTES];
};

void output_init(struct output *output, int file);

/* Write what is in the buffer. 0 or the error. */
int output_flush(struct output *output);

void output_bytes(struct output *output, const char *bytes, size_t count);
void output_text(struct output *output, const char *text);
void output_number(struct output *output, uint64_t number);

/* Nanoseconds, as microseconds with up to three decimals. */
void output_microseconds(struct output *output, uint64_t nanoseconds);

/* The inside of a JSON string: what is not UTF-8 becomes U+FFFD, and `<` is escaped, so
 * that it can stand in a script element of HTML. */
void output_escaped(struct output *output, const char *text);

#endif
