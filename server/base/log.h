/*
 * The log: one line an event, written with one write(2) so that lines of threads never mix. JSON
 * lines by default, "time level message key=value" for people (LOG_FORMAT=text). Values are
 * escaped; callers never pass secrets, transcripts or phone numbers. A line that cannot be written
 * is dropped: a full disk or a closed pipe never fails a request.
 */
#ifndef FRONTDESK_BASE_LOG_H
#define FRONTDESK_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

struct log;

/* A log that writes lines of `level` and above to file descriptor `fd`; NULL: out of memory. */
struct log *log_new(int fd, enum log_level level, enum log_format format);
void log_free(struct log *log);

/* One field of a line: LOG_STR(key, text or NULL) or LOG_INT(key, integer). */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .text = (v), .kind = LOG_FIELD_TEXT})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .number = (v), .kind = LOG_FIELD_NUMBER})

/* Writes `message` and `count` fields. Thread-safe. A NULL log writes nothing. */
void log_write(const struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, unsigned count);

#define LOG_FIELDS(...)                                                                            \
    (struct log_field[]){__VA_ARGS__},                                                             \
        sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define log_debug(log, message, ...) log_write(log, LOG_DEBUG, message, LOG_FIELDS(__VA_ARGS__))
#define log_info(log, message, ...) log_write(log, LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(log, message, ...) log_write(log, LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_error(log, message, ...) log_write(log, LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))

#endif
