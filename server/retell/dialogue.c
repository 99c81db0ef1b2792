#include "retell/dialogue.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LINES = 256, MAX_TEXT = 512, TOOL_LINE_NONE = -1 };

/* ---- the scenes: "A:" the agent, "U:" the caller; {name} {day} {time} {what} are filled in ---- */

struct scene {
    const char *topic;
    const char *lines[16];
    const char *tool; /* used before the line `tool_at` */
    const char *summary;
    const char *sentiment;
    int small_talk_at; /* further questions go in before this line */
    int tool_at;       /* TOOL_LINE_NONE: never */
    bool successful;
};

static const struct scene scenes[] = {
    {.topic = "booking",
     .lines = {"A:Thank you for calling, this is the front desk. How can I help you today?",
               "U:Hi, I'd like to book {what}, please.", "A:Of course. May I have your name?",
               "U:It's {name}.", "A:Thank you, {name}. Which day would suit you best?",
               "U:{day}, if you have anything.",
               "A:I have an opening on {day} at {time}. Shall I book it?",
               "U:Yes, {time} works for me.",
               "A:You are booked for {what} on {day} at {time}. Is there anything else?",
               "U:No, that's all. Thank you!", "A:Have a wonderful day. Goodbye!"},
     .small_talk_at = 9,
     .tool = "book_appointment",
     .tool_at = 8,
     .summary = "{name} booked {what} for {day} at {time}.",
     .sentiment = "Positive",
     .successful = true},
    {.topic = "rescheduling",
     .lines = {"A:Thank you for calling, this is the front desk. How can I help you today?",
               "U:Hello, this is {name}. I have an appointment that I need to move.",
               "A:Certainly, {name}. Let me look it up. It is for {what}, is that right?",
               "U:That's the one. Could we do {day} instead?",
               "A:{day} at {time} is free. Does that work?",
               "U:Let me check… yes, that should be fine.",
               "A:Done. Your new time is {day} at {time}, and I have sent you a text message.",
               "U:Great, thanks for your help.", "A:You are welcome. Goodbye!"},
     .small_talk_at = 7,
     .tool = "move_appointment",
     .tool_at = 6,
     .summary = "{name} moved an appointment for {what} to {day} at {time}.",
     .sentiment = "Positive",
     .successful = true},
    {.topic = "information",
     .lines = {"A:Thank you for calling, this is the front desk. How can I help you today?",
               "U:Quick question: are you open on {day}?",
               "A:Yes, on {day} we are open from eight in the morning until six.",
               "U:And do you offer {what}?", "A:We do. Would you like to book it now?",
               "U:Not yet, I'll call back. Thanks.", "A:Any time. Goodbye!"},
     .small_talk_at = 4,
     .tool_at = TOOL_LINE_NONE,
     .summary =
         "The caller asked about opening hours on {day} and about {what}. Nothing was booked.",
     .sentiment = "Neutral",
     .successful = true},
    {.topic = "complaint",
     .lines =
         {"A:Thank you for calling, this is the front desk. How can I help you today?",
          "U:This is {name}. I was charged twice for {what}, and nobody answers my e-mails.",
          "A:I am sorry to hear that, {name}. Let me see what I can find.",
          "U:I've called three times already!",
          "A:I understand. I cannot see the invoice myself, but I can ask someone to call you.",
          "U:That's what I was told last time. This is really frustrating.",
          "A:I have noted it as urgent. Someone will call you on {day} at {time}.",
          "U:Fine. I hope so.", "A:Thank you for your patience. Goodbye."},
     .small_talk_at = 5,
     .tool = "create_callback",
     .tool_at = 6,
     .summary = "{name} was charged twice for {what} and was promised a call on {day} at {time}. "
                "The matter is not settled.",
     .sentiment = "Negative",
     .successful = false},
    {.topic = "wrong_number",
     .lines = {"A:Thank you for calling, this is the front desk. How can I help you today?",
               "U:Oh, is this not the pharmacy?",
               "A:No, I am afraid you have reached the front desk of the clinic.",
               "U:Sorry, wrong number.", "A:No problem at all. Goodbye!"},
     .small_talk_at = 3,
     .tool_at = TOOL_LINE_NONE,
     .summary = "The caller had dialled the wrong number.",
     .sentiment = "Neutral",
     .successful = false},
};

