/*
 * Pages of calls, as rows and as json, and the single call: the functions that SQL sees, and the way
 * from their arguments to a page.
 *
 * A page is cut in three steps: whose calls (page_agents), how far in (page_walk narrows the cut to
 * where the page lies, by what the rollups count), which rows (page_plan). Beyond its rows a page
 * looks for one more, which says whether there is a next page.
 *
 * All functions are STABLE and read through SPI read-only: the page and its total come from one
 * snapshot, the calling query's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "call_filter.h"
#include "call_json.h"
#include "compat.h"
#include "json_build.h"
#include "kept_plan.h"
#include "page.h"
#include "page_agents.h"
#include "page_cursor.h"
#include "page_plan.h"
#include "page_walk.h"

/* What each row has beside the columns of the call, from 1: see page_plan_run(). */
enum { EXTRA_STARTED_AT = 1 };
/* What a single call has. */
enum { EXTRA_AGENT_NAME = 1, EXTRA_AGENT_STATUS };

/* A page that begins no further in than this is come to by counting rows along the index. */
#define NEAR_ROWS 200

/* More rows than this are no page: they are not held in memory, nor their place looked for. */
#define LONG_ROWS 20000

#define TOTAL_UNKNOWN (-1)

struct page {
    struct page_cut cut;
    struct call_filters filters;
    struct page_agents agents;
    NullableDatum whose; /* the agent or the agents asked for, as they were said */
    uint64 fields;
    int64 rows;
    int64 skip;
    NullableDatum cursor;
    struct page_place after; /* what the cursor says */
    bool counted;            /* there are `left` rows from its first on, or more than it shows */
    int64 left;

    /* The answer: of the table's `found` rows the first `shown` are the page. */
    SPITupleTable *table;
    uint64 found, shown;
    bool reversed; /* the rows lie the other way round */
    int64 total;
};

PG_FUNCTION_INFO_V1(frontdesk_call_history);
PG_FUNCTION_INFO_V1(frontdesk_call_history_json);
PG_FUNCTION_INFO_V1(frontdesk_calls_json);
PG_FUNCTION_INFO_V1(frontdesk_call_json);

/* Arguments. */

int64 page_rows_argument(FunctionCallInfo fcinfo, int argument)
{
    int32 rows = PG_ARGISNULL(argument) ? PAGE_ROWS_DEFAULT : PG_GETARG_INT32(argument);
    if (rows < 1 || rows > PAGE_ROWS_MAX)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("max_rows must be from 1 to %d", PAGE_ROWS_MAX)));
    return rows;
}

int64 page_skip_argument(FunctionCallInfo fcinfo, int argument)
{
    int64 skip = PG_ARGISNULL(argument) ? 0 : PG_GETARG_INT64(argument);
    if (skip < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("skip_rows must not be negative")));
    return skip;
}

/* The argument as one of the names; null is the first. */
static int choice_argument(FunctionCallInfo fcinfo, int argument, const char *what,
                           const char *const *names, int count)
{
    const char *name;
    if (PG_ARGISNULL(argument))
        return 0;
    name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown %s \"%s\"", what, name),
             errhint("Use %s%s%s%s%s.", names[0], count > 2 ? ", " : "", count > 2 ? names[1] : "",
                     " or ", names[count - 1])));
}

/* sort_by and sort_order, one after the other. */
static void sort_arguments(struct page *page, FunctionCallInfo fcinfo, int first)
{
    static const char *const sorts[SORT_COUNT] = {"date", "duration", "cost"};
    static const char *const orders[] = {"desc", "asc"};

    page->cut.sort = choice_argument(fcinfo, first, "sort", sorts, lengthof(sorts));
    page->cut.descending = choice_argument(fcinfo, first + 1, "order", orders, 2) == 0;
}

static NullableDatum argument(FunctionCallInfo fcinfo, int i)
{
    NullableDatum value = {(Datum)0, true};
    if (i < PG_NARGS() && !PG_ARGISNULL(i))
        value = fcinfo->args[i];
    return value;
}

