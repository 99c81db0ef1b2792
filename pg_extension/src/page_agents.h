/* Whose calls a page is cut from: the agents that its caller may see and asked for, with names. */
#ifndef FRONTDESK_PAGE_AGENTS_H
#define FRONTDESK_PAGE_AGENTS_H

#include "postgres.h"

struct page_agent {
    Datum id, name; /* text */
};

/* In ascending order of ids by their bytes, each once. Lives as long as SPI stays connected. */
struct page_agents {
    int count;
    struct page_agent *list;
};

/* The agent, if there is one and it is among agent_ids (null: all). SPI must be connected. */
extern void page_agents_one(struct page_agents *agents, Datum agent_id, NullableDatum agent_ids);

/* All agents that there are among agent_ids (null: all). SPI must be connected. */
extern void page_agents_among(struct page_agents *agents, NullableDatum agent_ids);

/* The place in the list of an id, a text; -1: it is not there. */
extern int page_agents_find(const struct page_agents *agents, Datum id);

/*
 * What a plan's parameter says of the agents, or of those `chosen` (NULL: all): a text[]; or a text
 * if there is one, `*one` then, else a text[]. There is at least one.
 */
extern Datum page_agents_array(const struct page_agents *agents, const bool *chosen);
extern Datum page_agents_datum(const struct page_agents *agents, const bool *chosen, bool *one);

#endif
