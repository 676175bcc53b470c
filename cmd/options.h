/*
 * options.h: the command line, read before any Lua runs.
 *
 * The options are stock lua's, one by one (no clustering, and -e and -l refuse
 * an argument that begins with a dash), so that scripts, luarocks wrappers and
 * busted can put greenlua where lua was. Options of greenlua's own have two
 * dashes, which stock lua rejects: the two can never clash.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

struct options {
  int argc;
  char **argv;
  const char *program;        /* for messages: argv[0], or greenlua if that is empty */
  enum options_action action; /* all but OPTIONS_RUN end the program at once */
  int script;                 /* index of the script, argc if none; or of a bad option */
  bool banner;                /* -v, also implied by -i */
  bool interactive;           /* -i */
  bool execute;               /* -e was there: with no script, do not read one from stdin */
  bool ignore_environment;    /* -E */
  /* Settings of the binding, as given, "" without a value; NULL if they are not. */
  const char *leaks, *report, *watchdog, *why_alive, *deadlock, *trace, *flight_recorder, *profile;
};

/* Read argv, which must outlive *options. Never fails: see action. */
void options_read(struct options *options, int argc, char **argv);

/* Is there a script on the command line, be it "-"? */
bool options_has_script(const struct options *options);

/* Say on stderr what is wrong with the bad option, and stock lua's usage text. */
void options_print_bad(const struct options *options);

/* Print what --help and --version promise, on stdout. */
void options_print_help(const struct options *options);
void options_print_version(void);

#endif
