/*
 * The statistics of calls: adding, subtracting and asking, against a plain list of calls; and the
 * bytes they are stored as, of which there is one spelling and no way to hurt the reader with
 * another.
 */
#include "stats_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- memory: everything goes at the end of a test ---- */

static void **blocks;
static size_t block_count, block_room;

static void *keep(void *block)
{
    assert_non_null(block);
    if (block_count == block_room) {
        block_room = block_room ? block_room * 2 : 64;
        void **more = realloc(blocks, block_room * sizeof *blocks);
        assert_non_null(more);
        blocks = more;
    }
    blocks[block_count++] = block;
    return block;
}

void *stats_allocate(size_t size)
{
    return keep(malloc(size));
}

void *stats_enlarge(void *memory, size_t size)
{
    for (size_t i = block_count; i-- > 0;)
        if (blocks[i] == memory) {
            blocks[i] = realloc(memory, size);
            assert_non_null(blocks[i]);
            return blocks[i];
        }
    fail_msg("not ours");
    return NULL;
}

void stats_release(void *memory)
{
    for (size_t i = block_count; memory && i-- > 0;)
        if (blocks[i] == memory) {
            free(memory);
            blocks[i] = blocks[--block_count];
            return;
        }
}

static int release(void **state)
{
    (void)state;
    while (block_count > 0)
        free(blocks[--block_count]);
    free(blocks);
    blocks = NULL;
    block_room = 0;
    return 0;
}

/* ---- random calls ---- */

static uint64_t seed;

static uint64_t rnd(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static struct stats_word word(const char *text)
{
    return (struct stats_word){text, text ? strlen(text) : 0};
}

static struct stats_call random_call(void)
{
    static const char *const statuses[] = {NULL, "registered", "ended", "error", "paused", ""};
    static const char *const sentiments[] = {NULL, "Positive", "Negative", "Neutral",
                                             "Gl\u00fccklich"};
    static const char *const reasons[] = {NULL, "user_hangup", "dial_busy", "bored",
                                          "user_hangups"};
    struct stats_call call = {word(statuses[rnd(6)]),
                              word(sentiments[rnd(5)]),
                              word(reasons[rnd(5)]),
                              (enum stats_answer)rnd(3),
                              (enum stats_answer)rnd(3),
                              {rnd(8) > 0, rnd(8) > 0},
                              {0}};
    for (int i = 0; i < STATS_MEASURES; i++)
        if (call.has[i])
            call.value[i] = (int64_t)rnd(UINT64_C(1) << (1 + rnd(30)));
    return call;
}

/* A usual one, as Retell sends it. */
static struct stats_call usual_call(void)
{
    return (struct stats_call){word("ended"),
                               word("Positive"),
                               word("user_hangup"),
                               STATS_TRUE,
                               STATS_FALSE,
                               {true, true},
                               {20000 + (int64_t)rnd(400000), 50000 + (int64_t)rnd(900000)}};
}

struct value {
    uint8_t *bytes;
    size_t len;
};

static struct value encode(const struct stats_acc *acc)
{
    struct value value = {stats_allocate(stats_encoded_max(acc)), 0};
    assert_int_equal(stats_acc_check(acc), STATS_OK);
    value.len = stats_encode(acc, value.bytes);
    assert_true(value.len <= stats_encoded_max(acc));
    struct stats_acc again;
    stats_acc_init(&again);
    assert_int_equal(stats_check(value.bytes, value.len, &again), STATS_OK);
    return value;
}

static void assert_same(struct value a, struct value b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.bytes, b.bytes, a.len);
}

static void add(struct stats_acc *acc, const struct stats_call *call)
{
    assert_true(stats_acc_add_call(acc, call, 1));
}

static struct value of_calls(const struct stats_call *calls, size_t count)
{
    struct stats_acc acc;
    stats_acc_init(&acc);
    for (size_t i = 0; i < count; i++)
        add(&acc, &calls[i]);
    return encode(&acc);
}

static bool same_word(struct stats_word a, struct stats_word b)
{
    return !a.s == !b.s && stats_words_compare(a, b) == 0;
}

