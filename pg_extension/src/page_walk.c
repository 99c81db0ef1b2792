/*
 * The rollups know how many calls lie between two moments, and how many of those have a status, a
 * success and a sentiment, a reason, or a duration or cost within a histogram's cell. So:
 *
 *   by date              the walk goes along months, days and hours
 *   by duration or cost  it goes along the cells of the histogram, the calls without a value first
 *                        (or last); within a cell whose calls all have one value, along time
 *
 * and the rest, a few hundred calls, is skipped along the index. What statistics cannot tell apart
 * (a caller, words, a range of durations, two of those things at once) is counted call by call.
 *
 * Of several agents the same is done with the sums over all of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "kept_plan.h"
#include "page_walk.h"
#include "rollup.h"
#include "rollup_rows.h"

/*
 * So many calls are skipped along the index, or sorted, without asking where they could be jumped
 * over; more where asking means to read statistics and not just numbers, or numbers of many agents.
 */
#define SHORT_ROWS 500
#define LONGER_ROWS 2500

/* A time is not walked along when it has more months than this: somebody's clock was wrong. */
#define PARTS_MAX 2400

#define TIME_FILTERS (FILTER_BIT(FILTER_SINCE) | FILTER_BIT(FILTER_UNTIL))
#define OUTCOME_FILTERS                                                                            \
    (FILTER_BIT(FILTER_STATUS) | FILTER_BIT(FILTER_SENTIMENT) | FILTER_BIT(FILTER_SUCCESSFUL))

/* What of a set of calls is counted. */
enum count_kind { COUNT_CALLS, COUNT_OUTCOMES, COUNT_REASONS, COUNT_CELL, COUNT_NOTHING };

struct counter {
    enum count_kind kind;
    struct stats_filter filter; /* COUNT_OUTCOMES */
    struct stats_word *reasons; /* COUNT_REASONS */
    int reason_count;
    enum stats_measure_id measure; /* COUNT_CELL */
    int cell;                      /* -1: calls without a value */
};

/* Whose calls, and when: what a cut's agents and time filters say. */
struct extent {
    const Datum *agents;
    int agent_count;
    int64 from, to;
};

static void extent_of_cut(struct extent *extent, const struct page_cut *cut)
{
    const struct call_filters *filters = cut->filters;

    if (cut->one_agent) {
        extent->agents = &cut->whose;
        extent->agent_count = 1;
    } else {
        Datum *list;
        deconstruct_array(DatumGetArrayTypeP(cut->whose), TEXTOID, -1, false, TYPALIGN_INT, &list,
                          NULL, &extent->agent_count);
        extent->agents = list;
    }
    extent->from = filters->set & FILTER_BIT(FILTER_SINCE)
                       ? DatumGetInt64(filters->values[FILTER_SINCE])
                       : ROLLUP_FIRST;
    extent->to = filters->set & FILTER_BIT(FILTER_UNTIL)
                     ? DatumGetInt64(filters->values[FILTER_UNTIL])
                     : ROLLUP_END;
}

/* Counting. */

/* The words of a text[] as statistics know them; false if one is too long to be told apart. */
static bool words_of(Datum list, struct stats_word **words, size_t *count)
{
    Datum *texts;
    bool *nulls;
    int n;

    deconstruct_array(DatumGetArrayTypeP(list), TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls,
                      &n);
    *words = palloc((size_t)(n + 1) * sizeof(**words));
    *count = 0;
    for (int i = 0; i < n; i++) {
        if (nulls[i])
            continue; /* is equal to nothing */
        const text *plain = DatumGetTextPP(texts[i]);
        if (VARSIZE_ANY_EXHDR(plain) > STATS_WORD_MAX - MAX_MULTIBYTE_CHAR_LEN)
            return false;
        (*words)[*count].s = VARDATA_ANY(plain);
        (*words)[(*count)++].len = VARSIZE_ANY_EXHDR(plain);
    }
    return *count > 0; /* to the statistics no word means any */
}

