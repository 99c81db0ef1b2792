/*
 * The index alone says which calls are on a page, however far in; only then are those rows read. So
 * a text's ORDER BY is spelled out as an index has it: a CASE in it, or "$1 IS NULL OR", would lose
 * the index. A bound, a filter or a position that is not asked for is not in the text, and nothing
 * that a caller said is ever part of it.
 *
 * Which index serves what: every form walks the sort's own, (agent, key, start, id), which holds the
 * bounds and positions too; everyone's calls by date have one without the agent. Filters on columns that it has not are looked at row by row along it:
 * there is no better way to the newest calls with a common status. For three kinds of filters there
 * is: one caller's calls (calls_caller_idx), words (call_text's GIN), and a range of another sort's
 * key. How many calls they leave decides whether it is better, and agents and callers differ by
 * orders of magnitude: those texts are planned anew for each set of values. The others have one
 * sensible plan, made once: planning takes three times as long as cutting a page.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "call_json.h"
#include "call_stats.h"
#include "compat.h"
#include "kept_plan.h"
#include "page_plan.h"

/* Kept plans, at most; the one that was not used for the longest time gives way. A few kB each. */
#define PLANS_MAX 128

#define PARAMS_MAX (CALL_FILTER_PARAMS_MAX + 16)

#define DURATION_FILTERS (FILTER_BIT(FILTER_MIN_DURATION) | FILTER_BIT(FILTER_MAX_DURATION))
#define COST_FILTERS (FILTER_BIT(FILTER_MIN_COST) | FILTER_BIT(FILTER_MAX_COST))
#define TIME_FILTERS (FILTER_BIT(FILTER_SINCE) | FILTER_BIT(FILTER_UNTIL))

const struct page_bounds page_unbounded = {PG_INT64_MIN, PG_INT64_MAX};

/* What leads each sort's index, and the filters that are bounds on it. Missing is less than any. */
static const struct {
    const char *key;
    Oid type;
    uint32 filters;
} sorts[SORT_COUNT] = {
    [SORT_DATE] = {"c.started_at", INT8OID, TIME_FILTERS},
    [SORT_DURATION] = {"coalesce(c.duration_ms, (-1)::pg_catalog.int8)", INT8OID, DURATION_FILTERS},
    [SORT_COST] = {"coalesce(c.cost, (-1)::pg_catalog.numeric)", NUMERICOID, COST_FILTERS},
};

/*
 * A cut's text and its parameters, made by one walk over the cut: what adds a parameter also says
 * where it stands. The text is left out (NULL) when its plan is there already.
 */
struct build {
    StringInfo sql;
    int count;
    Oid types[PARAMS_MAX];
    Datum values[PARAMS_MAX];
};

static void say(struct build *b, const char *sql)
{
    if (b->sql)
        appendStringInfoString(b->sql, sql);
}

static void add_param(struct build *b, Oid type, Datum value)
{
    Assert(b->count < PARAMS_MAX);
    b->types[b->count] = type;
    b->values[b->count++] = value;
}

/* A parameter, after some text: "before$n". */
static void say_param(struct build *b, const char *before, Oid type, Datum value)
{
    add_param(b, type, value);
    if (b->sql)
        appendStringInfo(b->sql, "%s$%d", before, b->count);
}

static void say_int64(struct build *b, const char *before, int64 value)
{
    say_param(b, before, INT8OID, Int64GetDatum(value));
}

static void say_key(struct build *b, enum page_sort sort, const char *before, int64 key)
{
    Datum value =
        sort == SORT_COST ? NumericGetDatum(int64_div_fast_to_numeric(key, 4)) : Int64GetDatum(key);
    say_param(b, before, sorts[sort].type, value);
}

int64 page_key_of_datum(enum page_sort sort, Datum value, bool null)
{
    if (sort == SORT_COST)
        return null ? -STATS_COST_SCALE : cost_from_numeric(value);
    return null ? -1 : DatumGetInt64(value);
}

/* By date the key is the start, and stands in the index once. */
static void say_position(struct build *b, const struct page_cut *cut, const char *operator,
                         const struct page_place * place)
{
    say(b, " AND ROW(");
    if (cut->sort != SORT_DATE) {
        say(b, sorts[cut->sort].key);
        say(b, ", ");
    }
    say(b, "c.started_at, c.call_id)");
    say(b, operator);
    say(b, "ROW(");
    if (cut->sort != SORT_DATE) {
        say_key(b, cut->sort, "", place->key);
        say(b, ", ");
    }
    say_int64(b, "", place->started_at);
    say_param(b, ", ", TEXTOID, place->call_id);
    say(b, ")");
}

