/* The table of a call's columns, and the two things done with it: picking values, printing them. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "call_json.h"
#include "compat.h"
#include "json_build.h"

enum print {
    PRINT_BOOL,
    PRINT_INTEGER,
    PRINT_JSON,
    PRINT_JSON_TEXT,
    PRINT_NUMERIC,
    PRINT_TEXT,
    PRINT_TIME,
    PRINT_UUID
};

/* The order is the API's; the list's columns come first. Function call_history() has the same. */
enum column {
    COLUMN_ID,
    COLUMN_AGENT_ID,
    COLUMN_CALL_ID,
    COLUMN_CALLER_INFO,
    COLUMN_START_TIMESTAMP,
    COLUMN_END_TIMESTAMP,
    COLUMN_DURATION_MS,
    COLUMN_DURATION_SECONDS,
    COLUMN_TRANSCRIPT,
    COLUMN_CALL_STATUS,
    COLUMN_DISCONNECTION_REASON,
    COLUMN_COST,
    COLUMN_CALL_SUMMARY,
    COLUMN_USER_SENTIMENT,
    COLUMN_CALL_SUCCESSFUL,
    COLUMN_RECORDING_URL,
    COLUMN_CALL_TYPE,
    COLUMN_DIRECTION,
    COLUMN_FROM_NUMBER,
    COLUMN_TO_NUMBER,
    COLUMN_CREATED_AT,
    COLUMN_UPDATED_AT,
    COLUMN_AGENT_VERSION,
    COLUMN_IN_VOICEMAIL,
    COLUMN_TRANSFER_DESTINATION,
    COLUMN_CUSTOM_ANALYSIS,
    COLUMN_METADATA,
    COLUMN_TRANSCRIPT_OBJECT,
    COLUMN_LATENCY,
    COLUMN_DETAILS,
    COLUMN_COUNT
};

StaticAssertDecl(COLUMN_COUNT == CALL_COLUMNS, "call_json.h must count the columns");
StaticAssertDecl(COLUMN_UPDATED_AT + 1 == CALL_LIST_COLUMNS, "lists end with updated_at");

static const struct {
    const char *name;
    enum print print;
    bool computed; /* not a column of calls: see call_values() */
} columns_of_call[COLUMN_COUNT] = {
    [COLUMN_ID] = {"id", PRINT_UUID, false},
    [COLUMN_AGENT_ID] = {"agent_id", PRINT_TEXT, false},
    [COLUMN_CALL_ID] = {"call_id", PRINT_TEXT, false},
    [COLUMN_CALLER_INFO] = {"caller_info", PRINT_TEXT, true},
    [COLUMN_START_TIMESTAMP] = {"start_timestamp", PRINT_INTEGER, false},
    [COLUMN_END_TIMESTAMP] = {"end_timestamp", PRINT_INTEGER, false},
    [COLUMN_DURATION_MS] = {"duration_ms", PRINT_INTEGER, false},
    [COLUMN_DURATION_SECONDS] = {"duration_seconds", PRINT_INTEGER, true},
    [COLUMN_TRANSCRIPT] = {"transcript", PRINT_TEXT, false},
    [COLUMN_CALL_STATUS] = {"call_status", PRINT_TEXT, false},
    [COLUMN_DISCONNECTION_REASON] = {"disconnection_reason", PRINT_TEXT, false},
    [COLUMN_COST] = {"cost", PRINT_NUMERIC, false},
    [COLUMN_CALL_SUMMARY] = {"call_summary", PRINT_TEXT, false},
    [COLUMN_USER_SENTIMENT] = {"user_sentiment", PRINT_TEXT, false},
    [COLUMN_CALL_SUCCESSFUL] = {"call_successful", PRINT_BOOL, false},
    [COLUMN_RECORDING_URL] = {"recording_url", PRINT_TEXT, false},
    [COLUMN_CALL_TYPE] = {"call_type", PRINT_TEXT, false},
    [COLUMN_DIRECTION] = {"direction", PRINT_TEXT, false},
    [COLUMN_FROM_NUMBER] = {"from_number", PRINT_TEXT, false},
    [COLUMN_TO_NUMBER] = {"to_number", PRINT_TEXT, false},
    [COLUMN_CREATED_AT] = {"created_at", PRINT_TIME, false},
    [COLUMN_UPDATED_AT] = {"updated_at", PRINT_TIME, false},
    [COLUMN_AGENT_VERSION] = {"agent_version", PRINT_INTEGER, false},
    [COLUMN_IN_VOICEMAIL] = {"in_voicemail", PRINT_BOOL, false},
    [COLUMN_TRANSFER_DESTINATION] = {"transfer_destination", PRINT_TEXT, false},
    [COLUMN_CUSTOM_ANALYSIS] = {"custom_analysis", PRINT_JSON, false},
    [COLUMN_METADATA] = {"metadata", PRINT_JSON, false},
    [COLUMN_TRANSCRIPT_OBJECT] = {"transcript_object", PRINT_JSON_TEXT, false},
    [COLUMN_LATENCY] = {"latency", PRINT_JSON, false},
    [COLUMN_DETAILS] = {"details", PRINT_JSON, false},
};