/* ---- adding and asking ---- */

enum { MANY = 2000 };

static int compare_numbers(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void check_measure(const struct stats_acc *acc, const struct stats_call *calls,
                          enum stats_measure_id measure)
{
    static const double shares[] = {0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1};
    int64_t values[MANY] = {0}, sum = 0;
    size_t n = 0;
    uint32_t lowest, highest;

    for (size_t i = 0; i < MANY; i++)
        if (calls[i].has[measure])
            sum += values[n++] = calls[i].value[measure];
    qsort(values, n, sizeof *values, compare_numbers);
    assert_int_equal(stats_acc_measured(acc, measure), n);
    assert_true(stats_acc_sum(acc, measure) == sum);
    assert_true(stats_acc_ends(acc, measure, &lowest, &highest));
    assert_int_equal(lowest, histogram_cell(values[0]));
    assert_int_equal(highest, histogram_cell(values[n - 1]));
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double exact = shares[i] * (double)n;
        size_t rank = (size_t)exact + ((double)(size_t)exact < exact);
        int64_t wanted = values[rank > 0 ? rank - 1 : 0], got;
        assert_true(stats_acc_percentile(acc, measure, shares[i], &got));
        assert_true(llabs(got - wanted) <= (int64_t)((double)wanted * 0.008));
    }
}

static void counts_what_a_list_of_calls_says(void **state)
{
    (void)state;
    static struct stats_call calls[MANY];
    struct stats_word ended[] = {word("ended"), word("paused"), {NULL, 0}}, none = {NULL, 0};
    struct stats_filter filter = {.statuses = ended,
                                  .status_count = 3,
                                  .sentiments = &none,
                                  .sentiment_count = 1,
                                  .answers = 1U << STATS_TRUE};
    int64_t matching = 0, bored = 0, positive = 0, voicemail = 0, unanalysed = 0;
    struct stats_count *counts;
    struct stats_acc acc;

    seed = 7;
    stats_acc_init(&acc);
    for (size_t i = 0; i < MANY; i++) {
        struct stats_call *call = &calls[i];
        *call = random_call();
        add(&acc, call);
        matching += call->successful == STATS_TRUE && !call->sentiment.s &&
                    (!call->status.s || same_word(call->status, ended[0]) ||
                     same_word(call->status, ended[1]));
        bored += same_word(call->reason, word("bored"));
        positive += same_word(call->sentiment, word("Positive"));
        voicemail += call->voicemail == STATS_TRUE;
        unanalysed += call->successful == STATS_UNKNOWN;
    }
    assert_int_equal(stats_acc_total(&acc), MANY);
    assert_int_equal(stats_acc_matching(&acc, &filter), matching);
    assert_int_equal(stats_acc_reason(&acc, word("bored")), bored);
    assert_int_equal(stats_acc_reason(&acc, word("never")), 0);
    assert_int_equal(stats_acc_voicemail(&acc, STATS_TRUE), voicemail);
    assert_int_equal(stats_acc_successful(&acc, STATS_UNKNOWN), unanalysed);
    assert_int_equal(stats_acc_counts(&acc, STATS_SENTIMENT, &counts), 5);
    assert_null(counts[0].word.s);
    assert_true(same_word(counts[2].word, word("Positive")));
    assert_int_equal(counts[2].count, positive);
    assert_int_equal(stats_acc_counts(&acc, STATS_REASON, &counts), 5);
    assert_true(same_word(counts[3].word, word("bored")));
    assert_int_equal(counts[3].count, bored);
    check_measure(&acc, calls, STATS_DURATION);
    check_measure(&acc, calls, STATS_COST);
    const int64_t *cells = stats_acc_histogram(&acc, STATS_COST);
    int64_t walked = 0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        walked += cells[i];
    assert_int_equal(walked, stats_acc_measured(&acc, STATS_COST));
}

