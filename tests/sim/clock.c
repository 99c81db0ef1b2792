/*
 * LD_PRELOAD: another wall clock for one process, so that hours pass in seconds. At CLOCK_ORIGIN (ms
 * since epoch, the true time) it shows CLOCK_BASE, and runs CLOCK_SPEED times as fast. Time-outs go by
 * the monotonic clock, which stays true.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double setting(const char *name)
{
    const char *value = getenv(name);
    return value ? strtod(value, NULL) : 0;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int failed = (int)syscall(SYS_clock_gettime, id, out);
    double speed = setting("CLOCK_SPEED");
    if (failed || speed == 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return failed;
    double now = (double)out->tv_sec * 1000 + (double)out->tv_nsec / 1e6;
    double shown = setting("CLOCK_BASE") + (now - setting("CLOCK_ORIGIN")) * speed;
    out->tv_sec = (time_t)(shown / 1000);
    out->tv_nsec = (long)((shown - (double)out->tv_sec * 1000) * 1e6);
    return 0;
}
