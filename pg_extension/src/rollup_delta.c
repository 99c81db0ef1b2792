/*
 * The triggers on calls, one a statement, and the deltas that they write. A delta is in the same
 * (sub)transaction as the change that it describes: so in every snapshot they are both there or both
 * not, aborts and savepoints included.
 *
 * The rows come from the transition tables' tuplestores, never by a query over them, and deltas go
 * out by one statement that names its table in full and nothing else: this is what still works when
 * the tables are distributed. Old rows are subtracted and new ones added; what cancels out, as when
 * only a transcript changed, is not written.
 *
 * Whoever may change calls need not have rights on the rollups, and gets none: deltas are written
 * with those of their table's owner.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "columns.h"
#include "compat.h"
#include "kept_plan.h"
#include "rollup_hours.h"
#include "rollup_rows.h"

/* One agent's hour. */
struct group {
    int64 bucket;
    uint32 hash;
    int agent_len;
    char *agent_id;
    struct stats_acc stats;
};

/*
 * Groups are written out when there are so many: a delta may be written in parts, so memory stays
 * bounded whatever the statement.
 */
enum { GROUPS_FIRST = 4, GROUPS_MAX = 1024, SLOTS = 2 * GROUPS_MAX };

struct groups {
    MemoryContext memory; /* of the groups' contents */
    int count, room;
    struct group *list;
    uint16 slots[SLOTS]; /* index in list + 1 by hash, 0 when free; open addressing */
};

PG_FUNCTION_INFO_V1(frontdesk_count_changed_calls);
PG_FUNCTION_INFO_V1(frontdesk_forget_all_calls);

/* ---- collecting ---- */

static struct groups *new_groups(void)
{
    struct groups *groups = palloc(sizeof(*groups));

    groups->memory =
        AllocSetContextCreate(CurrentMemoryContext, "changes of calls", ALLOCSET_DEFAULT_SIZES);
    groups->count = 0;
    groups->room = GROUPS_FIRST;
    groups->list = palloc(sizeof(*groups->list) * GROUPS_FIRST);
    memset(groups->slots, 0, sizeof(groups->slots));
    return groups;
}

static void free_groups(struct groups *groups)
{
    MemoryContextDelete(groups->memory);
    pfree(groups->list);
    pfree(groups);
}

static bool is_group(const struct group *group, uint32 hash, Datum agent_id, int64 bucket)
{
    struct varlena *text = (struct varlena *)DatumGetPointer(agent_id);
    return group->hash == hash && group->bucket == bucket &&
           group->agent_len == (int)VARSIZE_ANY_EXHDR(text) &&
           memcmp(group->agent_id, VARDATA_ANY(text), (size_t)group->agent_len) == 0;
}

static void write_groups(struct groups *groups);

/* The group of the agent's hour; `agent_id` is detoasted. */
static struct group *find_group(struct groups *groups, Datum agent_id, int64 bucket)
{
    struct varlena *text = (struct varlena *)DatumGetPointer(agent_id);
    int len = (int)VARSIZE_ANY_EXHDR(text);
    uint32 hash = DatumGetUInt32(hash_any((const unsigned char *)VARDATA_ANY(text), len)) ^
                  murmurhash32((uint32)(bucket >> 16));
    struct group *group;
    uint32 slot;

    for (slot = hash % SLOTS; groups->slots[slot]; slot = (slot + 1) % SLOTS) {
        group = &groups->list[groups->slots[slot] - 1];
        if (is_group(group, hash, agent_id, bucket))
            return group;
    }
    if (groups->count == GROUPS_MAX) {
        write_groups(groups);
        MemoryContextReset(groups->memory);
        groups->count = 0;
        memset(groups->slots, 0, sizeof(groups->slots));
        slot = hash % SLOTS;
    }
    if (groups->count == groups->room) {
        groups->room *= 2;
        groups->list = repalloc(groups->list, sizeof(*groups->list) * (Size)groups->room);
    }
    group = &groups->list[groups->count++];
    groups->slots[slot] = (uint16)groups->count;
    *group = (struct group){.bucket = bucket, .hash = hash, .agent_len = len};
    group->agent_id = MemoryContextAlloc(groups->memory, (Size)Max(len, 1));
    memcpy(group->agent_id, VARDATA_ANY(text), (size_t)len);
    stats_acc_init(&group->stats);
    return group;
}