static void nothing_has_no_percentile_and_one_call_is_exact(void **state)
{
    (void)state;
    struct stats_call call = usual_call();
    struct stats_acc acc;
    uint32_t lowest, highest;
    int64_t value;

    stats_acc_init(&acc);
    assert_true(stats_acc_is_empty(&acc));
    assert_false(stats_acc_percentile(&acc, STATS_COST, 0.5, &value));
    assert_false(stats_acc_ends(&acc, STATS_COST, &lowest, &highest));
    call.value[STATS_DURATION] = 123457;
    add(&acc, &call);
    assert_true(stats_acc_percentile(&acc, STATS_DURATION, 0.5, &value));
    assert_int_equal(value, 123457);
    assert_false(stats_acc_is_empty(&acc));
    assert_true(stats_acc_add_call(&acc, &call, -1));
    assert_true(stats_acc_is_empty(&acc));
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    char text[100];
    struct stats_call call = usual_call();
    struct stats_count *counts;
    struct stats_acc acc;

    memset(text, 'x', sizeof text);
    memcpy(text + 63, "\xc3\xa4", 2);
    call.reason = (struct stats_word){text, sizeof text};
    stats_acc_init(&acc);
    add(&acc, &call);
    assert_int_equal(stats_acc_counts(&acc, STATS_REASON, &counts), 1);
    assert_int_equal(counts[0].word.len, 63);
    assert_int_equal(stats_acc_reason(&acc, call.reason), 1);
    (void)encode(&acc);
}

/* Calls with as many reasons and statuses that nobody has heard of as there are calls. */
static void any_number_of_new_words_is_told_apart(void **state)
{
    (void)state;
    enum { WORDS = 3000 };
    static char words[WORDS][16];
    static struct stats_call calls[WORDS];
    struct stats_acc acc, other;

    stats_acc_init(&acc);
    stats_acc_init(&other);
    for (int i = 0; i < WORDS; i++) {
        size_t len = (size_t)snprintf(words[i], sizeof words[i], "new word %d", i);
        calls[i].reason = calls[i].status = (struct stats_word){words[i], len};
    }
    for (int i = 0; i < WORDS; i++) {
        add(&acc, &calls[i]);
        add(&other, &calls[WORDS - 1 - i]);
    }
    struct value all = encode(&acc);
    assert_same(encode(&other), all);
    assert_int_equal(stats_decode(all.bytes, all.len, 1, &other), STATS_OK);
    for (int i = 0; i < WORDS; i++) {
        assert_int_equal(stats_acc_reason(&acc, calls[i].reason), 1);
        assert_int_equal(stats_acc_reason(&other, calls[i].reason), 2);
    }
    assert_int_equal(stats_acc_reason(&acc, (struct stats_word){"new word", 8}), 0);
    assert_int_equal(stats_acc_total(&other), 2 * WORDS);
    assert_int_equal(stats_decode(all.bytes, all.len, -1, &other), STATS_OK);
    assert_same(encode(&other), all);
}

/* ---- the bytes ---- */

static void equal_statistics_are_equal_bytes_in_any_order(void **state)
{
    (void)state;
    static struct stats_call calls[MANY], shuffled[MANY];

    seed = 11;
    for (size_t i = 0; i < MANY; i++)
        shuffled[i] = calls[i] = random_call();
    for (size_t i = MANY - 1; i > 0; i--) {
        size_t k = rnd(i + 1);
        struct stats_call call = shuffled[i];
        shuffled[i] = shuffled[k];
        shuffled[k] = call;
    }
    assert_same(of_calls(calls, MANY), of_calls(shuffled, MANY));
}

static void sums_of_values_are_values_of_sums_and_differences_undo_them(void **state)
{
    (void)state;
    static struct stats_call calls[MANY];

    seed = 13;
    for (size_t round = 0; round < 200; round++) {
        size_t count = 1 + rnd(round < 190 ? 20 : MANY), half = rnd(count + 1);
        struct stats_acc acc;
        for (size_t i = 0; i < count; i++)
            calls[i] = random_call();
        struct value all = of_calls(calls, count);
        struct value a = of_calls(calls, half), b = of_calls(calls + half, count - half);
        stats_acc_init(&acc);
        assert_int_equal(stats_decode(b.bytes, b.len, 1, &acc), STATS_OK);
        assert_int_equal(stats_decode(a.bytes, a.len, 1, &acc), STATS_OK);
        assert_same(encode(&acc), all);
        assert_int_equal(stats_decode(b.bytes, b.len, -1, &acc), STATS_OK);
        assert_same(encode(&acc), a);
        assert_int_equal(stats_decode(all.bytes, all.len, -1, &acc), STATS_OK);
        assert_int_equal(stats_acc_total(&acc), (int64_t)half - (int64_t)count);
        assert_int_equal(stats_decode(b.bytes, b.len, 1, &acc), STATS_OK);
        assert_true(stats_acc_is_empty(&acc));
        assert_same(encode(&acc), of_calls(NULL, 0));
        (void)release(NULL);
    }
}

