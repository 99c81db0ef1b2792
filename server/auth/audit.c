#include "auth/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void audit_write(const struct log *log, const struct audit *audit)
{
    const struct log_field fields[] = {
        LOG_STR("action", audit->action), LOG_STR("by", audit->by),
        LOG_STR("target", audit->target), LOG_STR("outcome", audit->outcome),
        LOG_STR("id", audit->request_id), LOG_STR("remote", audit->remote),
    };
    const unsigned all = sizeof fields / sizeof fields[0];
    log_write(log, LOG_INFO, "audit", fields, audit->request_id ? all : all - 2);
}

/* "command line: root", and who became root where sudo says so. */
static void add_operator(struct buf *out)
{
    const struct passwd *user = getpwuid(getuid());
    const char *before = getenv("SUDO_USER");
    buf_puts(out, "command line: ");
    if (user)
        buf_puts(out, user->pw_name);
    else
        buf_add_int(out, getuid());
    if (before && getuid() == 0)
        buf_printf(out, " (sudo: %s)", before);
}

/*
 * The server's log, if it keeps one here; else -1. It is never made: the server might not be allowed
 * to write to what somebody else has made.
 */
static int open_combined_log(struct config_source *source)
{
    struct buf path = {0};
    int fd = -1;
    const char *dir = config_value(source, "LOG_DIR", &path);
    path.len = 0;
    buf_printf(&path, "%s/combined.log", dir ? dir : "-");
    if (!path.failed && dir && strcmp(dir, "-") != 0) {
        fd = open(path.data, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
            (void)fprintf(stderr, "frontdesk: the audit line is not in %s: %s\n", path.data,
                          strerror(errno));
    }
    buf_free(&path);
    return fd;
}

static void write_to(int fd, enum log_format format, const struct audit *audit)
{
    const struct log_options options = {.fd = fd, .level = LOG_INFO, .format = format};
    struct buf errors = {0};
    struct log *log = NULL;
    if (log_new(&options, &errors, &log) == ERR_OK)
        audit_write(log, audit);
    else
        (void)fprintf(stderr, "frontdesk: no audit line: %s", errors.data ? errors.data : "\n");
    log_free(log);
    buf_free(&errors);
}

void audit_command(struct config_source *source, const char *action, const char *target,
                   const char *outcome)
{
    struct buf by = {0}, ignored = {0};
    add_operator(&by);
    const struct audit audit = {
        .action = action, .by = by.data, .target = target, .outcome = outcome};
    const char *named = config_value(source, "LOG_FORMAT", &ignored);
    enum log_format format = named && strcmp(named, "text") == 0 ? LOG_TEXT : LOG_JSON;
    int combined = open_combined_log(source);
    write_to(STDERR_FILENO, format, &audit);
    if (combined >= 0) {
        write_to(combined, format, &audit);
        (void)close(combined);
    }
    buf_free(&by);
    buf_free(&ignored);
}
