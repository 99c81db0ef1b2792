/*
 * Input, output, comparison and arithmetic of call_stats.
 *
 * Values from outside (text, binary) go through one check: they must be sums that fit in 64 bits and,
 * in binary, spelled in the one canonical way, so that equal values are equal bytes. Stored values
 * are trusted in that, but never so far that damaged ones could make us read or write astray.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "call_stats.h"
#include "compat.h"
#include "stats_codec.h"

PG_FUNCTION_INFO_V1(frontdesk_call_stats_in);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_out);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_recv);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_send);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_add);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_subtract);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_eq);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_ne);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_hash);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_hash_extended);

void *stats_allocate(size_t size)
{
    return palloc(size);
}

void *stats_enlarge(void *memory, size_t size)
{
    return repalloc(memory, size);
}

void stats_release(void *memory)
{
    if (memory)
        pfree(memory);
}

Oid call_stats_type(void)
{
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("call_stats"),
                           ObjectIdGetDatum(get_namespace_oid("frontdesk", false)));
}

/* Raises what went wrong with a value; `malformed` is the SQLSTATE for one that is none. */
static void check_result(enum stats_result result, int malformed)
{
    if (result == STATS_OVERFLOW)
        ereport(ERROR,
                (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("call_stats out of range"),
                 errdetail("A count or a sum would not fit in 64 bits.")));
    if (result == STATS_MALFORMED)
        ereport(ERROR, (errcode(malformed), errmsg("malformed call_stats value")));
}

const uint8 *call_stats_bytes(Datum value, size_t *len)
{
    struct varlena *flat = PG_DETOAST_DATUM_PACKED(value);
    *len = VARSIZE_ANY_EXHDR(flat);
    return (const uint8 *)VARDATA_ANY(flat);
}

void call_stats_accumulate(struct stats_acc *acc, Datum value, int sign)
{
    size_t len;
    const uint8 *bytes = call_stats_bytes(value, &len);
    check_result(stats_decode(bytes, len, sign, acc), ERRCODE_DATA_CORRUPTED);
}

void call_stats_count(struct stats_acc *acc, const struct stats_call *call, int sign)
{
    for (int i = 0; i < STATS_MEASURES; i++)
        if (call->has[i] && call->value[i] < 0)
            ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                            errmsg("%s of a call must not be negative",
                                   i == STATS_DURATION ? "duration" : "cost")));
    if (!stats_acc_add_call(acc, call, sign))
        check_result(STATS_OVERFLOW, 0);
}

Datum call_stats_value(const struct stats_acc *acc)
{
    struct varlena *value;

    check_result(stats_acc_check(acc), ERRCODE_INTERNAL_ERROR);
    value = palloc(VARHDRSZ + stats_encoded_max(acc));
    SET_VARSIZE(value, VARHDRSZ + stats_encode(acc, (uint8 *)VARDATA(value)));
    return PointerGetDatum(value);
}

static struct stats_word read_word(NullableDatum text)
{
    struct stats_word word = {NULL, 0};
    if (!text.isnull) {
        struct varlena *flat = PG_DETOAST_DATUM_PACKED(text.value);
        word = (struct stats_word){VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat)};
    }
    return word;
}

static enum stats_answer read_answer(NullableDatum boolean)
{
    return boolean.isnull ? STATS_UNKNOWN : DatumGetBool(boolean.value) ? STATS_TRUE : STATS_FALSE;
}

void call_stats_read(const NullableDatum *columns, struct stats_call *call)
{
    *call = (struct stats_call){
        .status = read_word(columns[0]),
        .successful = read_answer(columns[1]),
        .sentiment = read_word(columns[2]),
        .reason = read_word(columns[3]),
        .voicemail = read_answer(columns[4]),
        .has = {[STATS_DURATION] = !columns[5].isnull, [STATS_COST] = !columns[6].isnull},
    };
    if (!columns[5].isnull)
        call->value[STATS_DURATION] = DatumGetInt64(columns[5].value);
    if (!columns[6].isnull)
        call->value[STATS_COST] = cost_from_numeric(columns[6].value);
}

int64 cost_from_numeric(Datum cents)
{
    static Datum scale;
    Numeric number = DatumGetNumeric(cents);

    if (numeric_is_nan(number) || numeric_is_inf(number))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("cost of a call must be a finite number")));
    if (!scale) {
        MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
        scale = NumericGetDatum(int64_to_numeric(STATS_COST_SCALE));
        MemoryContextSwitchTo(before);
    }
    return DatumGetInt64(DirectFunctionCall1(
        numeric_int8, DirectFunctionCall2(numeric_mul, NumericGetDatum(number), scale)));
}

