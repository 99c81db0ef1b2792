/* The rows of calls, read into and written from a struct call_state. */
#ifndef FRONTDESK_CALL_STORE_H
#define FRONTDESK_CALL_STORE_H

#include "utils/timestamp.h"

#include "merge.h"

struct call_row {
    const char *agent_id, *call_id;
    struct call_state state;
    bool exists;
    bool
        visible; /* some value changed, not a version only, and with it the time of the last change */
};

/* Both need SPI. To be locked or written, rows are in the order of their keys, each once. */

/*
 * Reads calls as they are stored and may `lock` them; where there is none, `exists` is false and
 * the state empty. Values read stay valid until SPI_finish().
 */
extern void call_store_read(struct call_row **rows, int count, bool lock);

/* Adds calls, and sets those that exist. The time is `now`. */
extern void call_store_write(struct call_row **rows, int count, TimestampTz now);

#endif
