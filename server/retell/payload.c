#include "retell/payload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- events and their order ---- */

static const char *const event_names[PAYLOAD_EVENT_COUNT] = {
    [PAYLOAD_CALL_STARTED] = "call_started",
    [PAYLOAD_TRANSCRIPT_UPDATED] = "transcript_updated",
    [PAYLOAD_TRANSFER_STARTED] = "transfer_started",
    [PAYLOAD_TRANSFER_BRIDGED] = "transfer_bridged",
    [PAYLOAD_TRANSFER_CANCELLED] = "transfer_cancelled",
    [PAYLOAD_TRANSFER_ENDED] = "transfer_ended",
    [PAYLOAD_CALL_ENDED] = "call_ended",
    [PAYLOAD_CALL_ANALYZED] = "call_analyzed",
};

/* What comes before and with each event, in order; call_started only if the call connects. */
static const struct {
    enum payload_event events[PAYLOAD_MAX_STEPS];
    size_t count;
} lives[PAYLOAD_EVENT_COUNT] = {
    [PAYLOAD_CALL_STARTED] = {{PAYLOAD_CALL_STARTED}, 1},
    [PAYLOAD_TRANSCRIPT_UPDATED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_TRANSCRIPT_UPDATED,
                                     PAYLOAD_TRANSCRIPT_UPDATED, PAYLOAD_TRANSCRIPT_UPDATED},
                                    4},
    [PAYLOAD_TRANSFER_STARTED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_TRANSFER_STARTED}, 2},
    [PAYLOAD_TRANSFER_BRIDGED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_TRANSFER_STARTED,
                                   PAYLOAD_TRANSFER_BRIDGED},
                                  3},
    [PAYLOAD_TRANSFER_CANCELLED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_TRANSFER_STARTED,
                                     PAYLOAD_TRANSFER_CANCELLED},
                                    3},
    [PAYLOAD_TRANSFER_ENDED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_TRANSFER_STARTED,
                                 PAYLOAD_TRANSFER_BRIDGED, PAYLOAD_TRANSFER_ENDED},
                                4},
    [PAYLOAD_CALL_ENDED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_CALL_ENDED}, 2},
    [PAYLOAD_CALL_ANALYZED] = {{PAYLOAD_CALL_STARTED, PAYLOAD_CALL_ENDED, PAYLOAD_CALL_ANALYZED},
                               3},
};

const char *payload_event_name(enum payload_event event)
{
    return event_names[event];
}

bool payload_event_from_name(const char *name, enum payload_event *event)
{
    for (size_t i = 0; i < PAYLOAD_EVENT_COUNT; i++)
        if (strcmp(event_names[i], name) == 0) {
            *event = (enum payload_event)i;
            return true;
        }
    return false;
}

bool payload_event_is_transfer(enum payload_event event)
{
    return event >= PAYLOAD_TRANSFER_STARTED && event <= PAYLOAD_TRANSFER_ENDED;
}

static bool is_sent(const struct call_plan *plan, enum payload_event event)
{
    if (event == PAYLOAD_CALL_ENDED)
        return true;
    if (event == PAYLOAD_CALL_ANALYZED)
        return plan->analysis != ANALYSIS_NEVER;
    return plan->fate != FATE_NOT_CONNECTED;
}

size_t payload_steps(const struct call_plan *plan, enum payload_event last,
                     struct payload_step steps[PAYLOAD_MAX_STEPS])
{
    size_t count = 0, updates = 0;
    for (size_t i = 0; i < lives[last].count; i++) {
        enum payload_event event = lives[last].events[i];
        if (!is_sent(plan, event))
            continue;
        updates += event == PAYLOAD_TRANSCRIPT_UPDATED;
        steps[count++] = (struct payload_step){
            .event = event,
            .heard = (plan->dialogue.count * updates + 3) / 4,
        };
    }
    return count;
}

/* ---- JSON, written as it is made up ---- */

/* A comma unless this is the first value of its object or list, then the key, if there is one. */
static void put_key(struct buf *out, const char *key)
{
    char before = out->len ? out->data[out->len - 1] : '{';
    if (before != '{' && before != '[')
        buf_puts(out, ",");
    if (key) {
        buf_json_string(out, key, strlen(key));
        buf_puts(out, ":");
    }
}