static void bytes_are_as_they_were_when_the_first_value_was_stored(void **state)
{
    (void)state;
    static const uint8_t empty[] = {1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t one[] = {1, 1,    52, 2, 1,    1,    2, 0, 2,    0xc0, 0xa9, 7,
                                  1, 0xb5, 5,  2, 0xa0, 0x8d, 6, 1, 0xa1, 5,    2};
    static const uint8_t own[] = {0x81, 1, 4, 'b', 'u', 's', 'y', 0, 1, 0, 1,
                                  90,   2, 1, 35,  2,   0,   0,   0, 0, 0, 0};
    struct stats_call call = {word("ended"), word("Positive"), word("user_hangup"), STATS_TRUE,
                              STATS_FALSE,   {true, true},     {60000, 50000}};
    struct stats_call other = {.status = word("busy"), .reason = word("")};

    assert_same(of_calls(NULL, 0), (struct value){(uint8_t *)empty, sizeof empty});
    assert_same(of_calls(&call, 1), (struct value){(uint8_t *)one, sizeof one});
    assert_same(of_calls(&other, 1), (struct value){(uint8_t *)own, sizeof own});
}

static void values_are_small(void **state)
{
    (void)state;
    static const struct {
        size_t calls, bytes;
    } sizes[] = {{1, 24}, {4, 50}, {100, 700}, {10000, 2000}, {1000000, 3000}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct stats_acc acc;
        stats_acc_init(&acc);
        seed = 17;
        for (size_t k = 0; k < sizes[i].calls; k++) {
            struct stats_call call = usual_call();
            add(&acc, &call);
        }
        struct value value = encode(&acc);
        print_message("%zu calls: %zu bytes\n", sizes[i].calls, value.len);
        assert_true(value.len <= sizes[i].bytes);
        (void)release(NULL);
    }
}

/* Bytes in memory of their exact size, so that ASan sees a read past their end. */
static enum stats_result check(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    struct stats_acc acc;
    stats_acc_init(&acc);
    enum stats_result result = stats_check(exact, len, &acc);
    free(exact);
    (void)release(NULL);
    return result;
}

static void other_spellings_of_a_value_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *bytes;
        size_t len;
    } bad[] = {
#define BAD(why, bytes) {why, bytes, sizeof(bytes) - 1}
        BAD("nothing", ""),
        BAD("another version", "\x02\0\0\0\0\0\0\0\0"),
        BAD("an end too early", "\x01\0\0\0\0\0\0\0"),
        BAD("more after the end", "\x01\0\0\0\0\0\0\0\0\0"),
        BAD("a number spelled longer", "\x01\x80\0\0\0\0\0\0\0\0"),
        BAD("a number without end", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        BAD("more cells than bytes", "\x01\xff\xff\xff\xff\x0f\0\0\0\0\0\0\0"),
        BAD("a cell of count 0", "\x01\0\x01\0\0\0\0\0\0\0\0"),
        BAD("outcomes and reasons that differ", "\x01\x01\0\x02\0\0\0\0\0\0\0"),
        BAD("a status that there is not", "\x01\x01\x5a\x02\x01\0\x02\0\0\0\0\0\0"),
        BAD("a reason that there is not", "\x01\x01\0\x02\x01\x23\x02\0\0\0\0\0\0"),
        BAD("a cell behind the last", "\x01\0\0\0\0\0\x01\x80\x1d\x02\0\0"),
        BAD("keys that wrap around",
            "\x01\0\0\0\0\0\x02\x01\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\0\0"),
        BAD("words announced and none there", "\x81\0\0\0\0\0\0\0\0\0\0\0"),
        BAD("a word that is not used", "\x81\x01\x01x\0\0\0\0\0\0\0\0\0\0"),
        BAD("a known word spelled out", "\x81\x01\x05"
                                        "ended\0\0\x01\x5a\x02\x01\0\x02\0\0\0\0\0\0"),
        BAD("words not in order",
            "\x81\0\0\x02\x01z\x01x\x02\0\x02\0\x02\x02\x23\x02\0\x02\0\0\0\0\0\0"),
        BAD("the same word twice",
            "\x81\0\0\x02\x01x\x01x\x01\0\x04\x02\x23\x02\0\x02\0\0\0\0\0\0"),
        BAD("a word with a NUL", "\x81\x01\x01\0\0\0\x01\x5a\x02\x01\0\x02\0\0\0\0\0\0"),
        BAD("a word longer than the value", "\x81\x01\x7fxx"),
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check((const uint8_t *)bad[i].bytes, bad[i].len) != STATS_MALFORMED)
            fail_msg("accepted: %s", bad[i].why);
}