/*
 * What the json functions have in common, from `first` on: sort_by, sort_order, max_rows, skip_rows,
 * and in their longer forms also cursor, fields and the filters.
 */
static void json_arguments(struct page *page, FunctionCallInfo fcinfo, int first)
{
    NullableDatum fields = argument(fcinfo, first + 5);

    sort_arguments(page, fcinfo, first);
    page->rows = page_rows_argument(fcinfo, first + 2);
    page->skip = page_skip_argument(fcinfo, first + 3);
    page->cursor = argument(fcinfo, first + 4);
    if (!page->cursor.isnull && !argument(fcinfo, first + 3).isnull)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a cursor and skip_rows cannot be given together"),
                        err_generic_string(PG_DIAG_COLUMN_NAME, "cursor")));
    page->fields = fields.isnull ? CALL_FIELDS_ALL : call_fields_named(fields.value);
    call_filters_read(&page->filters, fcinfo, first + 6, CALL_FILTER_ARGUMENTS, true);
    page->cut.filters = &page->filters;
    page->cut.columns = CALL_LIST_COLUMNS;
}

/* Cutting. */

/* Runs the cut, for so many rows after so many; what was found is in the page. */
static void run_cut(struct page *page, enum page_form form, int64 rows, int64 skip)
{
    page->cut.form = form;
    page->cut.rows = rows;
    page->cut.skip = skip;
    page_plan_run(&page->cut);
    page->table = SPI_tuptable;
    page->found = SPI_processed;
}

/* The rows that a page looks for: one more than it shows. */
static int64 wanted_rows(const struct page *page)
{
    if (page->counted)
        return page->left;
    return page->rows + 1;
}

/*
 * The rows of several agents that are near. First each agent says its own first few: that many of
 * the best of these are a floor, below which nothing of the page can lie. Then the agents that have
 * something above the floor, few, are merged down to it.
 */
static void cut_merged(struct page *page)
{
    const int64 need = page->skip + wanted_rows(page);
    struct page_cut heads = page->cut;
    bool *chosen = palloc0(page->agents.count * sizeof(bool));
    struct page_place floor;

    heads.form = PAGE_HEADS;
    heads.each = Min(need, (2 * need + page->agents.count - 1) / page->agents.count);
    heads.rows = need;
    page_plan_run(&heads);
    page->found = SPI_processed;
    if (page->found == 0)
        return;
    for (uint64 i = 0; i < SPI_processed; i++) {
        int agent = page_agents_find(&page->agents, result_value(i, 4));
        if (agent >= 0)
            chosen[agent] = true;
    }
    page->cut.whose = page_agents_datum(&page->agents, chosen, &page->cut.one_agent);
    if (page->found == (uint64)need) {
        uint64 last = page->found - 1;
        floor.key = page_key_of_datum(page->cut.sort, result_value(last, 1), false);
        floor.started_at = DatumGetInt64(result_value(last, 2));
        floor.call_id = result_value(last, 3);
        page->cut.up_to = &floor;
    }
    page->cut.each = need;
    run_cut(page, page->cut.one_agent ? PAGE_ROWS : PAGE_MERGED, wanted_rows(page), page->skip);
    page->cut.up_to = NULL;
}

/* Are these all calls that there are, in an order that has an index over all agents? */
static bool is_everyone_by_date(const struct page *page)
{
    return page->whose.isnull && page->agents.count > 1 && page->cut.sort == SORT_DATE &&
           (page->filters.set & FILTERS_WITH_INDEX) == 0;
}

/* The rows of a page that begins near, or after a cursor. */
static void cut_near(struct page *page)
{
    if (page->cut.one_agent || page->cut.everyone)
        run_cut(page, page->skip > 0 ? PAGE_PICKED : PAGE_ROWS, wanted_rows(page), page->skip);
    else if ((page->filters.set & FILTERS_WITH_INDEX) != 0)
        run_cut(page, PAGE_SORTED, wanted_rows(page), page->skip);
    else
        cut_merged(page);
}

