/*
 * Rows for a statement's parameters: one array a column, so that one statement takes a whole batch,
 * in the order of the rows, as ROWS FROM (unnest($1), unnest($2), …). Memory comes from the current
 * context.
 */
#ifndef FRONTDESK_COLUMNS_H
#define FRONTDESK_COLUMNS_H

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

#endif