static void say_bounds(struct build *b, const struct page_cut *cut)
{
    const struct page_bounds *bounds = &cut->bounds;

    if (bounds->low != PG_INT64_MIN) {
        say(b, " AND ");
        say(b, sorts[cut->sort].key);
        say_key(b, cut->sort, SQL_GE, bounds->low);
    }
    if (bounds->high != PG_INT64_MAX) {
        say(b, " AND ");
        say(b, sorts[cut->sort].key);
        say_key(b, cut->sort, SQL_LT, bounds->high);
    }
}

/* " FROM calls AS c WHERE …", all that narrows it; `whose` is the condition on its agent. */
static void say_calls(struct build *b, const struct page_cut *cut, const char *whose)
{
    int filters;

    say(b, " FROM frontdesk.calls AS c WHERE ");
    say(b, whose);
    say_bounds(b, cut);
    if (b->sql)
        call_filters_append(b->sql, cut->filters, b->count + 1);
    filters = call_filters_params(cut->filters, b->types + b->count, b->values + b->count);
    b->count += filters;
    if (cut->after)
        say_position(b, cut, cut->descending ? SQL_LT : SQL_GT, cut->after);
    if (cut->up_to)
        say_position(b, cut, cut->descending ? SQL_GE : SQL_LE, cut->up_to);
}

/* The order in terms of the table, or of the keys `k` that were taken from it. */
static void say_order(struct build *b, const struct page_cut *cut, bool of_keys)
{
    const char *way = cut->descending ? " DESC" : " ASC";

    say(b, " ORDER BY ");
    if (cut->sort != SORT_DATE) {
        say(b, of_keys ? "k.sort_key" : sorts[cut->sort].key);
        say(b, way);
        say(b, ", ");
    }
    say(b, of_keys ? "k.started_at" : "c.started_at");
    say(b, way);
    say(b, of_keys ? ", k.call_id" : ", c.call_id");
    say(b, way);
}

static void say_limit(struct build *b, const struct page_cut *cut)
{
    say_int64(b, " LIMIT ", cut->rows);
    say_int64(b, " OFFSET ", cut->skip);
}

/* The keys of calls, with nothing in them that is not in the sort's index. */
static void say_keys(struct build *b, const struct page_cut *cut, const char *whose)
{
    say(b, "SELECT c.agent_id, c.call_id, c.started_at, ");
    say(b, sorts[cut->sort].key);
    say(b, " AS sort_key");
    say_calls(b, cut, whose);
}

/* Each agent's first keys, merged: " FROM … LIMIT …", with the keys as `k`. */
static void say_merge(struct build *b, const struct page_cut *cut)
{
    say(b, " FROM pg_catalog.unnest($1) AS h(agent_id) CROSS JOIN LATERAL (");
    say_keys(b, cut, "c.agent_id" SQL_EQ "h.agent_id");
    say_order(b, cut, false);
    say_int64(b, " LIMIT ", cut->each);
    say(b, ") AS k");
    say_order(b, cut, true);
    say_limit(b, cut);
}

static void say_select_list(struct build *b, const struct page_cut *cut)
{
    say(b, "SELECT ");
    if (b->sql)
        call_select_list(b->sql, cut->columns);
    say(b, ", c.started_at");
}

/*
 * The rows of keys. OFFSET 0 keeps each row's look-up as it is, one probe of the primary key: the
 * planner does not know how few keys there are.
 */
static void say_rows_of_keys(struct build *b, const struct page_cut *cut)
{
    say(b, ") AS k CROSS JOIN LATERAL (SELECT c.* FROM frontdesk.calls AS c WHERE c.agent_id" SQL_EQ
           "k.agent_id AND c.call_id" SQL_EQ "k.call_id OFFSET 0) AS c");
    say_order(b, cut, true);
}

