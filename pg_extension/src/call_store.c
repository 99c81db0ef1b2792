/*
 * A value that a merge leaves alone goes back as it was read: a long one is then a pointer to where
 * it is stored, which PostgreSQL recognises and does not write again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "call_store.h"
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

static const char *column_name(int column)
{
    static const char *const names[] = {"agent_id", "call_id",    "first_sent_ms",
                                        "details",  "provenance", "updated_at"};
    return column < CALL_FIELD_COUNT ? call_fields[column].column
                                     : names[column - CALL_FIELD_COUNT];
}

static Oid column_type(int column)
{
    static const Oid of_kind[] = {[KIND_TEXT] = TEXTOID,
                                  [KIND_INTEGER] = INT8OID,
                                  [KIND_MONEY] = NUMERICOID,
                                  [KIND_BOOL] = BOOLOID,
                                  [KIND_JSON] = JSONBOID};
    static const Oid others[] = {TEXTOID, TEXTOID, INT8OID, JSONBOID, BYTEAOID, TIMESTAMPTZOID};
    return column < CALL_FIELD_COUNT ? of_kind[call_fields[column].kind]
                                     : others[column - CALL_FIELD_COUNT];
}

enum call_plan { PLAN_READ, PLAN_ADD, PLAN_SET, PLAN_COUNT };

/* The text of a plan, generated: three lists of 28 columns by hand would not stay in step. */
static char *call_plan_text(enum call_plan which)
{
    StringInfoData names, values, sets, text;

    initStringInfo(&names);
    initStringInfo(&values);
    initStringInfo(&sets);
    initStringInfo(&text);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const char *comma = i > 0 ? ", " : "";
        appendStringInfo(&names, "%s%s", comma, column_name(i));
        appendStringInfo(&values, "%s$%d", comma, i + 1);
        if (i != COLUMN_AGENT_ID && i != COLUMN_CALL_ID && i != COLUMN_UPDATED_AT)
            appendStringInfo(&sets, "%s = $%d, ", column_name(i), i + 1);
    }
    if (which == PLAN_ADD)
        appendStringInfo(&text, "INSERT INTO frontdesk.calls (%s, created_at) VALUES (%s, $%d)",
                         names.data, values.data, COLUMN_UPDATED_AT + 1);
    else if (which == PLAN_SET)
        appendStringInfo(&text,
                         "UPDATE frontdesk.calls SET %supdated_at = coalesce($%d, updated_at)"
                         " WHERE agent_id" SQL_EQ "$%d AND call_id" SQL_EQ "$%d",
                         sets.data, COLUMN_UPDATED_AT + 1, COLUMN_AGENT_ID + 1, COLUMN_CALL_ID + 1);
    else
        appendStringInfo(&text,
                         "SELECT %s FROM frontdesk.calls"
                         " WHERE agent_id" SQL_EQ "$1 AND call_id" SQL_EQ "$2",
                         names.data);
    return text.data;
}

static SPIPlanPtr call_plan(enum call_plan which)
{
    static SPIPlanPtr slots[PLAN_COUNT];
    static const Oid key_types[] = {TEXTOID, TEXTOID};
    Oid types[COLUMN_COUNT];

    if (slots[which])
        return slots[which];
    for (int i = 0; i < COLUMN_COUNT; i++)
        types[i] = column_type(i);
    return kept_plan(&slots[which], call_plan_text(which),
                     which == PLAN_READ ? (int)lengthof(key_types) : COLUMN_COUNT,
                     which == PLAN_READ ? key_types : types);
}

bool call_store_read(const char *agent_id, const char *call_id, struct call_state *state)
{
    Datum keys[] = {CStringGetTextDatum(agent_id), CStringGetTextDatum(call_id)};
    Datum values[COLUMN_COUNT];
    bool nulls[COLUMN_COUNT];

    call_state_init(state);
    run_plan(call_plan(PLAN_READ), keys, NULL, false, SPI_OK_SELECT);
    if (SPI_processed == 0)
        return false;
    heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, values, nulls);
    memcpy(state->values, values, sizeof(state->values));
    state->first_sent_ms = DatumGetInt64(values[COLUMN_FIRST_SENT_MS]);
    call_state_load(state, values[COLUMN_DETAILS], values[COLUMN_PROVENANCE]);
    return true;
}

void call_store_write(const char *agent_id, const char *call_id, const struct call_state *state,
                      bool exists, bool visible, TimestampTz now)
{
    Datum values[COLUMN_COUNT];
    char nulls[COLUMN_COUNT];

    memset(nulls, ' ', sizeof(nulls));
    memcpy(values, state->values, sizeof(state->values));
    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (!call_state_has(state, i))
            nulls[i] = 'n';
    values[COLUMN_AGENT_ID] = CStringGetTextDatum(agent_id);
    values[COLUMN_CALL_ID] = CStringGetTextDatum(call_id);
    values[COLUMN_FIRST_SENT_MS] = Int64GetDatum(state->first_sent_ms);
    values[COLUMN_DETAILS] = call_state_details(state);
    values[COLUMN_PROVENANCE] = call_state_provenance(state);
    values[COLUMN_UPDATED_AT] = TimestampTzGetDatum(now);
    if (!visible && exists)
        nulls[COLUMN_UPDATED_AT] = 'n';
    run_plan(call_plan(exists ? PLAN_SET : PLAN_ADD), values, nulls, false,
             exists ? SPI_OK_UPDATE : SPI_OK_INSERT);
}
