/*
 * What is counted comes from the rollups (rollup.h: whole hours, days and months from what is
 * stored, the ragged ends of a range from its calls); when the first and the last call were, and the
 * least and the greatest value, comes from indexes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call_stats.h"
#include "compat.h"
#include "epoch.h"
#include "extremes.h"
#include "kept_plan.h"
#include "rollup.h"
#include "summary.h"

/* ---- ranges ---- */

static struct summary_range checked_range(int64 since, int64 until)
{
    if (until < since)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("must not be before the range's begin"),
                        err_generic_string(PG_DIAG_COLUMN_NAME, "to")));
    return (struct summary_range){since, until};
}

struct summary_range summary_range_of_ms(FunctionCallInfo fcinfo, int first)
{
    return checked_range(PG_ARGISNULL(first) ? ROLLUP_FIRST : PG_GETARG_INT64(first),
                         PG_ARGISNULL(first + 1) ? ROLLUP_END : PG_GETARG_INT64(first + 1));
}

struct summary_range summary_range_of_times(FunctionCallInfo fcinfo, int first)
{
    return checked_range(
        PG_ARGISNULL(first) ? ROLLUP_FIRST : epoch_ms_of_time(PG_GETARG_TIMESTAMPTZ(first)),
        PG_ARGISNULL(first + 1) ? ROLLUP_END : epoch_ms_of_time(PG_GETARG_TIMESTAMPTZ(first + 1)));
}

/* ---- agents ---- */

struct summary_agent *summary_agents(NullableDatum agent_ids, NullableDatum agent_id, size_t *count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID, TEXTOID};
    const Datum values[] = {agent_ids.value, agent_id.value};
    const char nulls[] = {agent_ids.isnull ? 'n' : ' ', agent_id.isnull ? 'n' : ' '};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "SELECT a.agent_id, a.agent_name, a.status" SQL_EQ "'ACTIVE'"
                  " FROM frontdesk.agents AS a"
                  " WHERE ($1 IS NULL OR a.agent_id" SQL_EQ "ANY ($1))"
                  " AND ($2 IS NULL OR a.agent_id" SQL_EQ "$2) ORDER BY a.agent_name, a.agent_id",
                  lengthof(types), types);
    struct summary_agent *agents;

    run_plan(plan, values, nulls, true, SPI_OK_SELECT);
    *count = SPI_processed;
    agents = palloc(sizeof(*agents) * Max(SPI_processed, 1));
    for (uint64 i = 0; i < SPI_processed; i++)
        agents[i] =
            (struct summary_agent){PointerGetDatum(PG_DETOAST_DATUM_COPY(result_value(i, 1))),
                                   PointerGetDatum(PG_DETOAST_DATUM_COPY(result_value(i, 2))),
                                   DatumGetBool(result_value(i, 3))};
    SPI_freetuptable(SPI_tuptable);
    return agents;
}

/* ---- summaries ---- */

/* The start of the agent's first call in the range, or of its last. False when there is none. */
static bool find_end(Datum agent_id, struct summary_range range, bool last, int64 *started_at)
{
    static SPIPlanPtr slots[2];
    static const Oid types[] = {TEXTOID, INT8OID, INT8OID};
    static const char *const texts[2] = {
        "SELECT c.started_at FROM frontdesk.calls AS c WHERE c.agent_id" SQL_EQ "$1"
        " AND c.started_at" SQL_GE "$2 AND c.started_at" SQL_LT "$3"
        " ORDER BY c.started_at, c.call_id LIMIT 1",
        "SELECT c.started_at FROM frontdesk.calls AS c WHERE c.agent_id" SQL_EQ "$1"
        " AND c.started_at" SQL_GE "$2 AND c.started_at" SQL_LT "$3"
        " ORDER BY c.started_at DESC, c.call_id DESC LIMIT 1",
    };
    const Datum values[] = {agent_id, Int64GetDatum(range.since), Int64GetDatum(range.until)};

    run_plan(kept_plan(&slots[last], texts[last], lengthof(types), types), values, NULL, true,
             SPI_OK_SELECT);
    if (SPI_processed == 0)
        return false;
    *started_at = DatumGetInt64(result_value(0, 1));
    SPI_freetuptable(SPI_tuptable);
    return true;
}

bool summary_extent(const struct summary_agent *agents, size_t count, struct summary_range range,
                    struct summary_range *extent)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        int64 first = 0, last = 0;
        if (!find_end(agents[i].agent_id, range, false, &first))
            continue;
        find_end(agents[i].agent_id, range, true, &last);
        extent->since = any ? Min(extent->since, first) : first;
        extent->until = any ? Max(extent->until, last + 1) : last + 1;
        any = true;
    }
    return any;
}

void summary_init(struct summary *summary)
{
    memset(summary, 0, sizeof(*summary));
    stats_acc_init(&summary->stats);
}

void summary_of_agent(struct summary *summary, Datum agent_id, struct summary_range range)
{
    summary_init(summary);
    rollup_range(agent_id, range.since, range.until, &summary->stats);
    if (stats_acc_total(&summary->stats) == 0)
        return;
    find_end(agent_id, range, false, &summary->first_call);
    find_end(agent_id, range, true, &summary->last_call);
    for (int m = 0; m < STATS_MEASURES; m++) {
        extremes_find(agent_id, range.since, range.until, &summary->stats, m, false,
                      &summary->least[m]);
        extremes_find(agent_id, range.since, range.until, &summary->stats, m, true,
                      &summary->greatest[m]);
    }
}