static void say_cut(struct build *b, const struct page_cut *cut)
{
    const char *whose = cut->everyone    ? "true"
                        : cut->one_agent ? "c.agent_id" SQL_EQ "$1"
                                         : "c.agent_id" SQL_EQ "ANY ($1)";

    /* $1 is said where it is needed, and is there before. */
    add_param(b, cut->one_agent ? TEXTOID : TEXTARRAYOID, cut->whose);
    switch (cut->form) {
    case PAGE_ROWS:
        say_select_list(b, cut);
        say_calls(b, cut, whose);
        say_order(b, cut, false);
        say_limit(b, cut);
        return;
    case PAGE_PICKED:
    case PAGE_SORTED:
        say_select_list(b, cut);
        say(b, " FROM (");
        say_keys(b, cut, whose);
        say_order(b, cut, false);
        say_limit(b, cut);
        say_rows_of_keys(b, cut);
        return;
    case PAGE_MERGED:
        say_select_list(b, cut);
        say(b, " FROM (SELECT k.*");
        say_merge(b, cut);
        say_rows_of_keys(b, cut);
        return;
    case PAGE_HEADS:
        say(b, "SELECT k.sort_key, k.started_at, k.call_id, k.agent_id");
        say_merge(b, cut);
        return;
    case PAGE_TALLY:
        say(b, "SELECT pg_catalog.count(*)");
        say_calls(b, cut, whose);
        return;
    }
}

/* All that a cut's text depends on. Never 0: every cut has its form. */
static uint64 key_of_cut(const struct page_cut *cut)
{
    const struct page_bounds *bounds = &cut->bounds;
    uint64 key = call_filters_key(cut->filters);

    key = key << 3 | (uint64)(cut->form + 1);
    key = key << 2 | (uint64)cut->sort;
    key = key << 1 | (uint64)cut->descending;
    key = key << 1 | (uint64)cut->one_agent;
    key = key << 1 | (uint64)cut->everyone;
    key = key << 1 | (uint64)(cut->columns == CALL_COLUMNS);
    key = key << 1 | (uint64)(cut->after != NULL);
    key = key << 1 | (uint64)(cut->up_to != NULL);
    key = key << 1 | (uint64)(bounds->low != PG_INT64_MIN);
    key = key << 1 | (uint64)(bounds->high != PG_INT64_MAX);
    return key;
}

/* Is there more than one sensible plan, depending on the values? See the head of this file. */
static bool depends_on_values(const struct page_cut *cut)
{
    const uint32 ranges = DURATION_FILTERS | COST_FILTERS | TIME_FILTERS;

    if (cut->form == PAGE_TALLY)
        return cut->filters->set != 0;
    return (cut->filters->set & (FILTERS_WITH_INDEX | (ranges & ~sorts[cut->sort].filters))) != 0;
}

/* The slot of a kept plan's key: its own, an empty one, or that of the one not used for longest. */
struct plan_slot {
    uint64 key;
    uint64 used;
    SPIPlanPtr plan;
};

static struct plan_slot *slot_of_key(uint64 key)
{
    static struct plan_slot slots[PLANS_MAX];
    static uint64 now;
    struct plan_slot *oldest = &slots[0];

    now++;
    for (int i = 0; i < PLANS_MAX; i++) {
        if (slots[i].key == key) {
            slots[i].used = now;
            return &slots[i];
        }
        if (slots[i].used < oldest->used)
            oldest = &slots[i];
    }
    if (oldest->plan) {
        SPIPlanPtr plan = oldest->plan;
        oldest->plan = NULL;
        SPI_freeplan(plan);
    }
    oldest->key = key;
    oldest->used = now;
    return oldest;
}

/* The plan of a cut, and its parameters in `b`. */
static SPIPlanPtr plan_of_cut(const struct page_cut *cut, struct build *b)
{
    struct plan_slot *slot = slot_of_key(key_of_cut(cut));

    b->count = 0;
    b->sql = slot->plan == NULL ? makeStringInfo() : NULL;
    say_cut(b, cut);
    if (slot->plan == NULL)
        kept_plan_as(&slot->plan, b->sql->data, b->count, b->types,
                     depends_on_values(cut) ? CURSOR_OPT_CUSTOM_PLAN : CURSOR_OPT_GENERIC_PLAN);
    return slot->plan;
}

void page_plan_run(const struct page_cut *cut)
{
    struct build b;
    SPIPlanPtr plan = plan_of_cut(cut, &b);

    run_plan(plan, b.values, NULL, true, SPI_OK_SELECT);
}

void page_plan_stream(const struct page_cut *cut, plan_row *receive, void *argument)
{
    struct build b;
    SPIPlanPtr plan = plan_of_cut(cut, &b);

    stream_plan(plan, b.count, b.types, b.values, receive, argument);
}

int64 page_tally(const struct page_cut *cut)
{
    struct page_cut counted = *cut;
    counted.form = PAGE_TALLY;
    page_plan_run(&counted);
    return DatumGetInt64(result_value(0, 1));
}
