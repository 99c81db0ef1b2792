/*
 * The journal: every event as it came, once. Its rows are keyed by (home, call_id, event, digest),
 * where home is the agent that the event's call lives with, empty when there is none.
 */
#ifndef FRONTDESK_JOURNAL_H
#define FRONTDESK_JOURNAL_H

#include "utils/timestamp.h"

#include "observation.h"

/* What an event is there for: merged, kept for lack of a call, or dead with seen->error. */
#define JOURNAL_DONE "done"
#define JOURNAL_KEPT "kept"
#define JOURNAL_DEAD "dead"

/* A row of the journal, or what is to be one. */
struct journal_entry {
    const char *home;
    const struct observation *seen;
    const char *state;
    TimestampTz received_at;
    bool known; /* journal_find(): it is there, sent at known_ms, and not dead */
    int64 known_ms;
    bool added; /* journal_add(): it was not there */
};

/* All of these need SPI. Memory comes from the current context. */

/* Looks which of the entries are known; only their homes and identities are asked for. */
extern void journal_find(struct journal_entry **entries, int count);

/* Adds those that are not there, in the order given, which must be that of their keys. */
extern void journal_add(struct journal_entry **entries, int count);

/*
 * A known event is delivered again. What counts is when it was sent first, in whatever order its
 * deliveries come; true when this delivery is earlier than all before it.
 */
extern bool journal_resend(const char *home, const struct observation *seen);

/* An event that was dead is understood now: its dead row goes. */
extern void journal_revive(const struct observation *seen);

/*
 * Moves the events of a call that had no agent to the agent's rows and reads them; `count` is set
 * to how many there are.
 */
extern struct observation *journal_adopt(const char *home, const char *call_id, int *count);

/* Reads all events that are merged into a call; `count` is set to how many there are. */
extern struct observation *journal_read(const char *home, const char *call_id, int *count);

#endif