int call_select_count(int columns)
{
    int count = 0;
    for (int i = 0; i < columns; i++)
        count += !columns_of_call[i].computed;
    return count;
}

void call_select_list(StringInfo out, int columns)
{
    for (int i = 0; i < columns; i++)
        if (!columns_of_call[i].computed)
            appendStringInfo(out, "%sc.%s", i > 0 ? ", " : "", columns_of_call[i].name);
}

static bool text_is(Datum value, bool null, const char *wanted)
{
    if (null)
        return false;
    const text *plain = DatumGetTextPP(value);
    size_t len = VARSIZE_ANY_EXHDR(plain);
    return len == strlen(wanted) && memcmp(VARDATA_ANY(plain), wanted, len) == 0;
}

/* The number at the human's end of the line: who called, or who was called. Web calls have none. */
static void compute_caller(Datum *values, bool *nulls)
{
    bool known = !nulls[COLUMN_DIRECTION];
    bool inbound = text_is(values[COLUMN_DIRECTION], !known, "inbound");
    bool outbound = text_is(values[COLUMN_DIRECTION], !known, "outbound");
    int number = inbound ? COLUMN_FROM_NUMBER : COLUMN_TO_NUMBER;
    values[COLUMN_CALLER_INFO] = values[number];
    nulls[COLUMN_CALLER_INFO] = nulls[number] || !(inbound || outbound);
}

void call_values(HeapTuple row, TupleDesc desc, int columns, Datum *values, bool *nulls)
{
    Datum selected[CALL_COLUMNS + 2];
    bool missing[CALL_COLUMNS + 2];
    int next = 0;

    Assert(desc->natts <= (int)lengthof(selected));
    heap_deform_tuple(row, desc, selected, missing);
    for (int i = 0; i < columns; i++) {
        if (columns_of_call[i].computed)
            continue;
        values[i] = selected[next];
        nulls[i] = missing[next++];
    }
    compute_caller(values, nulls);
    nulls[COLUMN_DURATION_SECONDS] = nulls[COLUMN_DURATION_MS];
    values[COLUMN_DURATION_SECONDS] =
        nulls[COLUMN_DURATION_MS]
            ? (Datum)0
            : Int64GetDatum((DatumGetInt64(values[COLUMN_DURATION_MS]) + 500) / 1000);
}

static void append_value(StringInfo out, enum print print, Datum value, bool null)
{
    switch (print) {
    case PRINT_TEXT:
        json_append_text_datum(out, value, null);
        return;
    case PRINT_JSON:
        json_append_jsonb_datum(out, value, null);
        return;
    case PRINT_JSON_TEXT:
        json_append_json_datum(out, value, null);
        return;
    case PRINT_NUMERIC:
        json_append_numeric_datum(out, value, null);
        return;
    case PRINT_UUID:
        json_append_uuid_datum(out, value, null);
        return;
    case PRINT_BOOL:
    case PRINT_INTEGER:
    case PRINT_TIME:
        break;
    }
    if (null)
        appendStringInfoString(out, "null");
    else if (print == PRINT_BOOL)
        json_append_bool(out, DatumGetBool(value));
    else if (print == PRINT_TIME)
        json_append_time(out, DatumGetTimestampTz(value));
    else
        json_append_integer(out, DatumGetInt64(value));
}

void call_append_members(StringInfo out, int columns, const Datum *values, const bool *nulls)
{
    for (int i = 0; i < columns; i++) {
        appendStringInfoString(out, i > 0 ? ",\"" : "\"");
        appendStringInfoString(out, columns_of_call[i].name);
        appendStringInfoString(out, "\":");
        append_value(out, columns_of_call[i].print, values[i], nulls[i]);
    }
}
