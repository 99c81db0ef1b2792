/*
 * The order of the enum, of the SQL functions' arguments and of a plan's parameters is one and the
 * same, so that reading, planning and running walk one table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "call_filter.h"
#include "call_text.h"
#include "compat.h"
#include "epoch.h"
#include "kept_plan.h"

#define DURATION "coalesce(c.duration_ms, (-1)::pg_catalog.int8)"
#define COST "coalesce(c.cost, (-1)::pg_catalog.numeric)"

#define IN_TEXT(condition)                                                                         \
    "EXISTS (SELECT FROM frontdesk.call_text AS t WHERE t.agent_id" SQL_EQ                         \
    "c.agent_id AND t.call_id" SQL_EQ "c.call_id AND (" condition "))"

/* A value that is not known (null) is in no range and in no list. */
static const struct {
    const char *name; /* the argument's, for messages */
    const char *sql;  /* a %d for each parameter */
    Oid type;
    Oid second_type; /* of FILTER_SEARCH */
} table[FILTER_COUNT] = {
    [FILTER_STATUS] = {"status", "c.call_status" SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_SENTIMENT] = {"sentiment", "c.user_sentiment" SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_SUCCESSFUL] = {"successful", NULL, 0, 0}, /* has no parameter: see append_outcomes() */
    [FILTER_DIRECTION] = {"direction", "c.direction" SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_TYPE] = {"call_type", "c.call_type" SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_REASON] = {"reason", "c.disconnection_reason" SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_SINCE] = {"since", "c.started_at" SQL_GE "$%d", INT8OID, 0},
    [FILTER_UNTIL] = {"until", "c.started_at" SQL_LT "$%d", INT8OID, 0},
    [FILTER_MIN_DURATION] = {"min_duration_ms", DURATION SQL_GE "$%d", INT8OID, 0},
    [FILTER_MAX_DURATION] = {"max_duration_ms", DURATION SQL_LE "$%d AND " DURATION SQL_GE "0",
                             INT8OID, 0},
    [FILTER_MIN_COST] = {"min_cost", COST SQL_GE "$%d", NUMERICOID, 0},
    [FILTER_MAX_COST] = {"max_cost", COST SQL_LE "$%d AND " COST SQL_GE "0", NUMERICOID, 0},
    [FILTER_CALLER] = {"caller", SQL_CALLER SQL_EQ "ANY ($%d)", TEXTARRAYOID, 0},
    [FILTER_CALLER_PREFIX] = {"caller", SQL_CALLER " OPERATOR(pg_catalog.^@) $%d", TEXTOID, 0},
    [FILTER_WORDS] = {"q", IN_TEXT("t.words OPERATOR(pg_catalog.@@) $%d"), TSQUERYOID, 0},
    [FILTER_SEARCH] = {"search",
                       IN_TEXT("t.words OPERATOR(pg_catalog.@@) $%d"
                               " OR t.parts OPERATOR(pg_catalog.@@) $%d"),
                       TSQUERYOID, TSQUERYOID},
};

static bool has(const struct call_filters *filters, enum call_filter filter)
{
    return (filters->set & FILTER_BIT(filter)) != 0;
}

static void set(struct call_filters *filters, enum call_filter filter, Datum value)
{
    filters->set |= FILTER_BIT(filter);
    filters->values[filter] = value;
}

static uint32 outcome_named(Datum name, bool null)
{
    static const char *const names[] = {"true", "false", "unknown"};
    const char *s = null ? "" : TextDatumGetCString(name);

    for (int i = 0; i < (int)lengthof(names); i++)
        if (strcmp(s, names[i]) == 0)
            return UINT32_C(1) << i;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown value of successful"),
                    errhint("Use true, false or unknown.")));
}

static void set_outcomes(struct call_filters *filters, Datum list)
{
    Datum *names;
    bool *nulls;
    int count;
    uint32 outcomes = 0;

    deconstruct_array(DatumGetArrayTypeP(list), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
                      &count);
    for (int i = 0; i < count; i++)
        outcomes |= outcome_named(names[i], nulls[i]);
    if (outcomes == OUTCOME_ALL)
        return;
    filters->outcomes = outcomes;
    set(filters, FILTER_SUCCESSFUL, (Datum)0);
}

/* A list of numbers, or one that ends in a star and stands for all that begin so. */
static void set_caller(struct call_filters *filters, Datum list)
{
    Datum *numbers;
    bool *nulls;
    int count;

    deconstruct_array(DatumGetArrayTypeP(list), TEXTOID, -1, false, TYPALIGN_INT, &numbers, &nulls,
                      &count);
    for (int i = 0; i < count; i++) {
        text *number = nulls[i] ? NULL : DatumGetTextPP(numbers[i]);
        int len = number ? (int)VARSIZE_ANY_EXHDR(number) : 0;
        if (len == 0 || VARDATA_ANY(number)[len - 1] != '*')
            continue;
        if (count > 1)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                     errmsg("must be a list of numbers, or one number's beginning and a star"),
                     err_generic_string(PG_DIAG_COLUMN_NAME, "caller")));
        set(filters, FILTER_CALLER_PREFIX,
            PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(number), len - 1)));
        return;
    }
    set(filters, FILTER_CALLER, list);
}

