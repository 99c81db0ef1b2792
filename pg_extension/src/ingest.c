/*
 * ingest(): a batch of events becomes journal rows, agents and merged calls.
 *
 * Each step is one statement for the whole batch, and takes its rows in the order of their keys; all
 * batches take the steps in the same order. So sessions wait for one another and never in a circle:
 *   1. identify  what each event is and whom it is about; what cannot be read is dead
 *   2. find      homes that are known, and events that the journal has already: those are done with
 *   3. read      what the new ones say of their calls
 *   4. home      the call_home row of every call that had no agent is written, or locked
 *   5. agents    those not seen before are added
 *   6. journal   every event is added, unless another session was faster
 *   7. merge     the calls' rows are read and locked, what is new is merged into them, and those that
 *                changed are written. Every statement sees what was committed before it (under READ
 *                COMMITTED each takes a new snapshot), so what another session merged until it let
 *                go of the row is there
 *
 * An event that names no agent, of a call of which no agent is known yet, is kept in the journal
 * under the empty agent_id; step 4 moves it to the agent's rows when one becomes known.
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

#include "agent_store.h"
#include "call_store.h"
#include "compat.h"
#include "home.h"
#include "journal.h"

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
    const char *home;  /* the agent it is stored under; empty when there is none */
    struct item *same; /* another delivery of the same event that this one follows, or NULL */
    struct journal_entry journal;
    enum outcome outcome;
    bool again; /* it was known, but its call must be merged from the journal again */
};

/* The items of a batch that speak of one call. */
struct call {
    struct home home;
    struct item **items; /* in the order given */
    int count;
    struct observation *adopted; /* earlier events that named no agent */
    int adopted_count;
    struct call_row row;
};

struct batch {
    struct item *items;
    int count;
    struct call *calls; /* in the order of call_id */
    int call_count;
    TimestampTz now;
};

PG_FUNCTION_INFO_V1(frontdesk_ingest);

/* Step 1: identify. */

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
        observe_identity(&item->seen);
    }
}

/* Deliveries of one event stand together, and the first sent leads. */
static int compare_deliveries(const void *a, const void *b)
{
    const struct item *left = *(struct item *const *)a, *right = *(struct item *const *)b;
    int order = memcmp(left->seen.digest, right->seen.digest, DIGEST_LENGTH);
    if (order == 0)
        order =
            (left->seen.sent_ms > right->seen.sent_ms) - (left->seen.sent_ms < right->seen.sent_ms);
    return order ? order : left->ord - right->ord;
}

static struct item **list_items(const struct batch *batch)
{
    struct item **list = palloc(sizeof(struct item *) * (size_t)Max(batch->count, 1));
    for (int i = 0; i < batch->count; i++)
        list[i] = &batch->items[i];
    return list;
}

static void find_same(struct batch *batch)
{
    struct item **sorted = list_items(batch), *first = NULL;

    qsort(sorted, (size_t)batch->count, sizeof(struct item *), compare_deliveries);
    for (int i = 0; i < batch->count; i++) {
        if (first && memcmp(first->seen.digest, sorted[i]->seen.digest, DIGEST_LENGTH) == 0)
            sorted[i]->same = first;
        else
            first = sorted[i];
    }
}

/* Step 2: find. */

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
        if (batch->items[i].seen.names_call && !batch->items[i].same)
            sorted[n++] = &batch->items[i];
    qsort(sorted, (size_t)n, sizeof(struct item *), compare_calls);
    batch->calls = palloc0(sizeof(struct call) * (size_t)Max(n, 1));
    for (int i = 0; i < n; i++) {
        const char *call_id = sorted[i]->seen.call_id;
        if (i == 0 || strcmp(call_id, batch->calls[batch->call_count - 1].home.call_id) != 0)
            batch->calls[batch->call_count++] =
                (struct call){.home = {.call_id = call_id, .agent_id = ""}, .items = &sorted[i]};
        batch->calls[batch->call_count - 1].count++;
    }
}