static void every_beginning_and_every_flipped_bit_is_refused_or_another_value(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    struct stats_acc acc;

    for (int round = 0; round < 30; round++) {
        seed = (uint64_t)round;
        stats_acc_init(&acc);
        for (int i = 0; i < 1 + round; i++) {
            struct stats_call call = random_call();
            add(&acc, &call);
        }
        struct value value = encode(&acc);
        size_t len = value.len;
        assert_true(len <= sizeof bytes);
        memcpy(bytes, value.bytes, len);
        (void)release(NULL);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_not_equal(check(bytes, cut), STATS_OK);
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            (void)check(bytes, len);
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};

    seed = 23;
    for (int round = 0; round < 200000; round++) {
        size_t len = rnd(sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = rnd(3) ? (uint8_t)rnd(8) : (uint8_t)rnd(256);
        if (len)
            bytes[0] = rnd(2) ? 0x01 : 0x81;
        (void)check(bytes, len);
    }
}

static void sums_beyond_64_bits_are_seen(void **state)
{
    (void)state;
    struct stats_call call = usual_call();
    struct stats_acc acc;

    call.value[STATS_COST] = INT64_MAX;
    stats_acc_init(&acc);
    add(&acc, &call);
    assert_false(stats_acc_add_call(&acc, &call, 1));

    stats_acc_init(&acc);
    add(&acc, &call);
    struct value value = encode(&acc);
    assert_int_equal(stats_decode(value.bytes, value.len, 1, &acc), STATS_OVERFLOW);

    /* Twice the greatest count, in two cells; and the same in the cells of a histogram. */
    static const uint8_t counts[] = {1,   2, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255,
                                     255, 1, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255,
                                     255, 1, 0, 0,    0,   0,   0,   0,   0};
    assert_int_equal(check(counts, sizeof counts), STATS_OVERFLOW);
    static const uint8_t least[] = {1,   0,   0,   255, 255, 255, 255, 255, 255,
                                    255, 255, 255, 1,   0,   0,   0,   0,   0};
    assert_int_equal(check(least, sizeof least), STATS_OVERFLOW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, release)
    const struct CMUnitTest tests[] = {
        TEST(counts_what_a_list_of_calls_says),
        TEST(nothing_has_no_percentile_and_one_call_is_exact),
        TEST(long_words_are_cut_between_characters),
        TEST(any_number_of_new_words_is_told_apart),
        TEST(equal_statistics_are_equal_bytes_in_any_order),
        TEST(sums_of_values_are_values_of_sums_and_differences_undo_them),
        TEST(bytes_are_as_they_were_when_the_first_value_was_stored),
        TEST(values_are_small),
        TEST(other_spellings_of_a_value_are_refused),
        TEST(every_beginning_and_every_flipped_bit_is_refused_or_another_value),
        TEST(random_bytes_do_no_harm),
        TEST(sums_beyond_64_bits_are_seen),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
