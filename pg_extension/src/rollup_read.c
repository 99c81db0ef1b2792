/*
 * Reading statistics over ranges: months, where a month is cut its days, where a day is cut its
 * hours, and the calls of what is cut but has nothing below it; then the deltas of everything that
 * was not read call by call. All statements see one snapshot, the calling query's.
 *
 * Of a bucket that is cut once, by a bound between two parts, only the calls on the shorter side are
 * read: the other side is the bucket less these. So the days of a zone that is five hours from UTC
 * cost a fifth of their calls.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "kept_plan.h"
#include "rollup.h"
#include "rollup_rows.h"

struct range {
    int64 from, to;
};

struct ranges {
    struct range *list;
    int count, room;
};

/* A bucket without rows below it that one bound cuts: what is on one side of it is read. */
struct cut {
    struct range bucket;
    int read, rest; /* the parts of the two sides */
};

struct cuts {
    struct cut *list; /* ascending */
    int count, room;
};

/* What one rollup_series() is about. */
struct walk {
    Datum agent_id;
    const int64 *bounds;
    int part_count;
    struct rollup_part *parts;
    bool stats;           /* some part wants more than the number */
    MemoryContext memory; /* the caller's: accumulators grow there */
    struct ranges below;  /* cut buckets that have rows below them */
    struct ranges raw;    /* what is read call by call; whole buckets but for bounds and cuts */
    struct cuts cuts;
    enum bucket_grain grain;
};

Oid rollup_lock(const char *table, LOCKMODE mode)
{
    Oid id = get_relname_relid(table, get_namespace_oid("frontdesk", false));

    if (!OidIsValid(id))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("there is no table frontdesk.%s", table),
                 errhint("Run \"frontdesk migrate\".")));
    LockRelationOid(id, mode);
    return id;
}

void rollup_lock_calls(void)
{
    (void)rollup_lock("calls", AccessShareLock);
}

void rollup_connect(void)
{
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
}

