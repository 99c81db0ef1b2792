/*
 * Pages of calls, as rows and as json, and the single call.
 *
 * A page is cut in two steps. The index alone says which calls are on it, however far in; only then
 * are those rows read. So there is one plan for each sort, direction and scope, its ORDER BY
 * spelled out as the index has it: a CASE in it, or "$1 IS NULL OR", would lose the index. Nothing
 * that a caller said is ever part of a plan's text.
 *
 * All functions are STABLE and read through SPI read-only: the page and its total come from one
 * snapshot, the calling query's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "call_json.h"
#include "compat.h"
#include "json_build.h"
#include "kept_plan.h"
#include "page.h"

enum sort { SORT_DATE, SORT_DURATION, SORT_COST, SORT_COUNT };

/* Whose calls: one agent's, those of the agents in a list, or all. */
enum scope { SCOPE_AGENT, SCOPE_LIST, SCOPE_ALL, SCOPE_COUNT };

/* What a list row shows beside the columns of the call. */
enum { EXTRA_AGENT_NAME = 1, EXTRA_AGENT_STATUS };

struct page {
    enum sort sort;
    bool descending;
    enum scope scope;
    int columns; /* of each call */
    Datum whose; /* text or text[]; not used when scope is SCOPE_ALL */
    int64 rows;  /* -1: all */
    int64 skip;
};

/* How the sorts are called and what leads their index. A missing value is less than any. */
static const struct {
    const char *name;
    const char *key;
} sorts[SORT_COUNT] = {
    [SORT_DATE] = {"date", "k.started_at"},
    [SORT_DURATION] = {"duration", "coalesce(k.duration_ms, (-1)::bigint)"},
    [SORT_COST] = {"cost", "coalesce(k.cost, (-1)::numeric)"},
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

static enum sort sort_argument(FunctionCallInfo fcinfo, int argument)
{
    const char *name;
    if (PG_ARGISNULL(argument))
        return SORT_DATE;
    name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
    for (int i = 0; i < SORT_COUNT; i++)
        if (strcmp(name, sorts[i].name) == 0)
            return i;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown sort \"%s\"", name),
                    errhint("Use date, duration or cost.")));
}

static bool order_argument(FunctionCallInfo fcinfo, int argument)
{
    const char *name;
    if (PG_ARGISNULL(argument))
        return true;
    name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
    if (strcmp(name, "desc") == 0)
        return true;
    if (strcmp(name, "asc") == 0)
        return false;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown order \"%s\"", name),
                    errhint("Use desc or asc.")));
}

/* Plans. */

/* How the keys `k` are ordered: see append_keys(). Ties of other sorts break by date. */
static const char *order_of(const struct page *page)
{
    static const char *const orders[2][2] = {
        {" ORDER BY k.sort_key ASC, k.started_at ASC, k.call_id ASC",
         " ORDER BY k.sort_key DESC, k.started_at DESC, k.call_id DESC"},
        {" ORDER BY k.sort_key ASC, k.call_id ASC", " ORDER BY k.sort_key DESC, k.call_id DESC"},
    };
    return orders[page->sort == SORT_DATE][page->descending];
}

/*
 * The keys of a page, with nothing in them that is not in the sort's index. Over several agents
 * each gives its own first rows from its own stretch of the index, and the page is cut from those:
 * as many keys are looked at as the page's end is deep, for each agent.
 */
static void append_keys(StringInfo out, const struct page *page)
{
    static const char keys[] = "(SELECT k.agent_id, k.call_id, k.started_at, %s AS sort_key"
                               " FROM frontdesk.calls AS k WHERE k.agent_id" SQL_EQ "%s) AS k";

    appendStringInfoString(out, "SELECT k.* FROM ");
    if (page->scope == SCOPE_AGENT) {
        appendStringInfo(out, keys, sorts[page->sort].key, "$1");
    } else {
        appendStringInfoString(out, "frontdesk.agents AS a CROSS JOIN LATERAL (SELECT k.* FROM ");
        appendStringInfo(out, keys, sorts[page->sort].key, "a.agent_id");
        appendStringInfo(out, "%s LIMIT $2" SQL_ADD "$3) AS k", order_of(page));
        if (page->scope == SCOPE_LIST)
            appendStringInfoString(out, " WHERE a.agent_id" SQL_EQ "ANY ($1)");
    }
    appendStringInfo(out, "%s LIMIT $2 OFFSET $3", order_of(page));
}