/*
 * The rows of a page that begins near, where the statistics know how many calls its filters leave:
 * it looks for no more rows than there are, of agents that have some. Otherwise all calls would be
 * looked through for the ones that are missing to a full page: of calls that are going on, there are
 * few. False if other rows came than the rollups have said, or they do not know.
 */
static bool cut_counted(struct page *page)
{
    const struct page_cut whole = page->cut;
    const int64 wanted = wanted_rows(page);
    bool *some = palloc0(page->agents.count * sizeof(bool));

    if (!page->cursor.isnull || !page_count(&page->cut, some, &page->total))
        return false;
    page->found = 0;
    page->left = Max(0, Min(wanted, page->total - page->skip));
    if (page->left == 0)
        return true;
    page->counted = true;
    if (!page->cut.one_agent && !page->cut.everyone)
        page->cut.whose = page_agents_datum(&page->agents, some, &page->cut.one_agent);
    cut_near(page);
    page->counted = false;
    page->cut = whole;
    return page->found == (uint64)page->left;
}

/* A column after those of the call. */
static Datum extra_value(const SPITupleTable *table, uint64 row, int columns, int extra, bool *null)
{
    return SPI_getbinval(table->vals[row], table->tupdesc, call_select_count(columns) + extra,
                         null);
}

/* The position of the call in that row of the table. */
static void place_of_row(const struct page *page, uint64 row, struct page_place *place)
{
    const int columns = page->cut.columns;
    const int of_key = page->cut.sort == SORT_COST ? CALL_COLUMN_COST : CALL_COLUMN_DURATION_MS;
    Datum values[CALL_COLUMNS];
    bool nulls[CALL_COLUMNS], null;

    call_values(page->table->vals[row], page->table->tupdesc, columns, values, nulls);
    place->started_at =
        DatumGetInt64(extra_value(page->table, row, columns, EXTRA_STARTED_AT, &null));
    place->call_id = values[CALL_COLUMN_CALL_ID];
    place->key = page->cut.sort == SORT_DATE
                     ? place->started_at
                     : page_key_of_datum(page->cut.sort, values[of_key], nulls[of_key]);
}

static enum page_form far_form(const struct page *page)
{
    return page->cut.one_agent || page->cut.everyone ? PAGE_PICKED : PAGE_SORTED;
}

/*
 * The rows of a page that lies far in, of a total that is known: from the nearer end, and with a
 * stretch of index that holds the page. False if other rows came than the rollups have said: they
 * are not what they should be, and nothing is known.
 */
static bool cut_far(struct page *page)
{
    const struct page_cut whole = page->cut;
    struct page_bounds stretch;
    struct page_place first;
    int64 wanted = wanted_rows(page);
    int64 expected = page->total > page->skip ? page->total - page->skip : 0;

    if (expected > wanted)
        expected = wanted;
    if (expected == 0) {
        page->found = 0;
        return true;
    }
    page->cut.rows = expected;
    page->cut.skip = page->skip;
    if (page->skip > page->total / 2) {
        page->cut.descending = !page->cut.descending;
        page->cut.skip = page->total - page->skip - expected;
    }
    page_walk(&page->cut);
    page->reversed = page->cut.descending != whole.descending;
    run_cut(page, far_form(page), expected, page->cut.skip);
    stretch = page->cut.first;
    page->cut = whole;
    if (page->found != (uint64)expected)
        return false;
    place_of_row(page, 0, &first);
    return first.key >= stretch.low && first.key < stretch.high;
}

/*
 * The rows of a page that lies far in, whatever the rollups say: in its own direction, row by row.
 */
static void cut_plainly(struct page *page)
{
    page->reversed = false;
    run_cut(page, far_form(page), wanted_rows(page), page->skip);
}