void summary_add(struct summary *summary, const struct summary *more)
{
    bool some = stats_acc_total(&summary->stats) > 0;

    if (stats_acc_total(&more->stats) == 0)
        return;
    summary->first_call = some ? Min(summary->first_call, more->first_call) : more->first_call;
    summary->last_call = some ? Max(summary->last_call, more->last_call) : more->last_call;
    for (int m = 0; m < STATS_MEASURES; m++) {
        if (stats_acc_measured(&more->stats, m) == 0)
            continue;
        some = stats_acc_measured(&summary->stats, m) > 0;
        summary->least[m] = some ? Min(summary->least[m], more->least[m]) : more->least[m];
        summary->greatest[m] =
            some ? Max(summary->greatest[m], more->greatest[m]) : more->greatest[m];
    }
    call_stats_accumulate(&summary->stats, call_stats_value(&more->stats), 1);
}

void summary_of_agents(const struct summary_agent *agents, size_t count, struct summary_range range,
                       summary_agent_function visit, void *context, struct summary *all)
{
    MemoryContext outer = CurrentMemoryContext;
    MemoryContext one = AllocSetContextCreate(outer, "frontdesk summary", ALLOCSET_DEFAULT_SIZES);

    for (size_t i = 0; i < count; i++) {
        struct summary summary;
        CHECK_FOR_INTERRUPTS();
        MemoryContextSwitchTo(one);
        summary_of_agent(&summary, agents[i].agent_id, range);
        if (visit)
            visit(context, &agents[i], &summary);
        MemoryContextSwitchTo(outer);
        if (all)
            summary_add(all, &summary);
        MemoryContextReset(one);
    }
    MemoryContextDelete(one);
}

bool summary_percentile(const struct summary *summary, enum stats_measure_id measure, double p,
                        int64 *value)
{
    if (!stats_acc_percentile(&summary->stats, measure, p, value))
        return false;
    *value = Min(Max(*value, summary->least[measure]), summary->greatest[measure]);
    return true;
}

/* ---- series ---- */

/* How many buckets are read at a time: each agent is asked once for all of them. */
enum { CHUNK = 250 };

struct chunk {
    struct summary_bucket buckets[CHUNK];
    int64 bounds[CHUNK + 1];
    struct rollup_part parts[CHUNK];
    int count;
};

/* The buckets from `start` on, as many as a chunk holds. Returns where the next one begins. */
static int64 fill_chunk(struct chunk *chunk, int64 start, struct summary_range extent,
                        const struct calendar *calendar)
{
    chunk->count = 0;
    while (start < extent.until && chunk->count < CHUNK) {
        struct summary_bucket *bucket = &chunk->buckets[chunk->count];
        bucket->range = (struct summary_range){start, calendar_next(calendar, start)};
        stats_acc_init(&bucket->stats);
        chunk->parts[chunk->count] = (struct rollup_part){.stats = &bucket->stats};
        chunk->bounds[chunk->count++] = Max(start, extent.since);
        start = bucket->range.until;
    }
    chunk->bounds[chunk->count] = Min(start, extent.until);
    return start;
}

static void check_bucket_count(struct summary_range extent, const struct calendar *calendar)
{
    int count = 0;

    for (int64 start = extent.since; start < extent.until; start = calendar_next(calendar, start))
        if (count++ == SUMMARY_BUCKETS_MAX)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("makes more than %d buckets up to the end of the range",
                                   SUMMARY_BUCKETS_MAX),
                            errhint("Choose a shorter range or longer buckets."),
                            err_generic_string(PG_DIAG_COLUMN_NAME, "from")));
}

void summary_series(const struct summary_agent *agents, size_t count, struct summary_range range,
                    const struct calendar *calendar, summary_bucket_function visit, void *context)
{
    struct summary_range extent = range;
    MemoryContext outer = CurrentMemoryContext, one;
    struct chunk *chunk = palloc(sizeof(*chunk));

    if ((range.since == ROLLUP_FIRST || range.until == ROLLUP_END) &&
        !summary_extent(agents, count, range, &extent))
        return;
    if (range.since != ROLLUP_FIRST)
        extent.since = range.since;
    if (range.until != ROLLUP_END)
        extent.until = range.until;
    if (extent.since >= extent.until)
        return;
    check_bucket_count(extent, calendar);

    one = AllocSetContextCreate(outer, "frontdesk series", ALLOCSET_DEFAULT_SIZES);
    for (int64 start = calendar_start(calendar, extent.since); start < extent.until;) {
        start = fill_chunk(chunk, start, extent, calendar);
        MemoryContextSwitchTo(one);
        for (size_t i = 0; i < count; i++) {
            CHECK_FOR_INTERRUPTS();
            rollup_series(agents[i].agent_id, chunk->bounds, chunk->count, chunk->parts);
        }
        MemoryContextSwitchTo(outer);
        for (int i = 0; i < chunk->count; i++)
            visit(context, &chunk->buckets[i]);
        MemoryContextReset(one);
    }
    MemoryContextDelete(one);
}
