/*
 * A call as the API and the analysts see it: which columns, in which order, printed how. One table
 * serves the rows of call_history() and the objects of its json twins.
 */
#ifndef FRONTDESK_CALL_JSON_H
#define FRONTDESK_CALL_JSON_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "lib/stringinfo.h"

/* Columns of a call in lists; the others belong to a single call, and to call_history(). */
#define CALL_LIST_COLUMNS 22
#define CALL_COLUMNS 30

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

/* Appends the members of a call, without braces. */
extern void call_append_members(StringInfo out, int columns, const Datum *values,
                                const bool *nulls);

#endif
