/*
 * Making a transcript's words and putting them into an index costs more than storing the call, so
 * it is not done when a call is stored. A trigger on calls notes the keys of what changed in
 * call_text_queue, in the change's own transaction: a call is either queued or indexed as it
 * stands, whatever crashes. index_text() takes a batch from the queue, reads those calls as they are
 * now and writes their rows; the server calls it over and over. A page that asks for words so sees
 * calls as they were some seconds ago, as far as the words are concerned, and text_lag() says how
 * many seconds.
 *
 * Parts of identifiers are found in the same way as words. The "words" of an identifier are the
 * first three characters of each of its ends: "call_7" has cal, all, ll_, l_7, _7 and 7. A part of
 * up to three characters is the beginning of one of those; a longer one is several that follow
 * directly on one another, which positions tell. So a part is found by index, exactly, and without
 * another extension.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tsearch/ts_utils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "call_text.h"
#include "columns.h"
#include "compat.h"
#include "kept_plan.h"

/* Characters of a part that is a lexeme. */
#define PART_CHARS 3

/* Where the caller's number begins among the positions of parts, and how much of each is kept. */
#define CALLER_POSITION 2001
#define PART_TEXT_MAX 1000

/* Changes are noted in steps, so that a COPY of any length needs little memory. */
#define QUEUE_STEP 5000

/* One indexer at a time, in the whole database: the ASCII of "fd_texts". */
#define INDEX_LOCK INT64CONST(7378127043062953075)

PG_FUNCTION_INFO_V1(frontdesk_call_parts);
PG_FUNCTION_INFO_V1(frontdesk_index_text);
PG_FUNCTION_INFO_V1(frontdesk_queue_text);
PG_FUNCTION_INFO_V1(frontdesk_reindex_text);
PG_FUNCTION_INFO_V1(frontdesk_text_lag);

/* Looking for. */

/* The configuration that words are made with, when they are stored and when they are asked for. */
static Datum text_config(void)
{
    const char *name = GetConfigOption("frontdesk.text_search_config", true, false);
    if (name == NULL || *name == '\0')
        name = "pg_catalog.simple";
    return DirectFunctionCall1(regconfigin, CStringGetDatum(name));
}

Datum call_text_words_query(Datum words)
{
    return DirectFunctionCall2(websearch_to_tsquery_byid, text_config(), words);
}

/* Appends up to PART_CHARS characters of `s` as a quoted lexeme, in lower case. */
static void append_part(StringInfo out, const char *s, const char *end)
{
    appendStringInfoChar(out, '\'');
    for (int i = 0; i < PART_CHARS && s < end; i++) {
        int len = Min(pg_mblen(s), (int)(end - s));
        if (*s == '\'' || *s == '\\')
            appendStringInfoChar(out, *s);
        if (len == 1)
            appendStringInfoChar(out, (char)pg_ascii_tolower((unsigned char)*s));
        else
            appendBinaryStringInfo(out, s, len);
        s += len;
    }
    appendStringInfoChar(out, '\'');
}

Datum call_text_parts_query(Datum part)
{
    const text *plain = DatumGetTextPP(part);
    const char *s = VARDATA_ANY(plain), *end = s + VARSIZE_ANY_EXHDR(plain);
    int chars = pg_mbstrlen_with_len(s, (int)(end - s));
    StringInfoData query;

    initStringInfo(&query);
    if (chars > 0 && chars <= PART_CHARS) {
        append_part(&query, s, end);
        appendStringInfoString(&query, ":*");
    } else if (chars <= PART_TEXT_MAX) {
        for (int left = chars; left >= PART_CHARS; left--) {
            if (left < chars)
                appendStringInfoString(&query, " <-> ");
            append_part(&query, s, end);
            s += pg_mblen(s);
        }
    }
    return DirectFunctionCall1(tsqueryin, CStringGetDatum(query.data));
}

