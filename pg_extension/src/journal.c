/* One plan a function; every row is found by its whole key or by the start of it. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "journal.h"
#include "kept_plan.h"

static Datum digest_datum(const struct observation *seen)
{
    bytea *digest = palloc(VARHDRSZ + DIGEST_LENGTH);
    SET_VARSIZE(digest, VARHDRSZ + DIGEST_LENGTH);
    memcpy(VARDATA(digest), seen->digest, DIGEST_LENGTH);
    return PointerGetDatum(digest);
}

bool journal_add(const char *home, const struct observation *seen, const char *state,
                 TimestampTz received_at)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID,        BYTEAOID, TEXTOID,
                                INT8OID, TEXTOID, TIMESTAMPTZOID, TEXTOID,  BYTEAOID};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "INSERT INTO frontdesk.journal (agent_id, call_id, event, digest, source,"
                  " sent_ms, state, received_at, error, body)"
                  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
                  lengthof(types), types);
    Datum values[] = {CStringGetTextDatum(home),
                      CStringGetTextDatum(seen->call_id),
                      CStringGetTextDatum(seen->event),
                      digest_datum(seen),
                      CStringGetTextDatum(seen->source),
                      Int64GetDatum(seen->sent_ms),
                      CStringGetTextDatum(state),
                      TimestampTzGetDatum(received_at),
                      seen->error ? CStringGetTextDatum(seen->error) : (Datum)0,
                      seen->body};
    run_plan(plan, values, seen->error ? NULL : "        n ", false, SPI_OK_INSERT);
    return SPI_processed > 0;
}

bool journal_resend(const char *home, const struct observation *seen)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "UPDATE frontdesk.journal SET sent_ms = $5 WHERE agent_id" SQL_EQ "$1"
                  " AND call_id" SQL_EQ "$2 AND event" SQL_EQ "$3"
                  " AND digest" SQL_EQ "$4 AND sent_ms" SQL_GT "$5",
                  lengthof(types), types);
    Datum values[] = {CStringGetTextDatum(home), CStringGetTextDatum(seen->call_id),
                      CStringGetTextDatum(seen->event), digest_datum(seen),
                      Int64GetDatum(seen->sent_ms)};
    run_plan(plan, values, NULL, false, SPI_OK_UPDATE);
    return SPI_processed > 0;
}

void journal_revive(const struct observation *seen)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {BYTEAOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "DELETE FROM frontdesk.journal WHERE agent_id" SQL_EQ "''"
                                " AND digest" SQL_EQ "$1 AND state" SQL_EQ "'dead'",
                                lengthof(types), types);
    Datum values[] = {digest_datum(seen)};
    run_plan(plan, values, NULL, false, SPI_OK_DELETE);
}

/*
 * The events in SPI's last result, whose first columns are source, sent_ms and body; not yet read.
 */
static struct observation *result_events(int *count)
{
    struct observation *events = palloc0(sizeof(*events) * (SPI_processed + 1));

    *count = (int)SPI_processed;
    for (uint64 i = 0; i < SPI_processed; i++) {
        events[i].source = TextDatumGetCString(result_value(i, 1));
        events[i].sent_ms = DatumGetInt64(result_value(i, 2));
        events[i].body = result_value(i, 3);
    }
    return events;
}

struct observation *journal_adopt(const char *home, const char *call_id, int *count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "DELETE FROM frontdesk.journal WHERE agent_id" SQL_EQ "''"
                                " AND call_id" SQL_EQ "$1 AND state" SQL_EQ "'kept'"
                                " RETURNING source, sent_ms, body, received_at",
                                lengthof(types), types);
    Datum values[] = {CStringGetTextDatum(call_id)};
    struct observation *events;
    TimestampTz *received;

    run_plan(plan, values, NULL, false, SPI_OK_DELETE_RETURNING);
    events = result_events(count);
    received = palloc(sizeof(*received) * (size_t)(*count + 1));
    for (int i = 0; i < *count; i++)
        received[i] = DatumGetTimestampTz(result_value((uint64)i, 4));
    for (int i = 0; i < *count; i++) {
        observe(&events[i]);
        journal_add(home, &events[i], events[i].error ? JOURNAL_DEAD : JOURNAL_DONE, received[i]);
    }
    return events;
}

struct observation *journal_read(const char *home, const char *call_id, int *count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "SELECT source, sent_ms, body FROM frontdesk.journal"
                                " WHERE agent_id" SQL_EQ "$1 AND call_id" SQL_EQ "$2"
                                " AND state" SQL_EQ "'done'",
                                lengthof(types), types);
    Datum values[] = {CStringGetTextDatum(home), CStringGetTextDatum(call_id)};
    struct observation *events;

    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
    events = result_events(count);
    for (int i = 0; i < *count; i++) {
        CHECK_FOR_INTERRUPTS();
        observe(&events[i]);
    }
    return events;
}