Datum cost_to_numeric(int64 cost)
{
    return NumericGetDatum(int64_div_fast_to_numeric(cost, 4));
}

/* ---- input and output ---- */

Datum frontdesk_call_stats_in(PG_FUNCTION_ARGS)
{
    const char *text = PG_GETARG_CSTRING(0);
    struct stats_acc acc;
    const char *why;

    stats_acc_init(&acc);
    why = call_stats_parse(text, strlen(text), &acc);
    if (why)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                 errmsg("invalid input syntax for type %s", "call_stats"), errdetail("%s", why)));
    check_result(stats_acc_check(&acc), ERRCODE_INVALID_TEXT_REPRESENTATION);
    return call_stats_value(&acc);
}

Datum frontdesk_call_stats_out(PG_FUNCTION_ARGS)
{
    struct stats_acc acc;
    StringInfoData out;

    stats_acc_init(&acc);
    call_stats_accumulate(&acc, PG_GETARG_DATUM(0), 1);
    initStringInfo(&out);
    call_stats_print(&out, &acc);
    PG_RETURN_CSTRING(out.data);
}

/* Binary is the bytes as they are stored. */
Datum frontdesk_call_stats_recv(PG_FUNCTION_ARGS)
{
    StringInfo message = (StringInfo)PG_GETARG_POINTER(0);
    int len = message->len - message->cursor;
    const uint8 *bytes = (const uint8 *)pq_getmsgbytes(message, len);
    struct stats_acc acc;
    struct varlena *value;

    stats_acc_init(&acc);
    check_result(stats_check(bytes, (size_t)len, &acc), ERRCODE_INVALID_BINARY_REPRESENTATION);
    for (int i = 0; i < STATS_VOCABULARIES; i++)
        for (uint32 k = 0; k < acc.own[i].count; k++)
            (void)pg_verify_mbstr(GetDatabaseEncoding(), acc.own[i].list[k].s,
                                  (int)acc.own[i].list[k].len, false);
    value = palloc(VARHDRSZ + (size_t)len);
    SET_VARSIZE(value, VARHDRSZ + (size_t)len);
    memcpy(VARDATA(value), bytes, (size_t)len);
    PG_RETURN_POINTER(value);
}

Datum frontdesk_call_stats_send(PG_FUNCTION_ARGS)
{
    size_t len;
    const uint8 *bytes = call_stats_bytes(PG_GETARG_DATUM(0), &len);
    StringInfoData out;

    pq_begintypsend(&out);
    pq_sendbytes(&out, (const char *)bytes, (int)len);
    PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* ---- arithmetic and comparison ---- */

static Datum combine(FunctionCallInfo fcinfo, int sign)
{
    struct stats_acc acc;

    stats_acc_init(&acc);
    call_stats_accumulate(&acc, PG_GETARG_DATUM(0), 1);
    call_stats_accumulate(&acc, PG_GETARG_DATUM(1), sign);
    return call_stats_value(&acc);
}

Datum frontdesk_call_stats_add(PG_FUNCTION_ARGS)
{
    return combine(fcinfo, 1);
}

Datum frontdesk_call_stats_subtract(PG_FUNCTION_ARGS)
{
    return combine(fcinfo, -1);
}

static bool same_bytes(FunctionCallInfo fcinfo)
{
    size_t left_len, right_len;
    const uint8 *left = call_stats_bytes(PG_GETARG_DATUM(0), &left_len);
    const uint8 *right = call_stats_bytes(PG_GETARG_DATUM(1), &right_len);
    return left_len == right_len && memcmp(left, right, left_len) == 0;
}

Datum frontdesk_call_stats_eq(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(same_bytes(fcinfo));
}

Datum frontdesk_call_stats_ne(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(!same_bytes(fcinfo));
}

Datum frontdesk_call_stats_hash(PG_FUNCTION_ARGS)
{
    size_t len;
    const uint8 *bytes = call_stats_bytes(PG_GETARG_DATUM(0), &len);
    return hash_any(bytes, (int)len);
}

Datum frontdesk_call_stats_hash_extended(PG_FUNCTION_ARGS)
{
    size_t len;
    const uint8 *bytes = call_stats_bytes(PG_GETARG_DATUM(0), &len);
    return hash_any_extended(bytes, (int)len, (uint64)PG_GETARG_INT64(1));
}
