/*
 * Two sets of buffers take turns: callers append to one, the log's thread writes the other and then
 * swaps. Under load one write(2) carries many lines, and a line costs its caller a copy; when idle
 * a line is on its way in a moment. What a killed process loses is what it said in its last moment.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 1000, /* with a pipe that nobody reads */
    GATHER_MS = 25,     /* from the first line until it is written, with all that came since */
    PIECE = 4096,       /* PIPE_BUF: what poll(2) says a pipe has room for */
};

/* Where lines go. Standard output and combined.log get the same ones. */
enum stream { STREAM_ALL, STREAM_ERRORS, STREAM_REJECTIONS, STREAM_COUNT };

static const size_t stream_size[STREAM_COUNT] = {1 << 20, 1 << 16, 1 << 16};

enum file { FILE_COMBINED, FILE_ERROR, FILE_REJECTIONS, FILE_EXCEPTIONS, FILE_COUNT };

static const struct {
    const char *name;
    enum stream stream; /* STREAM_COUNT: written by the crash handler only */
} files[FILE_COUNT] = {
    [FILE_COMBINED] = {"combined.log", STREAM_ALL},
    [FILE_ERROR] = {"error.log", STREAM_ERRORS},
    [FILE_REJECTIONS] = {"rejections.log", STREAM_REJECTIONS},
    [FILE_EXCEPTIONS] = {"exceptions.log", STREAM_COUNT},
};

struct log {
    struct log_options options;
    int fds[FILE_COUNT]; /* -1: none. The numbers stay; log_reopen puts other files behind them */
    pthread_t writer;
    pthread_mutex_t lock;  /* guards all below */
    pthread_cond_t filled; /* the writer is idle, or is to stop */
    bool idle;             /* the writer waits for a line, and for that only */
    struct buf front[STREAM_COUNT];
    unsigned dropped;
    bool stopping;
};

static const char *const level_names[] = {"debug", "info", "warn", "error", "error"};

/* ---- files ---- */

static int open_file(const struct log *log, enum file file)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", log->options.dir, files[file].name);
    int fd = -1;
    if (!path.failed)
        fd = open(path.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    buf_free(&path);
    return fd;
}

static enum err open_files(struct log *log, struct buf *errors)
{
    const char *dir = log->options.dir;
    bool good = mkdir(dir, 0750) == 0 || errno == EEXIST;
    for (int i = 0; i < FILE_COUNT && good; i++) {
        log->fds[i] = open_file(log, (enum file)i);
        good = log->fds[i] >= 0;
    }
    if (!good)
        buf_printf(errors,
                   "LOG_DIR: cannot write to %s: %s; name another folder, or - for no files\n", dir,
                   strerror(errno));
    return good ? ERR_OK : ERR_INVALID;
}

static void close_files(struct log *log)
{
    for (int i = 0; i < FILE_COUNT; i++)
        if (log->fds[i] >= 0)
            close(log->fds[i]);
}

/* dup2 puts the new file behind the number that the writer may be using: no write is lost. */
void log_reopen(struct log *log)
{
    for (int i = 0; log && log->options.dir && i < FILE_COUNT; i++) {
        int fd = open_file(log, (enum file)i);
        if (fd < 0 || dup3(fd, log->fds[i], O_CLOEXEC) < 0)
            log_error(log, "a log file cannot be opened", LOG_STR("file", files[i].name),
                      LOG_STR("error", strerror(errno)));
        if (fd >= 0)
            close(fd);
    }
}

int log_exceptions_fd(const struct log *log)
{
    return log ? log->fds[FILE_EXCEPTIONS] : -1;
}

/* ---- the writer ---- */

/* false: not all of it was taken, by a full disk or a pipe that nobody reads. */
static bool write_out(int fd, const struct buf *bytes)
{
    struct stat st;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    size_t at = 0;
    while (at < bytes->len) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        size_t want = bytes->len - at;
        if (!regular && want > PIECE)
            want = PIECE;
        if (!regular && poll(&ready, 1, PATIENCE_MS) <= 0)
            return false;
        ssize_t n = write(fd, bytes->data + at, want);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            at += (size_t)n;
    }
    return true;
}

/* Writes the lines of all streams; false: some were dropped. */
static bool write_streams(struct log *log, struct buf *back)
{
    bool good = !back[STREAM_ALL].len || write_out(log->options.fd, &back[STREAM_ALL]);
    for (int i = 0; i < FILE_COUNT; i++)
        if (log->fds[i] >= 0 && files[i].stream < STREAM_COUNT && back[files[i].stream].len)
            good &= write_out(log->fds[i], &back[files[i].stream]);
    for (int i = 0; i < STREAM_COUNT; i++)
        back[i].len = 0;
    return good;
}

/* A moment's patience: one wake-up then serves many lines. Ends early when the log is to end. */
static void gather(struct log *log)
{
    const struct timespec until = clock_mono_timespec(clock_mono_ms() + GATHER_MS);
    while (!log->stopping && pthread_cond_timedwait(&log->filled, &log->lock, &until) != ETIMEDOUT)
        continue;
}