/*
 * How many calls there are, given a page of them. An end that was seen says so. A total that what
 * was seen cannot be part of is not believed: rollups are only as true as the triggers that fill
 * them, which a superuser can switch off.
 */
static int64 count_beside(struct page *page)
{
    struct page_cut whole = page->cut;
    int64 total;

    if (page->cursor.isnull && page->found == page->shown && (page->found > 0 || page->skip == 0))
        return page->skip + (int64)page->shown;
    whole.after = NULL;
    whole.whose = page_agents_datum(&page->agents, NULL, &whole.one_agent);
    total = page_total(&whole);
    if (total < (int64)page->found + page->skip && page->found > 0)
        total = page_tally(&whole);
    return total;
}

/* Cuts the page. Its total is known then only if it is far in, or was counted by the statistics. */
static void cut_page(struct page *page)
{
    bool far = page->cursor.isnull && page->skip > NEAR_ROWS;
    bool counted = far;

    page->total = 0;
    page->found = 0;
    page->shown = 0;
    if (page->agents.count == 0)
        return;
    page->cut.whose = page_agents_datum(&page->agents, NULL, &page->cut.one_agent);
    page->cut.bounds = page_unbounded;
    page->cut.first = page_unbounded;
    page->cut.months = NULL;
    page->cut.everyone = is_everyone_by_date(page);
    if (far) {
        page->total = page_total(&page->cut);
        if (!cut_far(page)) {
            cut_plainly(page);
            page->total = page_tally(&page->cut);
        }
    } else {
        counted = cut_counted(page);
        if (!counted)
            cut_near(page);
    }
    page->shown = Min(page->found, (uint64)page->rows);
    if (!counted)
        page->total = TOTAL_UNKNOWN;
}

/* The row of the page's table that holds its i-th call. */
static uint64 row_of(const struct page *page, uint64 i)
{
    return page->reversed ? page->found - 1 - i : i;
}

/* Printing. */

/* Appends a call as an object; `agent` is its agent as a member, with a comma before it. */
static void append_call(StringInfo out, int columns, uint64 fields, const Datum *values,
                        const bool *nulls, const StringInfoData *agent)
{
    int start = out->len;

    call_append_members(out, columns, fields, values, nulls);
    if (fields & CALL_FIELD_AGENT)
        appendBinaryStringInfo(out, agent->data, agent->len);
    if (out->len == start)
        appendStringInfoChar(out, '{');
    else
        out->data[start] = '{'; /* was the comma before the first member */
    appendStringInfoChar(out, '}');
}

/* Starts the member `agent`, with a comma before it; its closing brace is left to the caller. */
static void begin_agent(StringInfo out, Datum id, Datum name, bool nameless)
{
    initStringInfo(out);
    appendStringInfoString(out, ",\"agent\":{\"agent_id\":");
    json_append_text_datum(out, id, false);
    appendStringInfoString(out, ",\"agent_name\":");
    json_append_text_datum(out, name, nameless);
}

/* The member `agent` of a call; one for each agent is made when it is first needed. */
static const StringInfoData *agent_member(const struct page *page, StringInfo members, Datum id)
{
    int i = page_agents_find(&page->agents, id);
    bool unknown = i < 0; /* such a call was put there by hand */

    if (unknown) {
        i = page->agents.count;
        members[i].data = NULL;
    }
    if (members[i].data == NULL) {
        begin_agent(&members[i], id, unknown ? (Datum)0 : page->agents.list[i].name, unknown);
        appendStringInfoChar(&members[i], '}');
    }
    return &members[i];
}

static void append_calls(StringInfo out, const struct page *page)
{
    StringInfo members = palloc0((page->agents.count + 1) * sizeof(*members));

    for (uint64 i = 0; i < page->shown; i++) {
        uint64 row = row_of(page, i);
        Datum values[CALL_COLUMNS];
        bool nulls[CALL_COLUMNS];
        call_values(page->table->vals[row], page->table->tupdesc, page->cut.columns, values, nulls);
        if (i > 0)
            appendStringInfoChar(out, ',');
        append_call(out, page->cut.columns, page->fields, values, nulls,
                    agent_member(page, members, values[CALL_COLUMN_AGENT_ID]));
    }
}

