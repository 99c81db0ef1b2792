/* See columns.h. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "columns.h"

struct column column_make(int rows)
{
    struct column column = {palloc(sizeof(Datum) * (size_t)Max(rows, 1)),
                            palloc(sizeof(bool) * (size_t)Max(rows, 1)), rows};
    memset(column.nulls, true, sizeof(bool) * (size_t)rows);
    return column;
}

void column_set(struct column *column, int row, Datum value)
{
    column->values[row] = value;
    column->nulls[row] = false;
}

void column_set_text(struct column *column, int row, const char *value)
{
    column_set(column, row, CStringGetTextDatum(value));
}

Datum column_array(const struct column *column, Oid element_type)
{
    int lower = 1, rows = column->rows;
    int16 length;
    bool by_value;
    char align;

    get_typlenbyvalalign(element_type, &length, &by_value, &align);
    return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &rows, &lower,
                                              element_type, length, by_value, align));
}
