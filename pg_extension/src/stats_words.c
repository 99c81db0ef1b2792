/* Reasons are searched in order: the first are the commonest. */
#include "stats_words.h"

#include <string.h>

#define WORD(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const struct stats_word statuses[] = {
    NONE, WORD("registered"), WORD("ongoing"), WORD("ended"), WORD("error"), WORD("not_connected"),
};

static const struct stats_word sentiments[] = {
    NONE, WORD("Negative"), WORD("Positive"), WORD("Neutral"), WORD("Unknown"),
};

static const struct stats_word reasons[] = {
    NONE,
    WORD("user_hangup"),
    WORD("agent_hangup"),
    WORD("call_transfer"),
    WORD("voicemail_reached"),
    WORD("inactivity"),
    WORD("dial_no_answer"),
    WORD("dial_busy"),
    WORD("dial_failed"),
    WORD("max_duration_reached"),
    WORD("ivr_reached"),
    WORD("user_declined"),
    WORD("transfer_bridged"),
    WORD("transfer_cancelled"),
    WORD("call_take_over"),
    WORD("manual_stopped"),
    WORD("concurrency_limit_reached"),
    WORD("no_concurrency_fallback"),
    WORD("no_valid_payment"),
    WORD("scam_detected"),
    WORD("marked_as_spam"),
    WORD("invalid_destination"),
    WORD("telephony_provider_permission_denied"),
    WORD("telephony_provider_unavailable"),
    WORD("sip_routing_error"),
    WORD("registered_call_timeout"),
    WORD("error_user_not_joined"),
    WORD("error_no_audio_received"),
    WORD("error_asr"),
    WORD("error_retell"),
    WORD("error_unknown"),
    WORD("error_llm_websocket_open"),
    WORD("error_llm_websocket_lost_connection"),
    WORD("error_llm_websocket_runtime"),
    WORD("error_llm_websocket_corrupt_payload"),
};

static const struct {
    const struct stats_word *words;
    uint32_t count;
} vocabularies[STATS_VOCABULARIES] = {
    [STATS_STATUS] = {statuses, sizeof statuses / sizeof *statuses},
    [STATS_SENTIMENT] = {sentiments, sizeof sentiments / sizeof *sentiments},
    [STATS_REASON] = {reasons, sizeof reasons / sizeof *reasons},
};

uint32_t stats_words_known(enum stats_vocabulary vocabulary)
{
    return vocabularies[vocabulary].count;
}

struct stats_word stats_words_at(enum stats_vocabulary vocabulary, uint32_t number)
{
    return vocabularies[vocabulary].words[number];
}

bool stats_words_find(enum stats_vocabulary vocabulary, struct stats_word word, uint32_t *number)
{
    const struct stats_word *words = vocabularies[vocabulary].words;

    if (!word.s) {
        *number = 0;
        return true;
    }
    for (uint32_t i = 1; i < vocabularies[vocabulary].count; i++) {
        if (words[i].len == word.len && memcmp(words[i].s, word.s, word.len) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

int stats_words_compare(struct stats_word a, struct stats_word b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.s, b.s, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}