static unsigned answers_of(uint32 outcomes)
{
    return (outcomes & OUTCOME_TRUE ? 1U << STATS_TRUE : 0) |
           (outcomes & OUTCOME_FALSE ? 1U << STATS_FALSE : 0) |
           (outcomes & OUTCOME_UNKNOWN ? 1U << STATS_UNKNOWN : 0);
}

/* What the statistics must count to answer for these filters: COUNT_NOTHING if they cannot. */
static void counter_of_filters(struct counter *counter, const struct call_filters *filters)
{
    uint32 set = filters->set & ~TIME_FILTERS;
    size_t count = 0;
    bool known = true;

    memset(counter, 0, sizeof(*counter));
    counter->kind = COUNT_NOTHING;
    if (set == 0) {
        counter->kind = COUNT_CALLS;
    } else if (set == FILTER_BIT(FILTER_REASON)) {
        if (words_of(filters->values[FILTER_REASON], &counter->reasons, &count))
            counter->kind = COUNT_REASONS;
        counter->reason_count = (int)count;
    } else if ((set & ~OUTCOME_FILTERS) == 0) {
        struct stats_word *words;
        if (set & FILTER_BIT(FILTER_STATUS)) {
            known = words_of(filters->values[FILTER_STATUS], &words, &count);
            counter->filter.statuses = words;
            counter->filter.status_count = count;
        }
        if (known && set & FILTER_BIT(FILTER_SENTIMENT)) {
            known = words_of(filters->values[FILTER_SENTIMENT], &words, &count);
            counter->filter.sentiments = words;
            counter->filter.sentiment_count = count;
        }
        if (set & FILTER_BIT(FILTER_SUCCESSFUL)) {
            counter->filter.answers = answers_of(filters->outcomes);
            known = known && filters->outcomes != 0;
        }
        if (known)
            counter->kind = COUNT_OUTCOMES;
    }
}

static int64 count_in_stats(const struct counter *counter, struct stats_acc *acc)
{
    int64 count = 0;

    switch (counter->kind) {
    case COUNT_CALLS:
        return stats_acc_total(acc);
    case COUNT_OUTCOMES:
        return stats_acc_matching(acc, &counter->filter);
    case COUNT_REASONS:
        for (int i = 0; i < counter->reason_count; i++)
            count += stats_acc_reason(acc, counter->reasons[i]);
        return count;
    case COUNT_CELL:
        if (counter->cell < 0)
            return stats_acc_total(acc) - stats_acc_measured(acc, counter->measure);
        return stats_acc_histogram(acc, counter->measure)[counter->cell];
    case COUNT_NOTHING:
        break;
    }
    return 0;
}

/* Adds to the month that a moment falls into; months mostly come in order. */
static void add_to_month(struct page_months *months, int64 at, int64 calls)
{
    int64 start = bucket_start(BUCKET_MONTH, at);
    int i = months->count;

    while (i > 0 && months->starts[i - 1] > start)
        i--;
    if (i > 0 && months->starts[i - 1] == start) {
        months->calls[i - 1] += calls;
        return;
    }
    if (months->count == months->room) {
        months->room *= 2;
        months->starts = repalloc(months->starts, months->room * sizeof(int64));
        months->calls = repalloc(months->calls, months->room * sizeof(int64));
    }
    memmove(months->starts + i + 1, months->starts + i, (months->count - i) * sizeof(int64));
    memmove(months->calls + i + 1, months->calls + i, (months->count - i) * sizeof(int64));
    months->starts[i] = start;
    months->calls[i] = calls;
    months->count++;
}

static Datum agents_array(const struct extent *extent)
{
    return PointerGetDatum(construct_array(unconstify(Datum *, extent->agents), extent->agent_count,
                                           TEXTOID, -1, false, TYPALIGN_INT));
}

