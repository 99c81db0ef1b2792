/*
 * Rollups against the calls they are of. The triggers see every change of calls that PostgreSQL
 * shows to triggers; what it does not (session_replication_role = replica, a disabled trigger, data
 * restored without them) must be found and mended.
 *
 * What should be folded is the same for both: calls less deltas, in one snapshot.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "kept_plan.h"
#include "rollup_hours.h"
#include "rollup_rows.h"

PG_FUNCTION_INFO_V1(frontdesk_rebuild_rollups);
PG_FUNCTION_INFO_V1(frontdesk_verify_rollups);

/* Of one agent; what it allocates may go when it returns. */
typedef void agent_work(Datum agent_id, void *argument);

/* Does the work for one agent, or for every agent that has calls or rollups. SPI is connected. */
static void for_agents(const NullableDatum *agent_id, bool read_only, agent_work *work,
                       void *argument)
{
    static SPIPlanPtr slot;
    MemoryContext scratch, before;
    SPITupleTable *agents;
    uint64 count;

    if (!agent_id->isnull) {
        work(agent_id->value, argument);
        return;
    }
    run_plan(kept_plan(&slot,
                       "SELECT agent_id FROM frontdesk.calls"
                       " UNION SELECT agent_id FROM frontdesk.call_rollup"
                       " UNION SELECT agent_id FROM frontdesk.call_rollup_delta ORDER BY agent_id",
                       0, NULL),
             NULL, NULL, read_only, SPI_OK_SELECT);
    agents = SPI_tuptable;
    count = SPI_processed;
    scratch = AllocSetContextCreate(CurrentMemoryContext, "an agent", ALLOCSET_DEFAULT_SIZES);
    before = MemoryContextSwitchTo(scratch);
    for (uint64 i = 0; i < count; i++) {
        bool null;
        CHECK_FOR_INTERRUPTS();
        work(SPI_getbinval(agents->vals[i], agents->tupdesc, 1, &null), argument);
        MemoryContextReset(scratch);
    }
    MemoryContextSwitchTo(before);
    MemoryContextDelete(scratch);
}

/* ---- rebuilding ---- */

static void rebuild_agent(Datum agent_id, void *argument)
{
    struct rollup_hours hours;

    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
    rollup_hours_folded(agent_id, ROLLUP_FIRST, ROLLUP_END, &hours);
    PopActiveSnapshot();
    rollup_hours_write_agent(agent_id, &hours);
    ++*(int64 *)argument;
}

/*
 * Folds are kept out by a lock on the table of what is folded; changes of calls go on, as they only
 * write deltas. The snapshot comes after the lock: in a transaction that keeps its first one it
 * would not.
 */
Datum frontdesk_rebuild_rollups(PG_FUNCTION_ARGS)
{
    int64 agents = 0;

    if (IsolationUsesXactSnapshot())
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("rebuild_rollups must run at isolation level READ COMMITTED")));
    rollup_connect();
    rollup_lock_calls();
    (void)rollup_lock("call_rollup", ShareRowExclusiveLock);
    for_agents(&fcinfo->args[0], false, rebuild_agent, &agents);
    SPI_finish();
    PG_RETURN_INT64(agents);
}

/* ---- verifying ---- */

struct stored_row {
    struct rollup_entry entry;
    bool split, seen;
};

/* The rows of one grain, ascending. */
struct stored_rows {
    MemoryContext memory;
    struct stored_row *list;
    int count, room;
};

struct verification {
    ReturnSetInfo *into;
    Datum agent_id;
    struct rollup_hours folded; /* what should be there */
    struct stored_rows months, days, hours;
};

static void take_row(const Datum *values, const bool *nulls, void *argument)
{
    struct stored_rows *rows = argument;
    MemoryContext before = MemoryContextSwitchTo(rows->memory);

    (void)nulls;
    if (rows->count == rows->room) {
        rows->room = Max(64, rows->room * 2);
        rows->list = rows->list ? repalloc_huge(rows->list, sizeof(*rows->list) * (Size)rows->room)
                                : palloc(sizeof(*rows->list) * (Size)rows->room);
    }
    rows->list[rows->count++] =
        (struct stored_row){.entry = {DatumGetInt64(values[0]), DatumGetInt64(values[1]),
                                      PointerGetDatum(PG_DETOAST_DATUM_COPY(values[3]))},
                            .split = DatumGetBool(values[2])};
    MemoryContextSwitchTo(before);
}

static void read_rows(Datum agent_id, enum bucket_grain grain, struct stored_rows *rows)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID};
    const Datum values[] = {agent_id, CharGetDatum((char)grain)};

    *rows = (struct stored_rows){.memory = CurrentMemoryContext};
    stream_plan(kept_plan(&slot,
                          "SELECT bucket, n, split, stats FROM frontdesk.call_rollup"
                          " WHERE agent_id" SQL_EQ "$1 AND grain" SQL_EQ "$2 ORDER BY bucket",
                          lengthof(types), types),
                lengthof(types), types, values, take_row, rows);
}

static struct stored_rows *rows_of(struct verification *verification, enum bucket_grain grain)
{
    return grain == BUCKET_MONTH ? &verification->months
           : grain == BUCKET_DAY ? &verification->days
                                 : &verification->hours;
}

