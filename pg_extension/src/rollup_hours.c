/*
 * Values are kept flat: an hour is some tens of bytes, and there are as many hours as an agent has
 * lived. Entries are collected as they come and summed up once sorted.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "rollup_hours.h"
#include "rollup_rows.h"

enum { MAX_TYPES = 8 };

/*
 * The text of a plan is understood anew when what it names has changed, but not the types of its
 * parameters: and call_stats is another one after the extension was dropped and restored.
 */
SPIPlanPtr rollup_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types)
{
    const Oid call_stats = call_stats_type();
    Oid filled[MAX_TYPES];
    SPIPlanPtr old = *slot;

    for (int i = 0; i < nargs; i++) {
        filled[i] = OidIsValid(types[i]) ? types[i] : call_stats;
        if (*slot && SPI_getargtypeid(*slot, i) != filled[i])
            *slot = NULL;
    }
    if (old && !*slot)
        SPI_freeplan(old);
    return kept_plan(slot, text, nargs, filled);
}

/* ---- collecting ---- */

void rollup_hours_init(struct rollup_hours *hours)
{
    *hours = (struct rollup_hours){.memory = CurrentMemoryContext};
}

static struct rollup_entry *new_entry(struct rollup_hours *hours)
{
    if (hours->count == hours->room) {
        MemoryContext before = MemoryContextSwitchTo(hours->memory);
        hours->room = Max(16, hours->room * 2);
        hours->list = hours->list
                          ? repalloc_huge(hours->list, sizeof(*hours->list) * (Size)hours->room)
                          : palloc(sizeof(*hours->list) * (Size)hours->room);
        MemoryContextSwitchTo(before);
    }
    return &hours->list[hours->count++];
}

static void append_sum(struct rollup_hours *hours, int64 bucket, const struct stats_acc *acc)
{
    MemoryContext before = MemoryContextSwitchTo(hours->memory);
    Datum stats = call_stats_value(acc);
    MemoryContextSwitchTo(before);
    *new_entry(hours) = (struct rollup_entry){bucket, stats_acc_total(acc), stats};
}

void rollup_hours_add(struct rollup_hours *hours, int64 bucket, Datum stats, int sign)
{
    struct stats_acc acc;

    stats_acc_init(&acc);
    call_stats_accumulate(&acc, stats, sign);
    append_sum(hours, bucket, &acc);
}

static int compare_entries(const void *a, const void *b)
{
    const struct rollup_entry *left = a, *right = b;
    return (left->bucket > right->bucket) - (left->bucket < right->bucket);
}

/* Sums up sorted entries by grain. */
static void sum_up(const struct rollup_entry *entries, int count, enum bucket_grain grain,
                   bool keep_empty, struct rollup_hours *sums)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "sums of hours", ALLOCSET_DEFAULT_SIZES);
    MemoryContext before = MemoryContextSwitchTo(scratch);

    for (int i = 0; i < count;) {
        int64 bucket = bucket_start(grain, entries[i].bucket);
        struct stats_acc acc;
        stats_acc_init(&acc);
        for (; i < count && bucket_start(grain, entries[i].bucket) == bucket; i++)
            call_stats_accumulate(&acc, entries[i].stats, 1);
        if (keep_empty || !stats_acc_is_empty(&acc))
            append_sum(sums, bucket, &acc);
        MemoryContextReset(scratch);
    }
    MemoryContextSwitchTo(before);
    MemoryContextDelete(scratch);
}

void rollup_hours_close(struct rollup_hours *hours)
{
    struct rollup_hours sums = {.memory = hours->memory};

    if (hours->count > 1)
        qsort(hours->list, (size_t)hours->count, sizeof(*hours->list), compare_entries);
    sum_up(hours->list, hours->count, BUCKET_HOUR, false, &sums);
    if (hours->list)
        pfree(hours->list);
    *hours = sums;
}

/* The index of the first entry from `at` on. */
static int first_from(const struct rollup_hours *hours, int64 at)
{
    return rollup_count_below(hours->list, hours->count, sizeof(*hours->list), at);
}

