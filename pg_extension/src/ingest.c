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
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "call_store.h"
#include "compat.h"
#include "journal.h"
#include "kept_plan.h"

/* The latest time that JavaScript has: the same bound as for the times of calls. */
#define SENT_MAX 8640000000000000LL

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
    struct observation *adopted; /* earlier events that named no agent */
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
    static const char *const known[] = {"webhook", "poll", "replay", "import"};
    for (size_t i = 0; i < lengthof(known); i++)
        if (strcmp(source, known[i]) == 0)
            return source;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown source \"%s\"", source),
             errhint("Use webhook, poll, replay or import.")));
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
    struct item **sorted = palloc(sizeof(struct item *) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++)
        if (batch->items[i].seen.has_call)
            sorted[n++] = &batch->items[i];
    qsort(sorted, (size_t)n, sizeof(struct item *), compare_calls);
    batch->calls = palloc0(sizeof(struct call) * (size_t)Max(n, 1));
    for (int i = 0; i < n; i++) {
        const char *call_id = sorted[i]->seen.call_id;
        if (i == 0 || strcmp(call_id, batch->calls[batch->call_count - 1].call_id) != 0)
            batch->calls[batch->call_count++] =
                (struct call){.call_id = call_id, .home = "", .items = &sorted[i]};
        batch->calls[batch->call_count - 1].count++;
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
                  " WHERE home.agent_id" SQL_EQ "'' AND excluded.agent_id" SQL_NE "''",
                  lengthof(types), types);
    const char *agent_id = "";
    bool written;

    for (int i = 0; i < call->count && agent_id[0] == '\0'; i++)
        agent_id = call->items[i]->seen.agent_id;
    Datum values[] = {CStringGetTextDatum(call->call_id), CStringGetTextDatum(agent_id)};
    run_plan(write, values, NULL, false, SPI_OK_INSERT);
    written = SPI_processed > 0;
    call->home = agent_id;
    if (!written) {
        SPIPlanPtr read = kept_plan(
            &read_slot, "SELECT agent_id FROM frontdesk.call_home WHERE call_id" SQL_EQ "$1", 1,
            types);
        run_plan(read, values, NULL, false, SPI_OK_SELECT);
        if (SPI_processed != 1)
            elog(ERROR, "a locked row of call_home is gone");
        call->home = TextDatumGetCString(result_value(0, 1));
    }
    for (int i = 0; i < call->count; i++)
        call->items[i]->home = call->home;
    if (written && call->home[0] != '\0')
        call->adopted = journal_adopt(call->home, call->call_id, &call->adopted_count);
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

/* Adds the agent, or gives it its name if it had none; a name that it has, or a person gave, stays. */
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
    Datum values[] = {CStringGetTextDatum(agent->agent_id),
                      CStringGetTextDatum(named ? agent->name : agent->agent_id),
                      TimestampTzGetDatum(now)};

    run_plan(add, values, NULL, false, SPI_OK_INSERT);
    if (SPI_processed == 0 && named) {
        SPIPlanPtr name = kept_plan(&name_slot,
                                    "UPDATE frontdesk.agents SET agent_name = $2, updated_at = $3"
                                    " WHERE agent_id" SQL_EQ "$1 AND agent_name" SQL_EQ
                                    "agent_id AND agent_id" SQL_NE "$2 AND NOT named_by_hand",
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

static void journal_item(struct item *item, TimestampTz now)
{
    bool replayed = strcmp(item->seen.source, "replay") == 0;
    bool merges = item->seen.has_call && item->home[0] != '\0';
    const char *state = item->seen.error ? JOURNAL_DEAD : merges ? JOURNAL_DONE : JOURNAL_KEPT;

    if (replayed && !item->seen.error)
        journal_revive(&item->seen);
    item->fresh = journal_add(item->home, &item->seen, state, now);
    if (!item->fresh && journal_resend(item->home, &item->seen) && merges)
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
    struct item **sorted = palloc(sizeof(struct item *) * (size_t)Max(batch->count, 1));

    for (int i = 0; i < batch->count; i++)
        sorted[i] = &batch->items[i];
    qsort(sorted, (size_t)batch->count, sizeof(struct item *), compare_deliveries);
    for (int i = 0; i < batch->count; i++) {
        CHECK_FOR_INTERRUPTS();
        if (i == 0 || compare_keys(&sorted[i], &sorted[i - 1]) != 0)
            journal_item(sorted[i], batch->now);
        else if (sorted[i]->outcome != OUTCOME_DEAD)
            sorted[i]->outcome = OUTCOME_UNCHANGED;
    }
}

/* Step 5: merge. */

/*
 * Merges everything that the journal has of the call, as if it came now. First the versions that
 * were taken from a later delivery are lowered. Says whether a value changed.
 */
static bool merge_journal(const struct call *call, struct call_state *state)
{
    int count;
    struct observation *events = journal_read(call->home, call->call_id, &count);
    bool visible = false;

    for (int i = 0; i < count; i++)
        if (events[i].has_call)
            call_state_resend(state, &events[i]);
    for (int i = 0; i < count; i++)
        if (events[i].has_call)
            visible |= call_state_merge(state, &events[i]);
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
    exists = known = call_store_read(call->home, call->call_id, &state);
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
        call_store_write(call->home, call->call_id, &state, exists, visible, now);
}

static void answer(const struct batch *batch, ReturnSetInfo *into)
{
    for (int i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        const struct observation *seen = &item->seen;
        Datum values[] = {Int32GetDatum(item->ord),
                          CStringGetTextDatum(outcome_names[item->outcome]),
                          CStringGetTextDatum(item->home),
                          CStringGetTextDatum(seen->call_id),
                          CStringGetTextDatum(seen->event),
                          seen->error ? CStringGetTextDatum(seen->error) : (Datum)0};
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
