#include "postgres.h"

#include "utils/timestamp.h"

#include "epoch.h"

static const int64 postgres_epoch_ms =
    (int64)(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000);

int64 epoch_ms_of_time(TimestampTz time)
{
    if (TIMESTAMP_IS_NOBEGIN(time))
        return PG_INT64_MIN;
    if (TIMESTAMP_IS_NOEND(time))
        return PG_INT64_MAX;
    return time / 1000 + (time % 1000 > 0) + postgres_epoch_ms;
}

TimestampTz epoch_time_of_ms(int64 ms)
{
    return (Min(Max(ms, EPOCH_MIN_MS), EPOCH_MAX_MS) - postgres_epoch_ms) * 1000;
}
