/*
 * ingest(): a batch of events becomes journal rows, agents and merged calls.
 *
 * Each batch takes its steps in one order, and each step its rows in the order of their keys, so
 * that sessions wait for one another and never in a circle:
 *   1. read      every event is parsed; nothing is written yet, what cannot be read is dead
 *   2. home      the call_home row of every call is written or locked. From here on this session is
 *                the only one that works on these calls, and every statement below sees what the
 *                one before it committed (under READ COMMITTED each takes a new snapshot)
 *   3. agents    those not seen before are added
 *   4. journal   every event is added, if it is not there already
 *   5. merge     what is new is merged into its call, one write a call
 *
 * An event that names no agent, of a call of which no agent is known yet, is kept in the journal
 * under the empty agent_id; step 2 moves it to the agent's rows when one becomes known.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "kept_plan.h"
#include "merge.h"
#include "observation.h"

/* Qualified operators, for the texts below. */
#define EQ " OPERATOR(pg_catalog.=) "
#define NE " OPERATOR(pg_catalog.<>) "
#define GT " OPERATOR(pg_catalog.>) "

/* The latest time that JavaScript has: the same bound as for the times of calls. */
#define SENT_MAX 8640000000000000LL

#define JOURNAL_KEY "agent_id" EQ "$1 AND call_id" EQ "$2 AND event" EQ "$3 AND digest" EQ "$4"

/* What became of an event, and how the answer calls it. */
enum outcome {
    OUTCOME_UNDECIDED,
    OUTCOME_INSERTED,
    OUTCOME_UPDATED,
    OUTCOME_UNCHANGED,
    OUTCOME_KEPT,
    OUTCOME_DEAD
};

static const char *const outcome_names[] = {
    [OUTCOME_INSERTED] = "inserted",   [OUTCOME_UPDATED] = "updated",
    [OUTCOME_UNCHANGED] = "unchanged", [OUTCOME_KEPT] = "kept",
    [OUTCOME_DEAD] = "dead",
};

struct item {
    struct observation seen;
    int ord;
    const char *home; /* the agent it is stored under; empty when there is none */
    enum outcome outcome;
    bool fresh; /* its journal row is new */
    bool again; /* it was known, but its call must be merged from the journal again */
};

/* The items of a batch that speak of one call. */
struct call {
    const char *call_id;
    const char *home;
    struct item **items; /* in the order given */
    int count;
    struct observation *adopted; /* earlier events that had no agent */
    int adopted_count;
};

struct batch {
    struct item *items;
    int count;
    struct call *calls; /* in the order of call_id */
    int call_count;
    TimestampTz now;
};

PG_FUNCTION_INFO_V1(frontdesk_ingest);

/* Parameters of plans. */

static Datum text_datum(const char *s)
{
    return PointerGetDatum(cstring_to_text(s));
}

static Datum digest_datum(const struct observation *seen)
{
    bytea *digest = palloc(VARHDRSZ + DIGEST_LENGTH);
    SET_VARSIZE(digest, VARHDRSZ + DIGEST_LENGTH);
    memcpy(VARDATA(digest), seen->digest, DIGEST_LENGTH);
    return PointerGetDatum(digest);
}

/* A column of a row that SPI returned; none of those read here is ever null. */
static Datum result_datum(uint64 row, int column)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);
    if (null)
        elog(ERROR, "unexpected null in column %d", column);
    return value;
}

/* Step 1: read. */

static void check_array(const ArrayType *array, const char *name)
{
    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must be a one-dimensional array", name)));
}

static const char *check_source(Datum value)
{
    const char *source = TextDatumGetCString(value);
    if (strcmp(source, "webhook") != 0 && strcmp(source, "poll") != 0 &&
        strcmp(source, "replay") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown source \"%s\"", source),
                 errhint("Use webhook, poll or replay.")));
    return source;
}

/* Milliseconds since 1970. */
static int64 unix_ms(TimestampTz time)
{
    return time / 1000 +
           (int64)(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (SECS_PER_DAY * INT64CONST(1000));
}

static int64 check_sent(int64 sent_ms)
{
    if (sent_ms < 0 || sent_ms > SENT_MAX)
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("sent_ms %lld is out of range", (long long)sent_ms),
                        errdetail("It is in milliseconds since 1970, from 0 to %lld.", SENT_MAX)));
    return sent_ms;
}

