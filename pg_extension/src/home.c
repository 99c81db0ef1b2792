/* See home.h. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "columns.h"
#include "home.h"
#include "kept_plan.h"

/*
 * A lookup by key, whatever the planner believes of the table's size: one index scan a row. The row
 * numbers count from 1.
 */
#define EACH_HOME(lock)                                                                            \
    "SELECT k.row, found.agent_id"                                                                 \
    " FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS k (call_id, row),"                 \
    " LATERAL (SELECT home.agent_id FROM frontdesk.call_home AS home"                              \
    " WHERE home.call_id" SQL_EQ "k.call_id LIMIT 1" lock ") AS found"

static Datum call_ids(struct home **homes, int count)
{
    struct column ids = column_make(count);
    for (int i = 0; i < count; i++)
        column_set_text(&ids, i, homes[i]->call_id);
    return column_array(&ids, TEXTOID);
}

/* Takes the agents that SPI's last result names, by row. */
static void take_agents(struct home **homes, int count)
{
    for (uint64 i = 0; i < SPI_processed; i++) {
        int64 row = DatumGetInt64(result_value(i, 1));
        if (row < 1 || row > count)
            elog(ERROR, "unexpected row number");
        homes[row - 1]->agent_id = TextDatumGetCString(result_value(i, 2));
    }
}

void homes_read(struct home **homes, int count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID};
    SPIPlanPtr plan = kept_plan(&slot, EACH_HOME(""), lengthof(types), types);
    Datum values[] = {call_ids(homes, count)};

    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
    take_agents(homes, count);
}

void homes_lock(struct home **homes, int count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID};
    SPIPlanPtr plan = kept_plan(&slot, EACH_HOME(" FOR UPDATE"), lengthof(types), types);
    Datum values[] = {call_ids(homes, count)};

    run_plan(plan, values, NULL, false, SPI_OK_SELECT);
}

/* The home of that call in the ordered list. */
static struct home *find_home(struct home **homes, int count, const char *call_id)
{
    int from = 0, to = count;
    while (from < to) {
        int middle = from + (to - from) / 2;
        int order = strcmp(homes[middle]->call_id, call_id);
        if (order == 0)
            return homes[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    elog(ERROR, "a call was written that was not asked for");
}

/*
 * ON CONFLICT locks a row even where its condition leaves the row as it is; it returns nothing then.
 */
void homes_claim(struct home **homes, int count)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "INSERT INTO frontdesk.call_home AS home (call_id, agent_id)"
                  " SELECT k.call_id, k.agent_id FROM ROWS FROM"
                  " (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS k (call_id, agent_id)"
                  " ON CONFLICT (call_id) DO UPDATE SET agent_id = excluded.agent_id"
                  " WHERE home.agent_id" SQL_EQ "'' AND excluded.agent_id" SQL_NE "''"
                  " RETURNING home.call_id",
                  lengthof(types), types);
    struct column agents = column_make(count);
    struct home **raced = palloc(sizeof(struct home *) * (size_t)Max(count, 1));
    int raced_count = 0;

    for (int i = 0; i < count; i++) {
        homes[i]->claimed = false;
        column_set_text(&agents, i, homes[i]->agent_id);
    }
    Datum values[] = {call_ids(homes, count), column_array(&agents, TEXTOID)};
    run_plan(plan, values, NULL, false, SPI_OK_INSERT_RETURNING);
    for (uint64 i = 0; i < SPI_processed; i++)
        find_home(homes, count, TextDatumGetCString(result_value(i, 1)))->claimed = true;
    for (int i = 0; i < count; i++)
        if (!homes[i]->claimed)
            raced[raced_count++] = homes[i];
    if (raced_count > 0) {
        homes_read(raced, raced_count);
        if (SPI_processed != (uint64)raced_count)
            elog(ERROR, "a locked row of call_home is gone");
    }
    for (int i = 0; i < count; i++)
        homes[i]->claimed &= homes[i]->agent_id[0] != '\0';
}