/* What is read of a row of calls: these, then the columns of CALL_STATS_COLUMNS. */
enum { READ_AGENT_ID, READ_STARTED_AT, READ_STATS };

static const struct {
    const char *name;
    Oid type;
} read_columns[] = {
    {"agent_id", TEXTOID},        {"started_at", INT8OID},     {"call_status", TEXTOID},
    {"call_successful", BOOLOID}, {"user_sentiment", TEXTOID}, {"disconnection_reason", TEXTOID},
    {"in_voicemail", BOOLOID},    {"duration_ms", INT8OID},    {"cost", NUMERICOID}};

StaticAssertDecl(lengthof(read_columns) == READ_STATS + CALL_STATS_COLUMN_COUNT,
                 "what is read of a call must be what is counted");

/* Where these columns are. Looked for again only when a table is laid out otherwise. */
static const AttrNumber *read_positions(TupleDesc descriptor)
{
    static AttrNumber positions[lengthof(read_columns)];

    for (int i = 0; i < (int)lengthof(read_columns); i++)
        positions[i] =
            column_number(descriptor, read_columns[i].name, read_columns[i].type, positions[i]);
    return positions;
}

static void collect_row(struct groups *groups, TupleTableSlot *slot, const AttrNumber *positions,
                        int sign)
{
    NullableDatum columns[lengthof(read_columns)];
    struct stats_call call;
    struct group *group;
    MemoryContext before;

    for (int i = 0; i < (int)lengthof(read_columns); i++)
        columns[i].value = slot_getattr(slot, positions[i], &columns[i].isnull);
    for (int i = 0; i < READ_STATS; i++)
        column_check(columns[i].isnull, read_columns[i].name);
    call_stats_read(&columns[READ_STATS], &call);
    group =
        find_group(groups, PointerGetDatum(PG_DETOAST_DATUM_PACKED(columns[READ_AGENT_ID].value)),
                   bucket_start(BUCKET_HOUR, DatumGetInt64(columns[READ_STARTED_AT].value)));
    before = MemoryContextSwitchTo(groups->memory);
    call_stats_count(&group->stats, &call, sign);
    MemoryContextSwitchTo(before);
}

static void collect(struct groups *groups, Relation relation, Tuplestorestate *rows, int sign)
{
    TupleDesc descriptor = RelationGetDescr(relation);
    const AttrNumber *positions = read_positions(descriptor);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(descriptor, &TTSOpsMinimalTuple);
    MemoryContext row_context =
        AllocSetContextCreate(CurrentMemoryContext, "changed call", ALLOCSET_SMALL_SIZES);

    tuplestore_rescan(rows);
    /* A row from a store that went to disk is allocated here, and the slot frees it. */
    while (tuplestore_gettupleslot(rows, true, false, slot)) {
        MemoryContext before = MemoryContextSwitchTo(row_context);
        CHECK_FOR_INTERRUPTS();
        collect_row(groups, slot, positions, sign);
        MemoryContextSwitchTo(before);
        MemoryContextReset(row_context);
    }
    MemoryContextDelete(row_context);
    ExecDropSingleTupleTableSlot(slot);
}

/* ---- writing ---- */

static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    int order =
        memcmp(left->agent_id, right->agent_id, (size_t)Min(left->agent_len, right->agent_len));
    if (order == 0)
        order = left->agent_len - right->agent_len;
    return order ? order : (left->bucket > right->bucket) - (left->bucket < right->bucket);
}

