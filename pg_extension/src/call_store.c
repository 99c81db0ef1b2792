/*
 * Calls are added and set by one statement, an upsert: it finds each row by its key whatever the
 * planner knows of the table, and its triggers see a whole batch at once.
 *
 * A value that a merge leaves alone is not given to it: null stands for "as it is", since a merge
 * never takes a value away. What is stored out of line then stays where it is and is not written
 * again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "call_store.h"
#include "columns.h"
#include "compat.h"
#include "kept_plan.h"

/* Columns of calls in the plans below: the fields, then these. */
enum {
    COLUMN_AGENT_ID = CALL_FIELD_COUNT,
    COLUMN_CALL_ID,
    COLUMN_FIRST_SENT_MS,
    COLUMN_DETAILS,
    COLUMN_PROVENANCE,
    COLUMN_UPDATED_AT,
    COLUMN_COUNT
};

struct column_type {
    Oid element, array;
};

static const char *column_name(int column)
{
    static const char *const names[] = {"agent_id", "call_id",    "first_sent_ms",
                                        "details",  "provenance", "updated_at"};
    return column < CALL_FIELD_COUNT ? call_fields[column].column
                                     : names[column - CALL_FIELD_COUNT];
}

static struct column_type column_type(int column)
{
    static const struct column_type of_kind[] = {
        [KIND_TEXT] = {TEXTOID, TEXTARRAYOID},        [KIND_INTEGER] = {INT8OID, INT8ARRAYOID},
        [KIND_MONEY] = {NUMERICOID, NUMERICARRAYOID}, [KIND_BOOL] = {BOOLOID, BOOLARRAYOID},
        [KIND_JSON] = {JSONBOID, JSONBARRAYOID},      [KIND_JSON_TEXT] = {JSONOID, JSONARRAYOID}};
    static const struct column_type others[] = {
        {TEXTOID, TEXTARRAYOID},   {TEXTOID, TEXTARRAYOID},
        {INT8OID, INT8ARRAYOID},   {JSONBOID, JSONBARRAYOID},
        {BYTEAOID, BYTEAARRAYOID}, {TIMESTAMPTZOID, TIMESTAMPTZARRAYOID}};
    return column < CALL_FIELD_COUNT ? of_kind[call_fields[column].kind]
                                     : others[column - CALL_FIELD_COUNT];
}

/* How a column of a stored call is set, after its name and the sign of equality. */
static void append_set(StringInfo out, int column)
{
    const char *name = column_name(column);
    if (column == COLUMN_DETAILS) /* it is never null: an empty one says nothing new */
        appendStringInfo(out,
                         "CASE WHEN excluded.%s" SQL_EQ "'{}' THEN stored.%s ELSE excluded.%s END",
                         name, name, name);
    else if (column == COLUMN_UPDATED_AT)
        appendStringInfo(out, "greatest(excluded.%s, stored.%s)", name, name);
    else if (column == COLUMN_FIRST_SENT_MS || column == COLUMN_PROVENANCE)
        appendStringInfo(out, "excluded.%s", name);
    else
        appendStringInfo(out, "coalesce(excluded.%s, stored.%s)", name, name);
}

/* The text of the upsert, generated: four lists of 28 columns by hand would not stay in step. */
static char *write_plan_text(void)
{
    StringInfoData names, unnests, sets, text;

    initStringInfo(&names);
    initStringInfo(&unnests);
    initStringInfo(&sets);
    initStringInfo(&text);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const char *comma = i > 0 ? ", " : "";
        appendStringInfo(&names, "%s%s", comma, column_name(i));
        appendStringInfo(&unnests, "%spg_catalog.unnest($%d)", comma, i + 1);
        if (i == COLUMN_AGENT_ID || i == COLUMN_CALL_ID)
            continue;
        appendStringInfo(&sets, "%s%s = ", comma, column_name(i));
        append_set(&sets, i);
    }
    appendStringInfo(&text,
                     "INSERT INTO frontdesk.calls AS stored (%s, created_at)"
                     " SELECT k.*, $%d FROM ROWS FROM (%s) AS k (%s)"
                     " ON CONFLICT (agent_id, call_id) DO UPDATE SET %s",
                     names.data, COLUMN_COUNT + 1, unnests.data, names.data, sets.data);
    return text.data;
}

