/* See columns.h. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
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

static bool is_named(TupleDesc descriptor, AttrNumber at, const char *name)
{
    return at > 0 && at <= descriptor->natts && !TupleDescAttr(descriptor, at - 1)->attisdropped &&
           strcmp(NameStr(TupleDescAttr(descriptor, at - 1)->attname), name) == 0;
}

AttrNumber column_number(TupleDesc descriptor, const char *name, Oid type, AttrNumber guess)
{
    AttrNumber at = is_named(descriptor, guess, name) ? guess : descriptor->natts;
    Oid found;

    while (at > 0 && !is_named(descriptor, at, name))
        at--;
    if (at == 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("the table has no column \"%s\"", name)));
    found = TupleDescAttr(descriptor, at - 1)->atttypid;
    if (found != type && !IsBinaryCoercible(found, type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" is of type %s and not %s", name,
                               format_type_be(found), format_type_be(type))));
    return at;
}

void column_check(bool null, const char *name)
{
    if (null)
        ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                        errmsg("column \"%s\" must not be null", name)));
}
