/*
 * Aggregates that build a call_stats.
 *
 * The state is of type call_stats itself, not internal, so that partial states can travel between
 * workers and between machines as ordinary values. So as not to decode and encode it for every row,
 * it is an expanded object while an aggregate runs: an accumulator with a memory context of its own,
 * which PostgreSQL flattens when the value leaves the aggregate.
 *
 * Adding is exact and so is taking away: over a moving window each row is added and removed once.
 */
#include "postgres.h"

#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "call_stats.h"
#include "compat.h"
#include "stats_codec.h"

#define CALL_STATS_MAGIC 0x66643173

struct expanded_stats {
    ExpandedObjectHeader header;
    int magic;
    struct stats_acc acc;
};

PG_FUNCTION_INFO_V1(frontdesk_call_stats_agg_call);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_agg_remove_call);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_agg_value);
PG_FUNCTION_INFO_V1(frontdesk_call_stats_agg_remove_value);

/*
 * The size must be exact, and is asked for right before the bytes are: so encode for it. States are
 * flattened once a group.
 */
static Size flat_size(ExpandedObjectHeader *header)
{
    struct expanded_stats *expanded = (struct expanded_stats *)header;
    MemoryContext before = MemoryContextSwitchTo(header->eoh_context);
    Datum value = call_stats_value(&expanded->acc);
    MemoryContextSwitchTo(before);
    Size size = VARSIZE(DatumGetPointer(value));
    pfree(DatumGetPointer(value));
    return size;
}

static void flatten_into(ExpandedObjectHeader *header, void *result, Size size)
{
    struct expanded_stats *expanded = (struct expanded_stats *)header;
    MemoryContext before = MemoryContextSwitchTo(header->eoh_context);
    Datum value = call_stats_value(&expanded->acc);
    MemoryContextSwitchTo(before);
    Assert(VARSIZE(DatumGetPointer(value)) == size);
    memcpy(result, DatumGetPointer(value), size);
    pfree(DatumGetPointer(value));
}

static const ExpandedObjectMethods methods = {flat_size, flatten_into};

static struct expanded_stats *new_state(MemoryContext parent)
{
    MemoryContext own = AllocSetContextCreate(parent, "call_stats aggregate", ALLOCSET_SMALL_SIZES);
    struct expanded_stats *expanded = MemoryContextAlloc(own, sizeof(*expanded));

    EOH_init_header(&expanded->header, &methods, own);
    expanded->magic = CALL_STATS_MAGIC;
    stats_acc_init(&expanded->acc);
    return expanded;
}

/*
 * The state in the first argument, to be changed in place; a new one, with what the argument has,
 * when it is not of our making. From then on the memory context is the state's: the caller puts
 * `*before` back.
 */
static struct expanded_stats *take_state(FunctionCallInfo fcinfo, MemoryContext *before)
{
    MemoryContext context;
    struct expanded_stats *expanded;

    if (!AggCheckCallContext(fcinfo, &context))
        elog(ERROR, "a transition function of call_stats_agg was called outside of it");
    if (!PG_ARGISNULL(0) && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0)))) {
        expanded = (struct expanded_stats *)DatumGetEOHP(PG_GETARG_DATUM(0));
        if (expanded->magic != CALL_STATS_MAGIC)
            elog(ERROR, "an expanded object that is no call_stats");
        *before = MemoryContextSwitchTo(expanded->header.eoh_context);
        return expanded;
    }
    expanded = new_state(context);
    *before = MemoryContextSwitchTo(expanded->header.eoh_context);
    if (!PG_ARGISNULL(0))
        call_stats_accumulate(&expanded->acc, PG_GETARG_DATUM(0), 1);
    return expanded;
}

static Datum step_call(FunctionCallInfo fcinfo, int sign)
{
    struct expanded_stats *expanded;
    struct stats_call call;
    MemoryContext before;

    call_stats_read(&fcinfo->args[1],
                    &call); /* in the caller's context, which is reset for every row */
    expanded = take_state(fcinfo, &before);
    call_stats_count(&expanded->acc, &call, sign);
    MemoryContextSwitchTo(before);
    return EOHPGetRWDatum(&expanded->header);
}

Datum frontdesk_call_stats_agg_call(PG_FUNCTION_ARGS)
{
    return step_call(fcinfo, 1);
}

Datum frontdesk_call_stats_agg_remove_call(PG_FUNCTION_ARGS)
{
    return step_call(fcinfo, -1);
}

static Datum step_value(FunctionCallInfo fcinfo, int sign)
{
    struct expanded_stats *expanded;
    Datum flat;
    MemoryContext before;

    if (PG_ARGISNULL(1)) {
        if (PG_ARGISNULL(0))
            PG_RETURN_NULL();
        PG_RETURN_DATUM(PG_GETARG_DATUM(0));
    }
    flat = PointerGetDatum(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1)));
    expanded = take_state(fcinfo, &before);
    call_stats_accumulate(&expanded->acc, flat, sign);
    MemoryContextSwitchTo(before);
    return EOHPGetRWDatum(&expanded->header);
}

/* Also what joins two partial states. */
Datum frontdesk_call_stats_agg_value(PG_FUNCTION_ARGS)
{
    return step_value(fcinfo, 1);
}

Datum frontdesk_call_stats_agg_remove_value(PG_FUNCTION_ARGS)
{
    return step_value(fcinfo, -1);
}