static void read_batch(struct batch *batch, ArrayType *bodies, ArrayType *sources, ArrayType *sent)
{
    Datum *body, *source, *sent_ms;
    bool *no_body, *no_source, *no_sent;
    int source_count, sent_count;

    check_array(bodies, "bodies");
    check_array(sources, "sources");
    check_array(sent, "sent_ms");
    deconstruct_array(bodies, BYTEAOID, -1, false, TYPALIGN_INT, &body, &no_body, &batch->count);
    deconstruct_array(sources, TEXTOID, -1, false, TYPALIGN_INT, &source, &no_source,
                      &source_count);
    deconstruct_array(sent, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &sent_ms,
                      &no_sent, &sent_count);
    if (source_count != batch->count || sent_count != batch->count)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("bodies, sources and sent_ms must have as many elements"),
                 errdetail("They have %d, %d and %d.", batch->count, source_count, sent_count)));
    batch->items = palloc0(sizeof(struct item) * (size_t)Max(batch->count, 1));
    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        CHECK_FOR_INTERRUPTS();
        if (no_body[i] || no_source[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("bodies and sources must not contain nulls")));
        item->ord = i + 1;
        item->home = "";
        item->seen.body = body[i];
        item->seen.source = check_source(source[i]);
        item->seen.sent_ms =
            no_sent[i] ? unix_ms(batch->now) : check_sent(DatumGetInt64(sent_ms[i]));
        observe(&item->seen);
        if (item->seen.error)
            item->outcome = OUTCOME_DEAD;
        else if (!item->seen.has_call)
            item->outcome = OUTCOME_KEPT;
    }
}

/* Step 2: home. */

static int compare_calls(const void *a, const void *b)
{
    const struct item *left = *(struct item *const *)a, *right = *(struct item *const *)b;
    int order = strcmp(left->seen.call_id, right->seen.call_id);
    return order ? order : left->ord - right->ord;
}

/* Gathers the items of each call. */
static void group_calls(struct batch *batch)
{
    struct item **sorted = palloc(sizeof(*sorted) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++)
        if (batch->items[i].seen.has_call)
            sorted[n++] = &batch->items[i];
    qsort(sorted, (size_t)n, sizeof(*sorted), compare_calls);
    batch->calls = palloc0(sizeof(struct call) * (size_t)Max(n, 1));
    for (int i = 0; i < n; i++) {
        const char *call_id = sorted[i]->seen.call_id;
        if (i == 0 || strcmp(call_id, batch->calls[batch->call_count - 1].call_id) != 0)
            batch->calls[batch->call_count++] =
                (struct call){.call_id = call_id, .home = "", .items = &sorted[i]};
        batch->calls[batch->call_count - 1].count++;
    }
}

/* Adds a row to the journal; false when it is there already. */
static bool journal_add(const char *home, const struct observation *seen, const char *state,
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
    Datum values[] = {text_datum(home),
                      text_datum(seen->call_id),
                      text_datum(seen->event),
                      digest_datum(seen),
                      text_datum(seen->source),
                      Int64GetDatum(seen->sent_ms),
                      text_datum(state),
                      TimestampTzGetDatum(received_at),
                      seen->error ? text_datum(seen->error) : (Datum)0,
                      seen->body};
    run_plan(plan, values, seen->error ? NULL : "        n ", false, SPI_OK_INSERT);
    return SPI_processed > 0;
}

/* Moves the call's events that had no agent to its home, for the merge to take them in. */
static void adopt_orphans(struct call *call)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "DELETE FROM frontdesk.journal WHERE agent_id" EQ "''"
                                " AND call_id" EQ "$1 AND state" EQ "'kept'"
                                " RETURNING source, sent_ms, received_at, body",
                                lengthof(types), types);
    Datum values[] = {text_datum(call->call_id)};
    TimestampTz *received;

    run_plan(plan, values, NULL, false, SPI_OK_DELETE_RETURNING);
    call->adopted_count = (int)SPI_processed;
    if (call->adopted_count == 0)
        return;
    call->adopted = palloc0(sizeof(struct observation) * SPI_processed);
    received = palloc(sizeof(TimestampTz) * SPI_processed);
    for (int i = 0; i < call->adopted_count; i++) {
        struct observation *seen = &call->adopted[i];
        seen->source = TextDatumGetCString(result_datum((uint64)i, 1));
        seen->sent_ms = DatumGetInt64(result_datum((uint64)i, 2));
        received[i] = DatumGetTimestampTz(result_datum((uint64)i, 3));
        seen->body = result_datum((uint64)i, 4);
    }
    for (int i = 0; i < call->adopted_count; i++) {
        observe(&call->adopted[i]);
        journal_add(call->home, &call->adopted[i], call->adopted[i].error ? "dead" : "done",
                    received[i]);
    }
}