static void append_parts(StringInfo out, const text *plain, int position)
{
    const char *s = VARDATA_ANY(plain), *end = s + VARSIZE_ANY_EXHDR(plain);

    for (int i = 0; i < PART_TEXT_MAX && s < end; i++) {
        append_part(out, s, end);
        appendStringInfo(out, ":%d ", position + i);
        s += pg_mblen(s);
    }
}

/* (call_id, caller): the parts of both. */
Datum frontdesk_call_parts(PG_FUNCTION_ARGS)
{
    StringInfoData out;

    initStringInfo(&out);
    if (!PG_ARGISNULL(0))
        append_parts(&out, PG_GETARG_TEXT_PP(0), 1);
    if (!PG_ARGISNULL(1))
        append_parts(&out, PG_GETARG_TEXT_PP(1), CALLER_POSITION);
    return DirectFunctionCall1(tsvectorin, CStringGetDatum(out.data));
}

/* Queueing. */

/* The columns that the index is made of; the key comes first. */
static const char *const indexed_columns[] = {
    "agent_id", "call_id", "transcript", "call_summary", "direction", "from_number", "to_number"};
enum { INDEXED_AGENT_ID, INDEXED_CALL_ID, INDEXED_TEXTS };

/* Keys on their way into the queue. */
struct queue {
    int count;
    Datum agent_ids[QUEUE_STEP], call_ids[QUEUE_STEP];
    MemoryContext memory; /* of the keys */
};

static void flush_queue(struct queue *queue)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
    static const char text[] =
        "INSERT INTO frontdesk.call_text_queue (agent_id, call_id)"
        " SELECT k.agent_id, k.call_id FROM ROWS FROM (pg_catalog.unnest($1),"
        " pg_catalog.unnest($2)) AS k(agent_id, call_id)";
    Datum values[2];

    if (queue->count == 0)
        return;
    values[0] = PointerGetDatum(
        construct_array(queue->agent_ids, queue->count, TEXTOID, -1, false, TYPALIGN_INT));
    values[1] = PointerGetDatum(
        construct_array(queue->call_ids, queue->count, TEXTOID, -1, false, TYPALIGN_INT));
    run_plan_as_owner("call_text_queue", kept_plan(&slot, text, lengthof(types), types), values,
                      SPI_OK_INSERT);
    pfree(DatumGetPointer(values[0]));
    pfree(DatumGetPointer(values[1]));
    queue->count = 0;
    MemoryContextReset(queue->memory);
}

static void queue_key(struct queue *queue, TupleTableSlot *row, const int *columns)
{
    MemoryContext before;

    for (int i = 0; i < INDEXED_TEXTS; i++)
        column_check(row->tts_isnull[columns[i]], indexed_columns[i]);
    if (queue->count == QUEUE_STEP)
        flush_queue(queue);
    before = MemoryContextSwitchTo(queue->memory);
    queue->agent_ids[queue->count] =
        datumCopy(row->tts_values[columns[INDEXED_AGENT_ID]], false, -1);
    queue->call_ids[queue->count++] =
        datumCopy(row->tts_values[columns[INDEXED_CALL_ID]], false, -1);
    MemoryContextSwitchTo(before);
}

/* Are these columns stored alike in both rows? Long values that did not change are one pointer. */
static bool same_columns(TupleTableSlot *a, TupleTableSlot *b, const int *columns, int from, int to)
{
    for (int i = from; i < to; i++) {
        int at = columns[i];
        if (a->tts_isnull[at] != b->tts_isnull[at] ||
            (!a->tts_isnull[at] && !datumIsEqual(a->tts_values[at], b->tts_values[at], false, -1)))
            return false;
    }
    return true;
}

static bool next_row(Tuplestorestate *rows, TupleTableSlot *slot)
{
    if (rows == NULL || !tuplestore_gettupleslot(rows, true, false, slot))
        return false;
    slot_getallattrs(slot);
    return true;
}