static void report(struct verification *verification, enum bucket_grain grain, const char *problem,
                   const struct rollup_entry *expected, const struct rollup_entry *found)
{
    const char *name = grain == BUCKET_MONTH ? "month" : grain == BUCKET_DAY ? "day" : "hour";
    Datum values[] = {verification->agent_id,
                      CStringGetTextDatum(name),
                      Int64GetDatum(expected ? expected->bucket : found->bucket),
                      CStringGetTextDatum(problem),
                      expected ? expected->stats : (Datum)0,
                      found ? found->stats : (Datum)0};
    bool nulls[lengthof(values)] = {[4] = !expected, [5] = !found};
    tuplestore_putvalues(verification->into->setResult, verification->into->setDesc, values, nulls);
}

static bool same_stats(const struct rollup_entry *a, const struct rollup_entry *b)
{
    size_t a_len, b_len;
    const uint8 *a_bytes = call_stats_bytes(a->stats, &a_len);
    const uint8 *b_bytes = call_stats_bytes(b->stats, &b_len);
    return a->calls == b->calls && a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}

static bool is_nothing(const struct rollup_entry *entry)
{
    struct stats_acc acc;
    stats_acc_init(&acc);
    call_stats_accumulate(&acc, entry->stats, 1);
    return entry->calls == 0 && stats_acc_is_empty(&acc);
}

/* Compares what should be in a range with what is, by grain and, where rows are split, below. */
static void compare_range(struct verification *verification, enum bucket_grain grain, int64 from,
                          int64 to)
{
    struct stored_rows *rows = rows_of(verification, grain);
    struct rollup_hours expected;
    int e = 0, r = rollup_count_below(rows->list, rows->count, sizeof(*rows->list), from);

    rollup_hours_group(&verification->folded, from, to, grain, false, &expected);
    for (;;) {
        struct rollup_entry *wanted = e < expected.count ? &expected.list[e] : NULL;
        struct stored_row *found = r < rows->count ? &rows->list[r] : NULL;
        if (found && to != ROLLUP_END && found->entry.bucket >= to)
            found = NULL;
        if (!wanted && !found)
            break;
        if (wanted && (!found || wanted->bucket < found->entry.bucket)) {
            report(verification, grain, "missing", wanted, NULL);
            e++;
            continue;
        }
        found->seen = true;
        r++;
        if (!wanted || found->entry.bucket < wanted->bucket) {
            /* A split bucket may stay, empty, while there are rows below it. */
            if (!found->split || !is_nothing(&found->entry))
                report(verification, grain, "left over", NULL, &found->entry);
        } else {
            if (!same_stats(wanted, &found->entry))
                report(verification, grain, "different", wanted, &found->entry);
            e++;
        }
        if (found->split)
            compare_range(verification, grain == BUCKET_MONTH ? BUCKET_DAY : BUCKET_HOUR,
                          found->entry.bucket, bucket_end(grain, found->entry.bucket));
    }
}

/* Compares how many calls are folded with what is kept of that. */
static void compare_total(struct verification *verification)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID};
    Datum values[6] = {verification->agent_id, CStringGetTextDatum("total"), (Datum)0,
                       CStringGetTextDatum("different")};
    bool nulls[lengthof(values)] = {[2] = true, [4] = true, [5] = true};
    int64 total = 0;

    for (int i = 0; i < verification->folded.count; i++)
        total -= verification->folded.list[i].calls;
    run_plan(kept_plan(&slot,
                       "SELECT coalesce((SELECT n FROM frontdesk.call_total"
                       " WHERE agent_id" SQL_EQ "$1), 0)",
                       lengthof(types), types),
             &verification->agent_id, NULL, true, SPI_OK_SELECT);
    total += DatumGetInt64(result_value(0, 1));
    SPI_freetuptable(SPI_tuptable);
    if (total != 0)
        tuplestore_putvalues(verification->into->setResult, verification->into->setDesc, values,
                             nulls);
}

static void verify_agent(Datum agent_id, void *argument)
{
    static const enum bucket_grain grains[] = {BUCKET_MONTH, BUCKET_DAY, BUCKET_HOUR};
    struct verification *verification = argument;

    verification->agent_id = agent_id;
    rollup_hours_folded(agent_id, ROLLUP_FIRST, ROLLUP_END, &verification->folded);
    for (int g = 0; g < (int)lengthof(grains); g++)
        read_rows(agent_id, grains[g], rows_of(verification, grains[g]));
    compare_total(verification);
    compare_range(verification, BUCKET_MONTH, ROLLUP_FIRST, ROLLUP_END);
    for (int g = 1; g < (int)lengthof(grains); g++) {
        const struct stored_rows *rows = rows_of(verification, grains[g]);
        for (int i = 0; i < rows->count; i++)
            if (!rows->list[i].seen)
                report(verification, grains[g], "left over", NULL, &rows->list[i].entry);
    }
}

Datum frontdesk_verify_rollups(PG_FUNCTION_ARGS)
{
    struct verification verification = {.into = (ReturnSetInfo *)fcinfo->resultinfo};

    InitMaterializedSRF(fcinfo, 0);
    rollup_connect();
    rollup_lock_calls();
    for_agents(&fcinfo->args[0], true, verify_agent, &verification);
    SPI_finish();
    return (Datum)0;
}