/*
 * Makes the call's home known and locks it. ON CONFLICT locks the row even where its condition
 * leaves the row as it is; it returns nothing then.
 */
static void find_home(struct call *call)
{
    static SPIPlanPtr write_slot, read_slot;
    static const Oid types[] = {TEXTOID, TEXTOID};
    SPIPlanPtr write =
        kept_plan(&write_slot,
                  "INSERT INTO frontdesk.call_home AS home (call_id, agent_id) VALUES ($1, $2)"
                  " ON CONFLICT (call_id) DO UPDATE SET agent_id = excluded.agent_id"
                  " WHERE home.agent_id" EQ "'' AND excluded.agent_id" NE "''",
                  lengthof(types), types);
    const char *agent_id = "";
    bool written;

    for (int i = 0; i < call->count && agent_id[0] == '\0'; i++)
        agent_id = call->items[i]->seen.agent_id;
    Datum values[] = {text_datum(call->call_id), text_datum(agent_id)};
    run_plan(write, values, NULL, false, SPI_OK_INSERT);
    written = SPI_processed > 0;
    call->home = agent_id;
    if (!written) {
        SPIPlanPtr read = kept_plan(
            &read_slot, "SELECT agent_id FROM frontdesk.call_home WHERE call_id" EQ "$1", 1, types);
        run_plan(read, values, NULL, false, SPI_OK_SELECT);
        if (SPI_processed != 1)
            elog(ERROR, "a locked row of call_home is gone");
        call->home = TextDatumGetCString(result_datum(0, 1));
    }
    for (int i = 0; i < call->count; i++)
        call->items[i]->home = call->home;
    if (written && call->home[0] != '\0')
        adopt_orphans(call);
}

/* Step 3: agents. */

struct agent {
    const char *agent_id;
    const char *name; /* empty when the event does not say */
};

static int compare_agents(const void *a, const void *b)
{
    const struct agent *left = a, *right = b;
    int order = strcmp(left->agent_id, right->agent_id);
    return order ? order : strcmp(right->name, left->name); /* a name before none */
}

/* Adds the agent, or gives it its name if it had none; a name that it has stays. */
static void add_agent(const struct agent *agent, TimestampTz now)
{
    static SPIPlanPtr add_slot, name_slot;
    static const Oid types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID};
    SPIPlanPtr add =
        kept_plan(&add_slot,
                  "INSERT INTO frontdesk.agents (agent_id, agent_name, created_at, updated_at)"
                  " VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING",
                  lengthof(types), types);
    bool named = agent->name[0] != '\0';
    Datum values[] = {text_datum(agent->agent_id),
                      text_datum(named ? agent->name : agent->agent_id), TimestampTzGetDatum(now)};

    run_plan(add, values, NULL, false, SPI_OK_INSERT);
    if (SPI_processed == 0 && named) {
        SPIPlanPtr name =
            kept_plan(&name_slot,
                      "UPDATE frontdesk.agents SET agent_name = $2, updated_at = $3"
                      " WHERE agent_id" EQ "$1 AND agent_name" EQ "agent_id AND agent_id" NE "$2",
                      lengthof(types), types);
        run_plan(name, values, NULL, false, SPI_OK_UPDATE);
    }
}

static void note_agents(const struct observation *seen, const char *home, struct agent *agents,
                        int *n)
{
    if (seen->agent_id[0] != '\0')
        agents[(*n)++] = (struct agent){seen->agent_id, seen->agent_name};
    if (home[0] != '\0' && strcmp(home, seen->agent_id) != 0)
        agents[(*n)++] = (struct agent){home, ""};
}

static void add_agents(struct batch *batch)
{
    struct agent *agents = palloc(sizeof(*agents) * (size_t)Max(batch->count, 1) * 2);
    int n = 0;

    for (int i = 0; i < batch->count; i++)
        if (batch->items[i].seen.has_call)
            note_agents(&batch->items[i].seen, batch->items[i].home, agents, &n);
    qsort(agents, (size_t)n, sizeof(*agents), compare_agents);
    for (int i = 0; i < n; i++)
        if (i == 0 || strcmp(agents[i].agent_id, agents[i - 1].agent_id) != 0)
            add_agent(&agents[i], batch->now);
}

