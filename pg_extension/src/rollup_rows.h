/* What the files that read and write rollups share; others use rollup.h. */
#ifndef FRONTDESK_ROLLUP_ROWS_H
#define FRONTDESK_ROLLUP_ROWS_H

#include "storage/lockdefs.h"

#include "rollup.h"

/* A call in the statements that read several: what rollup_read_call() expects. */
#define ROLLUP_CALL_COLUMNS "started_at, " CALL_STATS_COLUMNS

/* The calls of agent $1 from $2 to $3, both included. */
#define ROLLUP_CALLS_IN_RANGE                                                                      \
    "agent_id" SQL_EQ "$1 AND started_at OPERATOR(pg_catalog.>=) $2"                               \
    " AND started_at OPERATOR(pg_catalog.<=) $3"

/* The last ms before the end of a range, which may be open. */
static inline int64 rollup_last(int64 to)
{
    return to == ROLLUP_END ? to : to - 1;
}

/*
 * How many elements of an ascending list begin with a number below `at`, or not above it: each is
 * `size` bytes and has an int64 first.
 */
extern int rollup_count_below(const void *list, int count, size_t size, int64 at);
extern int rollup_count_up_to(const void *list, int count, size_t size, int64 at);

/* Connects to SPI or raises an error. */
extern void rollup_connect(void);

/* Locks a table of ours until the transaction ends. Its Oid. */
extern Oid rollup_lock(const char *table, LOCKMODE mode);

/* Locks calls against TRUNCATE; before anything that touches its rollups. */
extern void rollup_lock_calls(void);

/* The call in a row with ROLLUP_CALL_COLUMNS. */
extern void rollup_read_call(const Datum *values, const bool *nulls, struct stats_call *call);

#endif