static void put_open(struct buf *out, const char *key, const char *bracket)
{
    put_key(out, key);
    buf_puts(out, bracket);
}

static void put_close(struct buf *out, const char *bracket)
{
    buf_puts(out, bracket);
}

/* Leaves the key out when the text is NULL or empty. */
static void put_text(struct buf *out, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    put_key(out, key);
    buf_json_string(out, text, strlen(text));
}

static void put_int(struct buf *out, const char *key, int64_t value)
{
    put_key(out, key);
    buf_printf(out, "%" PRId64, value);
}

static void put_bool(struct buf *out, const char *key, bool value)
{
    put_key(out, key);
    buf_puts(out, value ? "true" : "false");
}

/* `value` divided by `unit`, a power of ten, exactly: digits, not floating point. */
static void put_decimal(struct buf *out, const char *key, int64_t value, int64_t unit)
{
    put_key(out, key);
    buf_printf(out, "%" PRId64, value / unit);
    int64_t rest = value % unit;
    if (rest)
        buf_puts(out, ".");
    for (; rest; rest = rest * 10 % unit)
        buf_printf(out, "%d", (int)(rest * 10 / unit));
}

/* ---- the parts of a call ---- */

static void put_words(struct buf *out, const struct utterance *u)
{
    put_open(out, "words", "[");
    for (size_t i = 0; i < u->word_count; i++) {
        put_open(out, NULL, "{");
        put_text(out, "word", u->words[i].text);
        put_decimal(out, "start", u->words[i].start_ms, 1000);
        put_decimal(out, "end", u->words[i].end_ms, 1000);
        put_close(out, "}");
    }
    put_close(out, "]");
}

static void put_tool_call(struct buf *out, const struct tool_call *tool)
{
    put_open(out, NULL, "{");
    put_text(out, "role", "tool_call_invocation");
    put_text(out, "tool_call_id", tool->id);
    put_text(out, "name", tool->name);
    put_text(out, "arguments", tool->arguments);
    put_close(out, "}");
    put_open(out, NULL, "{");
    put_text(out, "role", "tool_call_result");
    put_text(out, "tool_call_id", tool->id);
    put_text(out, "content", tool->result);
    put_bool(out, "successful", true);
    put_close(out, "}");
}

static void put_utterances(struct buf *out, const char *key, const struct dialogue *d, size_t heard,
                           bool with_tool)
{
    put_open(out, key, "[");
    for (size_t i = 0; i < heard; i++) {
        if (with_tool && d->tool.name && d->tool.before == i)
            put_tool_call(out, &d->tool);
        put_open(out, NULL, "{");
        put_text(out, "role", d->utterances[i].by_agent ? "agent" : "user");
        put_text(out, "content", d->utterances[i].text);
        put_words(out, &d->utterances[i]);
        put_close(out, "}");
    }
    put_close(out, "]");
}

static void put_transcript(struct buf *out, const struct dialogue *d, size_t heard)
{
    struct buf text = {0};
    for (size_t i = 0; i < heard; i++)
        buf_printf(&text, "%s: %s\n", d->utterances[i].by_agent ? "Agent" : "User",
                   d->utterances[i].text);
    put_text(out, "transcript", text.data);
    out->failed |= text.failed;
    buf_free(&text);
    put_utterances(out, "transcript_object", d, heard, false);
    put_utterances(out, "transcript_with_tool_calls", d, heard, true);
}