/* Step 4: journal. */

/* By key; among the same event's deliveries the first sent leads. */
static int compare_keys(const void *a, const void *b)
{
    const struct item *left = *(struct item *const *)a, *right = *(struct item *const *)b;
    int order = strcmp(left->home, right->home);
    if (order == 0)
        order = strcmp(left->seen.call_id, right->seen.call_id);
    if (order == 0)
        order = strcmp(left->seen.event, right->seen.event);
    if (order == 0)
        order = memcmp(left->seen.digest, right->seen.digest, DIGEST_LENGTH);
    return order;
}

static int compare_deliveries(const void *a, const void *b)
{
    const struct item *left = *(struct item *const *)a, *right = *(struct item *const *)b;
    int order = compare_keys(a, b);
    if (order == 0)
        order =
            (left->seen.sent_ms > right->seen.sent_ms) - (left->seen.sent_ms < right->seen.sent_ms);
    return order ? order : left->ord - right->ord;
}

/* An event that was dead and is understood now, replayed: its dead row goes. */
static void revive(const struct item *item)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {BYTEAOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "DELETE FROM frontdesk.journal WHERE agent_id" EQ "''"
                                " AND digest" EQ "$1 AND state" EQ "'dead'",
                                lengthof(types), types);
    Datum values[] = {digest_datum(&item->seen)};
    run_plan(plan, values, NULL, false, SPI_OK_DELETE);
}

/*
 * A known event is delivered again. What counts is when it was sent first, in whatever order its
 * deliveries come; true when this delivery is earlier than all before it.
 */
static bool journal_resend(const struct item *item)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "UPDATE frontdesk.journal SET sent_ms = $5 WHERE " JOURNAL_KEY
                                " AND sent_ms" GT "$5",
                                lengthof(types), types);
    Datum values[] = {text_datum(item->home), text_datum(item->seen.call_id),
                      text_datum(item->seen.event), digest_datum(&item->seen),
                      Int64GetDatum(item->seen.sent_ms)};
    run_plan(plan, values, NULL, false, SPI_OK_UPDATE);
    return SPI_processed > 0;
}

static void journal_item(struct item *item, TimestampTz now)
{
    bool replayed = strcmp(item->seen.source, "replay") == 0;
    bool merges = item->seen.has_call && item->home[0] != '\0';
    const char *state = item->seen.error ? "dead" : merges ? "done" : "kept";

    if (replayed && !item->seen.error)
        revive(item);
    item->fresh = journal_add(item->home, &item->seen, state, now);
    if (!item->fresh && journal_resend(item) && merges)
        item->again = true;
    if (!item->fresh && replayed && merges)
        item->again = true;
    if (item->outcome == OUTCOME_DEAD)
        return;
    if (!item->fresh)
        item->outcome = OUTCOME_UNCHANGED;
    else if (!merges)
        item->outcome = OUTCOME_KEPT;
}

static void journal_batch(struct batch *batch)
{
    struct item **sorted = palloc(sizeof(*sorted) * (size_t)Max(batch->count, 1));

    for (int i = 0; i < batch->count; i++)
        sorted[i] = &batch->items[i];
    qsort(sorted, (size_t)batch->count, sizeof(*sorted), compare_deliveries);
    for (int i = 0; i < batch->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (i == 0 || compare_keys(&sorted[i], &sorted[i - 1]) != 0)
            journal_item(sorted[i], batch->now);
        else if (sorted[i]->outcome != OUTCOME_DEAD)
            sorted[i]->outcome = OUTCOME_UNCHANGED;
    }
}

/* Step 5: merge. */

/* Columns of calls in the plans below: the fields, then these. */
enum {
    COLUMN_AGENT_ID = CALL_FIELD_COUNT,
    COLUMN_CALL_ID,
    COLUMN_FIRST_SENT_MS,
    COLUMN_DETAILS,
    COLUMN_PROVENANCE,
    COLUMN_UPDATED_AT,
    COLUMN_COUNT
};

