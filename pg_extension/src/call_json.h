/*
 * A call as the API and the analysts see it: which columns, in which order, printed how. One table
 * serves the rows of call_history() and the objects of its json twins.
 */
#ifndef FRONTDESK_CALL_JSON_H
#define FRONTDESK_CALL_JSON_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "lib/stringinfo.h"

/* The order is the API's; the list's columns come first. Function call_history() has the same. */
enum call_column {
    CALL_COLUMN_ID,
    CALL_COLUMN_AGENT_ID,
    CALL_COLUMN_CALL_ID,
    CALL_COLUMN_CALLER_INFO,
    CALL_COLUMN_START_TIMESTAMP,
    CALL_COLUMN_END_TIMESTAMP,
    CALL_COLUMN_DURATION_MS,
    CALL_COLUMN_DURATION_SECONDS,
    CALL_COLUMN_TRANSCRIPT,
    CALL_COLUMN_CALL_STATUS,
    CALL_COLUMN_DISCONNECTION_REASON,
    CALL_COLUMN_COST,
    CALL_COLUMN_CALL_SUMMARY,
    CALL_COLUMN_USER_SENTIMENT,
    CALL_COLUMN_CALL_SUCCESSFUL,
    CALL_COLUMN_RECORDING_URL,
    CALL_COLUMN_CALL_TYPE,
    CALL_COLUMN_DIRECTION,
    CALL_COLUMN_FROM_NUMBER,
    CALL_COLUMN_TO_NUMBER,
    CALL_COLUMN_CREATED_AT,
    CALL_COLUMN_UPDATED_AT,
    CALL_LIST_COLUMNS, /* the columns of a call in lists; the others belong to a single call */
    CALL_COLUMN_AGENT_VERSION = CALL_LIST_COLUMNS,
    CALL_COLUMN_IN_VOICEMAIL,
    CALL_COLUMN_TRANSFER_DESTINATION,
    CALL_COLUMN_CUSTOM_ANALYSIS,
    CALL_COLUMN_METADATA,
    CALL_COLUMN_TRANSCRIPT_OBJECT,
    CALL_COLUMN_LATENCY,
    CALL_COLUMN_DETAILS,
    CALL_COLUMNS
};

/* The number of columns that call_select_list() names for so many columns of a call. */
extern int call_select_count(int columns);

/*
 * Appends the select list of the first `columns` columns, each from the table alias `c`. What is
 * computed has no column there; it is made by call_values().
 */
extern void call_select_list(StringInfo out, int columns);

/*
 * The values of the first `columns` columns, from a row of the select list (more may follow it).
 * They point into the row.
 */
extern void call_values(HeapTuple row, TupleDesc desc, int columns, Datum *values, bool *nulls);

/* The same of a row that is taken apart already. */
extern void call_values_selected(const Datum *selected, const bool *missing, int columns,
                                 Datum *values, bool *nulls);

/* A set of fields to show: one bit a column, and one for the agent as an object of its own. */
#define CALL_FIELD(column) (UINT64CONST(1) << (column))
#define CALL_FIELD_AGENT CALL_FIELD(CALL_COLUMNS)
#define CALL_FIELDS_ALL PG_UINT64_MAX

/* The fields of lists that a text[] names; 22023 if there is no such field. */
extern uint64 call_fields_named(Datum names);

/* Appends the members of a call that are among the fields, each after a comma. */
extern void call_append_members(StringInfo out, int columns, uint64 fields, const Datum *values,
                                const bool *nulls);

#endif