/* Queues what changed. An update's rows stand in both tables in the same order. */
static void queue_changes(struct queue *queue, const TriggerData *trigger, const int *columns)
{
    TupleDesc desc = RelationGetDescr(trigger->tg_relation);
    TupleTableSlot *old = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    TupleTableSlot *new = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);

    for (;;) {
        bool has_old = next_row(trigger->tg_oldtable, old);
        bool has_new = next_row(trigger->tg_newtable, new);
        if (!has_old && !has_new)
            break;
        if (has_old && has_new &&
            same_columns(old, new, columns, 0, (int)lengthof(indexed_columns)))
            continue;
        if (has_old && !(has_new && same_columns(old, new, columns, 0, INDEXED_TEXTS)))
            queue_key(queue, old, columns);
        if (has_new)
            queue_key(queue, new, columns);
        CHECK_FOR_INTERRUPTS();
    }
    ExecDropSingleTupleTableSlot(old);
    ExecDropSingleTupleTableSlot(new);
}

/* What is not in a table that is emptied needs no index. */
static void forget_texts(void)
{
    static SPIPlanPtr slots[2];

    run_plan_as_owner("call_text_queue",
                      kept_plan(&slots[0], "DELETE FROM frontdesk.call_text_queue", 0, NULL), NULL,
                      SPI_OK_DELETE);
    run_plan_as_owner("call_text", kept_plan(&slots[1], "DELETE FROM frontdesk.call_text", 0, NULL),
                      NULL, SPI_OK_DELETE);
}

static void queue_rows(const TriggerData *trigger)
{
    int columns[lengthof(indexed_columns)];
    struct queue *queue = palloc(sizeof(*queue));

    for (int i = 0; i < (int)lengthof(indexed_columns); i++)
        columns[i] =
            column_number(RelationGetDescr(trigger->tg_relation), indexed_columns[i], TEXTOID, 0) -
            1;
    queue->count = 0;
    queue->memory =
        AllocSetContextCreate(CurrentMemoryContext, "queue of texts", ALLOCSET_DEFAULT_SIZES);
    queue_changes(queue, trigger, columns);
    flush_queue(queue);
}

Datum frontdesk_queue_text(PG_FUNCTION_ARGS)
{
    const TriggerData *trigger = (const TriggerData *)fcinfo->context;

    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("queue_text() is for statement triggers on calls")));
    connect_spi();
    if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
        forget_texts();
    else
        queue_rows(trigger);
    SPI_finish();
    return PointerGetDatum(NULL);
}

/* (agent_id, null: all): queues every call again. */
Datum frontdesk_reindex_text(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID};
    Datum values[] = {PG_ARGISNULL(0) ? (Datum)0 : PG_GETARG_DATUM(0)};
    SPIPlanPtr plan;
    int64 queued;

    connect_spi();
    plan = kept_plan_as(&slot,
                        "INSERT INTO frontdesk.call_text_queue (agent_id, call_id)"
                        " SELECT agent_id, call_id FROM frontdesk.calls"
                        " WHERE $1 IS NULL OR agent_id" SQL_EQ "$1",
                        lengthof(types), types, CURSOR_OPT_CUSTOM_PLAN);
    run_plan(plan, values, PG_ARGISNULL(0) ? "n" : NULL, false, SPI_OK_INSERT);
    queued = (int64)SPI_processed;
    SPI_finish();
    PG_RETURN_INT64(queued);
}

/* Indexing. */

/*
 * What is taken from the queue is read anew, so that a call that was queued several times is indexed
 * once and as it is now; one that is gone loses its row. Only the beginning of a text is looked at:
 * a tsvector holds a megabyte, which no text of this length fills. Each OFFSET 0 keeps a look-up a
 * look-up by key: the planner knows nothing of how many keys there are.
 */