static const char *column_name(int column)
{
    static const char *const names[] = {"agent_id", "call_id",    "first_sent_ms",
                                        "details",  "provenance", "updated_at"};
    return column < CALL_FIELD_COUNT ? call_fields[column].column
                                     : names[column - CALL_FIELD_COUNT];
}

static Oid column_type(int column)
{
    static const Oid of_kind[] = {[KIND_TEXT] = TEXTOID,
                                  [KIND_INTEGER] = INT8OID,
                                  [KIND_MONEY] = NUMERICOID,
                                  [KIND_BOOL] = BOOLOID,
                                  [KIND_JSON] = JSONBOID};
    static const Oid others[] = {TEXTOID, TEXTOID, INT8OID, JSONBOID, BYTEAOID, TIMESTAMPTZOID};
    return column < CALL_FIELD_COUNT ? of_kind[call_fields[column].kind]
                                     : others[column - CALL_FIELD_COUNT];
}

enum call_plan { PLAN_READ, PLAN_ADD, PLAN_SET, PLAN_COUNT };

/* The text of a plan, generated: three lists of 28 columns by hand would not stay in step. */
static char *call_plan_text(enum call_plan which)
{
    StringInfoData names, values, sets, text;

    initStringInfo(&names);
    initStringInfo(&values);
    initStringInfo(&sets);
    initStringInfo(&text);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const char *comma = i > 0 ? ", " : "";
        appendStringInfo(&names, "%s%s", comma, column_name(i));
        appendStringInfo(&values, "%s$%d", comma, i + 1);
        if (i != COLUMN_AGENT_ID && i != COLUMN_CALL_ID && i != COLUMN_UPDATED_AT)
            appendStringInfo(&sets, "%s = $%d, ", column_name(i), i + 1);
    }
    if (which == PLAN_ADD)
        appendStringInfo(&text, "INSERT INTO frontdesk.calls (%s, created_at) VALUES (%s, $%d)",
                         names.data, values.data, COLUMN_UPDATED_AT + 1);
    else if (which == PLAN_SET)
        appendStringInfo(&text,
                         "UPDATE frontdesk.calls SET %supdated_at = coalesce($%d, updated_at)"
                         " WHERE agent_id" EQ "$%d AND call_id" EQ "$%d",
                         sets.data, COLUMN_UPDATED_AT + 1, COLUMN_AGENT_ID + 1, COLUMN_CALL_ID + 1);
    else
        appendStringInfo(&text,
                         "SELECT %s FROM frontdesk.calls"
                         " WHERE agent_id" EQ "$1 AND call_id" EQ "$2",
                         names.data);
    return text.data;
}

static SPIPlanPtr call_plan(enum call_plan which)
{
    static SPIPlanPtr slots[PLAN_COUNT];
    static const Oid key_types[] = {TEXTOID, TEXTOID};
    Oid types[COLUMN_COUNT];

    if (slots[which])
        return slots[which];
    for (int i = 0; i < COLUMN_COUNT; i++)
        types[i] = column_type(i);
    return kept_plan(&slots[which], call_plan_text(which),
                     which == PLAN_READ ? (int)lengthof(key_types) : COLUMN_COUNT,
                     which == PLAN_READ ? key_types : types);
}

/* Reads the call as it is stored; false when there is none. */
static bool read_call(const struct call *call, struct call_state *state)
{
    Datum keys[] = {text_datum(call->home), text_datum(call->call_id)};
    Datum values[COLUMN_COUNT];
    bool nulls[COLUMN_COUNT];

    call_state_init(state);
    run_plan(call_plan(PLAN_READ), keys, NULL, false, SPI_OK_SELECT);
    if (SPI_processed == 0)
        return false;
    heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, values, nulls);
    memcpy(state->values, values, sizeof(state->values));
    state->first_sent_ms = DatumGetInt64(values[COLUMN_FIRST_SENT_MS]);
    call_state_load(state, values[COLUMN_DETAILS], values[COLUMN_PROVENANCE]);
    return true;
}

