#include "retell/call_plan.h"

#include <stdio.h>
#include <string.h>

enum { CALL_GAP_MS = 11 * 60 * 1000 };

static const struct {
    const char *id, *name;
} sample_agents[] = {
    {"agent_sample_front_desk", "Front Desk"},
    {"agent_sample_scheduling", "Scheduling"},
    {"agent_sample_after_hours", "After Hours"},
};

static const char *const reasons_ended[] = {"user_hangup",         "user_hangup",  "user_hangup",
                                            "agent_hangup",        "agent_hangup", "inactivity",
                                            "max_duration_reached"};
static const char *const reasons_error[] = {"error_llm_websocket_lost_connection", "error_asr",
                                            "error_retell", "error_unknown",
                                            "error_no_audio_received"};
static const char *const reasons_not_connected[] = {"dial_no_answer", "dial_no_answer",
                                                    "dial_busy",      "dial_failed",
                                                    "user_declined",  "invalid_destination"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PICK(prng, array) ((array)[prng_next(prng) % COUNT(array)])

/* FNV-1a: calls of another agent are other calls. */
static uint64_t hash_text(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

/* From the ranges set aside for fiction (NPA-555-01XX), so that nobody is ever rung up. */
static void make_number(struct prng *prng, char out[CALL_NUMBER_SIZE])
{
    static const int areas[] = {212, 303, 415, 512, 617, 713, 808, 917};
    int area = PICK(prng, areas);
    (void)snprintf(out, CALL_NUMBER_SIZE, "+1%d55501%02d", area, (int)prng_between(prng, 0, 99));
}

static void choose_agent(const struct call_plan_options *options, struct prng *prng,
                         struct call_plan *plan)
{
    size_t i = prng_next(prng) % COUNT(sample_agents);
    plan->agent_id = options->agent_id ? options->agent_id : sample_agents[i].id;
    plan->agent_name = options->agent_id ? NULL : sample_agents[i].name;
    plan->agent_version = (int)prng_between(prng, 0, 12);
}

static void choose_parties(bool transfers, struct prng *prng, struct call_plan *plan)
{
    int64_t dice = prng_between(prng, 1, 100);
    plan->kind = dice <= 55 || transfers ? CALL_INBOUND : dice <= 85 ? CALL_OUTBOUND : CALL_WEB;
    make_number(prng, plan->from_number);
    make_number(prng, plan->to_number);
    (void)snprintf(plan->access_token, sizeof plan->access_token, "sample_token_%016llx%016llx",
                   (unsigned long long)prng_next(prng), (unsigned long long)prng_next(prng));
    if (plan->kind == CALL_WEB)
        plan->from_number[0] = plan->to_number[0] = '\0';
    else
        plan->access_token[0] = '\0';
    dice = prng_between(prng, 1, 100);
    plan->storage = dice <= 94 ? STORE_EVERYTHING : dice <= 97 ? STORE_NO_NUMBER : STORE_BASICS;
}

static void choose_end(bool transfers, struct prng *prng, struct call_plan *plan)
{
    int64_t dice = prng_between(prng, 1, 100);
    bool handed_over = transfers || (plan->kind == CALL_INBOUND && dice > 90);
    plan->fate = FATE_ENDED;
    plan->disconnection_reason = PICK(prng, reasons_ended);
    if (handed_over) {
        plan->disconnection_reason = "call_transfer";
        make_number(prng, plan->transfer_number);
    } else if (plan->kind == CALL_OUTBOUND && dice <= 30) {
        plan->fate = FATE_NOT_CONNECTED;
        plan->disconnection_reason = PICK(prng, reasons_not_connected);
    } else if (plan->kind == CALL_OUTBOUND && dice <= 45) {
        plan->disconnection_reason = "voicemail_reached";
        plan->in_voicemail = true;
    } else if (dice >= 88) {
        plan->fate = FATE_ERROR;
        plan->disconnection_reason = PICK(prng, reasons_error);
    }
}

static enum call_analysis choose_analysis(struct prng *prng, enum call_fate fate)
{
    int64_t dice = prng_between(prng, 1, 100);
    if (fate == FATE_NOT_CONNECTED)
        return dice <= 50 ? ANALYSIS_NEVER : ANALYSIS_EMPTY;
    if (dice <= 88)
        return ANALYSIS_FULL;
    return dice <= 94 ? ANALYSIS_PARTIAL : dice <= 97 ? ANALYSIS_EMPTY : ANALYSIS_NEVER;
}

static enum err talk(struct arena *arena, struct prng *prng, struct call_plan *plan)
{
    enum dialogue_kind kind = plan->in_voicemail         ? DIALOGUE_VOICEMAIL
                              : plan->fate == FATE_ERROR ? DIALOGUE_BROKEN
                                                         : DIALOGUE_WHOLE;
    enum err err = dialogue_make(arena, prng, kind, &plan->dialogue);
    plan->duration_ms = plan->dialogue.length_ms + prng_between(prng, 100, 2500);
    return err;
}

/* Of 100 calls so many begin in each hour, UTC as the office's own: few at night, two peaks. */
static const unsigned char hour_weights[24] = {1, 1, 1,  1, 1, 1, 1, 2, 6, 10, 11, 9,
                                               6, 7, 10, 9, 7, 5, 3, 2, 2, 2,  1,  1};

static int64_t hour_of_day(struct prng *prng)
{
    int64_t dice = prng_between(prng, 0, 99);
    int64_t hour = 0;
    while (hour < 23 && dice >= hour_weights[hour])
        dice -= hour_weights[hour++];
    return hour;
}

/* When the call ends: at a time of day that is likely for an office, three of four Sundays free. */
static int64_t spread_end(const struct call_plan_options *options, uint64_t index,
                          struct prng *prng)
{
    enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, EPOCH_WEEKDAY = 4 /* a Thursday */ };
    int64_t today = options->base_ms / DAY_MS;
    int64_t day = today - (int64_t)(index * options->days / options->calls);
    if ((day + EPOCH_WEEKDAY) % 7 == 0 && prng_between(prng, 1, 4) > 1)
        day -= prng_between(prng, 2, 6);
    int64_t end_ms =
        day * DAY_MS + hour_of_day(prng) * HOUR_MS + prng_between(prng, 0, HOUR_MS - 1);
    return end_ms < options->base_ms ? end_ms : end_ms - DAY_MS;
}

enum err call_plan_make(struct arena *arena, const struct call_plan_options *options,
                        uint64_t index, struct call_plan *out)
{
    uint64_t seed = prng_mix(options->seed, index);
    if (options->agent_id)
        seed = prng_mix(seed, hash_text(options->agent_id));
    if (options->transfers)
        seed = prng_mix(seed, hash_text("transfers"));
    struct prng prng = {.state = seed};

    *out = (struct call_plan){0};
    (void)snprintf(out->call_id, sizeof out->call_id, "call_%016llx%012llx",
                   (unsigned long long)prng_next(&prng),
                   (unsigned long long)(prng_next(&prng) >> 16));
    choose_agent(options, &prng, out);
    choose_parties(options->transfers, &prng, out);
    choose_end(options->transfers, &prng, out);
    out->analysis = choose_analysis(&prng, out->fate);
    out->noise = prng_next(&prng);
    int64_t end_ms = options->days ? spread_end(options, index, &prng)
                                   : options->base_ms - (int64_t)index * CALL_GAP_MS -
                                         prng_between(&prng, 0, CALL_GAP_MS);
    if (out->fate == FATE_NOT_CONNECTED)
        return ERR_OK;
    enum err err = talk(arena, &prng, out);
    out->start_ms = end_ms - out->duration_ms;
    return err;
}