static void set_home(struct call *call)
{
    for (int i = 0; i < call->count; i++)
        if (!call->items[i]->seen.error)
            call->items[i]->home = call->home.agent_id;
}

static void find_homes(struct batch *batch)
{
    struct home **homes = palloc(sizeof(struct home *) * (size_t)Max(batch->call_count, 1));

    for (int i = 0; i < batch->call_count; i++)
        homes[i] = &batch->calls[i].home;
    if (batch->call_count > 0)
        homes_read(homes, batch->call_count);
    for (int i = 0; i < batch->call_count; i++)
        set_home(&batch->calls[i]);
}

static bool is_replay(const struct item *item)
{
    return strcmp(item->seen.source, "replay") == 0;
}

/*
 * An event that the journal has needs nothing more, unless it turns out to have been sent earlier
 * than was known; one that is replayed is merged again.
 */
static void find_known(struct batch *batch)
{
    struct journal_entry **entries =
        palloc(sizeof(struct journal_entry *) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        item->journal = (struct journal_entry){.home = item->home, .seen = &item->seen};
        if (!item->same && !item->seen.error && !is_replay(item))
            entries[n++] = &item->journal;
    }
    if (n > 0)
        journal_find(entries, n);
    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        if (item->journal.known && item->seen.sent_ms >= item->journal.known_ms)
            item->outcome = OUTCOME_UNCHANGED;
    }
}

/* Step 3: read. */

static bool is_open(const struct item *item)
{
    return item->outcome == OUTCOME_UNDECIDED && !item->same;
}

static void read_open(struct batch *batch)
{
    struct observation **open = palloc(sizeof(struct observation *) * (size_t)Max(batch->count, 1));
    int n = 0;

    for (int i = 0; i < batch->count; i++)
        if (is_open(&batch->items[i]))
            open[n++] = &batch->items[i].seen;
    observe_all(open, n);
    for (int i = 0; i < batch->count; i++)
        if (batch->items[i].seen.error)
            batch->items[i].home = ""; /* the dead lie together */
}

/* Does it want to be merged into a call? */
static bool is_live(const struct item *item)
{
    return is_open(item) && item->seen.has_call;
}

/* Step 4: home. */

/* The first agent that the call's events name; NULL when there is nothing to find a home for. */
static const char *named_agent(const struct call *call)
{
    const char *agent_id = NULL;
    for (int i = 0; i < call->count; i++)
        if (is_live(call->items[i]) && (!agent_id || agent_id[0] == '\0'))
            agent_id = call->items[i]->seen.agent_id;
    return agent_id;
}

static void claim_homes(struct batch *batch)
{
    struct home **homes = palloc(sizeof(struct home *) * (size_t)Max(batch->call_count, 1));
    int n = 0;

    for (int i = 0; i < batch->call_count; i++) {
        struct call *call = &batch->calls[i];
        const char *agent_id = named_agent(call);
        if (!agent_id || call->home.agent_id[0] != '\0')
            continue;
        call->home.agent_id = agent_id;
        homes[n++] = &call->home;
    }
    if (n == 0)
        return;
    homes_claim(homes, n);
    for (int i = 0; i < batch->call_count; i++) {
        struct call *call = &batch->calls[i];
        set_home(call);
        if (call->home.claimed)
            call->adopted =
                journal_adopt(call->home.agent_id, call->home.call_id, &call->adopted_count);
    }
}

/* Step 5: agents. */

static int compare_agents(const void *a, const void *b)
{
    const struct agent *left = a, *right = b;
    int order = strcmp(left->agent_id, right->agent_id);
    return order ? order : strcmp(right->name, left->name); /* a name before none */
}

static void note_agents(const struct item *item, struct agent *agents, int *n)
{
    const struct observation *seen = &item->seen;
    if (seen->agent_id[0] != '\0')
        agents[(*n)++] = (struct agent){seen->agent_id, seen->agent_name};
    if (item->home[0] != '\0' && strcmp(item->home, seen->agent_id) != 0)
        agents[(*n)++] = (struct agent){item->home, ""};
}