/* How many calls the agents have at all times: a row for each, and what is not folded. */
static int64 count_everything(const struct extent *extent)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID};
    static const char text[] =
        "SELECT (coalesce((SELECT pg_catalog.sum(n) FROM frontdesk.call_total"
        " WHERE agent_id" SQL_EQ "ANY ($1)), 0)" SQL_ADD
        "coalesce((SELECT pg_catalog.sum(n) FROM frontdesk.call_rollup_delta"
        " WHERE agent_id" SQL_EQ "ANY ($1)), 0))::pg_catalog.int8";
    const Datum agents = agents_array(extent);

    run_plan_by_index(kept_plan(&slot, text, lengthof(types), types), &agents, true, SPI_OK_SELECT);
    return DatumGetInt64(result_value(0, 1));
}

/* All months of all agents in one go: they are few. */
static struct page_months *read_months(Datum agents)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID};
    static const char text[] = "SELECT bucket, n FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
                               "ANY ($1) AND grain" SQL_EQ "'m' UNION ALL SELECT bucket, n"
                               " FROM frontdesk.call_rollup_delta WHERE agent_id" SQL_EQ "ANY ($1)";
    struct page_months *months = palloc(sizeof(*months));

    months->count = 0;
    months->room = 32;
    months->starts = palloc(months->room * sizeof(int64));
    months->calls = palloc(months->room * sizeof(int64));
    run_plan_by_index(kept_plan(&slot, text, lengthof(types), types), &agents, true, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++)
        add_to_month(months, DatumGetInt64(result_value(i, 1)), DatumGetInt64(result_value(i, 2)));
    SPI_freetuptable(SPI_tuptable);
    return months;
}

static void add_stats(const struct extent *extent, struct stats_acc *acc)
{
    stats_acc_init(acc);
    for (int i = 0; i < extent->agent_count; i++)
        rollup_range(extent->agents[i], extent->from, extent->to, acc);
}

int64 page_total(const struct page_cut *cut)
{
    struct extent extent;
    struct counter counter;
    struct stats_acc acc;
    int64 total = 0;

    counter_of_filters(&counter, cut->filters);
    if (counter.kind == COUNT_NOTHING)
        return page_tally(cut);
    rollup_lock_calls();
    extent_of_cut(&extent, cut);
    if (counter.kind == COUNT_CALLS) {
        if (cut->filters->set == 0)
            return count_everything(&extent);
        for (int i = 0; i < extent.agent_count; i++)
            total += rollup_count(extent.agents[i], extent.from, extent.to);
        return total;
    }
    add_stats(&extent, &acc);
    return count_in_stats(&counter, &acc);
}

bool page_count(const struct page_cut *cut, bool *some, int64 *total)
{
    struct extent extent;
    struct counter counter;
    MemoryContext one, before;

    counter_of_filters(&counter, cut->filters);
    if (counter.kind != COUNT_OUTCOMES && counter.kind != COUNT_REASONS)
        return false;
    rollup_lock_calls();
    extent_of_cut(&extent, cut);
    *total = 0;
    one = AllocSetContextCreate(CurrentMemoryContext, "an agent's calls", ALLOCSET_DEFAULT_SIZES);
    before = MemoryContextSwitchTo(one);
    for (int i = 0; i < extent.agent_count; i++) {
        struct stats_acc acc;
        int64 calls;
        CHECK_FOR_INTERRUPTS();
        stats_acc_init(&acc);
        (void)rollup_range(extent.agents[i], extent.from, extent.to, &acc);
        calls = count_in_stats(&counter, &acc);
        some[i] = calls > 0;
        *total += calls;
        MemoryContextReset(one);
    }
    MemoryContextSwitchTo(before);
    MemoryContextDelete(one);
    return true;
}

/* Walking. */

/*
 * Where a page lies among stretches that follow one another. Its first row comes after `skip` others
 * of stretch `at`, its last row no further than stretch `far`; these stretches together hold `window`
 * rows. `far` is -1 when the page goes on beyond the stretches.
 */
struct reach {
    int at, far;
    int64 skip, window;
};

/*
 * Steps along the counts of stretches, in a direction, over as many as are to be skipped whole.
 * False when there are not that many rows; negative counts, which cannot be, hold none.
 */
static bool step_along(const int64 *counts, int count, const struct page_cut *cut, int64 skip,
                       struct reach *reach)
{
    bool found = false;

