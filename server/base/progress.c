#include "base/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 40, REDRAW_MS = 100, LINE_MS = 10000 };

static void draw(uint64_t done, uint64_t total, const char *unit, const char *more)
{
    if (done > total)
        done = total;
    int filled = total ? (int)(done * WIDTH / total) : 0;
    (void)fprintf(stderr, "\r[%.*s%*s] %" PRIu64 "/%" PRIu64 " %s%s\033[K", filled,
                  "########################################", WIDTH - filled, "", done, total, unit,
                  more);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *more)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t now = clock_mono_ms();
    if (progress->shown_ms == 0 && !terminal)
        progress->shown_ms = now; /* a short command needs no line */
    bool last = terminal && total && done >= total;
    if (!last && now - progress->shown_ms < (terminal ? REDRAW_MS : LINE_MS))
        return;
    progress->shown_ms = now;
    progress->drawn |= terminal;
    if (terminal && total)
        draw(done, total, progress->unit, more);
    else if (total)
        (void)fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " %s%s\n", progress->command, done,
                      total, progress->unit, more);
    else
        (void)fprintf(stderr, "%s%s: %" PRIu64 " %s%s%s", terminal ? "\r" : "", progress->command,
                      done, progress->unit, more, terminal ? "\033[K" : "\n");
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        (void)fputs("\n", stderr);
    progress->drawn = false;
}