static void *write_lines(void *arg)
{
    struct log *log = arg;
    struct buf back[STREAM_COUNT] = {{0}};

    pthread_mutex_lock(&log->lock);
    while (!log->stopping || log->front[STREAM_ALL].len) {
        log->idle = !log->front[STREAM_ALL].len;
        if (log->idle) {
            pthread_cond_wait(&log->filled, &log->lock);
            continue;
        }
        gather(log);
        for (int i = 0; i < STREAM_COUNT; i++) {
            struct buf taken = log->front[i];
            log->front[i] = back[i];
            back[i] = taken;
        }
        pthread_mutex_unlock(&log->lock);
        bool good = write_streams(log, back);
        pthread_mutex_lock(&log->lock);
        log->dropped += !good;
    }
    pthread_mutex_unlock(&log->lock);
    for (int i = 0; i < STREAM_COUNT; i++)
        buf_free(&back[i]);
    return NULL;
}

static enum err start_writer(struct log *log)
{
    pthread_mutex_init(&log->lock, NULL);
    thread_cond_init(&log->filled);
    return thread_start(&log->writer, write_lines, log);
}

enum err log_new(const struct log_options *options, struct buf *errors, struct log **out)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log) {
        buf_puts(errors, "short of memory\n");
        return ERR_NOMEM;
    }
    log->options = *options;
    for (int i = 0; i < FILE_COUNT; i++)
        log->fds[i] = -1;
    enum err err = options->dir ? open_files(log, errors) : ERR_OK;
    if (!err && (err = start_writer(log)))
        buf_puts(errors, "short of threads\n");
    if (err) {
        close_files(log);
        free(log);
        return err;
    }
    *out = log;
    return ERR_OK;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->filled);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->writer, NULL);
    pthread_cond_destroy(&log->filled);
    pthread_mutex_destroy(&log->lock);
    for (int i = 0; i < STREAM_COUNT; i++)
        buf_free(&log->front[i]);
    close_files(log);
    free(log);
}

/* ---- lines ---- */

static void add_value(struct buf *line, const struct log_field *f, const char *nothing)
{
    if (f->kind == LOG_FIELD_NUMBER)
        buf_add_int(line, f->number);
    else if (f->text)
        buf_json_string(line, f->text, strlen(f->text));
    else
        buf_puts(line, nothing);
}

static void add_json(struct buf *line, const struct log_field *f)
{
    buf_add(line, f->key, f->key_len);
    add_value(line, f, "null");
}

static void add_text(struct buf *line, const struct log_field *f)
{
    const size_t before = sizeof ",\"" - 1, around = sizeof ",\"\":" - 1;
    buf_puts(line, " ");
    buf_add(line, f->key + before, f->key_len - around);
    buf_puts(line, "=");
    add_value(line, f, "-");
}

static void format_line(const struct log *log, enum log_level level, const char *message,
                        const struct log_field *fields, unsigned count, struct buf *line)
{
    enum { USUAL = 500 };
    char now[CLOCK_ISO_SIZE];
    clock_iso(clock_wall_ms(), now);
    (void)buf_reserve(line, USUAL);
    if (log->options.format == LOG_JSON) {
        buf_puts(line, "{\"time\":\"");
        buf_puts(line, now);
        buf_puts(line, "\",\"level\":\"");
        buf_puts(line, level_names[level]);
        buf_puts(line, "\",\"msg\":");
        buf_json_string(line, message, strlen(message));
    } else {
        buf_printf(line, "%s %-5s %s", now, level_names[level], message);
    }
    for (unsigned i = 0; i < count; i++)
        (log->options.format == LOG_JSON ? add_json : add_text)(line, &fields[i]);
    buf_puts(line, log->options.format == LOG_JSON ? "}\n" : "\n");
}

/* Appends the line to a stream if there is room. The lock is held. */
static void append(struct log *log, enum stream stream, const struct buf *line)
{
    struct buf *front = &log->front[stream];
    size_t before = front->len;
    if (before + line->len > stream_size[stream]) {
        log->dropped++;
        return;
    }
    buf_add(front, line->data, line->len);
    if (front->failed) {
        front->failed = false;
        front->len = before;
        log->dropped++;
    }
}

/* Says how many lines were lost before this one. The lock is held. */
static void confess(struct log *log)
{
    struct buf line = {0};
    unsigned dropped = log->dropped;
    if (!dropped || log->front[STREAM_ALL].len > stream_size[STREAM_ALL] / 2)
        return;
    log->dropped = 0;
    format_line(log, LOG_ERROR, "log lines were dropped: a disk is full or nobody reads them",
                LOG_FIELDS(LOG_INT("times", dropped)), &line);
    if (!line.failed)
        append(log, STREAM_ALL, &line);
    buf_free(&line);
}

void log_write(const struct log *const_log, enum log_level level, const char *message,
               const struct log_field *fields, unsigned count)
{
    struct log *log = (struct log *)const_log; /* to its users a log does not change */
    struct buf line = {0};
    if (!log || level < log->options.level)
        return;
    format_line(log, level, message, fields, count, &line);
    if (!line.failed) {
        pthread_mutex_lock(&log->lock);
        confess(log);
        append(log, STREAM_ALL, &line);
        if (level >= LOG_ERROR)
            append(log, STREAM_ERRORS, &line);
        if (level == LOG_REJECTION)
            append(log, STREAM_REJECTIONS, &line);
        if (log->idle)
            pthread_cond_signal(&log->filled);
        log->idle = false;
        pthread_mutex_unlock(&log->lock);
    }
    buf_free(&line);
}