    for (int i = 0; i < count; i++) {
        int at = cut->descending ? count - 1 - i : i;
        int64 rows = Max(counts[at], 0);
        if (!found && rows <= skip) {
            skip -= rows;
            continue;
        }
        if (!found)
            *reach = (struct reach){.at = at, .far = -1, .skip = skip, .window = 0};
        found = true;
        reach->window += rows;
        if (reach->window - skip >= cut->rows) {
            reach->far = at;
            break;
        }
    }
    return found;
}

/* Is what is left between the ends of a reach short enough to go through row by row? */
static bool is_short(const struct page_cut *cut, const struct reach *reach, bool of_stats)
{
    int64 rows = cut->one_agent || cut->everyone ? Min(reach->skip, reach->window - reach->skip)
                                                 : reach->window;
    return rows <= (of_stats || cut->everyone ? LONGER_ROWS : SHORT_ROWS);
}

/*
 * Turns the cut round when its page is nearer to the far end of its reach: true if so. Its rows then
 * come the other way round, from that end on.
 */
static bool turn_round(struct page_cut *cut, const struct reach *reach)
{
    int64 beyond = reach->window - reach->skip - cut->rows;

    if (reach->far < 0 || beyond >= reach->skip)
        return false;
    cut->descending = !cut->descending;
    cut->skip = beyond;
    return true;
}

/* The first and the last position of a cut, whatever its filters but time; false: it has none. */
static bool find_ends(const struct page_cut *cut, const struct extent *extent,
                      struct page_place *first, struct page_place *last)
{
    struct call_filters times = *cut->filters;
    struct page_cut ends = *cut;
    struct page_place *places[] = {first, last};

    times.set &= TIME_FILTERS;
    ends.form = PAGE_HEADS;
    ends.filters = &times;
    ends.one_agent = false;
    ends.whose =
        PointerGetDatum(construct_array(unconstify(Datum *, extent->agents), extent->agent_count,
                                        TEXTOID, -1, false, TYPALIGN_INT));
    ends.each = 1;
    ends.rows = 1;
    ends.skip = 0;
    for (int i = 0; i < 2; i++) {
        ends.descending = i == 1;
        page_plan_run(&ends);
        if (SPI_processed == 0)
            return false;
        places[i]->key = page_key_of_datum(cut->sort, result_value(0, 1), false);
        places[i]->started_at = DatumGetInt64(result_value(0, 2));
    }
    return true;
}

/* Consecutive stretches of time: stretch i is from bounds[i] to bounds[i + 1]. */
struct stretches {
    int count;
    int64 bounds[PARTS_MAX + 1];
};

/* The stretches of one grain that lie between two moments, cut at both; false: too many. */
static bool cut_stretches(struct stretches *s, enum bucket_grain grain, int64 from, int64 to)
{
    s->count = 0;
    s->bounds[0] = from;
    while (s->bounds[s->count] < to) {
        int64 end = bucket_end(grain, s->bounds[s->count]);
        if (s->count == PARTS_MAX)
            return false;
        s->bounds[++s->count] = Min(end, to);
    }
    return s->count > 0;
}

/* Months that have calls; the time between two of them belongs to the former. False: too many. */
static bool months_as_stretches(struct stretches *s, const struct page_months *months)
{
    s->count = months->count;
    if (months->count == 0 || months->count > PARTS_MAX)
        return false;
    memcpy(s->bounds, months->starts, months->count * sizeof(int64));
    s->bounds[s->count] = bucket_end(BUCKET_MONTH, months->starts[months->count - 1]);
    return true;
}

