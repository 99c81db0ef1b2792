/*
 * The table of agents is small and read once a page; their names are not looked up again for every
 * row. Ids compare by bytes, as they do in the table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "kept_plan.h"
#include "page_agents.h"

static void take_rows(struct page_agents *agents)
{
    agents->count = (int)SPI_processed;
    agents->list = palloc((SPI_processed + 1) * sizeof(*agents->list));
    for (uint64 i = 0; i < SPI_processed; i++) {
        agents->list[i].id = result_value(i, 1);
        agents->list[i].name = result_value(i, 2);
    }
}

void page_agents_one(struct page_agents *agents, Datum agent_id, NullableDatum agent_ids)
{
    static SPIPlanPtr slot;
    static const Oid types[] = {TEXTOID, TEXTARRAYOID};
    SPIPlanPtr plan =
        kept_plan(&slot,
                  "SELECT agent_id, agent_name FROM frontdesk.agents"
                  " WHERE agent_id" SQL_EQ "$1 AND ($2 IS NULL OR agent_id" SQL_EQ "ANY ($2))",
                  lengthof(types), types);
    const Datum values[] = {agent_id, agent_ids.value};
    run_plan(plan, values, agent_ids.isnull ? " n" : NULL, true, SPI_OK_SELECT);
    take_rows(agents);
}

void page_agents_among(struct page_agents *agents, NullableDatum agent_ids)
{
    static SPIPlanPtr all_slot, some_slot;
    static const Oid types[] = {TEXTARRAYOID};
    SPIPlanPtr plan =
        agent_ids.isnull
            ? kept_plan(&all_slot,
                        "SELECT agent_id, agent_name FROM frontdesk.agents ORDER BY agent_id", 0,
                        types)
            : kept_plan(&some_slot,
                        "SELECT agent_id, agent_name FROM frontdesk.agents"
                        " WHERE agent_id" SQL_EQ "ANY ($1) ORDER BY agent_id",
                        lengthof(types), types);
    run_plan(plan, &agent_ids.value, NULL, true, SPI_OK_SELECT);
    take_rows(agents);
}

static int compare_texts(Datum a, Datum b)
{
    const text *left = DatumGetTextPP(a), *right = DatumGetTextPP(b);
    int left_len = (int)VARSIZE_ANY_EXHDR(left), right_len = (int)VARSIZE_ANY_EXHDR(right);
    int order = memcmp(VARDATA_ANY(left), VARDATA_ANY(right), Min(left_len, right_len));
    return order != 0 ? order : left_len - right_len;
}

int page_agents_find(const struct page_agents *agents, Datum id)
{
    int low = 0, high = agents->count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = compare_texts(id, agents->list[middle].id);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int choose(const struct page_agents *agents, const bool *chosen, Datum **ids)
{
    int count = 0;

    *ids = palloc((size_t)agents->count * sizeof(**ids));
    for (int i = 0; i < agents->count; i++)
        if (chosen == NULL || chosen[i])
            (*ids)[count++] = agents->list[i].id;
    Assert(count > 0);
    return count;
}

static Datum array_of_ids(Datum *ids, int count)
{
    return PointerGetDatum(construct_array(ids, count, TEXTOID, -1, false, TYPALIGN_INT));
}

Datum page_agents_array(const struct page_agents *agents, const bool *chosen)
{
    Datum *ids;
    int count = choose(agents, chosen, &ids);
    return array_of_ids(ids, count);
}

Datum page_agents_datum(const struct page_agents *agents, const bool *chosen, bool *one)
{
    Datum *ids;
    int count = choose(agents, chosen, &ids);

    *one = count == 1;
    return *one ? ids[0] : array_of_ids(ids, count);
}