/*
 * The page's rows. OFFSET 0 keeps each row's look-up as it is, one probe of the primary key: the
 * planner does not know how few keys there are.
 */
static char *page_plan_text(const struct page *page)
{
    StringInfoData text;

    initStringInfo(&text);
    appendStringInfoString(&text, "SELECT ");
    call_select_list(&text, page->columns);
    appendStringInfoString(&text, ", c.agent_name FROM (");
    append_keys(&text, page);
    appendStringInfoString(
        &text,
        ") AS k CROSS JOIN LATERAL (SELECT c.*, a.agent_name FROM frontdesk.calls AS c"
        " LEFT JOIN frontdesk.agents AS a ON a.agent_id" SQL_EQ "c.agent_id"
        " WHERE c.agent_id" SQL_EQ "k.agent_id AND c.call_id" SQL_EQ "k.call_id OFFSET 0) AS c");
    appendStringInfoString(&text, order_of(page));
    return text.data;
}

static SPIPlanPtr page_plan(const struct page *page)
{
    static SPIPlanPtr slots[SORT_COUNT][2][SCOPE_COUNT][2];
    const Oid types[] = {page->scope == SCOPE_AGENT ? TEXTOID : TEXTARRAYOID, INT8OID, INT8OID};
    SPIPlanPtr *slot =
        &slots[page->sort][page->descending][page->scope][page->columns == CALL_LIST_COLUMNS];

    return *slot ? *slot : kept_plan(slot, page_plan_text(page), lengthof(types), types);
}

/* Runs the page's plan: its rows are in SPI_tuptable. */
static void run_page(const struct page *page)
{
    /* The plan adds the two: their sum must be a bigint too. No table is that long. */
    int64 skip = Min(page->skip, PG_INT64_MAX - PG_INT32_MAX);
    const Datum values[] = {page->whose, Int64GetDatum(page->rows), Int64GetDatum(skip)};
    const char nulls[] = {page->scope == SCOPE_ALL ? 'n' : ' ', page->rows < 0 ? 'n' : ' ', ' '};
    run_plan(page_plan(page), values, nulls, true, SPI_OK_SELECT);
}

/*
 * How many calls there are in the page's scope, of which the page shows so many. A page that is not
 * full ends where the calls do; else index entries are counted: the place for rollups.
 */
static int64 count_calls(const struct page *page, int64 shown)
{
    static SPIPlanPtr slots[SCOPE_COUNT];
    static const char *const texts[SCOPE_COUNT] = {
        [SCOPE_AGENT] =
            "SELECT pg_catalog.count(*) FROM frontdesk.calls WHERE agent_id" SQL_EQ "$1",
        [SCOPE_LIST] = "SELECT pg_catalog.count(*) FROM frontdesk.calls"
                       " WHERE agent_id" SQL_EQ "ANY ($1)",
        [SCOPE_ALL] = "SELECT pg_catalog.count(*) FROM frontdesk.calls",
    };
    const Oid types[] = {page->scope == SCOPE_AGENT ? TEXTOID : TEXTARRAYOID};
    const Datum values[] = {page->whose};
    bool null;

    if (shown < page->rows && (shown > 0 || page->skip == 0))
        return page->skip + shown;
    run_plan(kept_plan(&slots[page->scope], texts[page->scope],
                       page->scope == SCOPE_ALL ? 0 : (int)lengthof(types), types),
             values, NULL, true, SPI_OK_SELECT);
    return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

/* A column after those of the call. */
static void append_extra(StringInfo out, uint64 row, int columns, int extra)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
                                call_select_count(columns) + extra, &null);
    json_append_text_datum(out, value, null);
}

/* Appends the call in that row of SPI_tuptable. */
static void append_call(StringInfo out, uint64 row, int columns, bool with_status)
{
    Datum values[CALL_COLUMNS];
    bool nulls[CALL_COLUMNS];

    call_values(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, columns, values, nulls);
    appendStringInfoChar(out, '{');
    call_append_members(out, columns, values, nulls);
    appendStringInfoString(out, ",\"agent\":{\"agent_id\":");
    json_append_text_datum(out, values[1], false);
    appendStringInfoString(out, ",\"agent_name\":");
    append_extra(out, row, columns, EXTRA_AGENT_NAME);
    if (with_status) {
        appendStringInfoString(out, ",\"status\":");
        append_extra(out, row, columns, EXTRA_AGENT_STATUS);
    }
    appendStringInfoString(out, "}}");
}