/* Adds to the stretch that holds a moment, if one does. */
static void count_at(const struct stretches *s, int64 *counts, int64 at, int64 n)
{
    int low = 0, high = s->count;

    if (at < s->bounds[0] || at >= s->bounds[s->count])
        return;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (s->bounds[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    counts[low] += n;
}

/*
 * Counts the rows of a plan, which has an index for each of its tables: each row says a moment and how
 * many calls.
 */
static void count_rows(SPIPlanPtr plan, const Datum *values, const struct stretches *s,
                       int64 *counts)
{
    run_plan_by_index(plan, values, true, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++)
        count_at(s, counts, DatumGetInt64(result_value(i, 1)), DatumGetInt64(result_value(i, 2)));
    SPI_freetuptable(SPI_tuptable);
}

/*
 * Sets apart the agents whose bucket has no rows below it: their calls are few and read themselves.
 * Both lists are text[]s; 0 is none.
 */
static void part_agents(const struct extent *extent, enum bucket_grain grain, int64 bucket,
                        Datum *split, Datum *whole)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID, CHAROID, INT8OID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "SELECT agent_id FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
                                "ANY ($1) AND grain" SQL_EQ "$2 AND bucket" SQL_EQ "$3 AND split",
                                lengthof(types), types);
    const Datum values[] = {agents_array(extent), CharGetDatum((char)grain), Int64GetDatum(bucket)};
    struct page_agents all = {extent->agent_count, NULL};
    bool *is_split = palloc0(extent->agent_count * sizeof(bool));
    bool *is_whole = palloc(extent->agent_count * sizeof(bool));
    int splits = 0;

    all.list = palloc0(extent->agent_count * sizeof(*all.list));
    for (int i = 0; i < extent->agent_count; i++)
        all.list[i].id = extent->agents[i];
    run_plan(plan, values, NULL, true, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++) {
        int at = page_agents_find(&all, result_value(i, 1));
        if (at >= 0)
            splits += !is_split[at];
        if (at >= 0)
            is_split[at] = true;
    }
    for (int i = 0; i < extent->agent_count; i++)
        is_whole[i] = !is_split[i];
    *split = splits > 0 ? page_agents_array(&all, is_split) : (Datum)0;
    *whole = splits < extent->agent_count ? page_agents_array(&all, is_whole) : (Datum)0;
}

/* How many calls lie in each stretch of one month or of one day, of many agents at once. */
static void count_many(const struct extent *extent, enum bucket_grain grain,
                       const struct stretches *s, int64 *counts)
{
    static SPIPlanPtr bucket_slot, call_slot;
    static const Oid types[] = {TEXTARRAYOID, INT8OID, INT8OID, CHAROID};
    enum bucket_grain above = grain == BUCKET_DAY ? BUCKET_MONTH : BUCKET_DAY;
    Datum values[] = {(Datum)0, Int64GetDatum(s->bounds[0]), Int64GetDatum(s->bounds[s->count]),
                      CharGetDatum((char)grain)};
    Datum split, whole;

    part_agents(extent, above, bucket_start(above, s->bounds[0]), &split, &whole);
    values[0] = split;
    if (split != (Datum)0)
        count_rows(kept_plan(&bucket_slot,
                             "SELECT bucket, n FROM frontdesk.call_rollup WHERE agent_id" SQL_EQ
                             "ANY ($1) AND grain" SQL_EQ "$4 AND bucket" SQL_GE
                             "$2 AND bucket" SQL_LT "$3 UNION ALL SELECT bucket, n"
                             " FROM frontdesk.call_rollup_delta WHERE agent_id" SQL_EQ
                             "ANY ($1) AND bucket" SQL_GE "$2 AND bucket" SQL_LT "$3",
                             lengthof(types), types),
                   values, s, counts);
    values[0] = whole;
    if (whole != (Datum)0)
        count_rows(kept_plan(&call_slot,
                             "SELECT started_at, 1::pg_catalog.int8 FROM frontdesk.calls"
                             " WHERE agent_id" SQL_EQ "ANY ($1) AND started_at" SQL_GE
                             "$2 AND started_at" SQL_LT "$3",
                             3, types),
                   values, s, counts);
}

/*
 * How many of what is counted lie in each stretch, of all agents. `of_months`: these are all calls
 * of whole days or hours, within one of them.
 */
static int64 *count_stretches(const struct extent *extent, const struct counter *counter,
                              enum bucket_grain grain, const struct stretches *s, bool of_months)
{
    struct rollup_part *parts = palloc0(s->count * sizeof(*parts));
    int64 *counts = palloc0(s->count * sizeof(*counts));

