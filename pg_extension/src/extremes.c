/*
 * The index of a sort is ordered by value, then by start. In the cell, and so in the index from the
 * cell's end on, we look for the first entry in the range of time by leaps: an entry that is too
 * early leads to the range's begin at the same value, one that is too late to the next value. So of
 * any number of calls with one value (all that cost nothing) two entries are looked at.
 *
 * A long list of values, none of them in the range, takes as many leaps; after some the rest of the
 * cell is scanned instead.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "call_stats.h"
#include "extremes.h"
#include "kept_plan.h"

enum { LEAPS_MAX = 50 };

/* The column as its index has it. */
static const char *const keys[STATS_MEASURES] = {
    [STATS_DURATION] = "coalesce(c.duration_ms, (-1)::bigint)",
    [STATS_COST] = "coalesce(c.cost, (-1)::numeric)",
};

/* A search: for the least (or greatest) value from `at` on, up to `end`. */
struct search {
    Datum agent_id;
    enum stats_measure_id measure;
    bool greatest;
    int64 since, until;
    int64 at, end;
};

static Datum key_datum(enum stats_measure_id measure, int64 value)
{
    return measure == STATS_COST ? cost_to_numeric(value) : Int64GetDatum(value);
}

/* Reads the row that a plan found: its value and start. False when there is none. */
static bool read_entry(const struct search *search, int64 *value, int64 *started_at)
{
    Datum key;

    if (SPI_processed == 0)
        return false;
    key = result_value(0, 1);
    *value = search->measure == STATS_COST ? cost_from_numeric(key) : DatumGetInt64(key);
    *started_at = DatumGetInt64(result_value(0, 2));
    SPI_freetuptable(SPI_tuptable);
    return true;
}

/* The first index entry from (value, start) on, or before it when looking for the greatest. */
static bool leap(const struct search *search, int64 value, int64 start, int64 *found,
                 int64 *started_at)
{
    static SPIPlanPtr slots[STATS_MEASURES][2];
    const Oid types[] = {TEXTOID, search->measure == STATS_COST ? NUMERICOID : INT8OID, INT8OID};
    const char *key = keys[search->measure], *way = search->greatest ? "DESC" : "ASC";
    const Datum values[] = {search->agent_id, key_datum(search->measure, value),
                            Int64GetDatum(start)};
    SPIPlanPtr *slot = &slots[search->measure][search->greatest];

    if (*slot == NULL)
        kept_plan(slot,
                  psprintf("SELECT %s, c.started_at FROM frontdesk.calls AS c"
                           " WHERE c.agent_id" SQL_EQ "$1 AND ROW(%s, c.started_at)"
                           " OPERATOR(pg_catalog.%s) ROW($2, $3)"
                           " ORDER BY %s %s, c.started_at %s, c.call_id %s LIMIT 1",
                           key, key, search->greatest ? "<" : ">=", key, way, way, way),
                  lengthof(types), types);
    run_plan(*slot, values, NULL, true, SPI_OK_SELECT);
    return read_entry(search, found, started_at);
}

/* The first entry in the range of time between two values. */
static bool scan(const struct search *search, int64 *found)
{
    static SPIPlanPtr slots[STATS_MEASURES][2];
    Oid key_type = search->measure == STATS_COST ? NUMERICOID : INT8OID;
    const Oid types[] = {TEXTOID, key_type, key_type, INT8OID, INT8OID};
    const char *key = keys[search->measure], *way = search->greatest ? "DESC" : "ASC";
    const Datum values[] = {search->agent_id,
                            key_datum(search->measure, Min(search->at, search->end)),
                            key_datum(search->measure, Max(search->at, search->end)),
                            Int64GetDatum(search->since), Int64GetDatum(search->until)};
    SPIPlanPtr *slot = &slots[search->measure][search->greatest];
    int64 started_at;

    if (*slot == NULL)
        kept_plan(slot,
                  psprintf("SELECT %s, c.started_at FROM frontdesk.calls AS c"
                           " WHERE c.agent_id" SQL_EQ "$1 AND %s" SQL_GE "$2 AND %s" SQL_LE "$3"
                           " AND c.started_at" SQL_GE "$4 AND c.started_at" SQL_LT "$5"
                           " ORDER BY %s %s, c.started_at %s, c.call_id %s LIMIT 1",
                           key, key, key, key, way, way, way),
                  lengthof(types), types);
    run_plan(*slot, values, NULL, true, SPI_OK_SELECT);
    return read_entry(search, found, &started_at);
}

static bool leap_to_value(struct search *search, int64 *found)
{
    int64 next = search->greatest ? -1 : 1;
    int64 start = search->greatest ? search->until : search->since;

    for (int i = 0; i < LEAPS_MAX; i++) {
        int64 started_at;
        if (!leap(search, search->at, start, found, &started_at) ||
            (search->greatest ? *found < search->end : *found > search->end))
            return false;
        if (started_at >= search->since && started_at < search->until)
            return true;
        /* Entries of this value in the range, if any, lie ahead; or else all are behind. */
        bool ahead = search->greatest ? started_at >= search->until : started_at < search->since;
        if (!ahead && *found == search->end)
            return false;
        search->at = ahead ? *found : *found + next;
    }
    return scan(search, found);
}

bool extremes_find(Datum agent_id, int64 since, int64 until, const struct stats_acc *acc,
                   enum stats_measure_id measure, bool greatest, int64 *value)
{
    struct search search = {agent_id, measure, greatest, since, until, 0, 0};
    uint32_t lowest, highest, cell;

    if (!stats_acc_ends(acc, measure, &lowest, &highest))
        return false;
    cell = greatest ? highest : lowest;
    search.at = greatest ? histogram_high(cell) : histogram_low(cell);
    search.end = greatest ? histogram_low(cell) : histogram_high(cell);
    /* A cell of one value tells it; so does one that holds no call, if rollups should ever be off. */
    if (search.at == search.end || !leap_to_value(&search, value))
        *value = search.at;
    return true;
}