static int count_first(const char *list, int count, size_t size, int64 at, bool equal_too)
{
    int low = 0, high = count;

    while (low < high) {
        int middle = (low + high) / 2;
        int64 number = *(const int64 *)(list + (size_t)middle * size);
        if (number < at || (equal_too && number == at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int rollup_count_below(const void *list, int count, size_t size, int64 at)
{
    return count_first(list, count, size, at, false);
}

int rollup_count_up_to(const void *list, int count, size_t size, int64 at)
{
    return count_first(list, count, size, at, true);
}

void rollup_read_call(const Datum *values, const bool *nulls, struct stats_call *call)
{
    NullableDatum columns[CALL_STATS_COLUMN_COUNT];

    for (int i = 0; i < CALL_STATS_COLUMN_COUNT; i++)
        columns[i] = (NullableDatum){values[i + 1], nulls[i + 1]};
    call_stats_read(columns, call);
}

/* ---- ranges ---- */

static void add_range(struct walk *walk, struct ranges *ranges, int64 from, int64 to)
{
    from = Max(from, walk->bounds[0]);
    to = Min(to, walk->bounds[walk->part_count]);
    if (ranges->count > 0 && ranges->list[ranges->count - 1].to == from) {
        ranges->list[ranges->count - 1].to = to;
        return;
    }
    if (ranges->count == ranges->room) {
        MemoryContext before = MemoryContextSwitchTo(walk->memory);
        ranges->room = Max(8, ranges->room * 2);
        ranges->list = ranges->list
                           ? repalloc(ranges->list, sizeof(*ranges->list) * (size_t)ranges->room)
                           : palloc(sizeof(*ranges->list) * (size_t)ranges->room);
        MemoryContextSwitchTo(before);
    }
    ranges->list[ranges->count++] = (struct range){from, to};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *left = a, *right = b;
    return (left->from > right->from) - (left->from < right->from);
}

/* Sorts the ranges and joins those that touch or overlap. */
static void tidy_ranges(struct ranges *ranges)
{
    int kept = 0;

    if (ranges->count == 0)
        return;
    qsort(ranges->list, (size_t)ranges->count, sizeof(*ranges->list), compare_ranges);
    for (int i = 1; i < ranges->count; i++) {
        if (ranges->list[i].from <= ranges->list[kept].to)
            ranges->list[kept].to = Max(ranges->list[kept].to, ranges->list[i].to);
        else
            ranges->list[++kept] = ranges->list[i];
    }
    ranges->count = kept + 1;
}

static bool in_ranges(const struct ranges *ranges, int64 at)
{
    int low = rollup_count_up_to(ranges->list, ranges->count, sizeof(*ranges->list), at);

    return low > 0 && (at < ranges->list[low - 1].to || ranges->list[low - 1].to == ROLLUP_END);
}

/* The part that `at` belongs to, -1 when it is outside of all. */
static int part_of(const struct walk *walk, int64 at)
{
    int low = rollup_count_up_to(walk->bounds, walk->part_count + 1, sizeof(*walk->bounds), at);

    if (low == walk->part_count + 1)
        return walk->bounds[walk->part_count] == ROLLUP_END ? walk->part_count - 1 : -1;
    return low - 1;
}

/* The part that a whole bucket belongs to, -1 when bounds cut it or it is outside. */
static int part_of_bucket(const struct walk *walk, int64 from, int64 to)
{
    int part = part_of(walk, from);
    return part >= 0 && to <= walk->bounds[part + 1] ? part : -1;
}

static bool is_outside(const struct walk *walk, int64 from, int64 to)
{
    return to <= walk->bounds[0] ||
           (from >= walk->bounds[walk->part_count] && walk->bounds[walk->part_count] != ROLLUP_END);
}

/* ---- cuts ---- */

/* Is the bucket cut by one bound between two parts? Then it is noted, and its shorter side read. */
static bool add_cut(struct walk *walk, int64 from, int64 to)
{
    struct cuts *cuts = &walk->cuts;
    int first = part_of(walk, from), last = part_of(walk, to - 1);
    int64 bound;
    bool before;

    if (first < 0 || last != first + 1)
        return false;
    bound = walk->bounds[last];
    before = bound - from <= to - bound;
    if (cuts->count == cuts->room) {
        MemoryContext outer = MemoryContextSwitchTo(walk->memory);
        cuts->room = Max(8, cuts->room * 2);
        cuts->list = cuts->list ? repalloc(cuts->list, sizeof(*cuts->list) * (size_t)cuts->room)
                                : palloc(sizeof(*cuts->list) * (size_t)cuts->room);
        MemoryContextSwitchTo(outer);
    }
    cuts->list[cuts->count++] =
        (struct cut){{from, to}, before ? first : last, before ? last : first};
    add_range(walk, &walk->raw, before ? from : bound, before ? bound : to);
    return true;
}

static int compare_cuts(const void *a, const void *b)
{
    return compare_ranges(&((const struct cut *)a)->bucket, &((const struct cut *)b)->bucket);
}

/* The cut bucket that `at` falls into, or NULL. */
static const struct cut *cut_at(const struct walk *walk, int64 at)
{
    int low = 0, high = walk->cuts.count;

    while (low < high) {
        int middle = (low + high) / 2;
        if (walk->cuts.list[middle].bucket.from <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && at < walk->cuts.list[low - 1].bucket.to ? &walk->cuts.list[low - 1] : NULL;
}

/* ---- rows ---- */

static void add_value(struct walk *walk, int part, int64 calls, Datum stats)
{
    struct rollup_part *to = &walk->parts[part];

    to->calls += calls;
    if (to->stats) {
        Datum flat = PointerGetDatum(PG_DETOAST_DATUM_PACKED(stats));
        MemoryContext before = MemoryContextSwitchTo(walk->memory);
        call_stats_accumulate(to->stats, flat, 1);
        MemoryContextSwitchTo(before);
    }
}

/* A row of call_rollup: bucket, n, split and, if wanted, stats. */
static void take_bucket(const Datum *values, const bool *nulls, void *argument)
{
    struct walk *walk = argument;
    int64 from = DatumGetInt64(values[0]), to = bucket_end(walk->grain, from);
    int part = part_of_bucket(walk, from, to);

    (void)nulls;
    if (part < 0 && !DatumGetBool(values[2]) && walk->grain != BUCKET_HOUR &&
        add_cut(walk, from, to))
        part = walk->cuts.list[walk->cuts.count - 1].rest;
    if (part >= 0)
        add_value(walk, part, DatumGetInt64(values[1]), walk->stats ? values[3] : (Datum)0);
    else if (!is_outside(walk, from, to) && walk->grain != BUCKET_HOUR)
        add_range(walk, DatumGetBool(values[2]) ? &walk->below : &walk->raw, from, to);
}

/* A row of call_rollup_delta: bucket, n and, if wanted, stats. */
static void take_delta(const Datum *values, const bool *nulls, void *argument)
{
    struct walk *walk = argument;
    int64 from = DatumGetInt64(values[0]), to = bucket_end(BUCKET_HOUR, from);
    const struct cut *cut = cut_at(walk, from);
    int part = cut ? cut->rest : part_of_bucket(walk, from, to);

    (void)nulls;
    if (part >= 0 && (cut || !in_ranges(&walk->raw, from)))
        add_value(walk, part, DatumGetInt64(values[1]), walk->stats ? values[2] : (Datum)0);
}

/* Adds a call to a part, or takes it away. */
static void add_call(struct walk *walk, int part, const struct stats_call *call, int sign)
{
    struct rollup_part *to = &walk->parts[part];

    to->calls += sign;
    if (to->stats) {
        MemoryContext before = MemoryContextSwitchTo(walk->memory);
        call_stats_count(to->stats, call, sign);
        MemoryContextSwitchTo(before);
    }
}

/* A call: started_at and, if wanted, what is counted of it. */
static void take_call(const Datum *values, const bool *nulls, void *argument)
{
    struct walk *walk = argument;
    int64 at = DatumGetInt64(values[0]);
    const struct cut *cut = cut_at(walk, at);
    int part = part_of(walk, at);
    struct stats_call call = {0};

    if (part < 0)
        return;
    if (walk->stats)
        rollup_read_call(values, nulls, &call);
    add_call(walk, part, &call, 1);
    if (cut)
        add_call(walk, cut->rest, &call, -1);
}

/* ---- the walk ---- */

static void walk_buckets(struct walk *walk, struct range range)
{
    static SPIPlanPtr slots[2];
    static const char *const texts[2] = {
        "SELECT bucket, n, split FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
        "$1 AND grain" SQL_EQ "$2 AND bucket OPERATOR(pg_catalog.>=) $3"
        " AND bucket OPERATOR(pg_catalog.<=) $4 ORDER BY bucket",
        "SELECT bucket, n, split, stats FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
        "$1 AND grain" SQL_EQ "$2 AND bucket OPERATOR(pg_catalog.>=) $3"
        " AND bucket OPERATOR(pg_catalog.<=) $4 ORDER BY bucket"};
    static const Oid types[] = {TEXTOID, CHAROID, INT8OID, INT8OID};
    const Datum values[] = {walk->agent_id, CharGetDatum((char)walk->grain),
                            Int64GetDatum(bucket_start(walk->grain, range.from)),
                            Int64GetDatum(rollup_last(range.to))};

    stream_plan(kept_plan(&slots[walk->stats], texts[walk->stats], lengthof(types), types),
                lengthof(types), types, values, take_bucket, walk);
}

static void walk_deltas(struct walk *walk)
{
    static SPIPlanPtr slots[2];
    static const char *const texts[2] = {
        "SELECT bucket, n FROM frontdesk.call_rollup_delta WHERE agent_id" SQL_EQ "$1",
        "SELECT bucket, n, stats FROM frontdesk.call_rollup_delta WHERE agent_id" SQL_EQ "$1"};
    static const Oid types[] = {TEXTOID};

    stream_plan_by_index(kept_plan(&slots[walk->stats], texts[walk->stats], lengthof(types), types),
                         lengthof(types), types, &walk->agent_id, take_delta, walk);
}

static void walk_calls(struct walk *walk, struct range range)
{
    static SPIPlanPtr slots[2];
    static const char *const texts[2] = {
        "SELECT started_at FROM frontdesk.calls WHERE " ROLLUP_CALLS_IN_RANGE,
        "SELECT " ROLLUP_CALL_COLUMNS " FROM frontdesk.calls WHERE " ROLLUP_CALLS_IN_RANGE};
    static const Oid types[] = {TEXTOID, INT8OID, INT8OID};
    const Datum values[] = {walk->agent_id, Int64GetDatum(range.from),
                            Int64GetDatum(rollup_last(range.to))};

    stream_plan(kept_plan(&slots[walk->stats], texts[walk->stats], lengthof(types), types),
                lengthof(types), types, values, take_call, walk);
}

void rollup_series(Datum agent_id, const int64 *bounds, int part_count, struct rollup_part *parts)
{
    static const enum bucket_grain grains[] = {BUCKET_MONTH, BUCKET_DAY, BUCKET_HOUR};
    struct walk walk = {.agent_id = agent_id,
                        .bounds = bounds,
                        .part_count = part_count,
                        .parts = parts,
                        .memory = CurrentMemoryContext};
    struct ranges above = {0};

    for (int i = 0; i < part_count; i++)
        walk.stats |= parts[i].stats != NULL;
    if (part_count < 1 || bounds[0] >= bounds[part_count])
        return;
    rollup_lock_calls();
    add_range(&walk, &above, bounds[0], bounds[part_count]);
    for (int g = 0; g < (int)lengthof(grains); g++) {
        walk.grain = grains[g];
        walk.below = (struct ranges){0};
        for (int i = 0; i < above.count; i++)
            walk_buckets(&walk, above.list[i]);
        above = walk.below;
    }
    if (walk.cuts.count > 1)
        qsort(walk.cuts.list, (size_t)walk.cuts.count, sizeof(*walk.cuts.list), compare_cuts);
    /* Another hour that a bound cuts is read call by call, whatever there is of it elsewhere. */
    for (int i = 0; i <= part_count; i++) {
        int64 from = bucket_start(BUCKET_HOUR, bounds[i]);
        if (from != bounds[i] && bounds[i] != ROLLUP_END && !cut_at(&walk, bounds[i]))
            add_range(&walk, &walk.raw, from, bucket_end(BUCKET_HOUR, from));
    }
    tidy_ranges(&walk.raw);
    walk_deltas(&walk);
    for (int i = 0; i < walk.raw.count; i++)
        walk_calls(&walk, walk.raw.list[i]);
}

int64 rollup_range(Datum agent_id, int64 from, int64 to, struct stats_acc *acc)
{
    const int64 bounds[] = {from, to};
    struct rollup_part part = {0, acc};

    rollup_series(agent_id, bounds, 1, &part);
    return part.calls;
}

int64 rollup_count(Datum agent_id, int64 from, int64 to)
{
    return rollup_range(agent_id, from, to, NULL);
}

/* ---- finding a call ---- */

/* The starts of buckets within a range. */
struct starts {
    MemoryContext memory;
    struct range range;
    int64 *list;
    int count, room;
};

static void add_start(struct starts *starts, int64 start)
{
    start = Max(start, starts->range.from);
    if (starts->count > 0 && starts->list[starts->count - 1] == start)
        return;
    if (starts->count == starts->room) {
        MemoryContext before = MemoryContextSwitchTo(starts->memory);
        starts->room = Max(64, starts->room * 2);
        starts->list = starts->list ? repalloc(starts->list, sizeof(int64) * (size_t)starts->room)
                                    : palloc(sizeof(int64) * (size_t)starts->room);
        MemoryContextSwitchTo(before);
    }
    starts->list[starts->count++] = start;
}

static void take_month(const Datum *values, const bool *nulls, void *argument)
{
    struct starts *starts = argument;
    int64 from = bucket_start(BUCKET_MONTH, DatumGetInt64(values[0]));

    (void)nulls;
    if (bucket_end(BUCKET_MONTH, from) > starts->range.from && from < starts->range.to)
        add_start(starts, from);
}

static int compare_starts(const void *a, const void *b)
{
    int64 left = *(const int64 *)a, right = *(const int64 *)b;
    return (left > right) - (left < right);
}

/*
 * Where months with calls begin. A time between two such months, where there is none, belongs to the
 * one before.
 */
static void list_months(Datum agent_id, struct starts *starts)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID};
    int kept = 0;
    SPIPlanPtr plan = kept_plan(&slot,
                                "SELECT bucket FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
                                "$1 AND grain" SQL_EQ "'m'"
                                " UNION ALL SELECT bucket FROM frontdesk.call_rollup_delta"
                                " WHERE agent_id" SQL_EQ "$1",
                                lengthof(types), types);

    add_start(starts, starts->range.from);
    stream_plan_by_index(plan, lengthof(types), types, &agent_id, take_month, starts);
    qsort(starts->list, (size_t)starts->count, sizeof(int64), compare_starts);
    for (int i = 1; i < starts->count; i++)
        if (starts->list[i] != starts->list[kept])
            starts->list[++kept] = starts->list[i];
    starts->count = kept + 1;
}

/* Where the hours or days of a month or day begin. */
static void list_buckets(enum bucket_grain grain, struct starts *starts)
{
    for (int64 at = bucket_start(grain, starts->range.from); at < starts->range.to;
         at = bucket_end(grain, at))
        add_start(starts, at);
}

/* Narrows the place to the one of the buckets that holds the call. */
static bool narrow(Datum agent_id, const struct starts *starts, bool descending,
                   struct rollup_place *place, int64 *calls)
{
    struct rollup_part *parts = palloc0(sizeof(*parts) * (size_t)starts->count);
    int64 *bounds = palloc(sizeof(int64) * (size_t)(starts->count + 1));

    memcpy(bounds, starts->list, sizeof(int64) * (size_t)starts->count);
    bounds[starts->count] = starts->range.to;
    rollup_series(agent_id, bounds, starts->count, parts);
    for (int k = 0; k < starts->count; k++) {
        int i = descending ? starts->count - 1 - k : k;
        if (place->skip < parts[i].calls) {
            place->from = bounds[i];
            place->to = bounds[i + 1];
            *calls = parts[i].calls;
            return true;
        }
        place->skip -= parts[i].calls;
    }
    return false;
}

bool rollup_seek(Datum agent_id, int64 from, int64 to, bool descending, int64 skip,
                 struct rollup_place *place)
{
    static const enum bucket_grain below[] = {BUCKET_DAY, BUCKET_HOUR};
    struct starts starts = {.memory = CurrentMemoryContext, .range = {from, to}};
    int64 calls;

    *place = (struct rollup_place){from, to, skip};
    if (from >= to || skip < 0)
        return false;
    rollup_lock_calls();
    list_months(agent_id, &starts);
    if (!narrow(agent_id, &starts, descending, place, &calls))
        return false;
    /* The last of the months is followed by times that have no end. */
    place->to = Min(place->to, bucket_end(BUCKET_MONTH, place->from));
    for (int i = 0; i < (int)lengthof(below) && calls > ROLLUP_SPLIT; i++) {
        starts.count = 0;
        starts.range = (struct range){place->from, place->to};
        list_buckets(below[i], &starts);
        /* Rows that contradict each other tell nothing: see verify_rollups(). All of it is the place. */
        if (!narrow(agent_id, &starts, descending, place, &calls)) {
            *place = (struct rollup_place){from, to, skip};
            return true;
        }
    }
    return true;
}

/* ---- in SQL ---- */

PG_FUNCTION_INFO_V1(frontdesk_agent_stats);
PG_FUNCTION_INFO_V1(frontdesk_agent_stats_series);
PG_FUNCTION_INFO_V1(frontdesk_agent_place);

static int64 bound_argument(FunctionCallInfo fcinfo, int argument, int64 none)
{
    return PG_ARGISNULL(argument) ? none : PG_GETARG_INT64(argument);
}

Datum frontdesk_agent_stats(PG_FUNCTION_ARGS)
{
    MemoryContext result = CurrentMemoryContext, spi;
    struct stats_acc acc;
    Datum value;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    stats_acc_init(&acc);
    rollup_connect();
    (void)rollup_range(PG_GETARG_DATUM(0), bound_argument(fcinfo, 1, ROLLUP_FIRST),
                       bound_argument(fcinfo, 2, ROLLUP_END), &acc);
    spi = MemoryContextSwitchTo(result);
    value = call_stats_value(&acc);
    MemoryContextSwitchTo(spi);
    SPI_finish();
    return value;
}

/* The array as bounds: without nulls, ascending, at least two. */
static int64 *bounds_argument(ArrayType *array, int *count)
{
    Datum *values;
    bool *nulls;
    int64 *bounds;

    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("bounds must be a one-dimensional array")));
    deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values,
                      &nulls, count);
    if (*count < 2)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bounds must be at least two")));
    bounds = palloc(sizeof(int64) * (size_t)*count);
    for (int i = 0; i < *count; i++) {
        bounds[i] = nulls[i] ? 0 : DatumGetInt64(values[i]);
        if (nulls[i] || (i > 0 && bounds[i] <= bounds[i - 1]))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("bounds must ascend and must not be null")));
    }
    return bounds;
}