void rollup_hours_group(const struct rollup_hours *hours, int64 from, int64 to,
                        enum bucket_grain grain, bool keep_empty, struct rollup_hours *groups)
{
    int first = first_from(hours, from);
    int end = to == ROLLUP_END ? hours->count : first_from(hours, to);

    rollup_hours_init(groups);
    sum_up(hours->list + first, end - first, grain, keep_empty, groups);
}

/* ---- what should be folded ---- */

/* Calls in their order in time, summed up hour by hour. */
struct reading {
    struct rollup_hours *hours;
    MemoryContext scratch; /* of the hour's accumulator */
    int64 bucket;
    bool any;
    struct stats_acc acc;
};

static void end_hour(struct reading *reading)
{
    if (reading->any)
        append_sum(reading->hours, reading->bucket, &reading->acc);
    MemoryContextReset(reading->scratch);
    stats_acc_init(&reading->acc);
}

static void read_call(const Datum *values, const bool *nulls, void *argument)
{
    struct reading *reading = argument;
    int64 bucket = bucket_start(BUCKET_HOUR, DatumGetInt64(values[0]));
    struct stats_call call;
    MemoryContext before;

    rollup_read_call(values, nulls, &call);
    before = MemoryContextSwitchTo(reading->scratch);
    if (!reading->any || bucket != reading->bucket)
        end_hour(reading);
    reading->any = true;
    reading->bucket = bucket;
    call_stats_count(&reading->acc, &call, 1);
    MemoryContextSwitchTo(before);
}

static void read_delta(const Datum *values, const bool *nulls, void *argument)
{
    (void)nulls;
    rollup_hours_add(argument, DatumGetInt64(values[0]), values[1], -1);
}

void rollup_hours_folded(Datum agent_id, int64 from, int64 to, struct rollup_hours *hours)
{
    static SPIPlanPtr calls_slot, deltas_slot;
    static const Oid types[] = {TEXTOID, INT8OID, INT8OID};
    const Datum values[] = {agent_id, Int64GetDatum(from), Int64GetDatum(rollup_last(to))};
    struct reading reading = {.hours = hours};

    rollup_hours_init(hours);
    reading.scratch =
        AllocSetContextCreate(CurrentMemoryContext, "an hour of calls", ALLOCSET_DEFAULT_SIZES);
    end_hour(&reading);
    stream_plan(kept_plan(&calls_slot,
                          "SELECT " ROLLUP_CALL_COLUMNS
                          " FROM frontdesk.calls WHERE " ROLLUP_CALLS_IN_RANGE
                          " ORDER BY started_at",
                          lengthof(types), types),
                lengthof(types), types, values, read_call, &reading);
    end_hour(&reading);
    MemoryContextDelete(reading.scratch);
    stream_plan_by_index(kept_plan(&deltas_slot,
                                   "SELECT bucket, stats FROM frontdesk.call_rollup_delta"
                                   " WHERE agent_id" SQL_EQ
                                   "$1 AND bucket OPERATOR(pg_catalog.>=) $2"
                                   " AND bucket OPERATOR(pg_catalog.<=) $3",
                                   lengthof(types), types),
                         lengthof(types), types, values, read_delta, hours);
    rollup_hours_close(hours);
}

/* ---- rows below ---- */

static void write_row(Datum agent_id, const struct rollup_entry *entry, enum bucket_grain grain)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID, INT8OID, InvalidOid};
    const Datum values[] = {agent_id, CharGetDatum((char)grain), Int64GetDatum(entry->bucket),
                            Int64GetDatum(entry->calls), entry->stats};

    run_plan(rollup_plan(&slot,
                         "INSERT INTO frontdesk.call_rollup (agent_id, grain, bucket, n, split,"
                         " stats) VALUES ($1, $2, $3, $4, false, $5)",
                         lengthof(types), types),
             values, NULL, false, SPI_OK_INSERT);
}

