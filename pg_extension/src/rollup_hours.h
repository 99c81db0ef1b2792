/*
 * Statistics by hour in memory: what is between calls, deltas and rows of call_rollup when rollups
 * are folded, built and checked. Also holds the same by day or month.
 *
 * Memory is the context that was current at rollup_hours_init().
 */
#ifndef FRONTDESK_ROLLUP_HOURS_H
#define FRONTDESK_ROLLUP_HOURS_H

#include "kept_plan.h"
#include "rollup.h"

struct rollup_entry {
    int64 bucket;
    int64 calls;
    Datum stats; /* flat */
};

struct rollup_hours {
    MemoryContext memory;
    struct rollup_entry *list; /* after rollup_hours_close(): ascending, one a bucket, none empty */
    int count, room;
};

extern void rollup_hours_init(struct rollup_hours *hours);

/* Adds statistics to an hour, or subtracts them: sign is 1 or -1. They are copied. */
extern void rollup_hours_add(struct rollup_hours *hours, int64 bucket, Datum stats, int sign);

/* Sorts what was added and sums up by bucket; empty sums go. */
extern void rollup_hours_close(struct rollup_hours *hours);

/*
 * The entries from `from` to `to`, summed up by a coarser grain (or the same), closed. `keep_empty`:
 * also those of which nothing is left, as of a day when a call moved from one of its hours to
 * another.
 */
extern void rollup_hours_group(const struct rollup_hours *hours, int64 from, int64 to,
                               enum bucket_grain grain, bool keep_empty,
                               struct rollup_hours *groups);

/*
 * What should be folded of the agent's calls in the range, by hour: its calls less its deltas, both
 * as the active snapshot has them.
 */
extern void rollup_hours_folded(Datum agent_id, int64 from, int64 to, struct rollup_hours *hours);

/*
 * Makes the rows below a bucket, in place of any that are there, marks it as split, and does the
 * same to those below that have more than ROLLUP_SPLIT calls. The bucket's row must be locked.
 */
extern void rollup_hours_write_below(Datum agent_id, int64 bucket, enum bucket_grain grain,
                                     const struct rollup_hours *hours);

/* Makes all rows of an agent, in place of any that are there. */
extern void rollup_hours_write_agent(Datum agent_id, const struct rollup_hours *hours);

/* How many calls of the agent are folded: so many more, or, `anew`, so many. */
extern void rollup_hours_count(Datum agent_id, const struct rollup_hours *hours, bool anew);

/* A plan as kept_plan() keeps, with call_stats in place of the types that are InvalidOid. */
extern SPIPlanPtr rollup_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types);

#endif