/* Appends the cursor of the page after this one, null if there is none. */
static void append_next_cursor(StringInfo out, const struct page *page)
{
    StringInfoData question;
    struct page_place last;

    if (page->found == page->shown) {
        appendStringInfoString(out, "null");
        return;
    }
    place_of_row(page, row_of(page, page->shown - 1), &last);
    page_question(&question, &page->cut, page->whose);
    page_cursor_append(out, &question, &last);
}

/* Cuts the page and appends it as {"calls":[…],"pagination":{…}}. SPI must be connected. */
static void append_page(StringInfo out, struct page *page)
{
    if (!page->cursor.isnull) {
        StringInfoData question;
        page_question(&question, &page->cut, page->whose);
        page_cursor_read(page->cursor.value, &question, &page->after);
        page->cut.after = &page->after;
    }
    cut_page(page);
    appendStringInfoString(out, "{\"calls\":[");
    append_calls(out, page);
    appendStringInfoString(out, "],");
    if (page->total == TOTAL_UNKNOWN)
        page->total = count_beside(page);
    json_append_pagination(out, page->total, page->rows, page->cursor.isnull ? page->skip : -1,
                           page->found > page->shown);
    appendStringInfoString(out, ",\"nextCursor\":");
    append_next_cursor(out, page);
    appendStringInfoString(out, "}}");
}

/* Rows. */

static void put_row(const Datum *selected, const bool *missing, void *argument)
{
    ReturnSetInfo *into = argument;
    Datum values[CALL_COLUMNS];
    bool nulls[CALL_COLUMNS];

    call_values_selected(selected, missing, CALL_COLUMNS, values, nulls);
    tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
}

/* The rows of one agent, in their own direction: as many as may be, and none is kept in memory. */
static void put_long(struct page *page, ReturnSetInfo *into)
{
    page->cut.whose = page_agents_datum(&page->agents, NULL, &page->cut.one_agent);
    page->cut.bounds = page_unbounded;
    page->cut.form = page->skip > 0 ? PAGE_PICKED : PAGE_ROWS;
    page->cut.rows = page->rows;
    page->cut.skip = page->skip;
    page_plan_stream(&page->cut, put_row, into);
}

static void put_page(struct page *page, ReturnSetInfo *into)
{
    cut_page(page);
    for (uint64 i = 0; i < page->shown; i++) {
        uint64 row = row_of(page, i);
        Datum values[CALL_COLUMNS];
        bool nulls[CALL_COLUMNS];
        call_values(page->table->vals[row], page->table->tupdesc, CALL_COLUMNS, values, nulls);
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
}

/* SQL functions. */

/*
 * (agent_id, sort_by, sort_order, max_rows, skip_rows), then the filters. Rows are all that is asked
 * for: there is no total, and no agent's name.
 */
Datum frontdesk_call_history(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;
    struct page page = {.rows = PG_INT64_MAX, .cursor.isnull = true};
    struct page_agent agent;

    InitMaterializedSRF(fcinfo, 0);
    sort_arguments(&page, fcinfo, 1);
    if (!PG_ARGISNULL(3)) /* an int4 in the short form */
        page.rows = PG_NARGS() > 5 ? PG_GETARG_INT64(3) : PG_GETARG_INT32(3);
    page.skip = page_skip_argument(fcinfo, 4);
    if (page.rows < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("max_rows must not be negative")));
    call_filters_read(&page.filters, fcinfo, 5, FILTER_WORDS + 1, false);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    agent.id = PG_GETARG_DATUM(0);
    page.agents = (struct page_agents){1, &agent};
    page.cut.filters = &page.filters;
    page.cut.columns = CALL_COLUMNS;

    connect_spi();
    if (page.rows > LONG_ROWS)
        put_long(&page, into);
    else
        put_page(&page, into);
    SPI_finish();
    return (Datum)0;
}

