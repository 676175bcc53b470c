#include "cmd/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

static const char usage[] = "usage: %s [options] [script [args]]\n"
                            "Available options are:\n"
                            "  -e stat   execute string 'stat'\n"
                            "  -i        enter interactive mode after executing 'script'\n"
                            "  -l mod    require library 'mod' into global 'mod'\n"
                            "  -l g=mod  require library 'mod' into global 'g'\n"
                            "  -v        show version information\n"
                            "  -E        ignore environment variables\n"
                            "  -W        turn warnings on\n"
                            "  --        stop handling options\n"
                            "  -         stop handling options and execute stdin\n";

/* An option of greenlua's own. Stock lua has none of this form. */
struct own_option {
  const char *name;
  const char *value;          /* "": takes none; "=a|b": one of these words; "=WHAT": any;
                               * "[=WHAT]": may be left out */
  const char *text;           /* what it does, in one line */
  enum options_action action; /* OPTIONS_RUN, or what to do instead */
  size_t field;               /* with OPTIONS_RUN: where its value goes, "" if it has none */
};

#define VALUE(field) OPTIONS_RUN, offsetof(struct options, field)

/* --help prints them in this order; the manual and the man page are made from it,
 * too: an option is a line here, and a `const char *` in struct options. */
static const struct own_option own_options[] = {
  {"--help", "", "show this text", OPTIONS_HELP, 0},
  {"--version", "", "show greenlua's own version", OPTIONS_VERSION, 0},
  {"--leaks", "=off|warn|error", "tell which greenlets are blocked for ever at the end",
   VALUE(leaks)},
  {"--report", "=now|unobserved", "unobserved: report only the errors that nobody takes",
   VALUE(report)},
  {"--deadlock", "=off|warn|error", "what to do about greenlets that wait in a circle",
   VALUE(deadlock)},
  {"--watchdog", "=SECONDS", "report a greenlet that does not give way for so long",
   VALUE(watchdog)},
  {"--why-alive", "", "tell what keeps the program running after its last line",
   VALUE(why_alive)},
  {"--trace", "=FILE", "write a timeline of all greenlets: FILE.html or FILE.json", VALUE(trace)},
  {"--flight-recorder", "[=FILE]", "keep the last of it, for a deadlock, an error, a crash or SIGUSR2",
   VALUE(flight_recorder)},
  {"--profile", "=FILE", "write where the CPU was used, who waited: FILE.html or FILE.folded",
   VALUE(profile)},
};

enum { OWN_OPTIONS = sizeof own_options / sizeof *own_options };

/* Is value one of the words of "=a|b"? Anything will do where there is no choice. */
static bool is_choice(const char *choices, const char *value) {
  size_t length = strlen(value);
  if (!strchr(choices, '|'))
    return length > 0;
  while (*choices) {
    choices += strspn(choices, "[=|]");
    size_t word = strcspn(choices, "|]");
    if (word == length && memcmp(choices, value, word) == 0)
      return word > 0;
    choices += word;
  }
  return false;
}

/* What stands behind the option's name: NULL if that is not right for it. */
static const char *own_value(const struct own_option *own, const char *rest) {
  if (*rest == '\0')
    return own->value[0] == '=' ? NULL : rest;
  if (*rest != '=' || own->value[0] == '\0')
    return NULL;
  return is_choice(own->value, rest + 1) ? rest + 1 : NULL;
}

/* An option of two dashes: what to do now. */
static enum options_action read_long(struct options *options, const char *option) {
  for (size_t i = 0; i < OWN_OPTIONS; i++) {
    const struct own_option *own = &own_options[i];
    size_t length = strlen(own->name);
    if (strncmp(option, own->name, length) != 0 || (option[length] && option[length] != '='))
      continue;
    const char *value = own_value(own, option + length);
    if (!value)
      return OPTIONS_BAD;
    if (own->action == OPTIONS_RUN)
      *(const char **)((char *)options + own->field) = value;
    return own->action;
  }
  return OPTIONS_BAD;
}

