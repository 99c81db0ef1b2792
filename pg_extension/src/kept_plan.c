/*
 * The order in kept_plan() matters: the slot is written only once SPI has the plan for good, so an
 * error in between leaves no pointer to freed memory behind.
 *
 * Plans are generic, made once and not for every set of parameters, unless kept_plan_as() is told
 * otherwise: the texts are written so that only one way through them is sensible whoever is asked
 * for, and planning a page takes three times as long as cutting it. PostgreSQL still makes a new
 * plan when the tables' statistics change.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "optimizer/cost.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "kept_plan.h"

void connect_spi(void)
{
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
}

SPIPlanPtr kept_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types)
{
    return kept_plan_as(slot, text, nargs, types, CURSOR_OPT_GENERIC_PLAN);
}

SPIPlanPtr kept_plan_as(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types,
                        int options)
{
    if (*slot == NULL) {
        SPIPlanPtr plan = SPI_prepare_cursor(text, nargs, unconstify(Oid *, types), options);
        if (plan == NULL)
            elog(ERROR, "cannot prepare \"%s\": %s", text, SPI_result_code_string(SPI_result));
        if (SPI_keepplan(plan) != 0)
            elog(ERROR, "cannot keep the plan of \"%s\"", text);
        *slot = plan;
    }
    return *slot;
}

void run_plan(SPIPlanPtr plan, const Datum *values, const char *nulls, bool read_only, int expected)
{
    int result = SPI_execute_plan(plan, unconstify(Datum *, values), nulls, read_only, 0);
    if (result != expected)
        elog(ERROR, "unexpected result of a plan: %s", SPI_result_code_string(result));
}

/* The owner of a table of ours. */
static Oid owner_of(const char *table)
{
    Oid id = get_relname_relid(table, get_namespace_oid("frontdesk", false));
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(id));
    Oid owner;

    if (!HeapTupleIsValid(row))
        elog(ERROR, "there is no table frontdesk.%s", table);
    owner = ((Form_pg_class)GETSTRUCT(row))->relowner;
    ReleaseSysCache(row);
    return owner;
}

/* As PostgreSQL's own triggers of foreign keys do. After an error the transaction's end does it. */
void run_plan_as_owner(const char *table, SPIPlanPtr plan, const Datum *values, int expected)
{
    Oid user;
    int context;

    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner_of(table),
                           context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
    run_plan(plan, values, NULL, false, expected);
    SetUserIdAndSecContext(user, context);
}

struct row_stream {
    DestReceiver receiver;
    plan_row *receive;
    void *argument;
    MemoryContext row_context;
};

static bool stream_row(TupleTableSlot *slot, DestReceiver *receiver)
{
    struct row_stream *stream = (struct row_stream *)receiver;
    MemoryContext before = MemoryContextSwitchTo(stream->row_context);

    CHECK_FOR_INTERRUPTS();
    slot_getallattrs(slot);
    stream->receive(slot->tts_values, slot->tts_isnull, stream->argument);
    MemoryContextSwitchTo(before);
    MemoryContextReset(stream->row_context);
    return true;
}

static void stream_startup(DestReceiver *receiver, int operation, TupleDesc descriptor)
{
    (void)receiver;
    (void)operation;
    (void)descriptor;
}

static void stream_nothing(DestReceiver *receiver)
{
    (void)receiver;
}

void stream_plan(SPIPlanPtr plan, int nargs, const Oid *types, const Datum *values,
                 plan_row *receive, void *argument)
{
    struct row_stream stream = {
        .receiver = {.receiveSlot = stream_row,
                     .rStartup = stream_startup,
                     .rShutdown = stream_nothing,
                     .rDestroy = stream_nothing,
                     .mydest = DestTuplestore} /* any that is not special to SPI */,
        .receive = receive,
        .argument = argument,
        .row_context =
            AllocSetContextCreate(CurrentMemoryContext, "row of a plan", ALLOCSET_SMALL_SIZES)};
    SPIExecuteOptions options = {
        .params = makeParamList(nargs), .read_only = true, .dest = &stream.receiver};
    SPITupleTable *table = SPI_tuptable;
    uint64 processed = SPI_processed;
    int result;

    for (int i = 0; i < nargs; i++)
        options.params->params[i] =
            (ParamExternData){.value = values[i], .pflags = PARAM_FLAG_CONST, .ptype = types[i]};
    result = SPI_execute_plan_extended(plan, &options);
    if (result != SPI_OK_SELECT)
        elog(ERROR, "unexpected result of a plan: %s", SPI_result_code_string(result));
    MemoryContextDelete(stream.row_context);
    SPI_tuptable = table;
    SPI_processed = processed;
}

/* The planner's settings that keep it from reading tables through indexes. */
struct ways {
    bool sequential, bitmap;
};

static struct ways by_index(void)
{
    const struct ways before = {enable_seqscan, enable_bitmapscan};
    enable_seqscan = enable_bitmapscan = false;
    return before;
}

static void as_before(struct ways before)
{
    enable_seqscan = before.sequential;
    enable_bitmapscan = before.bitmap;
}

/* A plan may be made anew whenever it is run. */
void run_plan_by_index(SPIPlanPtr plan, const Datum *values, bool read_only, int expected)
{
    const struct ways before = by_index();
    PG_TRY();
    {
        run_plan(plan, values, NULL, read_only, expected);
    }
    PG_FINALLY();
    {
        as_before(before);
    }
    PG_END_TRY();
}

void stream_plan_by_index(SPIPlanPtr plan, int nargs, const Oid *types, const Datum *values,
                          plan_row *receive, void *argument)
{
    const struct ways before = by_index();
    PG_TRY();
    {
        stream_plan(plan, nargs, types, values, receive, argument);
    }
    PG_FINALLY();
    {
        as_before(before);
    }
    PG_END_TRY();
}

Datum result_value(uint64 row, int column)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);
    if (null)
        elog(ERROR, "unexpected null in column %d", column);
    return value;
}