static const struct scene voicemail = {
    .topic = "voicemail",
    .lines = {"U:You have reached {name}. Please leave a message after the tone.",
              "A:Hello {name}, this is the front desk. You have {what} on {day} at {time}. "
              "Please call us back if you cannot make it. Goodbye!"},
    .tool_at = TOOL_LINE_NONE,
    .summary = "The call went to voicemail; the agent left a reminder of {what} on {day}.",
    .sentiment = "Unknown",
    .successful = false,
};

static const char *const small_talk[][2] = {
    {"U:Is there somewhere to park?", "A:Yes, behind the building. The first hour is free."},
    {"U:How long will it take?", "A:Usually between thirty and forty-five minutes."},
    {"U:Do I need to bring anything?", "A:Only your insurance card and a photo ID, please."},
    {"U:Can my daughter come along?", "A:Of course. There is a play corner in the waiting room."},
    {"U:What does it cost?", "A:Between eighty and a hundred and twenty dollars, as a rule."},
    {"U:Sorry, could you say that again?", "A:Certainly. I said that we have noted everything."},
    {"U:Are you a real person?", "A:I am a virtual assistant, but I can reach the whole team."},
    {"U:Who will I be seeing?", "A:You will be seeing Dr. Núñez, unless you ask for someone else."},
};

static const char *const names[] = {
    "Emily Carter",  "José Álvarez", "Priya Nair",        "Tom Müller", "Aisha Khan",
    "Chloë O'Brien", "Wei 陈",       "Dana \"DJ\" Jones", "Søren Holm", "Maria Rossi"};
static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"};
static const char *const times[] = {"nine o'clock", "10:30", "a quarter past one", "3 p.m.",
                                    "4:45"};
static const char *const wishes[] = {"a check-up", "a cleaning", "a consultation", "a haircut",
                                     "a café tasting for two"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PICK(prng, array) ((array)[prng_next(prng) % COUNT(array)])

/* ---- filling them in ---- */

struct cast {
    const char *name, *day, *time, *what;
};

static const char *slot_value(const struct cast *cast, const char *slot, size_t len)
{
    const struct {
        const char *name, *value;
    } slots[] = {
        {"name", cast->name}, {"day", cast->day}, {"time", cast->time}, {"what", cast->what}};
    for (size_t i = 0; i < COUNT(slots); i++)
        if (strlen(slots[i].name) == len && memcmp(slots[i].name, slot, len) == 0)
            return slots[i].value;
    return "";
}

/* `line` with its {slots} replaced, at most MAX_TEXT - 1 bytes; NULL over the arena's cap. */
static const char *fill_in(struct arena *arena, const struct cast *cast, const char *line)
{
    char text[MAX_TEXT];
    size_t len = 0;
    while (*line && len < sizeof text - 1) {
        const char *close = *line == '{' ? strchr(line, '}') : NULL;
        if (!close) {
            text[len++] = *line++;
            continue;
        }
        const char *value = slot_value(cast, line + 1, (size_t)(close - line) - 1);
        int n = snprintf(text + len, sizeof text - len, "%s", value);
        len += (size_t)n < sizeof text - len ? (size_t)n : sizeof text - len - 1;
        line = close + 1;
    }
    return arena_strndup(arena, text, len);
}

/* Splits the text at spaces and gives each word its time, from *clock on. */
static bool speak(struct arena *arena, struct prng *prng, struct utterance *u, int64_t *clock)
{
    size_t count = 1;
    for (const char *c = u->text; *c; c++)
        count += *c == ' ';
    struct word *words = arena_alloc(arena, count * sizeof *words);
    if (!words)
        return false;
    const char *c = u->text;
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(c, " ");
        words[i].text = arena_strndup(arena, c, len);
        if (!words[i].text)
            return false;
        words[i].start_ms = *clock;
        words[i].end_ms = *clock += 120 + 30 * (int64_t)len + prng_between(prng, 0, 90);
        *clock += prng_between(prng, 10, 80);
        c += len + (c[len] != '\0');
    }
    u->words = words;
    u->word_count = count;
    return true;
}

