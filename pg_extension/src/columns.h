/*
 * Rows for a statement's parameters: one array a column, so that one statement takes a whole batch,
 * in the order of the rows, as ROWS FROM (unnest($1), unnest($2), …). Memory comes from the current
 * context. And the columns of the rows that a trigger is given.
 */
#ifndef FRONTDESK_COLUMNS_H
#define FRONTDESK_COLUMNS_H

#include "access/tupdesc.h"

/* One column of `rows` values. */
struct column {
    Datum *values;
    bool *nulls;
    int rows;
};

/* A column of so many rows, all of them null. */
extern struct column column_make(int rows);

extern void column_set(struct column *column, int row, Datum value);
extern void column_set_text(struct column *column, int row, const char *value);

/* The finished array. The values are copied into it. */
extern Datum column_array(const struct column *column, Oid element_type);

/*
 * The number of the column of that name in a trigger's table, whatever that is: raises 42703 when
 * there is none, and 42804 when its values are not stored as those of `type` are. `guess` is looked
 * at first: where it was the last time, or 0.
 */
extern AttrNumber column_number(TupleDesc descriptor, const char *name, Oid type, AttrNumber guess);

/* Raises 23502 when a value that a trigger needs is null; `name` is its column's. */
extern void column_check(bool null, const char *name);

#endif
