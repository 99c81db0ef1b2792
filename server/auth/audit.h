/*
 * The audit trail: one line of the log, `"msg":"audit"`, for everything that decides who may do what:
 * who did what to whom, and how it went. Users and keys are named by id, a new key by its prefix.
 */
#ifndef FRONTDESK_AUTH_AUDIT_H
#define FRONTDESK_AUTH_AUDIT_H

#include "base/config.h"
#include "base/log.h"

/* What a command that audits says of its settings, in its description. */
#define AUDIT_SETTINGS "LOG_DIR, LOG_FORMAT  the server's log, which gets the audit line, too"

struct audit {
    const char *action; /* "user.add" */
    const char *by;
    const char *target;  /* NULL: there is none */
    const char *outcome; /* "ok", or why not, in a word or two */
    /* Of a request: its id, and where it came from. NULL: it was none. */
    const char *request_id, *remote;
};

void audit_write(const struct log *log, const struct audit *audit);

/*
 * The line of a command: `by` is the user of the operating system. It goes to standard error, and to
 * combined.log in LOG_DIR where a server keeps one, among the server's own lines.
 */
void audit_command(struct config_source *source, const char *action, const char *target,
                   const char *outcome);

#endif
