/*
 * How far a long command is, on standard error: a bar that redraws itself on a terminal, else a line
 * every ten seconds, so that a log does not fill. Not thread-safe.
 */
#ifndef FRONTDESK_BASE_PROGRESS_H
#define FRONTDESK_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *command; /* whose lines they are: "sync" */
    const char *unit;    /* of what is counted: "calls" */
    int64_t shown_ms;    /* the rest is progress.c's; zero at first */
    bool drawn;
};

/* Shows `done` of `total`, if it is time to; total 0: not known. `more` follows, may be "". */
void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *more);

/* Ends the line of the bar, if one was drawn. */
void progress_end(struct progress *progress);

#endif