/* How many further questions: mostly few, sometimes a call of ten minutes. */
static size_t small_talk_count(struct prng *prng)
{
    int64_t dice = prng_between(prng, 1, 100);
    if (dice <= 70)
        return (size_t)prng_between(prng, 0, 2);
    return dice <= 95 ? (size_t)prng_between(prng, 3, 12) : (size_t)prng_between(prng, 13, 100);
}

/* The lines of the scene in their order, as templates; returns how many. */
static size_t lay_out(struct prng *prng, const struct scene *scene, enum dialogue_kind kind,
                      const char *lines[MAX_LINES], size_t *tool_before)
{
    size_t count = 0;
    for (int i = 0; i < (int)COUNT(scene->lines) && scene->lines[i]; i++) {
        size_t talk =
            kind != DIALOGUE_VOICEMAIL && i == scene->small_talk_at ? small_talk_count(prng) : 0;
        while (talk--) {
            const char *const *pair = PICK(prng, small_talk);
            lines[count++] = pair[0];
            lines[count++] = pair[1];
        }
        if (i == scene->tool_at)
            *tool_before = count;
        lines[count++] = scene->lines[i];
    }
    if (kind != DIALOGUE_BROKEN)
        return count;
    size_t heard = 2 + (size_t)prng_between(prng, 0, (int64_t)count / 2);
    return heard < count ? heard : count;
}

static bool use_tool(struct arena *arena, struct prng *prng, const struct cast *cast,
                     const struct scene *scene, size_t before, struct tool_call *tool)
{
    *tool = (struct tool_call){
        .name = scene->tool,
        .before = before,
        .id = arena_printf(arena, "tool_call_%06x", (unsigned)(prng_next(prng) & 0xffffff)),
        .arguments = arena_printf(arena, "{\"day\":\"%s\",\"time\":\"%s\"}", cast->day, cast->time),
        .result = "{\"ok\":true}",
    };
    return tool->id && tool->arguments;
}

enum err dialogue_make(struct arena *arena, struct prng *prng, enum dialogue_kind kind,
                       struct dialogue *out)
{
    const char *lines[MAX_LINES];
    const struct scene *scene = kind == DIALOGUE_VOICEMAIL ? &voicemail : &PICK(prng, scenes);
    const struct cast cast = {PICK(prng, names), PICK(prng, days), PICK(prng, times),
                              PICK(prng, wishes)};
    size_t tool_before = MAX_LINES;
    size_t count = lay_out(prng, scene, kind, lines, &tool_before);
    struct utterance *utterances = arena_alloc(arena, count * sizeof *utterances);
    if (!utterances)
        return ERR_NOMEM;
    int64_t clock = prng_between(prng, 300, 1200);
    for (size_t i = 0; i < count; i++) {
        utterances[i].by_agent = lines[i][0] == 'A';
        utterances[i].text = fill_in(arena, &cast, lines[i] + 2);
        if (!utterances[i].text || !speak(arena, prng, &utterances[i], &clock))
            return ERR_NOMEM;
        clock += prng_between(prng, 300, 1400);
    }
    bool whole = kind != DIALOGUE_BROKEN;
    *out = (struct dialogue){
        .utterances = utterances,
        .count = count,
        .length_ms = clock,
        .topic = scene->topic,
        .summary = whole ? fill_in(arena, &cast, scene->summary)
                         : "The line went dead before the caller's request was dealt with.",
        .sentiment = whole ? scene->sentiment : "Unknown",
        .successful = whole && scene->successful,
        .caller_name = cast.name,
    };
    if (!out->summary)
        return ERR_NOMEM;
    if (tool_before < count && !use_tool(arena, prng, &cast, scene, tool_before, &out->tool))
        return ERR_NOMEM;
    return ERR_OK;
}
