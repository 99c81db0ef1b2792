/* The table of a call's columns, and the two things done with it: picking values, printing them. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
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

#define NAMED(name) name, ",\"" name "\":", sizeof(",\"" name "\":") - 1

static const struct {
    const char *name;
    const char *label; /* before the value in an object */
    int label_len;
    enum print print;
    bool computed; /* not a column of calls: see call_values() */
} columns_of_call[CALL_COLUMNS] = {
    [CALL_COLUMN_ID] = {NAMED("id"), PRINT_UUID, false},
    [CALL_COLUMN_AGENT_ID] = {NAMED("agent_id"), PRINT_TEXT, false},
    [CALL_COLUMN_CALL_ID] = {NAMED("call_id"), PRINT_TEXT, false},
    [CALL_COLUMN_CALLER_INFO] = {NAMED("caller_info"), PRINT_TEXT, true},
    [CALL_COLUMN_START_TIMESTAMP] = {NAMED("start_timestamp"), PRINT_INTEGER, false},
    [CALL_COLUMN_END_TIMESTAMP] = {NAMED("end_timestamp"), PRINT_INTEGER, false},
    [CALL_COLUMN_DURATION_MS] = {NAMED("duration_ms"), PRINT_INTEGER, false},
    [CALL_COLUMN_DURATION_SECONDS] = {NAMED("duration_seconds"), PRINT_INTEGER, true},
    [CALL_COLUMN_TRANSCRIPT] = {NAMED("transcript"), PRINT_TEXT, false},
    [CALL_COLUMN_CALL_STATUS] = {NAMED("call_status"), PRINT_TEXT, false},
    [CALL_COLUMN_DISCONNECTION_REASON] = {NAMED("disconnection_reason"), PRINT_TEXT, false},
    [CALL_COLUMN_COST] = {NAMED("cost"), PRINT_NUMERIC, false},
    [CALL_COLUMN_CALL_SUMMARY] = {NAMED("call_summary"), PRINT_TEXT, false},
    [CALL_COLUMN_USER_SENTIMENT] = {NAMED("user_sentiment"), PRINT_TEXT, false},
    [CALL_COLUMN_CALL_SUCCESSFUL] = {NAMED("call_successful"), PRINT_BOOL, false},
    [CALL_COLUMN_RECORDING_URL] = {NAMED("recording_url"), PRINT_TEXT, false},
    [CALL_COLUMN_CALL_TYPE] = {NAMED("call_type"), PRINT_TEXT, false},
    [CALL_COLUMN_DIRECTION] = {NAMED("direction"), PRINT_TEXT, false},
    [CALL_COLUMN_FROM_NUMBER] = {NAMED("from_number"), PRINT_TEXT, false},
    [CALL_COLUMN_TO_NUMBER] = {NAMED("to_number"), PRINT_TEXT, false},
    [CALL_COLUMN_CREATED_AT] = {NAMED("created_at"), PRINT_TIME, false},
    [CALL_COLUMN_UPDATED_AT] = {NAMED("updated_at"), PRINT_TIME, false},
    [CALL_COLUMN_AGENT_VERSION] = {NAMED("agent_version"), PRINT_INTEGER, false},
    [CALL_COLUMN_IN_VOICEMAIL] = {NAMED("in_voicemail"), PRINT_BOOL, false},
    [CALL_COLUMN_TRANSFER_DESTINATION] = {NAMED("transfer_destination"), PRINT_TEXT, false},
    [CALL_COLUMN_CUSTOM_ANALYSIS] = {NAMED("custom_analysis"), PRINT_JSON, false},
    [CALL_COLUMN_METADATA] = {NAMED("metadata"), PRINT_JSON, false},
    [CALL_COLUMN_TRANSCRIPT_OBJECT] = {NAMED("transcript_object"), PRINT_JSON_TEXT, false},
    [CALL_COLUMN_LATENCY] = {NAMED("latency"), PRINT_JSON, false},
    [CALL_COLUMN_DETAILS] = {NAMED("details"), PRINT_JSON, false},
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
    bool known = !nulls[CALL_COLUMN_DIRECTION];
    bool inbound = text_is(values[CALL_COLUMN_DIRECTION], !known, "inbound");
    bool outbound = text_is(values[CALL_COLUMN_DIRECTION], !known, "outbound");
    int number = inbound ? CALL_COLUMN_FROM_NUMBER : CALL_COLUMN_TO_NUMBER;
    values[CALL_COLUMN_CALLER_INFO] = values[number];
    nulls[CALL_COLUMN_CALLER_INFO] = nulls[number] || !(inbound || outbound);
}

void call_values(HeapTuple row, TupleDesc desc, int columns, Datum *values, bool *nulls)
{
    Datum selected[CALL_COLUMNS + 2];
    bool missing[CALL_COLUMNS + 2];

    Assert(desc->natts <= (int)lengthof(selected));
    heap_deform_tuple(row, desc, selected, missing);
    call_values_selected(selected, missing, columns, values, nulls);
}

void call_values_selected(const Datum *selected, const bool *missing, int columns, Datum *values,
                          bool *nulls)
{
    int next = 0;

    for (int i = 0; i < columns; i++) {
        if (columns_of_call[i].computed)
            continue;
        values[i] = selected[next];
        nulls[i] = missing[next++];
    }
    compute_caller(values, nulls);
    nulls[CALL_COLUMN_DURATION_SECONDS] = nulls[CALL_COLUMN_DURATION_MS];
    values[CALL_COLUMN_DURATION_SECONDS] =
        nulls[CALL_COLUMN_DURATION_MS]
            ? (Datum)0
            : Int64GetDatum((DatumGetInt64(values[CALL_COLUMN_DURATION_MS]) + 500) / 1000);
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

void call_append_members(StringInfo out, int columns, uint64 fields, const Datum *values,
                         const bool *nulls)
{
    for (int i = 0; i < columns; i++) {
        if (!(fields & CALL_FIELD(i)))
            continue;
        appendBinaryStringInfo(out, columns_of_call[i].label, columns_of_call[i].label_len);
        append_value(out, columns_of_call[i].print, values[i], nulls[i]);
    }
}

uint64 call_fields_named(Datum names)
{
    Datum *list;
    bool *nulls;
    int count;
    uint64 fields = 0;

    deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &list, &nulls,
                      &count);
    for (int i = 0; i < count; i++) {
        const char *name = nulls[i] ? "" : TextDatumGetCString(list[i]);
        int column = 0;
        while (column < CALL_LIST_COLUMNS && strcmp(name, columns_of_call[column].name) != 0)
            column++;
        if (column == CALL_LIST_COLUMNS && strcmp(name, "agent") != 0)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown field \"%s\"", name),
                     errhint("Use the members of a call as lists show it.")));
        fields |= column == CALL_LIST_COLUMNS ? CALL_FIELD_AGENT : CALL_FIELD(column);
    }
    return fields;
}