/* Removes the rows of a range. */
static void remove_rows(Datum agent_id, int64 from, int64 to, enum bucket_grain grain)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID, INT8OID};
    const Datum values[] = {agent_id, CharGetDatum((char)grain), Int64GetDatum(from),
                            Int64GetDatum(rollup_last(to))};

    run_plan(kept_plan(&slot,
                       "DELETE FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
                       "$1 AND grain" SQL_EQ "$2 AND bucket OPERATOR(pg_catalog.>=) $3"
                       " AND bucket OPERATOR(pg_catalog.<=) $4",
                       lengthof(types), types),
             values, NULL, false, SPI_OK_DELETE);
}

static void mark_split(Datum agent_id, int64 bucket, enum bucket_grain grain)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID};
    const Datum values[] = {agent_id, CharGetDatum((char)grain), Int64GetDatum(bucket)};

    run_plan(kept_plan(&slot,
                       "UPDATE frontdesk.call_rollup SET split = true WHERE agent_id" SQL_EQ
                       "$1 AND grain" SQL_EQ "$2 AND bucket" SQL_EQ "$3",
                       lengthof(types), types),
             values, NULL, false, SPI_OK_UPDATE);
}

/* One grain; returns what it wrote. */
static void write_grain(Datum agent_id, int64 bucket, enum bucket_grain grain,
                        const struct rollup_hours *hours, struct rollup_hours *written)
{
    enum bucket_grain below = grain == BUCKET_MONTH ? BUCKET_DAY : BUCKET_HOUR;
    int64 end = bucket_end(grain, bucket);

    if (below != BUCKET_HOUR)
        remove_rows(agent_id, bucket, end, BUCKET_HOUR);
    remove_rows(agent_id, bucket, end, below);
    rollup_hours_group(hours, bucket, end, below, false, written);
    for (int i = 0; i < written->count; i++)
        write_row(agent_id, &written->list[i], below);
    mark_split(agent_id, bucket, grain);
}

void rollup_hours_count(Datum agent_id, const struct rollup_hours *hours, bool anew)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, INT8OID, BOOLOID};
    int64 calls = 0;
    Datum values[] = {agent_id, (Datum)0, BoolGetDatum(anew)};

    for (int i = 0; i < hours->count; i++)
        calls += hours->list[i].calls;
    if (calls == 0 && !anew)
        return;
    /* A schema on its way from before there were totals: the migration that brings them fills them. */
    if (!OidIsValid(get_relname_relid("call_total", get_namespace_oid("frontdesk", false))))
        return;
    values[1] = Int64GetDatum(calls);
    run_plan(kept_plan(&slot,
                       "INSERT INTO frontdesk.call_total AS t (agent_id, n) VALUES ($1, $2)"
                       " ON CONFLICT (agent_id) DO UPDATE SET n = excluded.n" SQL_ADD
                       "CASE WHEN $3 THEN 0 ELSE t.n END",
                       lengthof(types), types),
             values, NULL, false, SPI_OK_INSERT);
}

void rollup_hours_write_agent(Datum agent_id, const struct rollup_hours *hours)
{
    struct rollup_hours months;

    rollup_hours_count(agent_id, hours, true);
    remove_rows(agent_id, ROLLUP_FIRST, ROLLUP_END, BUCKET_HOUR);
    remove_rows(agent_id, ROLLUP_FIRST, ROLLUP_END, BUCKET_DAY);
    remove_rows(agent_id, ROLLUP_FIRST, ROLLUP_END, BUCKET_MONTH);
    rollup_hours_group(hours, ROLLUP_FIRST, ROLLUP_END, BUCKET_MONTH, false, &months);
    for (int i = 0; i < months.count; i++) {
        write_row(agent_id, &months.list[i], BUCKET_MONTH);
        if (months.list[i].calls > ROLLUP_SPLIT)
            rollup_hours_write_below(agent_id, months.list[i].bucket, BUCKET_MONTH, hours);
    }
}

void rollup_hours_write_below(Datum agent_id, int64 bucket, enum bucket_grain grain,
                              const struct rollup_hours *hours)
{
    struct rollup_hours below, last;

    write_grain(agent_id, bucket, grain, hours, &below);
    for (int i = 0; grain == BUCKET_MONTH && i < below.count; i++)
        if (below.list[i].calls > ROLLUP_SPLIT)
            write_grain(agent_id, below.list[i].bucket, BUCKET_DAY, hours, &last);
}
