/*
 * Nearly always every agent is there with its name. So they are looked at first: a write that finds
 * nothing to do would still lock rows that all events of an agent share.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "agent_store.h"
#include "columns.h"
#include "kept_plan.h"

enum { AGENT_IDS, NAMES, WHEN };

/* Which of the agents lack a row, or a name where the event has one; they come first in `agents`. */
static int find_lacking(struct agent *agents, int count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID};
    SPIPlanPtr plan = kept_plan(
        &slot,
        "SELECT k.row, found.unnamed"
        " FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS k (agent_id, row),"
        " LATERAL (SELECT agent.agent_name" SQL_EQ "agent.agent_id"
        " AND NOT agent.named_by_hand AS unnamed"
        " FROM frontdesk.agents AS agent WHERE agent.agent_id" SQL_EQ "k.agent_id LIMIT 1)"
        " AS found",
        lengthof(types), types);
    struct column ids = column_make(count);
    bool *settled = palloc0(sizeof(*settled) * (size_t)Max(count, 1));
    int lacking = 0;

    for (int i = 0; i < count; i++)
        column_set_text(&ids, i, agents[i].agent_id);
    Datum values[] = {column_array(&ids, TEXTOID)};
    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
    for (uint64 i = 0; i < SPI_processed; i++) {
        int64 row = DatumGetInt64(result_value(i, 1));
        bool unnamed = DatumGetBool(result_value(i, 2));
        if (row < 1 || row > count)
            elog(ERROR, "unexpected row number");
        settled[row - 1] = !unnamed || agents[row - 1].name[0] == '\0' ||
                           strcmp(agents[row - 1].name, agents[row - 1].agent_id) == 0;
    }
    for (int i = 0; i < count; i++)
        if (!settled[i])
            agents[lacking++] = agents[i];
    return lacking;
}

void agents_store(const struct agent *agents, int count, TimestampTz now)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID};
    struct agent *lacking = palloc(sizeof(*lacking) * (size_t)Max(count, 1));
    struct column ids, names;

    memcpy(lacking, agents, sizeof(*lacking) * (size_t)count);
    count = find_lacking(lacking, count);
    if (count == 0)
        return;
    ids = column_make(count);
    names = column_make(count);
    for (int i = 0; i < count; i++) {
        const char *name = lacking[i].name[0] != '\0' ? lacking[i].name : lacking[i].agent_id;
        column_set_text(&ids, i, lacking[i].agent_id);
        column_set_text(&names, i, name);
    }
    SPIPlanPtr plan = kept_plan(
        &slot,
        "INSERT INTO frontdesk.agents AS agent (agent_id, agent_name, created_at, updated_at)"
        " SELECT k.agent_id, k.agent_name, $3, $3 FROM ROWS FROM"
        " (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS k (agent_id, agent_name)"
        " ON CONFLICT (agent_id) DO UPDATE"
        " SET agent_name = excluded.agent_name, updated_at = excluded.updated_at"
        " WHERE agent.agent_name" SQL_EQ "agent.agent_id AND NOT agent.named_by_hand"
        " AND excluded.agent_name" SQL_NE "excluded.agent_id",
        lengthof(types), types);
    Datum values[] = {[AGENT_IDS] = column_array(&ids, TEXTOID),
                      [NAMES] = column_array(&names, TEXTOID),
                      [WHEN] = TimestampTzGetDatum(now)};
    run_plan(plan, values, NULL, false, SPI_OK_INSERT);
}
