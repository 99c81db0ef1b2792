/*
 * Sample calls: the same seed says the same bytes, every envelope is JSON with Retell's units and
 * omissions, and a few hundred calls meet every rarity that the rest of Frontdesk must cope with.
 */
#include "retell/payload.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { MANY = 400 };

static const struct call_plan_options seven = {.seed = 7, .base_ms = INT64_C(1767225600000)};

/* The envelopes of call `index` up to `last`, one a line; freed by the caller. */
static char *envelopes(const struct call_plan_options *options, uint64_t index,
                       enum payload_event last)
{
    struct arena *arena = arena_new(4 << 20);
    struct call_plan plan;
    struct payload_step steps[PAYLOAD_MAX_STEPS];
    struct buf out = {0};
    assert_int_equal(call_plan_make(arena, options, index, &plan), ERR_OK);
    size_t count = payload_steps(&plan, last, steps);
    for (size_t i = 0; i < count; i++) {
        payload_write(&plan, &steps[i], &out);
        buf_puts(&out, "\n");
    }
    buf_puts(&out, "");
    assert_false(out.failed);
    arena_free(arena);
    return out.data;
}

/* The first numbers that its author's code gives for this seed. */
static void the_generator_is_splitmix64(void **state)
{
    (void)state;
    struct prng prng = {.state = 1234567};
    assert_true(prng_next(&prng) == UINT64_C(6457827717110365317));
    assert_true(prng_next(&prng) == UINT64_C(3203168211198807973));
    assert_true(prng_next(&prng) == UINT64_C(9817491932198370423));
}

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *text(const cJSON *object, const char *key)
{
    const char *value = cJSON_GetStringValue(get(object, key));
    return value ? value : "";
}

/* Calls `look` with the parsed call object of every envelope of the first MANY calls. */
static void look_at_all(enum payload_event last, void (*look)(const char *event, const cJSON *call))
{
    for (uint64_t i = 0; i < MANY; i++) {
        char *all = envelopes(&seven, i, last);
        for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
            const char *end = NULL;
            cJSON *envelope = cJSON_ParseWithOpts(line, &end, 1);
            assert_non_null(envelope);
            look(text(envelope, "event"), get(envelope, "call"));
            cJSON_Delete(envelope);
        }
        free(all);
    }
}

static void the_same_seed_says_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        char *once = envelopes(&seven, i, PAYLOAD_CALL_ANALYZED);
        char *again = envelopes(&seven, i, PAYLOAD_CALL_ANALYZED);
        assert_string_equal(once, again);
        free(once);
        free(again);
    }
}

static void another_seed_index_agent_or_kind_is_another_call(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    struct call_plan_options eight = seven, agent = seven, transfers = seven;
    eight.seed = 8;
    agent.agent_id = "agent_x";
    transfers.transfers = true;
    struct call_plan a, others[4];
    assert_int_equal(call_plan_make(arena, &seven, 0, &a), ERR_OK);
    assert_int_equal(call_plan_make(arena, &seven, 1, &others[0]), ERR_OK);
    assert_int_equal(call_plan_make(arena, &eight, 0, &others[1]), ERR_OK);
    assert_int_equal(call_plan_make(arena, &agent, 0, &others[2]), ERR_OK);
    assert_int_equal(call_plan_make(arena, &transfers, 0, &others[3]), ERR_OK);
    for (size_t i = 0; i < 4; i++)
        assert_string_not_equal(a.call_id, others[i].call_id);
    assert_string_equal(others[2].agent_id, "agent_x");
    arena_free(arena);
}

static unsigned web, not_connected, errors, fractional, missing_number, unanalysed, voicemails;

static void check_call(const char *event, const cJSON *call)
{
    const char *status = text(call, "call_status");
    bool is_web = strcmp(text(call, "call_type"), "web_call") == 0;
    bool over = strcmp(event, "call_started") != 0;
    bool connected = strcmp(status, "not_connected") != 0;

    assert_true(strncmp(text(call, "call_id"), "call_", 5) == 0);
    assert_true(cJSON_IsNumber(get(call, "agent_version")));
    assert_true(is_web == (*text(call, "access_token") != '\0'));
    assert_true(is_web == (*text(call, "direction") == '\0'));
    assert_true(!is_web || (!get(call, "from_number") && !get(call, "to_number")));
    assert_true(over == (*text(call, "disconnection_reason") != '\0'));
    assert_true(connected == cJSON_IsNumber(get(call, "start_timestamp")));
    assert_true((over && connected) == cJSON_IsNumber(get(call, "end_timestamp")));
    if (!over)
        assert_string_equal(status, "ongoing");
    if (over && connected) {
        double start = cJSON_GetNumberValue(get(call, "start_timestamp"));
        double end = cJSON_GetNumberValue(get(call, "end_timestamp"));
        assert_true(end - start == cJSON_GetNumberValue(get(call, "duration_ms")));
        assert_true(start > 1.6e12 && end < 1767225600000.0);
        double cents = cJSON_GetNumberValue(get(get(call, "call_cost"), "combined_cost"));
        double sum = 0;
        const cJSON *product = NULL;
        cJSON_ArrayForEach(product, get(get(call, "call_cost"), "product_costs")) sum +=
            cJSON_GetNumberValue(get(product, "cost"));
        assert_true(cents - sum < 1e-9 && sum - cents < 1e-9);
        fractional += cents != (double)(int64_t)cents;
    }
    if (strcmp(event, "call_ended") != 0)
        return;
    assert_null(get(call, "call_analysis"));
    web += is_web;
    not_connected += !connected;
    errors += strcmp(status, "error") == 0;
    missing_number += !is_web && (!get(call, "from_number") || !get(call, "to_number"));
    voicemails += strcmp(text(call, "disconnection_reason"), "voicemail_reached") == 0;
}

