/* Where calls live: the rows of call_home. */
#ifndef FRONTDESK_HOME_H
#define FRONTDESK_HOME_H

/* A call and the agent it lives with. */
struct home {
    const char *call_id;
    const char *agent_id; /* empty when none is known yet */
    bool claimed;         /* homes_claim() gave the call its agent */
};

/* Both need SPI and want the calls in order, each once. Memory comes from the current context. */

/* Fills in the agents of the calls that have one. */
extern void homes_read(struct home **homes, int count);

/*
 * Writes or locks the homes of calls that had no agent when homes_read() looked. agent_id says who
 * the events name, if any: the first that is written for a call stays. Afterwards agent_id is what
 * is stored, and no other session can claim these calls until this transaction ends.
 */
extern void homes_claim(struct home **homes, int count);

/* Locks the homes of calls whose row is missing though they have an agent. */
extern void homes_lock(struct home **homes, int count);

#endif
