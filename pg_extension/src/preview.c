/*
 * Questions that a poller asks before it stores what it has heard. A poll says the same of a call
 * again and again; only what is new becomes an event of the journal. Nothing is written or locked
 * here, so calls of which there is no news cost no write at all.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "call_store.h"
#include "compat.h"
#include "home.h"

struct item {
    struct observation seen;
    struct home home;
    struct call_row row;
    const char *outcome;
};

struct batch {
    struct item *items;
    int count;
};

PG_FUNCTION_INFO_V1(frontdesk_preview);
PG_FUNCTION_INFO_V1(frontdesk_transcript_is_final);

static void read_batch(struct batch *batch, ArrayType *bodies, int64 sent_ms)
{
    struct observation **readable;
    bool *nulls;
    Datum *values;
    int n = 0;

    deconstruct_array(bodies, BYTEAOID, -1, false, TYPALIGN_INT, &values, &nulls, &batch->count);
    batch->items = palloc0(sizeof(struct item) * (size_t)Max(batch->count, 1));
    readable = palloc(sizeof(struct observation *) * (size_t)Max(batch->count, 1));
    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        CHECK_FOR_INTERRUPTS();
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("bodies must not contain nulls")));
        item->seen.body = values[i];
        item->seen.source = "poll";
        item->seen.sent_ms = sent_ms;
        item->home.agent_id = "";
        observe_identity(&item->seen);
        if (!item->seen.error)
            readable[n++] = &item->seen;
    }
    observe_all(readable, n);
}

/* The homes of all calls; a call that has none would live with the agent that is named. */
static void find_homes(struct batch *batch)
{
    struct home **homes = palloc(sizeof(struct home *) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        item->home.call_id = item->seen.call_id;
        if (!item->seen.error && item->seen.has_call)
            homes[n++] = &item->home;
    }
    homes_read(homes, n);
    for (int i = 0; i < batch->count; i++)
        if (batch->items[i].home.agent_id[0] == '\0')
            batch->items[i].home.agent_id = batch->items[i].seen.agent_id;
}

/* Merges each into its call as that is stored, in memory. */
static void judge(struct batch *batch)
{
    struct call_row **rows = palloc(sizeof(struct call_row *) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        item->outcome = item->seen.error ? "dead" : "kept";
        if (item->seen.error || !item->seen.has_call || item->home.agent_id[0] == '\0')
            continue;
        item->row.agent_id = item->home.agent_id;
        item->row.call_id = item->seen.call_id;
        rows[n++] = &item->row;
        item->outcome = "inserted";
    }
    call_store_read(rows, n, false);
    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        if (!item->row.exists)
            continue;
        (void)call_state_merge(&item->row.state, &item->seen);
        item->outcome = item->row.state.news ? "updated" : "unchanged";
    }
}

static void answer(const struct batch *batch, ReturnSetInfo *into)
{
    for (int i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        const char *error = item->seen.error;
        Datum values[] = {Int32GetDatum(i + 1), CStringGetTextDatum(item->outcome),
                          CStringGetTextDatum(item->home.agent_id),
                          CStringGetTextDatum(item->seen.call_id),
                          error ? CStringGetTextDatum(error) : (Datum)0};
        bool nulls[lengthof(values)] = {[4] = !error};
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
}

Datum frontdesk_preview(PG_FUNCTION_ARGS)
{
    struct batch batch;

    InitMaterializedSRF(fcinfo, 0);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    read_batch(&batch, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT64(1));
    find_homes(&batch);
    judge(&batch);
    answer(&batch, (ReturnSetInfo *)fcinfo->resultinfo);
    SPI_finish();
    return (Datum)0;
}

Datum frontdesk_transcript_is_final(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(call_provenance_rank(PG_GETARG_DATUM(0), FIELD_TRANSCRIPT) >= RANK_ENDED);
}