/* `visible`: some value changed, and with it the time of the row's last change. */
static void write_call(const struct call *call, const struct call_state *state, bool exists,
                       bool visible, TimestampTz now)
{
    Datum values[COLUMN_COUNT];
    char nulls[COLUMN_COUNT];

    memset(nulls, ' ', sizeof(nulls));
    memcpy(values, state->values, sizeof(state->values));
    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (!call_state_has(state, i))
            nulls[i] = 'n';
    values[COLUMN_AGENT_ID] = text_datum(call->home);
    values[COLUMN_CALL_ID] = text_datum(call->call_id);
    values[COLUMN_FIRST_SENT_MS] = Int64GetDatum(state->first_sent_ms);
    values[COLUMN_DETAILS] = call_state_details(state);
    values[COLUMN_PROVENANCE] = call_state_provenance(state);
    values[COLUMN_UPDATED_AT] = TimestampTzGetDatum(now);
    if (!visible && exists)
        nulls[COLUMN_UPDATED_AT] = 'n';
    run_plan(call_plan(exists ? PLAN_SET : PLAN_ADD), values, nulls, false,
             exists ? SPI_OK_UPDATE : SPI_OK_INSERT);
}

/* Merges everything that the journal has of the call. Says whether a value changed. */
static bool merge_journal(const struct call *call, struct call_state *state)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTOID};
    SPIPlanPtr plan = kept_plan(&slot,
                                "SELECT source, sent_ms, body FROM frontdesk.journal"
                                " WHERE agent_id" EQ "$1 AND call_id" EQ "$2"
                                " AND state" EQ "'done'",
                                lengthof(types), types);
    Datum values[] = {text_datum(call->home), text_datum(call->call_id)};
    struct observation *observations;
    bool visible = false;
    uint64 count;

    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
    count = SPI_processed;
    observations = palloc0(sizeof(*observations) * (count + 1));
    for (uint64 i = 0; i < count; i++) {
        observations[i].source = TextDatumGetCString(result_datum(i, 1));
        observations[i].sent_ms = DatumGetInt64(result_datum(i, 2));
        observations[i].body = result_datum(i, 3);
    }
    for (uint64 i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        observe(&observations[i]);
        if (observations[i].has_call)
            call_state_resend(state, &observations[i]);
    }
    for (uint64 i = 0; i < count; i++)
        if (observations[i].has_call)
            visible |= call_state_merge(state, &observations[i]);
    return visible;
}

static void merge_call(struct call *call, TimestampTz now)
{
    struct call_state state;
    bool exists, known, visible = false, news = false, again = false;

    for (int i = 0; i < call->count; i++) {
        news |= call->items[i]->fresh;
        again |= call->items[i]->again;
    }
    if (call->home[0] == '\0' || !(news || again || call->adopted_count > 0))
        return;
    exists = known = read_call(call, &state);
    for (int i = 0; i < call->adopted_count; i++)
        if (call->adopted[i].has_call)
            visible |= call_state_merge(&state, &call->adopted[i]);
    for (int i = 0; i < call->count; i++) {
        struct item *item = call->items[i];
        bool changed = false;
        if (item->fresh)
            changed = call_state_merge(&state, &item->seen);
        else if (item->again)
            changed = merge_journal(call, &state);
        else
            continue;
        item->outcome = !known ? OUTCOME_INSERTED : changed ? OUTCOME_UPDATED : OUTCOME_UNCHANGED;
        known = true;
        visible |= changed;
    }
    if (state.changed)
        write_call(call, &state, exists, visible, now);
}

static void answer(const struct batch *batch, ReturnSetInfo *into)
{
    for (int i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        const struct observation *seen = &item->seen;
        Datum values[] = {
            Int32GetDatum(item->ord), text_datum(outcome_names[item->outcome]),
            text_datum(item->home),   text_datum(seen->call_id),
            text_datum(seen->event),  seen->error ? text_datum(seen->error) : (Datum)0};
        bool nulls[lengthof(values)] = {[5] = !seen->error};
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
}

Datum frontdesk_ingest(PG_FUNCTION_ARGS)
{
    struct batch batch = {.now = GetCurrentTimestamp()};

    if (GetDatabaseEncoding() != PG_UTF8)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("the database must be encoded in UTF8")));
    InitMaterializedSRF(fcinfo, 0);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    read_batch(&batch, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1),
               PG_GETARG_ARRAYTYPE_P(2));
    group_calls(&batch);
    for (int i = 0; i < batch.call_count; i++)
        find_home(&batch.calls[i]);
    add_agents(&batch);
    journal_batch(&batch);
    for (int i = 0; i < batch.call_count; i++)
        merge_call(&batch.calls[i], batch.now);
    answer(&batch, (ReturnSetInfo *)fcinfo->resultinfo);
    SPI_finish();
    return (Datum)0;
}