    if (of_months) {
        count_many(extent, grain, s, counts);
        return counts;
    }
    if (counter->kind != COUNT_CALLS)
        for (int i = 0; i < s->count; i++) {
            parts[i].stats = palloc(sizeof(struct stats_acc));
            stats_acc_init(parts[i].stats);
        }
    for (int i = 0; i < extent->agent_count; i++)
        rollup_series(extent->agents[i], s->bounds, s->count, parts);
    for (int i = 0; i < s->count; i++)
        counts[i] = parts[i].stats ? count_in_stats(counter, parts[i].stats) : parts[i].calls;
    return counts;
}

/*
 * A stretch of time that a page begins in, and one that it ends in at the latest: the widest int64s
 * when that is not known. They are the same, or the one comes after the other in the cut's order.
 */
struct time_reach {
    int64 from, to;
    int64 last_from, last_to;
    struct reach reach;
};

/*
 * Narrows a stretch of time, coarse grains first, until what is left of it is short, or as short as
 * the rollups know.
 */
static void walk_time(const struct page_cut *cut, const struct extent *extent,
                      const struct counter *counter, struct time_reach *place)
{
    static const enum bucket_grain grains[] = {BUCKET_MONTH, BUCKET_DAY, BUCKET_HOUR};
    const bool of_months = cut->months && counter->kind == COUNT_CALLS;
    struct stretches *s = palloc(sizeof(*s));

    place->last_from = PG_INT64_MIN;
    place->last_to = PG_INT64_MAX;
    place->reach = (struct reach){.far = -1, .skip = cut->skip};
    for (int i = 0; i < (int)lengthof(grains); i++) {
        struct reach reach;
        int64 *counts;
        CHECK_FOR_INTERRUPTS();
        if (i == 0 && of_months) {
            if (!months_as_stretches(s, cut->months))
                return;
            counts = cut->months->calls;
        } else {
            if (!cut_stretches(s, grains[i], place->from, place->to))
                return;
            counts = count_stretches(extent, counter, grains[i], s, of_months);
        }
        if (!step_along(counts, s->count, cut, place->reach.skip, &reach))
            return;
        place->from = s->bounds[reach.at];
        place->to = s->bounds[reach.at + 1];
        if (reach.far >= 0) {
            place->last_from = s->bounds[reach.far];
            place->last_to = s->bounds[reach.far + 1];
        } else if (place->reach.far >= 0) {
            /* The page goes on beyond this bucket, up to what a coarser grain has said. */
            reach.far = place->reach.far;
            reach.window = place->reach.window - (place->reach.skip - reach.skip);
        }
        place->reach = reach;
        if (is_short(cut, &reach, counter->kind != COUNT_CALLS))
            return;
    }
}

/* By date. */
static void walk_dates(struct page_cut *cut, const struct extent *extent,
                       const struct counter *counter)
{
    struct time_reach place = {extent->from, extent->to, PG_INT64_MIN, PG_INT64_MAX, {0}};
    const bool descending = cut->descending;
    struct page_place first = {0}, last = {0};
    bool turned = false;

    if (cut->one_agent && counter->kind == COUNT_CALLS) {
        struct rollup_place found;
        if (!rollup_seek(cut->whose, extent->from, extent->to, cut->descending, cut->skip, &found))
            return;
        place.from = found.from;
        place.to = found.to;
        cut->skip = found.skip;
    } else {
        if (!cut->months) {
            if (!find_ends(cut, extent, &first, &last) || last.started_at == PG_INT64_MAX)
                return;
            place.from = first.started_at;
            place.to = last.started_at + 1;
        }
        walk_time(cut, extent, counter, &place);
        cut->skip = place.reach.skip;
        turned = turn_round(cut, &place.reach);
    }
    cut->first = turned ? (struct page_bounds){place.last_from, place.last_to}
                        : (struct page_bounds){place.from, place.to};
    cut->bounds.low = descending ? place.last_from : place.from;
    cut->bounds.high = descending ? place.to : place.last_to;
}

