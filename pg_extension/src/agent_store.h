/* The rows of agents, as far as ingest writes them. */
#ifndef FRONTDESK_AGENT_STORE_H
#define FRONTDESK_AGENT_STORE_H

#include "utils/timestamp.h"

struct agent {
    const char *agent_id;
    const char *name; /* empty when the event does not say */
};

/*
 * Adds the agents that are not there, and gives those a name that have none but their id; a name
 * that an agent has, or that a person gave it, stays. The agents come in order, each once. Needs SPI.
 */
extern void agents_store(const struct agent *agents, int count, TimestampTz now);

#endif
