/*
 * Rollups: statistics of each agent's calls by month, day and hour (UTC), exact at every snapshot.
 *
 * frontdesk.call_rollup has what was folded, frontdesk.call_rollup_delta what statements on calls
 * have changed since, each row written by the change's own transaction. A bucket's statistics are its
 * row plus its deltas, both of one snapshot: so whatever reads them must be STABLE, and everything
 * here reads through SPI read-only, in the snapshot of the calling query.
 *
 * Not every bucket has rows below it. A month is split into days once it has more than
 * ROLLUP_SPLIT calls, and a day into hours likewise: of fewer, reading the calls themselves costs as
 * little. (One row an hour for every agent would take more room than the calls of a quiet agent
 * justify.) Nobody needs to know who reads through the functions below.
 *
 * A call stands at calls.started_at, ms since epoch. Ranges are from <= started_at < to;
 * ROLLUP_FIRST and ROLLUP_END mean no bound. SPI must be connected; the caller's SPI_tuptable is
 * left alone. calls is locked (ACCESS SHARE) before its rollups, as everywhere, so that TRUNCATE of
 * calls, which empties all three, waits for readers and is not waited for by them.
 */
#ifndef FRONTDESK_ROLLUP_H
#define FRONTDESK_ROLLUP_H

#include "bucket.h"
#include "call_stats.h"

#define ROLLUP_FIRST PG_INT64_MIN
#define ROLLUP_END PG_INT64_MAX

#define ROLLUP_SPLIT 128

/* The calls between two bounds of a series. */
struct rollup_part {
    int64 calls;
    struct stats_acc *stats; /* to add to; NULL when the number is enough, which is cheaper */
};

/*
 * Adds the statistics of the agent's calls in the range to `acc`; returns how many calls these are.
 * Costs about a row for each month, the days and hours at the ends, and the calls of the hours (of
 * quiet agents: days, months) that the range cuts.
 */
extern int64 rollup_range(Datum agent_id, int64 from, int64 to, struct stats_acc *acc);

/* How many calls the agent has in the range: as rollup_range(), without reading any statistics. */
extern int64 rollup_count(Datum agent_id, int64 from, int64 to);

/*
 * The same for consecutive ranges in one go: part i gets the calls from bounds[i] to bounds[i + 1].
 * The bounds ascend strictly; there is one more of them than parts. Bounds on the hour (UTC) cost
 * least, others make their hour be read call by call.
 */
extern void rollup_series(Datum agent_id, const int64 *bounds, int part_count,
                          struct rollup_part *parts);

/* Where a call is to be looked for. */
struct rollup_place {
    int64 from, to;
    int64 skip;
};

/*
 * Finds the call that comes after `skip` others in the range, in order of started_at: it comes after
 * place->skip others in the range of `place`, which is part of the one asked for and as short as the
 * rollups know: an hour of a busy agent, or all of what was asked for where rows contradict each
 * other. False when the range has no more than `skip` calls.
 */
extern bool rollup_seek(Datum agent_id, int64 from, int64 to, bool descending, int64 skip,
                        struct rollup_place *place);

#endif