static const char index_plan_text[] =
    "WITH taken AS (DELETE FROM frontdesk.call_text_queue AS q"
    " WHERE q.ctid" SQL_EQ "ANY (ARRAY(SELECT ctid FROM frontdesk.call_text_queue LIMIT $1))"
    " RETURNING q.agent_id, q.call_id),"
    " found AS (SELECT k.agent_id, k.call_id, c.call_id IS NOT NULL AS there,"
    " c.call_summary, c.transcript, c.caller"
    " FROM (SELECT DISTINCT agent_id, call_id FROM taken) AS k"
    " LEFT JOIN LATERAL (SELECT c.call_id, c.call_summary, c.transcript, " SQL_CALLER
    " AS caller FROM frontdesk.calls AS c WHERE c.agent_id" SQL_EQ "k.agent_id AND c.call_id" SQL_EQ
    "k.call_id OFFSET 0) AS c ON true),"
    " gone AS (DELETE FROM frontdesk.call_text AS t WHERE t.ctid" SQL_EQ
    "ANY (ARRAY(SELECT o.ctid FROM found AS k CROSS JOIN LATERAL"
    " (SELECT o.ctid FROM frontdesk.call_text AS o WHERE o.agent_id" SQL_EQ
    "k.agent_id AND o.call_id" SQL_EQ "k.call_id OFFSET 0) AS o WHERE NOT k.there))),"
    " made AS (INSERT INTO frontdesk.call_text AS t (agent_id, call_id, words, parts)"
    " SELECT k.agent_id, k.call_id, pg_catalog.to_tsvector($2, pg_catalog.left("
    "pg_catalog.concat(k.call_summary, ' ', k.transcript), 100000)),"
    " frontdesk.call_parts(k.call_id, k.caller) FROM found AS k WHERE k.there ORDER BY 1, 2"
    " ON CONFLICT (agent_id, call_id) DO UPDATE"
    " SET words = EXCLUDED.words, parts = EXCLUDED.parts)"
    " SELECT pg_catalog.count(*) FROM taken";

/* (max_rows): how many rows were taken from the queue. */
Datum frontdesk_index_text(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr lock_slot, index_slot;
    static const Oid types[] = {INT8OID, REGCONFIGOID};
    Datum values[2];
    int64 taken = 0;

    if (PG_GETARG_INT32(0) < 1)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must be at least 1")));
    connect_spi();
    values[0] = Int64GetDatum(INDEX_LOCK);
    run_plan(kept_plan(&lock_slot, "SELECT pg_catalog.pg_try_advisory_xact_lock($1)", 1, types),
             values, NULL, false, SPI_OK_SELECT);
    /* What follows has a snapshot of its own, taken under the lock. */
    if (DatumGetBool(result_value(0, 1))) {
        values[0] = Int64GetDatum(PG_GETARG_INT32(0));
        values[1] = text_config();
        run_plan(kept_plan(&index_slot, index_plan_text, lengthof(types), types), values, NULL,
                 false, SPI_OK_SELECT);
        taken = DatumGetInt64(result_value(0, 1));
    }
    SPI_finish();
    PG_RETURN_INT64(taken);
}

/* () : (pending, oldest). */
Datum frontdesk_text_lag(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr slot;
    TupleDesc desc;
    Datum values[2];
    bool nulls[2];
    MemoryContext caller = CurrentMemoryContext;
    HeapTuple row;

    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    connect_spi();
    run_plan(kept_plan(&slot,
                       "SELECT pg_catalog.count(*), pg_catalog.min(queued_at)"
                       " FROM frontdesk.call_text_queue",
                       0, NULL),
             NULL, NULL, true, SPI_OK_SELECT);
    for (int i = 0; i < 2; i++)
        values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &nulls[i]);
    SPI_finish();
    MemoryContextSwitchTo(caller);
    row = heap_form_tuple(BlessTupleDesc(desc), values, nulls);
    return HeapTupleGetDatum(row);
}