static void read_argument(struct call_filters *filters, enum call_filter filter, Datum value,
                          bool in_ms)
{
    int64 ms;

    switch (filter) {
    case FILTER_SUCCESSFUL:
        set_outcomes(filters, value);
        return;
    case FILTER_CALLER:
        set_caller(filters, value);
        return;
    case FILTER_SINCE:
    case FILTER_UNTIL:
        ms = in_ms ? DatumGetInt64(value) : epoch_ms_of_time(DatumGetTimestampTz(value));
        if (ms != (filter == FILTER_SINCE ? PG_INT64_MIN : PG_INT64_MAX))
            set(filters, filter, Int64GetDatum(ms));
        return;
    case FILTER_WORDS:
        set(filters, filter, call_text_words_query(value));
        return;
    case FILTER_SEARCH:
        set(filters, filter, call_text_words_query(value));
        filters->parts = call_text_parts_query(value);
        return;
    default:
        set(filters, filter, value);
    }
}

void call_filters_read(struct call_filters *filters, FunctionCallInfo fcinfo, int first, int count,
                       bool in_ms)
{
    memset(filters, 0, sizeof(*filters));
    for (int i = 0; i < count; i++)
        if (first + i < PG_NARGS() && !PG_ARGISNULL(first + i))
            read_argument(filters, (enum call_filter)i, PG_GETARG_DATUM(first + i), in_ms);
}

static void append_outcomes(StringInfo sql, uint32 outcomes)
{
    static const char *const conditions[] = {"c.call_successful", "NOT c.call_successful",
                                             "c.call_successful IS NULL"};
    const char *before = " AND (";

    if (outcomes == 0)
        appendStringInfoString(sql, " AND false");
    for (int i = 0; i < (int)lengthof(conditions); i++)
        if (outcomes & (UINT32_C(1) << i)) {
            appendStringInfo(sql, "%s%s", before, conditions[i]);
            before = " OR ";
        }
    if (outcomes != 0)
        appendStringInfoChar(sql, ')');
}

int call_filters_append(StringInfo sql, const struct call_filters *filters, int next)
{
    for (int i = 0; i < FILTER_COUNT; i++) {
        if (!has(filters, i))
            continue;
        if (i == FILTER_SUCCESSFUL) {
            append_outcomes(sql, filters->outcomes);
            continue;
        }
        appendStringInfoString(sql, " AND ");
        for (const char *at = table[i].sql; *at; at++) {
            if (at[0] == '%' && at[1] == 'd') {
                appendStringInfo(sql, "%d", next++);
                at++;
            } else {
                appendStringInfoChar(sql, *at);
            }
        }
    }
    return next;
}

int call_filters_params(const struct call_filters *filters, Oid *types, Datum *values)
{
    int count = 0;

    for (int i = 0; i < FILTER_COUNT; i++) {
        if (!has(filters, i) || !OidIsValid(table[i].type))
            continue;
        types[count] = table[i].type;
        values[count++] = filters->values[i];
        if (OidIsValid(table[i].second_type)) {
            types[count] = table[i].second_type;
            values[count++] = filters->parts;
        }
    }
    return count;
}

uint64 call_filters_key(const struct call_filters *filters)
{
    return filters->set | (uint64)filters->outcomes << FILTER_COUNT;
}

static void serialize_bytes(StringInfo out, const void *bytes, int len)
{
    appendBinaryStringInfo(out, (const char *)&len, sizeof(len));
    appendBinaryStringInfo(out, bytes, len);
}

void call_filters_serialize(StringInfo out, const struct call_filters *filters)
{
    uint64 key = call_filters_key(filters);
    Oid types[CALL_FILTER_PARAMS_MAX];
    Datum values[CALL_FILTER_PARAMS_MAX];
    int count = call_filters_params(filters, types, values);

    serialize_bytes(out, &key, sizeof(key));
    for (int i = 0; i < count; i++) {
        if (types[i] == INT8OID) {
            int64 number = DatumGetInt64(values[i]);
            serialize_bytes(out, &number, sizeof(number));
        } else if (types[i] == NUMERICOID) {
            const char *digits = numeric_normalize(DatumGetNumeric(values[i]));
            serialize_bytes(out, digits, (int)strlen(digits));
        } else {
            const struct varlena *plain = PG_DETOAST_DATUM_PACKED(values[i]);
            serialize_bytes(out, VARDATA_ANY(plain), (int)VARSIZE_ANY_EXHDR(plain));
        }
    }
}
