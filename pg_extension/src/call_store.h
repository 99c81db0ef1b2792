/* The rows of calls, read into and written from a struct call_state. */
#ifndef FRONTDESK_CALL_STORE_H
#define FRONTDESK_CALL_STORE_H

#include "utils/timestamp.h"

#include "merge.h"

/* Both need SPI. Values read stay valid until SPI_finish(). */

/* Reads the call as it is stored into `state`; when there is none, false and the empty state. */
extern bool call_store_read(const char *agent_id, const char *call_id, struct call_state *state);

/*
 * Adds the call, or sets it where it `exists`. `visible`: some value changed, not a version only,
 * and with it the time of the last change, which is `now`.
 */
extern void call_store_write(const char *agent_id, const char *call_id,
                             const struct call_state *state, bool exists, bool visible,
                             TimestampTz now);

#endif
