/*
 * The webhooks of a sample call, in Retell's words: the envelope {"event": …, "call": {…}} of every
 * step of its life, with the fields, units and omissions that Retell's documentation shows. What
 * happens in the call is call_plan's; here it is only said, and absent values are left out.
 */
#ifndef FRONTDESK_RETELL_PAYLOAD_H
#define FRONTDESK_RETELL_PAYLOAD_H

#include "base/buf.h"
#include "retell/call_plan.h"

#include <stdbool.h>
#include <stddef.h>

/* The events that Retell sends about a voice call, as numbers. */
enum payload_event {
    PAYLOAD_CALL_STARTED,
    PAYLOAD_TRANSCRIPT_UPDATED,
    PAYLOAD_TRANSFER_STARTED,
    PAYLOAD_TRANSFER_BRIDGED,
    PAYLOAD_TRANSFER_CANCELLED,
    PAYLOAD_TRANSFER_ENDED,
    PAYLOAD_CALL_ENDED,
    PAYLOAD_CALL_ANALYZED,
    PAYLOAD_EVENT_COUNT,
};

/* One webhook of a call. */
struct payload_step {
    enum payload_event event;
    size_t heard; /* transcript_updated: how many utterances there are so far */
};

enum { PAYLOAD_MAX_STEPS = 8 };

/* Retell's name of the event. */
const char *payload_event_name(enum payload_event event);

/* The event called `name`; false when there is none. */
bool payload_event_from_name(const char *name, enum payload_event *event);

/* Is it an event that only a transferred call has? Such calls come from a plan with `transfers`. */
bool payload_event_is_transfer(enum payload_event event);

/*
 * The webhooks of the call up to its `last` event, in their order; returns how many (0: Retell
 * would not have sent any yet, as for a dial that never connects). A call that ends without
 * transcript_updated or transfers being asked for sends none: they are opt-in.
 */
size_t payload_steps(const struct call_plan *plan, enum payload_event last,
                     struct payload_step steps[PAYLOAD_MAX_STEPS]);

/* Appends the envelope of one step to `out`; the same bytes each time. See out->failed. */
void payload_write(const struct call_plan *plan, const struct payload_step *step, struct buf *out);

#endif
