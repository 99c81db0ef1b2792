#include "base/command.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_SIZE = 64,
    USAGE_WIDTH = 90,
    LABEL_WIDTH = 34, /* a longer label has a line of its own, before its text */
};

static const char time_forms[] =
    "a date (2026-03-01), an ISO 8601 time with its zone, or ms since the epoch";

/* ---- help ---- */

static void add_label(struct buf *out, const struct command_option *option)
{
    const char *label = option->label ? option->label : option->choices;
    buf_printf(out, "--%s%s%s", option->name, label ? " " : "", label ? label : "");
}

static void add_verb_label(struct buf *out, const struct command *verb)
{
    buf_printf(out, "%s%s%s", verb->name, verb->operand ? " " : "",
               verb->operand ? verb->operand : "");
}

/* Spaces until `out` has `len` bytes. */
static void pad_to(struct buf *out, size_t len)
{
    while (out->len < len && !out->failed)
        buf_puts(out, " ");
}

/* A label, indented, and the lines of its text beside it, in a column of their own. */
static void add_entry(struct buf *out, size_t indent, const struct buf *label, size_t width,
                      const char *text)
{
    size_t column = indent + width + 2;
    size_t line = out->len;
    pad_to(out, line + indent);
    buf_add(out, label->data, label->len);
    if (label->len > width) {
        buf_puts(out, "\n");
        line = out->len;
    }
    while (*text) {
        size_t len = strcspn(text, "\n");
        pad_to(out, line + column);
        buf_add(out, text, len);
        buf_puts(out, "\n");
        line = out->len;
        text += len + (text[len] == '\n');
    }
}

/* The wider of the two, if the label is not too long for a text beside it; the label is emptied. */
static size_t wider(size_t width, struct buf *label)
{
    size_t len = label->len;
    label->len = 0;
    return len > width && len <= LABEL_WIDTH ? len : width;
}

static void add_options(struct buf *out, size_t indent, const struct command *command)
{
    static const struct command_option help = {.name = "help", .about = "this text"};
    struct buf label = {0};
    add_label(&label, &help);
    size_t width = wider(0, &label);
    for (size_t i = 0; i < command->option_count; i++) {
        add_label(&label, &command->options[i]);
        width = wider(width, &label);
    }
    for (size_t i = 0; i < command->option_count; i++) {
        label.len = 0;
        add_label(&label, &command->options[i]);
        add_entry(out, indent, &label, width, command->options[i].about);
    }
    label.len = 0;
    add_label(&label, &help);
    if (indent == 2)
        add_entry(out, indent, &label, width, help.about);
    out->failed |= label.failed;
    buf_free(&label);
}

/* The verbs with their summaries; `whole`: and their options. */
static void add_verbs(struct buf *out, const struct command *command, bool whole)
{
    struct buf label = {0};
    size_t width = 0;
    for (size_t i = 0; i < command->verb_count; i++) {
        add_verb_label(&label, command->verbs[i]);
        width = wider(width, &label);
    }
    for (size_t i = 0; i < command->verb_count; i++) {
        const struct command *verb = command->verbs[i];
        label.len = 0;
        add_verb_label(&label, verb);
        add_entry(out, 2, &label, width, verb->summary);
        if (whole)
            add_options(out, 4, verb);
    }
    out->failed |= label.failed;
    buf_free(&label);
}

static void add_usage(struct buf *out, const struct command *command, const char *path)
{
    size_t line = out->len;
    buf_printf(out, "usage: %s", path);
    size_t indent = out->len - line;
    if (command->verbs)
        buf_puts(out, " COMMAND [options]");
    else if (command->operand)
        buf_printf(out, " %s", command->operand);
    for (size_t i = 0; i < command->option_count; i++) {
        struct buf label = {0};
        add_label(&label, &command->options[i]);
        if (out->len - line + label.len + 3 > USAGE_WIDTH) {
            buf_puts(out, "\n");
            line = out->len;
            pad_to(out, line + indent);
        }
        buf_printf(out, " [%s]", label.data ? label.data : "");
        buf_free(&label);
    }
    buf_puts(out, "\n");
}