static int compare_ints(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum { MAX_LATENCIES = 64 };

/* One measurement a turn of the agent, and the statistics that Retell gives of them; ms. */
static void put_latency(struct buf *out, const char *key, struct prng *prng, size_t turns,
                        int64_t typical)
{
    int64_t values[MAX_LATENCIES] = {0}, sorted[MAX_LATENCIES] = {0};
    static const struct {
        const char *name;
        size_t percent;
    } percentiles[] = {{"p50", 50}, {"p90", 90},  {"p95", 95},
                       {"p99", 99}, {"max", 100}, {"min", 0}};
    size_t count = turns < MAX_LATENCIES ? turns : MAX_LATENCIES;
    for (size_t i = 0; i < count; i++)
        sorted[i] = values[i] = prng_between(prng, typical / 2, typical * 2);
    qsort(sorted, count, sizeof sorted[0], compare_ints);

    put_open(out, key, "{");
    for (size_t i = 0; i < COUNT(percentiles); i++)
        put_int(out, percentiles[i].name, sorted[(count - 1) * percentiles[i].percent / 100]);
    put_int(out, "num", (int64_t)count);
    put_open(out, "values", "[");
    for (size_t i = 0; i < count; i++)
        put_int(out, NULL, values[i]);
    put_close(out, "]");
    put_close(out, "}");
}

static void put_latencies(struct buf *out, const struct call_plan *plan)
{
    struct prng prng = {.state = plan->noise};
    size_t turns = 0;
    for (size_t i = 0; i < plan->dialogue.count; i++)
        turns += plan->dialogue.utterances[i].by_agent;
    if (turns == 0)
        return;
    put_open(out, "latency", "{");
    put_latency(out, "e2e", &prng, turns, 900);
    put_latency(out, "llm", &prng, turns, 450);
    put_latency(out, "tts", &prng, turns, 220);
    put_latency(out, "asr", &prng, turns, 60);
    put_close(out, "}");
}

/* Prices in 1/10000 cent a second, so that every sum is exact. Retell bills ten seconds at least. */
static void put_cost(struct buf *out, const struct call_plan *plan)
{
    enum { UNIT = 10000, MIN_SECONDS = 10 };
    static const struct {
        const char *product;
        int64_t price;
    } products[] = {{"elevenlabs_tts", 1167}, {"gpt_4_1", 750}, {"us_telephony", 250}};
    size_t count = COUNT(products) - (plan->kind == CALL_WEB);
    int64_t seconds = (plan->duration_ms + 999) / 1000;
    if (seconds < MIN_SECONDS)
        seconds = MIN_SECONDS;
    int64_t price = 0;
    put_open(out, "call_cost", "{");
    put_open(out, "product_costs", "[");
    for (size_t i = 0; i < count; i++) {
        put_open(out, NULL, "{");
        put_text(out, "product", products[i].product);
        put_decimal(out, "unit_price", products[i].price, UNIT);
        put_decimal(out, "cost", products[i].price * seconds, UNIT);
        put_close(out, "}");
        price += products[i].price;
    }
    put_close(out, "]");
    put_int(out, "total_duration_seconds", seconds);
    put_decimal(out, "total_duration_unit_price", price, UNIT);
    put_decimal(out, "combined_cost", price * seconds, UNIT);
    put_close(out, "}");
}

static void put_token_usage(struct buf *out, const struct call_plan *plan)
{
    struct prng prng = {.state = ~plan->noise};
    int64_t values[4], sum = 0;
    for (size_t i = 0; i < COUNT(values); i++)
        sum += values[i] = prng_between(&prng, 800, 4000);
    put_open(out, "llm_token_usage", "{");
    put_open(out, "values", "[");
    for (size_t i = 0; i < COUNT(values); i++)
        put_int(out, NULL, values[i]);
    put_close(out, "]");
    put_decimal(out, "average", sum * 100 / (int64_t)COUNT(values), 100);
    put_int(out, "num_requests", (int64_t)COUNT(values));
    put_close(out, "}");
}

static void put_analysis(struct buf *out, const struct call_plan *plan)
{
    const struct dialogue *d = &plan->dialogue;
    if (plan->analysis == ANALYSIS_EMPTY || plan->analysis == ANALYSIS_NEVER)
        return;
    put_open(out, "call_analysis", "{");
    put_text(out, "call_summary", d->summary);
    put_bool(out, "in_voicemail", plan->in_voicemail);
    if (plan->analysis == ANALYSIS_FULL) {
        put_text(out, "user_sentiment", d->sentiment);
        put_bool(out, "call_successful", d->successful);
        put_open(out, "custom_analysis_data", "{");
        put_text(out, "topic", d->topic);
        put_text(out, "caller_name", d->caller_name);
        put_bool(out, "follow_up_needed", !d->successful);
        put_close(out, "}");
    }
    put_close(out, "}");
}

static void put_identity(struct buf *out, const struct call_plan *plan)
{
    bool web = plan->kind == CALL_WEB;
    put_text(out, "call_id", plan->call_id);
    put_text(out, "call_type", web ? "web_call" : "phone_call");
    put_text(out, "agent_id", plan->agent_id);
    put_int(out, "agent_version", plan->agent_version);
    put_text(out, "agent_name", plan->agent_name);
    if (web) {
        put_text(out, "access_token", plan->access_token);
    } else {
        bool inbound = plan->kind == CALL_INBOUND;
        bool hidden = plan->storage == STORE_NO_NUMBER;
        put_text(out, "direction", inbound ? "inbound" : "outbound");
        put_text(out, "from_number", inbound && hidden ? NULL : plan->from_number);
        put_text(out, "to_number", !inbound && hidden ? NULL : plan->to_number);
        put_open(out, "telephony_identifier", "{");
        put_key(out, "twilio_call_sid");
        buf_printf(out, "\"CA%016" PRIx64 "%016" PRIx64 "\"", plan->noise, ~plan->noise);
        put_close(out, "}");
    }
    put_open(out, "metadata", "{");
    put_text(out, "source", web ? "website" : "phone");
    put_int(out, "customer", (int64_t)(plan->noise % 9000) + 1000);
    put_close(out, "}");
    put_open(out, "retell_llm_dynamic_variables", "{");
    put_text(out, "business_name", "Frontdesk Clinic");
    put_close(out, "}");
    put_text(out, "data_storage_setting",
             plan->storage == STORE_EVERYTHING  ? "everything"
             : plan->storage == STORE_NO_NUMBER ? "everything_except_pii"
                                                : "basic_attributes_only");
}

static void put_recording(struct buf *out, const struct call_plan *plan)
{
    static const char *const files[][2] = {{"recording_url", "recording.wav"},
                                           {"recording_multi_channel_url", "multichannel.wav"},
                                           {"public_log_url", "public.log"}};
    for (size_t i = 0; i < COUNT(files); i++) {
        put_key(out, files[i][0]);
        buf_printf(out, "\"https://recordings.example.com/%s/%s\"", plan->call_id, files[i][1]);
    }
}

/* All that is known when the call is over, but for the analysis. */
static void put_outcome(struct buf *out, const struct call_plan *plan)
{
    put_text(out, "disconnection_reason", plan->disconnection_reason);
    put_text(out, "transfer_destination", plan->transfer_number);
    if (plan->fate == FATE_NOT_CONNECTED)
        return;
    put_int(out, "end_timestamp", plan->start_ms + plan->duration_ms);
    put_int(out, "duration_ms", plan->duration_ms);
    if (plan->storage != STORE_BASICS) {
        put_transcript(out, &plan->dialogue, plan->dialogue.count);
        put_recording(out, plan);
    }
    put_latencies(out, plan);
    put_cost(out, plan);
    put_token_usage(out, plan);
}

static const char *status_at(const struct call_plan *plan, bool over)
{
    if (!over)
        return "ongoing";
    return plan->fate == FATE_ENDED   ? "ended"
           : plan->fate == FATE_ERROR ? "error"
                                      : "not_connected";
}

static void put_transfer(struct buf *out, const struct call_plan *plan)
{
    put_open(out, "transfer_destination", "{");
    put_text(out, "type", "predefined");
    put_text(out, "number", plan->transfer_number);
    put_close(out, "}");
    put_open(out, "transfer_option", "{");
    put_text(out, "type", "warm_transfer");
    put_close(out, "}");
}

void payload_write(const struct call_plan *plan, const struct payload_step *step, struct buf *out)
{
    bool over = step->event == PAYLOAD_CALL_ENDED || step->event == PAYLOAD_CALL_ANALYZED;
    buf_puts(out, "{\"event\":");
    buf_json_string(out, event_names[step->event], strlen(event_names[step->event]));
    put_open(out, "call", "{");
    put_identity(out, plan);
    put_text(out, "call_status", status_at(plan, over));
    if (plan->fate != FATE_NOT_CONNECTED)
        put_int(out, "start_timestamp", plan->start_ms);
    if (step->event == PAYLOAD_TRANSCRIPT_UPDATED)
        put_transcript(out, &plan->dialogue, step->heard);
    if (over)
        put_outcome(out, plan);
    if (step->event == PAYLOAD_CALL_ANALYZED)
        put_analysis(out, plan);
    put_close(out, "}");
    if (payload_event_is_transfer(step->event))
        put_transfer(out, plan);
    buf_puts(out, "}");
}
