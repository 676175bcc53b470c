/*
 * ask.h: `greenlua ps PID` and `greenlua tree PID`, which ask a running greenlua of
 * the same user what its greenlets do (binding.h has how).
 */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <stdbool.h>

#include "cmd/options.h"

/*
 * Is the command line one of these two? Stock lua would run a script called `ps`: so
 * it is, only if there is no file of that name, no option before it, and one word
 * after it, which is a number.
 */
bool ask_is_meant(const struct options *options);

/* Print the answer, or on stderr why there is none. Returns an exit status. */
int ask_run(const char *what, const char *pid);

#endif
