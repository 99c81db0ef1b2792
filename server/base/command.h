/*
 * The command line. A command is one description: its options with their bounds, its texts, the
 * settings that it reads. By it the words of a caller are read and refused, and `--help` is written,
 * which is what the man page (docker/manpage) and the completion (docker/completion.bash) are made
 * of: nothing that a command takes can be missing there.
 *
 * Results go to standard output, everything else to standard error.
 */
#ifndef FRONTDESK_BASE_COMMAND_H
#define FRONTDESK_BASE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses. */
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

enum command_kind {               /* what lies at the option's offset */
                    COMMAND_FLAG, /* bool, true when given */
                    COMMAND_TEXT, /* const char *, of lo to hi characters */
                    COMMAND_TEXTS, /* struct command_texts of such: the option may be given several times */
                    COMMAND_CHOICE, /* const char *, one of `choices` */
                    COMMAND_NUMBER, /* uint64_t from lo to hi */
                    COMMAND_TIME,   /* int64_t, ms since the epoch, not negative */
};

enum { COMMAND_MAX_TEXTS = 500 };

struct command_texts {
    const char *items[COMMAND_MAX_TEXTS];
    size_t count;
};

struct command_option {
    const char *name;  /* without its dashes */
    const char *label; /* what its value is called in the help, "T"; NULL: its choices, or a flag */
    const char *about; /* lines */
    enum command_kind kind;
    size_t offset; /* into the command's values */
    uint64_t lo, hi;
    const char *choices; /* separated by | */
};

struct command_line;

struct command {
    const char *name;
    const char *summary;   /* one line for the list that it is part of */
    const char *about;     /* lines; NULL: the summary says it all */
    const char *operand;   /* what its one argument is called, "EMAIL"; NULL: it takes none */
    size_t operand_offset; /* of a const char *; an option at the same offset may give it, too */
    const struct command_option *options;
    size_t option_count;
    const char *settings;               /* lines: those that it reads */
    const char *examples;               /* lines */
    const char *done;                   /* "every event was accepted": when it exits with 0 */
    const struct command *const *verbs; /* those it consists of, as `user add`; else it runs */
    size_t verb_count;
    int (*run)(const struct command_line *line); /* returns the exit status */
};

/* The words that a command was given. */
struct command_line {
    const struct command *command;
    const char *path; /* "frontdesk user add" */
    int argc;         /* of what follows the path */
    char **argv;
};

/*
 * Runs the one of `root`'s verbs that argv[1] names, and so on down; a `--help` or `-h` among the
 * words is answered instead. Returns the exit status.
 */
int command_main(const struct command *root, int argc, char **argv);

/*
 * Fills `values` with the options and the operand that are given, which point into argv; what is not
 * given stays as it is. `values` may be NULL for a command that takes nothing. false: standard error
 * says what is wrong, and the exit status is COMMAND_USAGE.
 */
bool command_read(const struct command_line *line, void *values);

/* Says on standard error what is wrong with the command line, and how it goes; COMMAND_USAGE. */
int command_complain(const struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
