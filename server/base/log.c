#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct log {
    int fd;
    enum log_level level;
    enum log_format format;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct log *log_new(int fd, enum log_level level, enum log_format format)
{
    struct log *log = calloc(1, sizeof *log);
    if (log)
        *log = (struct log){.fd = fd, .level = level, .format = format};
    return log;
}

void log_free(struct log *log)
{
    free(log);
}

static void add_json(struct buf *line, const struct log_field *f)
{
    buf_puts(line, ",");
    buf_json_string(line, f->key, strlen(f->key));
    buf_puts(line, ":");
    if (f->kind == LOG_FIELD_NUMBER)
        buf_printf(line, "%lld", (long long)f->number);
    else if (f->text)
        buf_json_string(line, f->text, strlen(f->text));
    else
        buf_puts(line, "null");
}

static void add_text(struct buf *line, const struct log_field *f)
{
    buf_printf(line, " %s=", f->key);
    if (f->kind == LOG_FIELD_NUMBER)
        buf_printf(line, "%lld", (long long)f->number);
    else if (f->text)
        buf_json_string(line, f->text, strlen(f->text));
    else
        buf_puts(line, "-");
}

void log_write(const struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, unsigned count)
{
    if (!log || level < log->level)
        return;

    struct buf line = {0};
    char now[CLOCK_ISO_SIZE];
    clock_iso(clock_wall_ms(), now);
    if (log->format == LOG_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", now, level_names[level]);
        buf_json_string(&line, message, strlen(message));
    } else {
        buf_printf(&line, "%s %-5s %s", now, level_names[level], message);
    }
    for (unsigned i = 0; i < count; i++)
        (log->format == LOG_JSON ? add_json : add_text)(&line, &fields[i]);
    buf_puts(&line, log->format == LOG_JSON ? "}\n" : "\n");

    if (!line.failed) {
        ssize_t ignored = write(log->fd, line.data, line.len);
        (void)ignored;
    }
    buf_free(&line);
}