/* (agent_id, agent_ids), then json_arguments(). */
Datum frontdesk_call_history_json(PG_FUNCTION_ARGS)
{
    struct page page = {.rows = 0};
    StringInfoData out;
    bool visible;

    json_arguments(&page, fcinfo, 2);
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    page.whose = argument(fcinfo, 0);

    json_begin(&out);
    connect_spi();
    page_agents_one(&page.agents, page.whose.value, argument(fcinfo, 1));
    visible = page.agents.count > 0;
    if (visible)
        append_page(&out, &page);
    SPI_finish();
    if (!visible)
        PG_RETURN_NULL();
    return json_end(&out);
}

/* (agent_ids), then json_arguments(). */
Datum frontdesk_calls_json(PG_FUNCTION_ARGS)
{
    struct page page = {.rows = 0};
    StringInfoData out;

    json_arguments(&page, fcinfo, 1);
    page.whose = argument(fcinfo, 0);

    json_begin(&out);
    connect_spi();
    page_agents_among(&page.agents, page.whose);
    append_page(&out, &page);
    SPI_finish();
    return json_end(&out);
}

static SPIPlanPtr call_plan(void)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTARRAYOID};
    StringInfoData text;

    if (slot)
        return slot;
    initStringInfo(&text);
    appendStringInfoString(&text, "SELECT ");
    call_select_list(&text, CALL_COLUMNS);
    appendStringInfoString(&text,
                           ", a.agent_name, a.status FROM frontdesk.call_home AS h"
                           " JOIN frontdesk.calls AS c ON c.agent_id" SQL_EQ "h.agent_id"
                           " AND c.call_id" SQL_EQ "h.call_id"
                           " LEFT JOIN frontdesk.agents AS a ON a.agent_id" SQL_EQ "h.agent_id"
                           " WHERE h.call_id" SQL_EQ "$1"
                           " AND ($2 IS NULL OR h.agent_id" SQL_EQ "ANY ($2))");
    return kept_plan(&slot, text.data, lengthof(types), types);
}

/* Appends the call that call_plan() has found, with everything that is known of it. */
static void append_whole_call(StringInfo out)
{
    Datum values[CALL_COLUMNS], name, status;
    bool nulls[CALL_COLUMNS], nameless, without_status;
    StringInfoData agent;

    call_values(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, CALL_COLUMNS, values, nulls);
    name = extra_value(SPI_tuptable, 0, CALL_COLUMNS, EXTRA_AGENT_NAME, &nameless);
    status = extra_value(SPI_tuptable, 0, CALL_COLUMNS, EXTRA_AGENT_STATUS, &without_status);
    begin_agent(&agent, values[CALL_COLUMN_AGENT_ID], name, nameless);
    appendStringInfoString(&agent, ",\"status\":");
    json_append_text_datum(&agent, status, without_status);
    appendStringInfoChar(&agent, '}');
    append_call(out, CALL_COLUMNS, CALL_FIELDS_ALL, values, nulls, &agent);
}

Datum frontdesk_call_json(PG_FUNCTION_ARGS)
{
    StringInfoData out;
    Datum values[2];
    bool found;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    values[0] = PG_GETARG_DATUM(0);
    values[1] = PG_ARGISNULL(1) ? (Datum)0 : PG_GETARG_DATUM(1);

    json_begin(&out);
    connect_spi();
    run_plan(call_plan(), values, PG_ARGISNULL(1) ? " n" : NULL, true, SPI_OK_SELECT);
    found = SPI_processed > 0;
    if (found)
        append_whole_call(&out);
    SPI_finish();
    if (!found)
        PG_RETURN_NULL();
    return json_end(&out);
}
