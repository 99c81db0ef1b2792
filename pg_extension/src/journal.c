/* One plan a function; every row is found by its whole key or by the start of it. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "columns.h"
#include "compat.h"
#include "journal.h"
#include "kept_plan.h"

/* The columns of the key come first, in its order. */
enum {
    AGENT_ID,
    CALL_ID,
    EVENT,
    DIGEST,
    KEY_COLUMNS,
    SOURCE = KEY_COLUMNS,
    SENT_MS,
    STATE,
    RECEIVED_AT,
    ERROR_TEXT,
    BODY,
    COLUMN_COUNT
};

static const Oid array_types[COLUMN_COUNT] = {
    TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,        BYTEAARRAYOID, TEXTARRAYOID,
    INT8ARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID,  BYTEAARRAYOID};

static const Oid element_types[COLUMN_COUNT] = {TEXTOID, TEXTOID, TEXTOID, BYTEAOID,
                                                TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID,
                                                TEXTOID, BYTEAOID};

static Datum digest_datum(const struct observation *seen)
{
    bytea *digest = palloc(VARHDRSZ + DIGEST_LENGTH);
    SET_VARSIZE(digest, VARHDRSZ + DIGEST_LENGTH);
    memcpy(VARDATA(digest), seen->digest, DIGEST_LENGTH);
    return PointerGetDatum(digest);
}

static void set_key(struct column *columns, int row, const struct journal_entry *entry)
{
    column_set_text(&columns[AGENT_ID], row, entry->home);
    column_set_text(&columns[CALL_ID], row, entry->seen->call_id);
    column_set_text(&columns[EVENT], row, entry->seen->event);
    column_set(&columns[DIGEST], row, digest_datum(entry->seen));
}

static void make_columns(struct column *columns, int column_count, int rows)
{
    for (int i = 0; i < column_count; i++)
        columns[i] = column_make(rows);
}

static void make_arrays(const struct column *columns, int column_count, Datum *arrays)
{
    for (int i = 0; i < column_count; i++)
        arrays[i] = column_array(&columns[i], element_types[i]);
}

void journal_find(struct journal_entry **entries, int count)
{
    static SPIPlanPtr slot;
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "SELECT k.row, found.sent_ms FROM ROWS FROM"
                  " (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
                  " pg_catalog.unnest($4))"
                  " WITH ORDINALITY AS k (agent_id, call_id, event, digest, row),"
                  " LATERAL (SELECT j.sent_ms FROM frontdesk.journal AS j"
                  " WHERE j.agent_id" SQL_EQ "k.agent_id AND j.call_id" SQL_EQ "k.call_id"
                  " AND j.event" SQL_EQ "k.event AND j.digest" SQL_EQ "k.digest"
                  " AND j.state" SQL_NE "'dead' LIMIT 1) AS found",
                  KEY_COLUMNS, array_types);
    struct column columns[KEY_COLUMNS];
    Datum values[KEY_COLUMNS];

    make_columns(columns, KEY_COLUMNS, count);
    for (int i = 0; i < count; i++) {
        entries[i]->known = false;
        set_key(columns, i, entries[i]);
    }
    make_arrays(columns, KEY_COLUMNS, values);
    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++) {
        int64 row = DatumGetInt64(result_value(i, 1));
        if (row < 1 || row > count)
            elog(ERROR, "unexpected row number");
        entries[row - 1]->known = true;
        entries[row - 1]->known_ms = DatumGetInt64(result_value(i, 2));
    }
}

/* Rows are added in the order that they are given in, so conflicts leave that order with holes. */
static void note_added(struct journal_entry **entries, int count)
{
    int next = 0;
    for (uint64 i = 0; i < SPI_processed; i++) {
        const bytea *digest = DatumGetByteaPP(result_value(i, 1));
        while (next < count &&
               memcmp(VARDATA_ANY(digest), entries[next]->seen->digest, DIGEST_LENGTH) != 0)
            next++;
        if (next == count)
            elog(ERROR, "an event was added that was not asked for");
        entries[next++]->added = true;
    }
}

void journal_add(struct journal_entry **entries, int count)
{
    static SPIPlanPtr slot;
    SPIPlanPtr plan = kept_plan(
        &slot,
        "INSERT INTO frontdesk.journal (agent_id, call_id, event, digest, source, sent_ms, state,"
        " received_at, error, body)"
        " SELECT k.agent_id, k.call_id, k.event, k.digest, k.source, k.sent_ms, k.state,"
        " k.received_at, k.error, k.body FROM ROWS FROM"
        " (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
        " pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),"
        " pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
        " pg_catalog.unnest($10)) AS k (agent_id, call_id, event, digest, source, sent_ms, state,"
        " received_at, error, body) ON CONFLICT DO NOTHING RETURNING digest",
        COLUMN_COUNT, array_types);
    struct column columns[COLUMN_COUNT];
    Datum values[COLUMN_COUNT];

    make_columns(columns, COLUMN_COUNT, count);
    for (int i = 0; i < count; i++) {
        const struct observation *seen = entries[i]->seen;
        entries[i]->added = false;
        set_key(columns, i, entries[i]);
        column_set_text(&columns[SOURCE], i, seen->source);
        column_set(&columns[SENT_MS], i, Int64GetDatum(seen->sent_ms));
        column_set_text(&columns[STATE], i, entries[i]->state);
        column_set(&columns[RECEIVED_AT], i, TimestampTzGetDatum(entries[i]->received_at));
        if (seen->error)
            column_set_text(&columns[ERROR_TEXT], i, seen->error);
        column_set(&columns[BODY], i, seen->body);
    }
    make_arrays(columns, COLUMN_COUNT, values);
    run_plan(plan, values, NULL, false, SPI_OK_INSERT_RETURNING);
    note_added(entries, count);
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
    struct journal_entry *entries, **listed;

    run_plan(plan, values, NULL, false, SPI_OK_DELETE_RETURNING);
    events = result_events(count);
    entries = palloc0(sizeof(*entries) * (size_t)(*count + 1));
    listed = palloc(sizeof(struct journal_entry *) * (size_t)(*count + 1));
    for (int i = 0; i < *count; i++) {
        entries[i] = (struct journal_entry){
            .home = home,
            .seen = &events[i],
            .received_at = DatumGetTimestampTz(result_value((uint64)i, 4)),
        };
        listed[i] = &entries[i];
    }
    for (int i = 0; i < *count; i++) {
        observe(&events[i]);
        entries[i].state = events[i].error ? JOURNAL_DEAD : JOURNAL_DONE;
    }
    if (*count > 0)
        journal_add(listed, *count);
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