static void calls_have_retells_units_and_omissions_and_every_rarity(void **state)
{
    (void)state;
    look_at_all(PAYLOAD_CALL_ANALYZED, check_call);
    assert_true(web > 0);
    assert_true(not_connected > 0);
    assert_true(errors > 0);
    assert_true(fractional > 0);
    assert_true(missing_number > 0);
    assert_true(voicemails > 0);
}

static unsigned full, partial;

static void check_analysis(const char *event, const cJSON *call)
{
    if (strcmp(event, "call_analyzed") != 0)
        return;
    const cJSON *analysis = get(call, "call_analysis");
    if (!analysis)
        unanalysed++;
    else if (get(analysis, "call_successful"))
        full++;
    else
        partial++;
}

static void analyses_are_sometimes_partial_and_sometimes_missing(void **state)
{
    (void)state;
    look_at_all(PAYLOAD_CALL_ANALYZED, check_analysis);
    assert_true(full > partial);
    assert_true(partial > 0);
    assert_true(unanalysed > 0);
}

static void check_words(const char *event, const cJSON *call)
{
    const cJSON *utterance = NULL, *word = NULL;
    double clock = 0, length = cJSON_GetNumberValue(get(call, "duration_ms")) / 1000;
    cJSON_ArrayForEach(utterance, get(call, "transcript_object"))
    {
        cJSON_ArrayForEach(word, get(utterance, "words"))
        {
            double start = cJSON_GetNumberValue(get(word, "start"));
            double end = cJSON_GetNumberValue(get(word, "end"));
            assert_true(clock <= start && start < end);
            assert_non_null(strstr(text(utterance, "content"), text(word, "word")));
            assert_null(strchr(text(word, "word"), '{'));
            clock = end;
        }
        assert_non_null(strstr(text(call, "transcript"), text(utterance, "content")));
    }
    if (strcmp(event, "call_ended") == 0 && clock > 0)
        assert_true(clock <= length);
}

static void words_stand_in_the_transcript_in_the_order_of_their_seconds(void **state)
{
    (void)state;
    look_at_all(PAYLOAD_CALL_ENDED, check_words);
}

static void a_dial_that_never_connects_sends_no_call_started(void **state)
{
    (void)state;
    unsigned silent = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        char *started = envelopes(&seven, i, PAYLOAD_CALL_STARTED);
        char *ended = envelopes(&seven, i, PAYLOAD_CALL_ENDED);
        bool connected = strstr(ended, "\"not_connected\"") == NULL;
        assert_true(connected == (*started != '\0'));
        silent += !connected;
        free(started);
        free(ended);
    }
    assert_true(silent > 0);
}

static void transfers_come_with_their_destination_beside_the_call(void **state)
{
    (void)state;
    struct call_plan_options options = seven;
    options.transfers = true;
    for (uint64_t i = 0; i < 20; i++) {
        char *all = envelopes(&options, i, PAYLOAD_TRANSFER_ENDED);
        unsigned count = 0;
        for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"), count++) {
            cJSON *envelope = cJSON_ParseWithOpts(line, NULL, 1);
            assert_non_null(envelope);
            assert_int_equal(count > 0, cJSON_IsObject(get(envelope, "transfer_destination")));
            cJSON_Delete(envelope);
        }
        assert_int_equal(count, 4);
        free(all);
    }
}

static void transcript_updates_grow(void **state)
{
    (void)state;
    char *all = envelopes(&seven, 0, PAYLOAD_TRANSCRIPT_UPDATED);
    size_t last = 0;
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) > last);
        last = strlen(line);
    }
    assert_true(last > 0);
    free(all);
}

static void event_names_are_known_and_no_others(void **state)
{
    (void)state;
    enum payload_event event;
    for (int i = 0; i < PAYLOAD_EVENT_COUNT; i++) {
        assert_true(payload_event_from_name(payload_event_name((enum payload_event)i), &event));
        assert_int_equal(event, i);
    }
    assert_false(payload_event_from_name("call_", &event));
    assert_false(payload_event_from_name("", &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_splitmix64),
        cmocka_unit_test(the_same_seed_says_the_same_bytes),
        cmocka_unit_test(another_seed_index_agent_or_kind_is_another_call),
        cmocka_unit_test(calls_have_retells_units_and_omissions_and_every_rarity),
        cmocka_unit_test(analyses_are_sometimes_partial_and_sometimes_missing),
        cmocka_unit_test(words_stand_in_the_transcript_in_the_order_of_their_seconds),
        cmocka_unit_test(a_dial_that_never_connects_sends_no_call_started),
        cmocka_unit_test(transfers_come_with_their_destination_beside_the_call),
        cmocka_unit_test(transcript_updates_grow),
        cmocka_unit_test(event_names_are_known_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
