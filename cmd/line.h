/*
 * line.h: lines that somebody types, by GNU readline or libedit, as the Makefile says.
 *
 * Readline and what it needs take a sixth of the time in which stock lua
 * starts, so the library is loaded when a first line is asked for. Without it,
 * lines are read as they come.
 */
#ifndef CMD_LINE_H
#define CMD_LINE_H

/* The handle of the library, which is loaded now, for dlsym; NULL without it. */
void *line_library(void);

/* Show the prompt and read a line without its end. Returns NULL when there is
 * none, else what the caller frees. */
char *line_read(const char *prompt);

/* Keep a line, or several in one text, for the user to recall. */
void line_remember(const char *text);

#endif