static void store_agents(struct batch *batch)
{
    struct agent *agents = palloc(sizeof(*agents) * (size_t)Max(batch->count, 1) * 2);
    int n = 0, distinct = 0;

    for (int i = 0; i < batch->count; i++)
        if (is_live(&batch->items[i]))
            note_agents(&batch->items[i], agents, &n);
    qsort(agents, (size_t)n, sizeof(*agents), compare_agents);
    for (int i = 0; i < n; i++)
        if (i == 0 || strcmp(agents[i].agent_id, agents[distinct - 1].agent_id) != 0)
            agents[distinct++] = agents[i];
    if (distinct > 0)
        agents_store(agents, distinct, batch->now);
}

/* Step 6: journal. */

/* Is it merged into a call, now or when it comes again? */
static bool merges(const struct item *item)
{
    return item->seen.has_call && item->home[0] != '\0';
}

static int compare_keys(const void *a, const void *b)
{
    const struct item *left = *(struct item *const *)a, *right = *(struct item *const *)b;
    int order = strcmp(left->home, right->home);
    if (order == 0)
        order = strcmp(left->seen.call_id, right->seen.call_id);
    if (order == 0)
        order = strcmp(left->seen.event, right->seen.event);
    return order ? order : memcmp(left->seen.digest, right->seen.digest, DIGEST_LENGTH);
}

/* The open items, in the order of their keys. */
static struct item **sort_open(const struct batch *batch, int *count)
{
    struct item **sorted = list_items(batch);
    int n = 0;

    for (int i = 0; i < batch->count; i++)
        if (is_open(&batch->items[i]))
            sorted[n++] = &batch->items[i];
    qsort(sorted, (size_t)n, sizeof(struct item *), compare_keys);
    *count = n;
    return sorted;
}

/* What becomes of an item that was to be journaled; what is merged is decided then. */
static void decide(struct item *item)
{
    bool added = item->journal.added;

    if (!added && journal_resend(item->home, &item->seen) && merges(item))
        item->again = true;
    if (!added && is_replay(item) && merges(item))
        item->again = true;
    if (item->seen.error)
        item->outcome = OUTCOME_DEAD;
    else if (!added && !item->again)
        item->outcome = OUTCOME_UNCHANGED;
    else if (!merges(item))
        item->outcome = OUTCOME_KEPT;
}

static void journal_open(struct batch *batch)
{
    int count;
    struct item **sorted = sort_open(batch, &count);
    struct journal_entry **entries = palloc(sizeof(struct journal_entry *) * (size_t)Max(count, 1));

    for (int i = 0; i < count; i++) {
        struct item *item = sorted[i];
        item->journal.home = item->home;
        item->journal.received_at = batch->now;
        item->journal.state = item->seen.error ? JOURNAL_DEAD
                              : merges(item)   ? JOURNAL_DONE
                                               : JOURNAL_KEPT;
        entries[i] = &item->journal;
        if (is_replay(item) && !item->seen.error)
            journal_revive(&item->seen);
    }
    if (count > 0)
        journal_add(entries, count);
    for (int i = 0; i < count; i++)
        decide(sorted[i]);
}

/* Step 7: merge. */

/*
 * Merges everything that the journal has of the call, as if it came now. First the versions that
 * were taken from a later delivery are lowered. Says whether a value changed.
 */
static bool merge_journal(struct call_row *row)
{
    int count;
    struct observation *events = journal_read(row->agent_id, row->call_id, &count);
    bool visible = false;

    for (int i = 0; i < count; i++)
        if (events[i].has_call)
            call_state_resend(&row->state, &events[i]);
    for (int i = 0; i < count; i++)
        if (events[i].has_call)
            visible |= call_state_merge(&row->state, &events[i]);
    return visible;
}

