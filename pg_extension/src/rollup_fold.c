/*
 * Folding: moves deltas of an agent into its rollups, in one transaction, so that the sum of both is
 * the same before and after in every snapshot.
 *
 * Folds of one agent may run side by side: each takes deltas that no other has (SKIP LOCKED), and
 * all lock rows in one order, the agent's total before its months, a month before its days, a day
 * before its hours.
 * Whoever has locked a bucket's row alone decides about what is below it.
 *
 * A bucket that outgrows ROLLUP_SPLIT gets its rows below from the calls themselves: what is folded
 * of it is, in any snapshot, its calls less its deltas, and this transaction's own deletions of
 * deltas are in the snapshot that it takes for that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "kept_plan.h"
#include "rollup_hours.h"
#include "rollup_rows.h"

PG_FUNCTION_INFO_V1(frontdesk_fold_rollups);
PG_FUNCTION_INFO_V1(frontdesk_fold_all_rollups);

/*
 * Of one transaction over all agents: how many deltas it takes at most, and after how long it takes
 * those of no further agent. After a large import every bucket is split at its first fold, which
 * reads all of its calls.
 */
enum { FOLD_DELTAS = 10000, FOLD_MS = 1000 };

/* What is known of a row of call_rollup after changing it. */
struct bucket_row {
    int64 calls;
    bool split, empty;
};

/* ---- rows ---- */

/* Adds to the bucket's row, which is made if there is none, and locks it. */
static struct bucket_row add_to_bucket(Datum agent_id, const struct rollup_entry *entry,
                                       enum bucket_grain grain)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID, INT8OID, InvalidOid};
    SPIPlanPtr plan = rollup_plan(
        &slot,
        "INSERT INTO frontdesk.call_rollup AS r (agent_id, grain, bucket, n, split, stats)"
        " VALUES ($1, $2, $3, $4, false, $5) ON CONFLICT (agent_id, grain, bucket) DO UPDATE"
        " SET n = r.n" SQL_ADD "excluded.n, stats = r.stats OPERATOR(frontdesk.+) excluded.stats"
        " RETURNING n, split, stats",
        lengthof(types), types);
    const Datum values[] = {agent_id, CharGetDatum((char)grain), Int64GetDatum(entry->bucket),
                            Int64GetDatum(entry->calls), entry->stats};
    struct bucket_row row = {0};

    run_plan(plan, values, NULL, false, SPI_OK_INSERT_RETURNING);
    if (SPI_processed != 1)
        elog(ERROR, "a row of call_rollup was not written");
    row.calls = DatumGetInt64(result_value(0, 1));
    row.split = DatumGetBool(result_value(0, 2));
    if (row.calls == 0) {
        struct stats_acc acc;
        stats_acc_init(&acc);
        call_stats_accumulate(&acc, result_value(0, 3), 1);
        row.empty = stats_acc_is_empty(&acc);
    }
    SPI_freetuptable(SPI_tuptable);
    return row;
}

/*
 * Removes the row of a bucket that has become empty, unless there are rows below it: they may have
 * to wait for other folds to become empty too.
 */
static void remove_bucket(Datum agent_id, int64 bucket, enum bucket_grain grain)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID, CHAROID, INT8OID};
    const Datum values[] = {agent_id, CharGetDatum((char)grain), Int64GetDatum(bucket),
                            CharGetDatum(grain == BUCKET_MONTH ? BUCKET_DAY : BUCKET_HOUR),
                            Int64GetDatum(rollup_last(bucket_end(grain, bucket)))};
    SPIPlanPtr plan = kept_plan(
        &slot,
        "DELETE FROM frontdesk.call_rollup AS r WHERE r.agent_id" SQL_EQ "$1 AND r.grain" SQL_EQ
        "$2 AND r.bucket" SQL_EQ "$3 AND ($2" SQL_EQ
        "'h' OR NOT EXISTS (SELECT FROM frontdesk.call_rollup AS b WHERE b.agent_id" SQL_EQ
        "$1 AND b.grain" SQL_EQ "$4 AND b.bucket OPERATOR(pg_catalog.>=) $3"
        " AND b.bucket OPERATOR(pg_catalog.<=) $5))",
        lengthof(types), types);
    run_plan(plan, values, NULL, false, SPI_OK_DELETE);
}

/* Makes the rows below a bucket whose row is locked. */
static void split_bucket(Datum agent_id, int64 bucket, enum bucket_grain grain)
{
    struct rollup_hours hours;

    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
    rollup_hours_folded(agent_id, bucket, bucket_end(grain, bucket), &hours);
    PopActiveSnapshot();
    rollup_hours_write_below(agent_id, bucket, grain, &hours);
}

/* ---- folding ---- */