/* A position between two others: before or after every call that starts at that time. */
static const struct page_place *place_between(int64 key, int64 started_at)
{
    struct page_place *place = palloc(sizeof(*place));

    place->key = key;
    place->started_at = started_at;
    place->call_id = PointerGetDatum(cstring_to_text("")); /* no call has an empty id */
    return place;
}

/*
 * Within calls of one duration or cost, which are in order of time. `cut` has that stretch alone;
 * the page may go on beyond it.
 */
static void walk_ties(struct page_cut *cut, const struct extent *extent,
                      enum stats_measure_id measure, int cell)
{
    struct counter counter = {.kind = COUNT_CELL, .measure = measure, .cell = cell};
    struct page_place first = {0}, last = {0};
    struct time_reach place;

    if (!find_ends(cut, extent, &first, &last) || first.key != last.key ||
        last.started_at == PG_INT64_MAX)
        return;
    place.from = first.started_at;
    place.to = last.started_at + 1;
    walk_time(cut, extent, &counter, &place);
    if (place.reach.skip == cut->skip)
        return;
    cut->skip = place.reach.skip;
    if (place.reach.far >= 0 && !cut->one_agent)
        cut->up_to = place_between(first.key, cut->descending ? place.last_from : place.last_to);
    cut->after = place_between(first.key, cut->descending ? place.to : place.from);
}

/* Where the values of a cell begin and end; those before the first are not known. */
static struct page_bounds cell_bounds(int cell)
{
    if (cell < 0)
        return (struct page_bounds){PG_INT64_MIN, 0};
    return (struct page_bounds){histogram_low((uint32)cell),
                                cell == HISTOGRAM_CELLS - 1 ? PG_INT64_MAX
                                                            : histogram_high((uint32)cell) + 1};
}

/* By duration or by cost. The calls without a value are the stretch before the first cell. */
static void walk_values(struct page_cut *cut, const struct extent *extent)
{
    enum stats_measure_id measure = cut->sort == SORT_COST ? STATS_COST : STATS_DURATION;
    int64 *counts = palloc((HISTOGRAM_CELLS + 1) * sizeof(*counts));
    struct page_bounds whole = page_unbounded;
    struct page_bounds near, far = page_unbounded;
    struct stats_acc acc;
    struct reach reach;

    add_stats(extent, &acc);
    counts[0] = stats_acc_total(&acc) - stats_acc_measured(&acc, measure);
    memcpy(counts + 1, stats_acc_histogram(&acc, measure), HISTOGRAM_CELLS * sizeof(*counts));
    if (!step_along(counts, HISTOGRAM_CELLS + 1, cut, cut->skip, &reach))
        return;
    near = cell_bounds(reach.at - 1);
    if (reach.far >= 0) {
        far = cell_bounds(reach.far - 1);
        whole = (struct page_bounds){Min(near.low, far.low), Max(near.high, far.high)};
    } else if (cut->descending) {
        whole.high = near.high;
    } else {
        whole.low = near.low;
    }
    cut->skip = reach.skip;
    cut->first = near;
    if (!is_short(cut, &reach, true)) {
        cut->bounds = near;
        walk_ties(cut, extent, measure, reach.at - 1);
    }
    cut->bounds = whole;
    if (cut->after == NULL && turn_round(cut, &reach))
        cut->first = far;
}

void page_walk(struct page_cut *cut)
{
    struct extent extent;
    struct counter counter;

    if (cut->skip <= SHORT_ROWS && cut->one_agent)
        return;
    counter_of_filters(&counter, cut->filters);
    if (counter.kind == COUNT_NOTHING)
        return;
    extent_of_cut(&extent, cut);
    if (!cut->one_agent && cut->filters->set == 0)
        cut->months = read_months(cut->whose);
    if (cut->sort == SORT_DATE)
        walk_dates(cut, &extent, &counter);
    else if (counter.kind == COUNT_CALLS)
        walk_values(cut, &extent);
}