static void merge_call(struct call *call)
{
    struct call_row *row = &call->row;
    bool known = row->exists;

    row->visible = false;
    for (int i = 0; i < call->adopted_count; i++)
        if (call->adopted[i].has_call)
            row->visible |= call_state_merge(&row->state, &call->adopted[i]);
    for (int i = 0; i < call->count; i++) {
        struct item *item = call->items[i];
        bool changed;
        if (!is_live(item))
            continue;
        changed = item->again ? merge_journal(row) : call_state_merge(&row->state, &item->seen);
        item->outcome = !known ? OUTCOME_INSERTED : changed ? OUTCOME_UPDATED : OUTCOME_UNCHANGED;
        known = true;
        row->visible |= changed;
    }
}

/* Has the call anything to be merged into it? */
static bool has_news(const struct call *call)
{
    bool news = call->adopted_count > 0;
    for (int i = 0; i < call->count; i++)
        news |= is_live(call->items[i]);
    return news && call->home.agent_id[0] != '\0';
}

static int compare_rows(const void *a, const void *b)
{
    const struct call *left = *(struct call *const *)a, *right = *(struct call *const *)b;
    int order = strcmp(left->home.agent_id, right->home.agent_id);
    return order ? order : strcmp(left->home.call_id, right->home.call_id);
}

/*
 * A call that has a home but no row was deleted by somebody. Its home is locked in place of the row,
 * then it is looked for again.
 */
static void read_missing(struct call **calls, int count)
{
    struct home **homes = palloc(sizeof(struct home *) * (size_t)Max(count, 1));
    struct call_row **rows = palloc(sizeof(struct call_row *) * (size_t)Max(count, 1));
    int n = 0;

    for (int i = 0; i < count; i++) {
        if (calls[i]->row.exists || calls[i]->home.claimed)
            continue;
        homes[n] = &calls[i]->home;
        rows[n++] = &calls[i]->row;
    }
    if (n == 0)
        return;
    homes_lock(homes, n);
    call_store_read(rows, n, true);
}

static void merge_calls(struct batch *batch)
{
    struct call **calls = palloc(sizeof(struct call *) * (size_t)Max(batch->call_count, 1));
    struct call_row **rows = palloc(sizeof(struct call_row *) * (size_t)Max(batch->call_count, 1));
    int n = 0, changed = 0;

    for (int i = 0; i < batch->call_count; i++)
        if (has_news(&batch->calls[i]))
            calls[n++] = &batch->calls[i];
    if (n == 0)
        return;
    qsort(calls, (size_t)n, sizeof(struct call *), compare_rows);
    for (int i = 0; i < n; i++) {
        calls[i]->row.agent_id = calls[i]->home.agent_id;
        calls[i]->row.call_id = calls[i]->home.call_id;
        rows[i] = &calls[i]->row;
    }
    call_store_read(rows, n, true);
    read_missing(calls, n);
    for (int i = 0; i < n; i++) {
        CHECK_FOR_INTERRUPTS();
        merge_call(calls[i]);
        if (calls[i]->row.state.changed)
            rows[changed++] = &calls[i]->row;
    }
    if (changed > 0)
        call_store_write(rows, changed, batch->now);
}

/* Other deliveries of an event end as it does, and change nothing. */
static void settle_same(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        if (!item->same)
            continue;
        item->home = item->same->home;
        item->seen.error = item->same->seen.error;
        item->outcome = item->seen.error ? OUTCOME_DEAD : OUTCOME_UNCHANGED;
    }
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
    find_same(&batch);
    group_calls(&batch);
    find_homes(&batch);
    find_known(&batch);
    read_open(&batch);
    claim_homes(&batch);
    store_agents(&batch);
    journal_open(&batch);
    merge_calls(&batch);
    settle_same(&batch);
    answer(&batch, (ReturnSetInfo *)fcinfo->resultinfo);
    SPI_finish();
    return (Datum)0;
}
