/*
 * What happens in one sample call, decided before a word of it is sent: who calls whom, whether it
 * connects, what is said, how it ends, what becomes of its analysis. The shares are those of a busy
 * front desk, with every rarity that Retell's documentation knows, so that a few hundred calls meet
 * them all. payload.h says it in Retell's words.
 */
#ifndef FRONTDESK_RETELL_CALL_PLAN_H
#define FRONTDESK_RETELL_CALL_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "retell/dialogue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_plan_options {
    uint64_t seed;
    int64_t base_ms;      /* the newest call ends shortly before, each further one earlier */
    const char *agent_id; /* NULL: one of a few sample agents */
    bool transfers;       /* only phone calls that connect and are handed to a person */
    uint64_t days, calls; /* spread so many calls over the last `days`, as an office's day goes;
                             days 0: one after the other, 11 minutes apart */
};

enum call_kind { CALL_INBOUND, CALL_OUTBOUND, CALL_WEB };
enum call_fate { FATE_ENDED, FATE_ERROR, FATE_NOT_CONNECTED };

/* How much of the analysis Retell manages: all of it, some, an event without any, not even that. */
enum call_analysis { ANALYSIS_FULL, ANALYSIS_PARTIAL, ANALYSIS_EMPTY, ANALYSIS_NEVER };

/* What the agent's owner lets Retell store. */
enum call_storage { STORE_EVERYTHING, STORE_NO_NUMBER, STORE_BASICS };

enum { CALL_NUMBER_SIZE = 16, CALL_ID_SIZE = 40, CALL_TOKEN_SIZE = 64 };

struct call_plan {
    char call_id[CALL_ID_SIZE];
    const char *agent_id;
    const char *agent_name; /* NULL: not known */
    int agent_version;
    enum call_kind kind;
    enum call_fate fate;
    enum call_analysis analysis;
    enum call_storage storage;
    char from_number[CALL_NUMBER_SIZE], to_number[CALL_NUMBER_SIZE]; /* "" for web calls */
    char transfer_number[CALL_NUMBER_SIZE];                          /* "": not transferred */
    char access_token[CALL_TOKEN_SIZE];                              /* web calls only */
    const char *disconnection_reason;
    bool in_voicemail;
    int64_t start_ms, duration_ms; /* 0 when it did not connect */
    struct dialogue dialogue;      /* empty when it did not connect */
    uint64_t noise;                /* seed of what is merely measured: latencies and the like */
};

/*
 * The call number `index` of the sequence that `options` describe, in `arena` (options->agent_id
 * must outlive it). Depends on nothing else: call 3 is the same among 10 as among 1000.
 * ERR_NOMEM over the arena's cap.
 */
MUSTCHECK enum err call_plan_make(struct arena *arena, const struct call_plan_options *options,
                                  uint64_t index, struct call_plan *out);

#endif
