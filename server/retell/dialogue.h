/*
 * What is said in a sample call: a receptionist and a caller go through one of a few scenes, with
 * other people, days and wishes each time, and now and then with many more questions, so that short
 * and long transcripts come in realistic shares. Every word has its place in the audio.
 */
#ifndef FRONTDESK_RETELL_DIALOGUE_H
#define FRONTDESK_RETELL_DIALOGUE_H

#include "base/arena.h"
#include "base/err.h"
#include "retell/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
    const char *text;
    int64_t start_ms, end_ms; /* into the audio */
};

struct utterance {
    bool by_agent;
    const char *text;
    const struct word *words;
    size_t word_count;
};

/* What the agent's software did before the utterance `before`. */
struct tool_call {
    const char *id, *name;
    const char *arguments, *result; /* each a JSON object, as text */
    size_t before;
};

struct dialogue {
    const struct utterance *utterances;
    size_t count;
    int64_t length_ms;
    struct tool_call tool; /* tool.name is NULL when no tool was used */
    const char *topic;     /* a word for it: "booking" */
    const char *summary;   /* in one or two sentences */
    const char *sentiment; /* Positive, Neutral, Negative or Unknown */
    bool successful;
    const char *caller_name;
};

enum dialogue_kind {
    DIALOGUE_WHOLE,     /* to its natural end */
    DIALOGUE_BROKEN,    /* the line goes dead in the middle */
    DIALOGUE_VOICEMAIL, /* the agent speaks to a machine */
};

/* Makes one up in `arena`. ERR_NOMEM over the arena's cap. */
MUSTCHECK enum err dialogue_make(struct arena *arena, struct prng *prng, enum dialogue_kind kind,
                                 struct dialogue *out);

#endif
