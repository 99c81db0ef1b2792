/*
 * Sends the webhooks of sample calls as Retell would: signed, several calls at a time but the
 * events of one call in order, each tried again up to three times on anything that may pass.
 * It knows nothing of the server but its URL and a key that it accepts.
 */
#ifndef FRONTDESK_RETELL_DELIVERY_H
#define FRONTDESK_RETELL_DELIVERY_H

#include "base/err.h"
#include "retell/call_plan.h"
#include "retell/payload.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { DELIVERY_MAX_PARALLEL = 64, DELIVERY_PROBLEM_SIZE = 512 };

struct delivery_totals {
    uint64_t calls;    /* of which at least one event was sent, or tried to */
    uint64_t silent;   /* of which Retell says nothing up to the last event asked for */
    uint64_t accepted; /* events answered 2xx */
    uint64_t failed;   /* events given up */
    bool gave_up;      /* stopped early: the first event failed, so would have the others */
    char problem[DELIVERY_PROBLEM_SIZE]; /* why the first event failed; "" when none did */
};

struct delivery {
    const char *url, *key;
    const struct call_plan_options *plan;
    enum payload_event last;
    uint64_t calls;
    unsigned parallel;       /* 1 to DELIVERY_MAX_PARALLEL */
    const atomic_bool *stop; /* true: send nothing more and return */
    void (*progress)(const struct delivery *delivery, const struct delivery_totals *totals);
};

/*
 * Sends everything; blocks until it is done. Events that fail are counted in `totals`, which is
 * filled in either case; ERR_NOMEM or ERR_INTERNAL only when sending itself cannot go on.
 */
MUSTCHECK enum err delivery_run(const struct delivery *delivery, struct delivery_totals *totals);

#endif