/* The deltas of an agent that a fold has taken, by hour. */
static int take_deltas(Datum agent_id, int64 max, struct rollup_hours *hours)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, INT8OID};
    const Datum values[] = {agent_id, Int64GetDatum(max)};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "DELETE FROM frontdesk.call_rollup_delta WHERE ctid" SQL_EQ "ANY (ARRAY("
                  "SELECT ctid FROM frontdesk.call_rollup_delta WHERE agent_id" SQL_EQ
                  "$1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING bucket, stats",
                  lengthof(types), types);
    int count;

    run_plan_by_index(plan, values, false, SPI_OK_DELETE_RETURNING);
    count = (int)SPI_processed;
    rollup_hours_init(hours);
    for (int i = 0; i < count; i++)
        rollup_hours_add(hours, DatumGetInt64(result_value((uint64)i, 1)),
                         result_value((uint64)i, 2), 1);
    rollup_hours_close(hours);
    SPI_freetuptable(SPI_tuptable);
    return count;
}

static void fold_bucket(Datum agent_id, const struct rollup_entry *entry, enum bucket_grain grain,
                        const struct rollup_hours *hours);

/* Folds the days of a month, or the hours of a day. */
static void fold_below(Datum agent_id, int64 bucket, enum bucket_grain grain,
                       const struct rollup_hours *hours)
{
    enum bucket_grain below = grain == BUCKET_MONTH ? BUCKET_DAY : BUCKET_HOUR;
    struct rollup_hours entries;

    rollup_hours_group(hours, bucket, bucket_end(grain, bucket), below, true, &entries);
    for (int i = 0; i < entries.count; i++)
        fold_bucket(agent_id, &entries.list[i], below, hours);
}

/* At most three deep: month, day, hour. */
static void fold_bucket(Datum agent_id, const struct rollup_entry *entry, enum bucket_grain grain,
                        const struct rollup_hours *hours)
{
    struct bucket_row row = add_to_bucket(agent_id, entry, grain);

    CHECK_FOR_INTERRUPTS();
    if (row.split)
        fold_below(agent_id, entry->bucket, grain, hours);
    else if (grain != BUCKET_HOUR && row.calls > ROLLUP_SPLIT)
        split_bucket(agent_id, entry->bucket, grain);
    if (row.empty)
        remove_bucket(agent_id, entry->bucket, grain);
}

static int fold_agent(Datum agent_id, int64 max)
{
    struct rollup_hours hours, months;
    int count;

    /* Before the row of the agent's total: who keeps folds out by this lock writes that row too. */
    (void)rollup_lock("call_rollup", RowExclusiveLock);
    count = take_deltas(agent_id, max, &hours);
    rollup_hours_count(agent_id, &hours, false);
    rollup_hours_group(&hours, ROLLUP_FIRST, ROLLUP_END, BUCKET_MONTH, true, &months);
    for (int i = 0; i < months.count; i++)
        fold_bucket(agent_id, &months.list[i], BUCKET_MONTH, &hours);
    return count;
}

Datum frontdesk_fold_rollups(PG_FUNCTION_ARGS)
{
    int64 max = PG_GETARG_INT64(1);
    int count;

    if (max < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("max_deltas must not be negative")));
    rollup_connect();
    rollup_lock_calls();
    count = fold_agent(PG_GETARG_DATUM(0), Min(max, PG_INT32_MAX));
    SPI_finish();
    PG_RETURN_INT64(count);
}

/* Of the deltas that one transaction folds, those of an agent that has so many of all. */
static int64 share_of(int64 deltas, int64 all)
{
    return all <= FOLD_DELTAS ? FOLD_DELTAS : 1 + deltas * FOLD_DELTAS / all;
}

/*
 * The busiest agents, each with its share of the deltas that one transaction folds; but in the order
 * of their names, so that two that do this at once never wait for each other in a circle.
 */
Datum frontdesk_fold_all_rollups(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr slot;
    SPIPlanPtr plan;
    int64 folded = 0;
    SPITupleTable *agents;
    int count;
    TimestampTz start = GetCurrentTimestamp();

    (void)fcinfo;
    rollup_connect();
    rollup_lock_calls();
    plan = kept_plan(&slot,
                     "SELECT agent_id, n, pg_catalog.sum(n) OVER ()::bigint FROM ("
                     "SELECT agent_id, pg_catalog.count(*) AS n FROM frontdesk.call_rollup_delta"
                     " GROUP BY agent_id ORDER BY n DESC, agent_id LIMIT 64) AS busiest"
                     " ORDER BY agent_id",
                     0, NULL);
    run_plan(plan, NULL, NULL, false, SPI_OK_SELECT);
    agents = SPI_tuptable;
    count = (int)SPI_processed;
    for (int i = 0; i < count; i++) {
        bool null;
        if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), FOLD_MS))
            break;
        Datum agent_id = SPI_getbinval(agents->vals[i], agents->tupdesc, 1, &null);
        int64 deltas = DatumGetInt64(SPI_getbinval(agents->vals[i], agents->tupdesc, 2, &null));
        int64 all = DatumGetInt64(SPI_getbinval(agents->vals[i], agents->tupdesc, 3, &null));
        folded += fold_agent(agent_id, share_of(deltas, all));
    }
    SPI_finish();
    PG_RETURN_INT64(folded);
}