static SPIPlanPtr write_plan(void)
{
    static SPIPlanPtr slot;
    Oid types[COLUMN_COUNT + 1];

    if (slot)
        return slot;
    for (int i = 0; i < COLUMN_COUNT; i++)
        types[i] = column_type(i).array;
    types[COLUMN_COUNT] = TIMESTAMPTZOID;
    return kept_plan(&slot, write_plan_text(), lengthof(types), types);
}

/*
 * A lookup by key, one index scan a row; `lock`ed, nobody else merges into these calls meanwhile.
 */
static SPIPlanPtr read_plan(bool lock)
{
    static SPIPlanPtr slots[2];
    static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
    StringInfoData text;

    if (slots[lock])
        return slots[lock];
    initStringInfo(&text);
    appendStringInfoString(&text, "SELECT found.*, k.row FROM ROWS FROM (pg_catalog.unnest($1),"
                                  " pg_catalog.unnest($2)) WITH ORDINALITY"
                                  " AS k (agent_id, call_id, row), LATERAL (SELECT ");
    for (int i = 0; i < COLUMN_COUNT; i++)
        appendStringInfo(&text, "%sc.%s", i > 0 ? ", " : "", column_name(i));
    appendStringInfo(&text,
                     " FROM frontdesk.calls AS c WHERE c.agent_id" SQL_EQ "k.agent_id"
                     " AND c.call_id" SQL_EQ "k.call_id LIMIT 1%s) AS found",
                     lock ? " FOR UPDATE" : "");
    return kept_plan(&slots[lock], text.data, lengthof(types), types);
}

static void take_row(struct call_row *row, const Datum *values, const bool *nulls)
{
    struct call_state *state = &row->state;

    row->exists = true;
    state->first_sent_ms = DatumGetInt64(values[COLUMN_FIRST_SENT_MS]);
    call_state_load(state, values, nulls, values[COLUMN_DETAILS], values[COLUMN_PROVENANCE]);
}

void call_store_read(struct call_row **rows, int count, bool lock)
{
    struct column agent_ids = column_make(count), call_ids = column_make(count);

    for (int i = 0; i < count; i++) {
        rows[i]->exists = false;
        call_state_init(&rows[i]->state);
        column_set_text(&agent_ids, i, rows[i]->agent_id);
        column_set_text(&call_ids, i, rows[i]->call_id);
    }
    Datum keys[] = {column_array(&agent_ids, TEXTOID), column_array(&call_ids, TEXTOID)};
    run_plan(read_plan(lock), keys, NULL, false, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++) {
        Datum values[COLUMN_COUNT + 1];
        bool nulls[COLUMN_COUNT + 1];
        heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
        int64 row = DatumGetInt64(values[COLUMN_COUNT]);
        if (row < 1 || row > count)
            elog(ERROR, "unexpected row number");
        take_row(rows[row - 1], values, nulls);
    }
}

static void set_row(struct column *columns, int row, const struct call_row *from, TimestampTz now)
{
    const struct call_state *state = &from->state;

    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (state->replaced[i])
            column_set(&columns[i], row, state->values[i]);
    column_set_text(&columns[COLUMN_AGENT_ID], row, from->agent_id);
    column_set_text(&columns[COLUMN_CALL_ID], row, from->call_id);
    column_set(&columns[COLUMN_FIRST_SENT_MS], row, Int64GetDatum(state->first_sent_ms));
    column_set(&columns[COLUMN_DETAILS], row, call_state_details(state));
    column_set(&columns[COLUMN_PROVENANCE], row, call_state_provenance(state));
    column_set(&columns[COLUMN_UPDATED_AT], row,
               TimestampTzGetDatum(from->visible || !from->exists ? now : DT_NOBEGIN));
}

void call_store_write(struct call_row **rows, int count, TimestampTz now)
{
    struct column columns[COLUMN_COUNT];
    Datum values[COLUMN_COUNT + 1];

    for (int i = 0; i < COLUMN_COUNT; i++)
        columns[i] = column_make(count);
    for (int i = 0; i < count; i++)
        set_row(columns, i, rows[i], now);
    for (int i = 0; i < COLUMN_COUNT; i++)
        values[i] = column_array(&columns[i], column_type(i).element);
    values[COLUMN_COUNT] = TimestampTzGetDatum(now);
    run_plan(write_plan(), values, NULL, false, SPI_OK_INSERT);
}
