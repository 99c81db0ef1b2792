/* What the parts of a run share; nobody but sync*.c includes this. */
#ifndef FRONTDESK_INGEST_SYNC_STEPS_H
#define FRONTDESK_INGEST_SYNC_STEPS_H

#include "base/err.h"
#include "db/conn.h"
#include "ingest/sync.h"
#include "json_scan.h"
#include "retell/client.h"

#include <stddef.h>

/* Events that are stored at once: as many as webhooks at a time, so that those never wait long. */
enum { SYNC_BATCH = 64, SYNC_BATCH_BYTES = 256 * 1024 };

struct sync {
    const struct sync_options *opt;
    const struct sync_order *order;
    struct sync_report *report;
    struct db_conn *conn;
    int64_t began_mono_ms;

    /* Of the database, when the run began; -1: never. */
    int64_t started_to, ended_to, unconnected, looked_at;
    bool scan, agents_due;

    /* Times of Retell's clock. */
    int64_t began_ms;
    int64_t window_from;  /* what started before is not looked at again */
    int64_t lower_ms;     /* calls from here on are listed by their start */
    int64_t ended_from;   /* of those that started before, what has ended since */
    bool moves_cursor;    /* there is no gap between the cursor and what is listed */
    bool ordered;         /* the list has come in its order so far */
    int64_t last_started; /* of the list by start: the latest so far */
    int64_t last_ended;   /* of all that was listed */
};

/* Every step returns false once the run cannot go on; the report says why. */

/* Ends the run with a message. Always false. */
bool sync_fail(struct sync *sync, enum sync_outcome outcome, const char *message);

/* Ends the run because of a request that failed. Always false. */
bool sync_fail_request(struct sync *sync, const struct retell_request *request);

/* Asks Retell one thing; the caller frees request->answer in either case. */
bool sync_ask(struct sync *sync, struct retell_request *request);

/* Runs a statement, again if something that passes was in its way. */
bool sync_exec(struct sync *sync, enum statement statement, const struct db_param *params,
               struct db_result **result);

/* Calls to store, at most SYNC_BATCH, as they lie in Retell's answers. */
struct sync_batch {
    const struct json_text *calls;
    size_t count;
    int64_t asked_ms;
    bool whole;                   /* as get-call gave them, with transcripts */
    int64_t started_to, ended_to; /* the cursor moves there in the same transaction; -1: it stays */
};

/* Stores them; one that the database refuses is left out, and counted as failed. */
bool sync_store(struct sync *sync, const struct sync_batch *batch);

/* The steps; see sync.h. */
bool sync_agents(struct sync *sync);
bool sync_lists(struct sync *sync);
bool sync_unfinished(struct sync *sync);
bool sync_fetch(struct sync *sync, int64_t until_mono_ms);

/* A 64-bit number as a parameter: the text lives in `text`. */
struct sync_number {
    char text[24];
};
struct db_param sync_number(struct sync_number *number, int64_t value);
/* The same, but NULL for negative numbers. */
struct db_param sync_optional(struct sync_number *number, int64_t value);
/* A number of a result; -1 for NULL. */
int64_t sync_value(const struct db_result *result, size_t row, int column);

#endif
