/*
 * One run of polling: asks Retell what happened and stores what is new. Webhooks are tried a few
 * times and then lost; this is what makes "no call is ever missing" true.
 *
 * A run over all agents
 *   - takes over the list of agents, every now and then;
 *   - lists the calls that started since the cursor, in the order of their start, moving the cursor
 *     in the transaction that stores them: a run that is killed goes on where it was. Without a
 *     cursor that is the whole history. It begins some minutes before the cursor, because calls may
 *     become visible late, and now and then (or when forced) POLL_WINDOW_HOURS before now, because
 *     Retell cannot be asked what was changed since;
 *   - lists the calls that started before those but ended since: a watermark on the start alone
 *     would leave them ongoing for ever;
 *   - lists calls that never connected, when their number has changed: they may have no times;
 *   - looks again at calls that are not over, or not analysed;
 *   - fetches what is over and has no transcript, which lists leave out.
 * A run for one agent does the same for that agent and has a cursor of its own.
 *
 * There is one run at a time, however many processes want one: each has a connection of its own,
 * and that connection holds an advisory lock, which ends with it. No row is changed over any other.
 */
#ifndef FRONTDESK_INGEST_SYNC_H
#define FRONTDESK_INGEST_SYNC_H

#include "base/log.h"
#include "retell/client.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SYNC_MESSAGE_SIZE = 512, SYNC_AGENT_SIZE = 256 };

enum sync_outcome {
    SYNC_DONE,
    SYNC_NOT_DUE,   /* another process has polled lately */
    SYNC_BUSY,      /* a run is under way in another process */
    SYNC_CANCELLED, /* `stop` turned true; what was stored is stored */
    SYNC_FAILED,    /* Retell: the message says why and what to do */
    SYNC_NO_DATABASE,
};

/* How far a run is, or was. */
struct sync_counts {
    int64_t listed, fetched; /* calls */
    int64_t expected;        /* calls that it will list; -1: not known */
    int64_t added, changed, failed;
};

struct sync_report {
    enum sync_outcome outcome;
    struct sync_counts calls;
    int64_t agents_added, agents_changed;
    int64_t wait_ms; /* SYNC_NOT_DUE: until the next run is */
    char message
        [SYNC_MESSAGE_SIZE]; /* why it failed, or the first call that did; "" when all is well */
};

struct sync_options {
    const char *database_url;
    struct retell_client *client;
    const struct log *log;
    int64_t window_ms;   /* POLL_WINDOW_HOURS */
    int64_t interval_ms; /* POLL_INTERVAL_SECONDS; 0: nobody polls */
    const atomic_bool *stop;

    /* Called when a run has begun and whenever it has come further; may be NULL. */
    void (*progress)(void *user, const struct sync_counts *counts);
    void *user;
};

/* What to do. */
struct sync_order {
    char agent_id[SYNC_AGENT_SIZE]; /* empty: all agents */
    int64_t since_ms;               /* calls since then, ms since epoch; -1: since the cursor */
    bool forced;                    /* now, and all of the window; else what is due, if it is */
    bool only_agents;               /* the list of agents, and no call */
};

/*
 * Runs until done. What is not forced leaves the rest of the transcripts to the next run when that
 * becomes due. Needs a stack of 1 MiB.
 */
void sync_run(const struct sync_options *options, const struct sync_order *order,
              struct sync_report *report);

#endif