/* An option that takes no argument: false if it is not one, or has one glued on. */
static bool read_flag(struct options *options, const char *option) {
  if (option[2] != '\0')
    return false;
  switch (option[1]) {
    case 'E':
      options->ignore_environment = true;
      return true;
    case 'i':
      options->interactive = true;
      options->banner = true;
      return true;
    case 'v':
      options->banner = true;
      return true;
    case 'W': /* takes effect in its turn, between -e and -l */
      return true;
    default:
      return false;
  }
}

/* -e and -l at argv[i]: the index of their argument, 0 if it is missing. */
static int read_argument(struct options *options, int i) {
  options->execute |= options->argv[i][1] == 'e';
  if (options->argv[i][2] != '\0')
    return i;
  const char *next = options->argv[i + 1];
  return next && next[0] != '-' ? i + 1 : 0;
}

/* The option at argv[i]: the index of its last word. 0 means that it ends the
 * program, and action says how. */
static int read_option(struct options *options, int i) {
  const char *option = options->argv[i];
  if (option[1] == '-') {
    options->action = read_long(options, option);
    return options->action == OPTIONS_RUN ? i : 0;
  }
  int last = read_flag(options, option) ? i : 0;
  if (option[1] == 'e' || option[1] == 'l')
    last = read_argument(options, i);
  if (last == 0)
    options->action = OPTIONS_BAD;
  return last;
}

/* "-" alone is a script, and "--" ends the options. */
static bool is_option(const char *word) {
  return word[0] == '-' && word[1] != '\0' && strcmp(word, "--") != 0;
}

void options_read(struct options *options, int argc, char **argv) {
  bool named = argc > 0 && argv[0][0] != '\0';
  *options = (struct options){.argc = argc, .argv = argv};
  options->program = named ? argv[0] : "greenlua";
  int i = 1;
  while (i < argc && is_option(argv[i])) {
    options->script = i;
    int last = read_option(options, i);
    if (last == 0)
      return;
    i = last + 1;
  }
  options->script = i < argc && strcmp(argv[i], "--") == 0 ? i + 1 : i;
}

bool options_has_script(const struct options *options) {
  return options->script < options->argc;
}

/* The option of ours that lacks its value; or NULL. */
static const struct own_option *lacking(const char *option) {
  for (size_t i = 0; i < OWN_OPTIONS; i++)
    if (strcmp(own_options[i].name, option) == 0 && own_options[i].value[0] == '=')
      return &own_options[i];
  return NULL;
}

void options_print_bad(const struct options *options) {
  const char *option = options->argv[options->script];
  const struct own_option *own = lacking(option);
  bool argument = option[1] == 'e' || option[1] == 'l';
  lua_writestringerror("%s: ", options->program);
  if (own) {
    lua_writestringerror("'%s' needs a value: ", option);
    lua_writestringerror("%s", own->name);
    lua_writestringerror("%s\n", own->value);
  } else {
    lua_writestringerror(argument ? "'%s' needs argument\n" : "unrecognized option '%s'\n",
                         option);
  }
  lua_writestringerror(usage, options->program);
}

void options_print_help(const struct options *options) {
  printf(usage, options->program);
  size_t width = 0;
  for (size_t i = 0; i < OWN_OPTIONS; i++) {
    size_t needed = strlen(own_options[i].name) + strlen(own_options[i].value);
    width = needed > width ? needed : width;
  }
  for (size_t i = 0; i < OWN_OPTIONS; i++) {
    const struct own_option *own = &own_options[i];
    int room = (int)(width - strlen(own->name));
    printf("  %s%-*s %s\n", own->name, room, own->value, own->text);
  }
}

void options_print_version(void) {
  puts("greenlua " GREENLUA_VERSION " (" LUA_RELEASE ")");
}