/* Writes what did not cancel out, by agent and hour, and empties the groups. */
static void write_groups(struct groups *groups)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, INT8OID, INT8OID, InvalidOid};
    MemoryContext before;
    SPIPlanPtr plan;

    for (int i = 0; i < groups->count;)
        if (stats_acc_is_empty(&groups->list[i].stats))
            groups->list[i] = groups->list[--groups->count];
        else
            i++;
    if (groups->count == 0)
        return;
    rollup_connect();
    before = MemoryContextSwitchTo(groups->memory);
    plan = rollup_plan(&slot,
                       "INSERT INTO frontdesk.call_rollup_delta (agent_id, bucket, n, stats)"
                       " VALUES ($1, $2, $3, $4)",
                       lengthof(types), types);
    qsort(groups->list, (size_t)groups->count, sizeof(*groups->list), compare_groups);
    for (int i = 0; i < groups->count; i++) {
        const struct group *group = &groups->list[i];
        Datum values[] = {
            PointerGetDatum(cstring_to_text_with_len(group->agent_id, group->agent_len)),
            Int64GetDatum(group->bucket), Int64GetDatum(stats_acc_total(&group->stats)),
            call_stats_value(&group->stats)};
        run_plan_as_owner("call_rollup_delta", plan, values, SPI_OK_INSERT);
    }
    MemoryContextSwitchTo(before);
    SPI_finish();
}

/* ---- triggers ---- */

static TriggerData *trigger_data(FunctionCallInfo fcinfo, bool truncates)
{
    TriggerData *data = (TriggerData *)fcinfo->context;

    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
        !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) ||
        TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) != truncates)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("the function must be an AFTER %s FOR EACH STATEMENT trigger",
                               truncates ? "TRUNCATE" : "INSERT, UPDATE or DELETE")));
    return data;
}

Datum frontdesk_count_changed_calls(PG_FUNCTION_ARGS)
{
    TriggerData *data = trigger_data(fcinfo, false);
    struct groups *groups;

    if ((!TRIGGER_FIRED_BY_DELETE(data->tg_event) && !data->tg_newtable) ||
        (!TRIGGER_FIRED_BY_INSERT(data->tg_event) && !data->tg_oldtable))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("the trigger must name its transition tables")));
    groups = new_groups();
    if (data->tg_oldtable)
        collect(groups, data->tg_relation, data->tg_oldtable, -1);
    if (data->tg_newtable)
        collect(groups, data->tg_relation, data->tg_newtable, 1);
    write_groups(groups);
    free_groups(groups);
    return PointerGetDatum(NULL);
}

/* Empties a table, unless it is empty: as when the same TRUNCATE, which still holds it, names it. */
static void truncate_table(const char *table, SPIPlanPtr *slot, const char *command)
{
    Relation relation = table_open(rollup_lock(table, AccessExclusiveLock), NoLock);
    BlockNumber blocks = RelationGetNumberOfBlocks(relation);

    table_close(relation, NoLock);
    if (blocks > 0)
        run_plan_as_owner(table, kept_plan(slot, command, 0, NULL), NULL, SPI_OK_UTILITY);
}

/*
 * TRUNCATE is not as other changes: it also takes the rows that older snapshots still see. So must
 * the rollups', or those snapshots would have statistics of calls that are gone. Nobody is writing
 * to either meanwhile: whoever does has locked calls before.
 */
Datum frontdesk_forget_all_calls(PG_FUNCTION_ARGS)
{
    static SPIPlanPtr slots[3];

    (void)trigger_data(fcinfo, true);
    rollup_connect();
    truncate_table("call_total", &slots[0], "TRUNCATE frontdesk.call_total");
    truncate_table("call_rollup", &slots[1], "TRUNCATE frontdesk.call_rollup");
    truncate_table("call_rollup_delta", &slots[2], "TRUNCATE frontdesk.call_rollup_delta");
    SPI_finish();
    return PointerGetDatum(NULL);
}