Datum frontdesk_agent_stats_series(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;
    struct rollup_part *parts;
    int64 *bounds;
    int count;

    InitMaterializedSRF(fcinfo, 0);
    bounds = bounds_argument(PG_GETARG_ARRAYTYPE_P(1), &count);
    rollup_connect();
    parts = palloc0(sizeof(*parts) * (size_t)(count - 1));
    for (int i = 0; i < count - 1; i++)
        parts[i].stats = palloc0(sizeof(struct stats_acc));
    rollup_series(PG_GETARG_DATUM(0), bounds, count - 1, parts);
    for (int i = 0; i < count - 1; i++) {
        Datum values[] = {Int64GetDatum(bounds[i]), Int64GetDatum(bounds[i + 1]),
                          call_stats_value(parts[i].stats)};
        bool nulls[lengthof(values)] = {0};
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
        CHECK_FOR_INTERRUPTS();
    }
    SPI_finish();
    return (Datum)0;
}

Datum frontdesk_agent_place(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;
    struct rollup_place place;
    bool found;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return (Datum)0;
    rollup_connect();
    found = rollup_seek(PG_GETARG_DATUM(0), bound_argument(fcinfo, 3, ROLLUP_FIRST),
                        bound_argument(fcinfo, 4, ROLLUP_END), PG_GETARG_BOOL(1),
                        PG_GETARG_INT64(2), &place);
    if (found) {
        Datum values[] = {Int64GetDatum(place.from), Int64GetDatum(place.to),
                          Int64GetDatum(place.skip)};
        bool nulls[lengthof(values)] = {0};
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
    SPI_finish();
    return (Datum)0;
}
