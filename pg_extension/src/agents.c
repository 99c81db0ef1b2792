/*
 * Agents, one and in pages. The table is small: it is read whole; how many calls those on the page
 * have, the rollups know.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "epoch.h"
#include "json_build.h"
#include "kept_plan.h"
#include "page.h"
#include "rollup.h"

#define COLUMNS "a.id, a.agent_id, a.agent_name, a.status, a.created_at, a.updated_at"

/* Agents that the caller may see, of a status, with a text in their name or id; null: any. */
#define FILTERED                                                                                   \
    " FROM frontdesk.agents AS a WHERE ($1 IS NULL OR a.agent_id" SQL_EQ "ANY ($1))"               \
    " AND ($2 IS NULL OR a.status" SQL_EQ "$2)"                                                    \
    " AND ($3 IS NULL"                                                                             \
    " OR pg_catalog.strpos(pg_catalog.lower(a.agent_name), pg_catalog.lower($3))"                  \
    " OPERATOR(pg_catalog.>) 0"                                                                    \
    " OR pg_catalog.strpos(pg_catalog.lower(a.agent_id), pg_catalog.lower($3))"                    \
    " OPERATOR(pg_catalog.>) 0)"

/* The columns that every statement here begins with; lists have one more. */
enum { AGENT_ID, AGENT_AGENT_ID, AGENT_NAME, AGENT_STATUS, AGENT_CREATED, AGENT_UPDATED };
enum { AGENT_LAST_CALL = AGENT_UPDATED + 1, LIST_COLUMNS };

PG_FUNCTION_INFO_V1(frontdesk_agent_json);
PG_FUNCTION_INFO_V1(frontdesk_agents_json);

/* Appends the agent in that row of SPI_tuptable. */
static void append_agent(StringInfo out, uint64 row, bool in_list)
{
    Datum values[LIST_COLUMNS];
    bool nulls[LIST_COLUMNS];

    heap_deform_tuple(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, values, nulls);
    appendStringInfoString(out, "{\"id\":");
    json_append_uuid_datum(out, values[AGENT_ID], false);
    appendStringInfoString(out, ",\"agent_id\":");
    json_append_text_datum(out, values[AGENT_AGENT_ID], false);
    appendStringInfoString(out, ",\"agent_name\":");
    json_append_text_datum(out, values[AGENT_NAME], false);
    appendStringInfoString(out, ",\"status\":");
    json_append_text_datum(out, values[AGENT_STATUS], false);
    appendStringInfoString(out, ",\"created_at\":");
    json_append_time(out, DatumGetTimestampTz(values[AGENT_CREATED]));
    appendStringInfoString(out, ",\"updated_at\":");
    json_append_time(out, DatumGetTimestampTz(values[AGENT_UPDATED]));
    if (in_list) {
        appendStringInfoString(out, ",\"_count\":{\"calls\":");
        json_append_integer(out, rollup_count(values[AGENT_AGENT_ID], ROLLUP_FIRST, ROLLUP_END));
        appendStringInfoString(out, "},\"last_call_at\":");
        if (nulls[AGENT_LAST_CALL])
            appendStringInfoString(out, "null");
        else
            json_append_time(out, epoch_time_of_ms(DatumGetInt64(values[AGENT_LAST_CALL])));
    }
    appendStringInfoChar(out, '}');
}

Datum frontdesk_agent_json(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTARRAYOID};
    StringInfoData out;
    Datum values[2];
    SPIPlanPtr plan;
    bool found;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    values[0] = PG_GETARG_DATUM(0);
    values[1] = PG_ARGISNULL(1) ? (Datum)0 : PG_GETARG_DATUM(1);

    json_begin(&out);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    plan = kept_plan(&slot,
                     "SELECT " COLUMNS " FROM frontdesk.agents AS a WHERE a.agent_id" SQL_EQ "$1"
                     " AND ($2 IS NULL OR a.agent_id" SQL_EQ "ANY ($2))",
                     lengthof(types), types);
    run_plan(plan, values, PG_ARGISNULL(1) ? " n" : NULL, true, SPI_OK_SELECT);
    found = SPI_processed > 0;
    if (found)
        append_agent(&out, 0, false);
    SPI_finish();
    if (!found)
        PG_RETURN_NULL();
    return json_end(&out);
}

/* Appends {"agents":[…],"pagination":{…}}. `values`: the three filters, then rows and skip. */
static void append_agents(StringInfo out, const Datum *values, const char *nulls)
{
    static SPIPlanPtr page_slot, count_slot;
    static const Oid types[] = {TEXTARRAYOID, TEXTOID, TEXTOID, INT8OID, INT8OID};
    static const char text[] =
        "SELECT " COLUMNS ", l.started_at"
        " FROM (SELECT a.*" FILTERED
        " ORDER BY a.created_at DESC, a.agent_id LIMIT $4 OFFSET $5) AS a"
        " LEFT JOIN LATERAL (SELECT c.started_at FROM frontdesk.calls AS c"
        " WHERE c.agent_id" SQL_EQ "a.agent_id ORDER BY c.started_at DESC LIMIT 1) AS l ON true"
        " ORDER BY a.created_at DESC, a.agent_id";
    uint64 shown;
    bool null;
    Datum total;

    run_plan(kept_plan(&page_slot, text, lengthof(types), types), values, nulls, true,
             SPI_OK_SELECT);
    shown = SPI_processed;
    appendStringInfoString(out, "{\"agents\":[");
    for (uint64 i = 0; i < shown; i++) {
        if (i > 0)
            appendStringInfoChar(out, ',');
        append_agent(out, i, true);
    }
    run_plan(kept_plan(&count_slot, "SELECT pg_catalog.count(*)" FILTERED, 3, types), values, nulls,
             true, SPI_OK_SELECT);
    total = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    appendStringInfoString(out, "],");
    json_append_pagination(
        out, DatumGetInt64(total), DatumGetInt64(values[3]), DatumGetInt64(values[4]),
        shown > 0 && DatumGetInt64(total) - (int64)shown > DatumGetInt64(values[4]));
    appendStringInfoString(out, "}}");
}

Datum frontdesk_agents_json(PG_FUNCTION_ARGS)
{
    Datum values[5];
    char nulls[6] = "     ";
    StringInfoData out;

    for (int i = 0; i < 3; i++) {
        values[i] = PG_ARGISNULL(i) ? (Datum)0 : PG_GETARG_DATUM(i);
        if (PG_ARGISNULL(i))
            nulls[i] = 'n';
    }
    if (!PG_ARGISNULL(1)) {
        const char *status = text_to_cstring(PG_GETARG_TEXT_PP(1));
        if (strcmp(status, "ACTIVE") != 0 && strcmp(status, "INACTIVE") != 0)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                     errmsg("unknown status \"%s\"", status), errhint("Use ACTIVE or INACTIVE.")));
    }
    values[3] = Int64GetDatum(page_rows_argument(fcinfo, 3));
    values[4] = Int64GetDatum(page_skip_argument(fcinfo, 4));

    json_begin(&out);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    append_agents(&out, values, nulls);
    SPI_finish();
    return json_end(&out);
}