/* The page as {"calls":[…],"pagination":{…}}. SPI must be connected. */
static void append_page(StringInfo out, const struct page *page)
{
    uint64 shown;

    run_page(page);
    shown = SPI_processed;
    appendStringInfoString(out, "{\"calls\":[");
    for (uint64 i = 0; i < shown; i++) {
        if (i > 0)
            appendStringInfoChar(out, ',');
        append_call(out, i, page->columns, false);
    }
    appendStringInfoString(out, "],");
    json_append_pagination(out, count_calls(page, (int64)shown), page->rows, page->skip,
                           (int64)shown);
    appendStringInfoChar(out, '}');
}

/* Is there such an agent, among those in agent_ids (null: all)? */
static bool agent_is_visible(Datum agent_id, NullableDatum agent_ids)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTARRAYOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "SELECT 1 FROM frontdesk.agents WHERE agent_id" SQL_EQ "$1"
                                " AND ($2 IS NULL OR agent_id" SQL_EQ "ANY ($2))",
                                lengthof(types), types);
    const Datum values[] = {agent_id, agent_ids.value};
    run_plan(plan, values, agent_ids.isnull ? " n" : NULL, true, SPI_OK_SELECT);
    return SPI_processed > 0;
}

Datum frontdesk_call_history(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;
    struct page page = {.scope = SCOPE_AGENT, .columns = CALL_COLUMNS, .rows = -1};

    InitMaterializedSRF(fcinfo, 0);
    page.sort = sort_argument(fcinfo, 1);
    page.descending = order_argument(fcinfo, 2);
    if (!PG_ARGISNULL(3))
        page.rows = PG_GETARG_INT32(3);
    page.skip = page_skip_argument(fcinfo, 4);
    if (!PG_ARGISNULL(3) && page.rows < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("max_rows must not be negative")));
    if (PG_ARGISNULL(0))
        return (Datum)0;
    page.whose = PG_GETARG_DATUM(0);

    connect_spi();
    run_page(&page);
    for (uint64 i = 0; i < SPI_processed; i++) {
        Datum values[CALL_COLUMNS];
        bool nulls[CALL_COLUMNS];
        call_values(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, CALL_COLUMNS, values, nulls);
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
    SPI_finish();
    return (Datum)0;
}

Datum frontdesk_call_history_json(PG_FUNCTION_ARGS)
{
    struct page page = {.scope = SCOPE_AGENT, .columns = CALL_LIST_COLUMNS};
    NullableDatum agent_ids = {PG_ARGISNULL(1) ? (Datum)0 : PG_GETARG_DATUM(1), PG_ARGISNULL(1)};
    StringInfoData out;
    bool visible;

    page.sort = sort_argument(fcinfo, 2);
    page.descending = order_argument(fcinfo, 3);
    page.rows = page_rows_argument(fcinfo, 4);
    page.skip = page_skip_argument(fcinfo, 5);
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    page.whose = PG_GETARG_DATUM(0);

    json_begin(&out);
    connect_spi();
    visible = agent_is_visible(page.whose, agent_ids);
    if (visible)
        append_page(&out, &page);
    SPI_finish();
    if (!visible)
        PG_RETURN_NULL();
    return json_end(&out);
}

Datum frontdesk_calls_json(PG_FUNCTION_ARGS)
{
    struct page page = {.columns = CALL_LIST_COLUMNS};
    StringInfoData out;

    page.scope = PG_ARGISNULL(0) ? SCOPE_ALL : SCOPE_LIST;
    page.whose = PG_ARGISNULL(0) ? (Datum)0 : PG_GETARG_DATUM(0);
    page.sort = sort_argument(fcinfo, 1);
    page.descending = order_argument(fcinfo, 2);
    page.rows = page_rows_argument(fcinfo, 3);
    page.skip = page_skip_argument(fcinfo, 4);

    json_begin(&out);
    connect_spi();
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
        append_call(&out, 0, CALL_COLUMNS, true);
    SPI_finish();
    if (!found)
        PG_RETURN_NULL();
    return json_end(&out);
}