static void add_section(struct buf *out, const char *title, const char *lines)
{
    if (lines)
        buf_printf(out, "\n%s\n", title);
    for (const char *at = lines; at && *at;) {
        size_t len = strcspn(at, "\n");
        buf_printf(out, "  %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static void add_help(struct buf *out, const struct command *command, const char *path)
{
    bool is_root = !strchr(path, ' ');
    add_usage(out, command, path);
    if (command->about)
        buf_printf(out, "\n%s\n", command->about);
    else if (command->summary)
        buf_printf(out, "\n%c%s.\n", toupper((unsigned char)command->summary[0]),
                   command->summary + 1);
    buf_puts(out, "\n");
    if (command->verbs)
        add_verbs(out, command, !is_root);
    else
        add_options(out, 2, command);
    add_section(out,
                "Settings, from the environment, else from .env in the working directory "
                "(NAME_FILE may\nname a file that holds NAME):",
                command->settings);
    add_section(out, "Examples:", command->examples);
    if (command->done)
        buf_printf(out,
                   "\nExits with 0 when %s, with 1 when not,\nand with 2 when the command "
                   "line makes no sense.\n",
                   command->done);
    if (command->verbs)
        buf_printf(out, "\n`%s COMMAND --help` says more of each.\n", path);
}

static int help(FILE *to, const struct command *command, const char *path, int status)
{
    struct buf text = {0};
    add_help(&text, command, path);
    bool good = !text.failed && fwrite(text.data, 1, text.len, to) == text.len && !fflush(to);
    buf_free(&text);
    return good ? status : COMMAND_FAILED;
}

/* ---- which command ---- */

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

static const struct command *find_verb(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->verb_count; i++)
        if (strcmp(command->verbs[i]->name, name) == 0)
            return command->verbs[i];
    return NULL;
}

int command_main(const struct command *root, int argc, char **argv)
{
    const struct command *command = root;
    char path[PATH_SIZE];
    size_t len = (size_t)snprintf(path, sizeof path, "%s", root->name);
    int at = 1;
    for (; command->verbs; at++) {
        if (at >= argc)
            return help(stderr, command, path, COMMAND_USAGE);
        if (is_help(argv[at]))
            return help(stdout, command, path, COMMAND_DONE);
        const struct command *verb = find_verb(command, argv[at]);
        if (!verb) {
            (void)fprintf(stderr, "%s: there is no command `%s`\n\n", path, argv[at]);
            return help(stderr, command, path, COMMAND_USAGE);
        }
        command = verb;
        len += (size_t)snprintf(path + len, sizeof path - len, " %s", verb->name);
    }
    if (asks_for_help(argc - at, argv + at))
        return help(stdout, command, path, COMMAND_DONE);
    const struct command_line line = {command, path, argc - at, argv + at};
    return command->run(&line);
}

/* ---- what it was given ---- */

int command_complain(const struct command_line *line, const char *format, ...)
{
    struct buf usage = {0};
    va_list args;
    add_usage(&usage, line->command, line->path);
    (void)fprintf(stderr, "%s: ", line->path);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n%s`%s --help` says more\n", usage.data ? usage.data : "", line->path);
    buf_free(&usage);
    return COMMAND_USAGE;
}

static bool take_text(const struct command_line *line, const struct command_option *option,
                      const char *value)
{
    return text_fits(value, (int64_t)option->lo, (int64_t)option->hi) ||
           !command_complain(line, "--%s has %" PRIu64 " to %" PRIu64 " characters", option->name,
                             option->lo, option->hi);
}

static bool take_number(const struct command_line *line, const struct command_option *option,
                        const char *value, uint64_t *out)
{
    errno = 0;
    bool digits = *value && strspn(value, "0123456789") == strlen(value);
    *out = digits ? strtoull(value, NULL, 10) : 0;
    return (digits && errno == 0 && *out >= option->lo && *out <= option->hi) ||
           !command_complain(line, "--%s needs a whole number from %" PRIu64 " to %" PRIu64,
                             option->name, option->lo, option->hi);
}

static bool take_one_more(const struct command_line *line, const struct command_option *option,
                          const char *value, struct command_texts *texts)
{
    if (texts->count == COMMAND_MAX_TEXTS)
        return !command_complain(line, "--%s is given %d times at most", option->name,
                                 COMMAND_MAX_TEXTS);
    texts->items[texts->count++] = value;
    return take_text(line, option, value);
}

static bool take(const struct command_line *line, const struct command_option *option,
                 const char *value, void *values)
{
    void *at = (char *)values + option->offset;
    switch (option->kind) {
    case COMMAND_FLAG:
        *(bool *)at = true;
        return true;
    case COMMAND_TEXT:
        *(const char **)at = value;
        return take_text(line, option, value);
    case COMMAND_TEXTS:
        return take_one_more(line, option, value, at);
    case COMMAND_CHOICE:
        *(const char **)at = value;
        return text_is_choice(option->choices, value) ||
               !command_complain(line, "--%s is one of %s", option->name, option->choices);
    case COMMAND_NUMBER:
        return take_number(line, option, value, at);
    case COMMAND_TIME:
        return (clock_parse(value, at) && *(int64_t *)at >= 0) ||
               !command_complain(line, "--%s takes %s", option->name, time_forms);
    }
    return false;
}

static const struct command_option *find_option(const struct command *command, const char *name,
                                                size_t len)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (strlen(command->options[i].name) == len &&
            memcmp(command->options[i].name, name, len) == 0)
            return &command->options[i];
    return NULL;
}

/* Takes the option of argv[*at] and, where it has one, its value, which may be the next word. */
static bool take_option(const struct command_line *line, int *at, void *values)
{
    const char *word = line->argv[*at];
    size_t len = strcspn(word, "=");
    const char *value = word[len] ? word + len + 1 : NULL;
    const struct command_option *option =
        strncmp(word, "--", 2) == 0 ? find_option(line->command, word + 2, len - 2) : NULL;
    if (!option)
        return !command_complain(line, "there is no option %.*s", (int)len, word);
    bool wants_value = option->kind != COMMAND_FLAG;
    if (!wants_value && value)
        return !command_complain(line, "--%s takes no value", option->name);
    if (wants_value && !value && *at + 1 == line->argc)
        return !command_complain(line, "--%s needs a value", option->name);
    if (wants_value && !value)
        value = line->argv[++*at];
    return take(line, option, value, values);
}

bool command_read(const struct command_line *line, void *values)
{
    const struct command *command = line->command;
    const char **operand = NULL;
    bool options_end = false;
    if (command->operand)
        operand = (const char **)(void *)((char *)values + command->operand_offset);
    for (int i = 0; i < line->argc; i++) {
        const char *word = line->argv[i];
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (!options_end && word[0] == '-' && word[1]) {
            if (!take_option(line, &i, values))
                return false;
        } else if (!operand || *operand) {
            return !command_complain(line, "`%s` is one argument too many", word);
        } else {
            *operand = word;
        }
    }
    return !operand || *operand || !command_complain(line, "%s is missing", command->operand);
}
