/*
 * The log: one line an event. JSON lines by default, "time level message key=value" for people
 * (LOG_FORMAT=text). Values are escaped; callers never pass secrets, transcripts or phone numbers.
 *
 * A log call never waits for the outside: it appends its line to a bounded buffer, from which one
 * thread writes to standard output and to the files of LOG_DIR:
 *   combined.log    every line
 *   error.log       lines of level error
 *   rejections.log  work in the background that failed (log_rejection)
 *   exceptions.log  what killed the process (base/crash.h)
 * A line for which there is no room, because a disk is full or nobody reads the pipe, is dropped
 * and counted; the next line that gets through says how many. No request ever fails for its log.
 */
#ifndef FRONTDESK_BASE_LOG_H
#define FRONTDESK_BASE_LOG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* LOG_REJECTION is shown as "error" and goes to rejections.log too. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_REJECTION };
enum log_format { LOG_JSON, LOG_TEXT };

struct log;

struct log_options {
    int fd;          /* for every line; it stays the caller's */
    const char *dir; /* folder of the files, made when missing; NULL: no files */
    enum log_level level;
    enum log_format format;
};

/*
 * Starts the log's thread. On failure `errors` gets a line that says what to do; ERR_INVALID: the
 * folder cannot be written to.
 */
MUSTCHECK enum err log_new(const struct log_options *options, struct buf *errors, struct log **log);

/* Writes what is left, for a second at most where nobody reads, and ends. NULL is fine. */
void log_free(struct log *log);

/*
 * Opens the files anew, after they were moved aside (logrotate). Lines under way land whole, in the
 * old file or the new one. What cannot be opened stays as it was and is reported in the log.
 */
void log_reopen(struct log *log);

/* The descriptor of exceptions.log, or -1; valid until log_free. */
int log_exceptions_fd(const struct log *log);

/* One field of a line: LOG_STR(key, text or NULL) or LOG_INT(key, integer); the key is a literal. */
struct log_field {
    const char *key; /* as a member of JSON: ,"key": */
    size_t key_len;
    const char *text;
    int64_t number;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
};
#define LOG_KEY(k) .key = ",\"" k "\":", .key_len = sizeof(",\"" k "\":") - 1
#define LOG_STR(k, v) ((struct log_field){LOG_KEY(k), .text = (v), .kind = LOG_FIELD_TEXT})
#define LOG_INT(k, v) ((struct log_field){LOG_KEY(k), .number = (v), .kind = LOG_FIELD_NUMBER})

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
/* For work that nobody waits for: a failed fold, poll, expiry. */
#define log_rejection(log, message, ...)                                                           \
    log_write(log, LOG_REJECTION, message, LOG_FIELDS(__VA_ARGS__))

#endif
