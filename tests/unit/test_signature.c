/*
 * The signature: Retell's golden vector, the edges of the window, and the ways in which a request
 * that Retell did not make tries to look like one (P5). The header is always handed over without a
 * NUL behind it, in a buffer of its exact size, so that ASan sees a read past its end.
 */
#include "retell/signature.h"

#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY "{\"event\":\"call_ended\",\"call\":{\"call_id\":\"c1\"}}"
#define DIGEST "83eec0c731880372ce0de004bd1ce30f8cec0c963edda918404057662d7ddbc8"
#define GOLDEN "v=1700000000000,d=" DIGEST

struct key_list {
    const char *const *keys;
    size_t count;
};

static const int64_t golden_ms = INT64_C(1700000000000);
static const char *const one_key[] = {"key_test"};
static const struct key_list test_keys = {one_key, 1};

static enum signature_result verify(const char *header, size_t header_len, const char *body,
                                    size_t len, const struct key_list *list, int64_t now_ms,
                                    int64_t *sent_ms)
{
    struct signature_keys *keys = signature_keys_new(list->keys, list->count);
    char *exact = malloc(header_len ? header_len : 1);
    assert_non_null(keys);
    assert_non_null(exact);
    if (header)
        memcpy(exact, header, header_len);
    enum signature_result result =
        signature_verify(header ? exact : NULL, header_len, body, len, keys, now_ms, sent_ms);
    free(exact);
    signature_keys_free(keys);
    return result;
}

static enum signature_result check(const char *header)
{
    int64_t sent_ms = -1;
    enum signature_result result =
        verify(header, strlen(header), BODY, strlen(BODY), &test_keys, golden_ms, &sent_ms);
    assert_int_equal(sent_ms, result == SIGNATURE_OK ? golden_ms : -1);
    return result;
}

static void signs_the_golden_vector(void **state)
{
    (void)state;
    char out[SIGNATURE_SIZE];
    assert_int_equal(signature_sign("key_test", BODY, strlen(BODY), golden_ms, out), ERR_OK);
    assert_string_equal(out, GOLDEN);
}

static void accepts_the_golden_vector_and_tells_when_it_was_sent(void **state)
{
    (void)state;
    assert_int_equal(check(GOLDEN), SIGNATURE_OK);
}

static void accepts_hex_in_either_case(void **state)
{
    (void)state;
    char header[] = GOLDEN;
    for (char *c = strstr(header, ",d=") + 3; *c; c++)
        if (*c >= 'a' && *c <= 'f')
            *c = (char)(*c - 'a' + 'A');
    assert_int_equal(check(header), SIGNATURE_OK);
}

static void a_missing_or_empty_header_is_missing(void **state)
{
    (void)state;
    int64_t sent_ms = -1;
    assert_int_equal(verify(NULL, 0, BODY, strlen(BODY), &test_keys, golden_ms, &sent_ms),
                     SIGNATURE_MISSING);
    assert_int_equal(check(""), SIGNATURE_MISSING);
}

static void anything_of_another_form_is_malformed(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "v",
        "v=",
        "v=,d=" DIGEST,
        "v=1700000000000",
        "v=1700000000000,",
        "v=1700000000000,d=",
        "v=1700000000000,d=" DIGEST "0",
        "v=1700000000000,d=" DIGEST " ",
        "v=1700000000000,d=" DIGEST "\n",
        "v=1700000000000,d=" DIGEST ",d=" DIGEST,
        " " GOLDEN,
        "v= 1700000000000,d=" DIGEST,
        "v=1700000000000, d=" DIGEST,
        "v=1700000000000;d=" DIGEST,
        "V=1700000000000,d=" DIGEST,
        "v=1700000000000,D=" DIGEST,
        "v=+1700000000000,d=" DIGEST,
        "v=-1700000000000,d=" DIGEST,
        "v=1.7e12,d=" DIGEST,
        "v=0x18bcfe56800,d=" DIGEST,
        "v=01700000000000,d=" DIGEST,
        "v=0,d=" DIGEST,
        "v=1700000000000000,d=" DIGEST,
        "v=18446744073709551616,d=" DIGEST,
        "d=" DIGEST ",v=1700000000000",
        "sha256=" DIGEST,
        DIGEST,
        "v=1700000000000,d=g3eec0c731880372ce0de004bd1ce30f8cec0c963edda918404057662d7ddbc8",
        "v=1700000000000,d=83eec0c731880372ce0de004bd1ce30f8cec0c963edda918404057662d7ddbc",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (check(headers[i]) != SIGNATURE_MALFORMED)
            fail_msg("not refused as malformed: \"%s\"", headers[i]);
    int64_t sent_ms = -1;
    static const char with_nul[] = "v=1700000000000\0d=" DIGEST;
    assert_int_equal(
        verify(with_nul, sizeof with_nul - 1, BODY, strlen(BODY), &test_keys, golden_ms, &sent_ms),
        SIGNATURE_MALFORMED);
}

static void every_shorter_header_is_refused_without_reading_past_it(void **state)
{
    (void)state;
    int64_t sent_ms = -1;
    for (size_t len = 0; len < strlen(GOLDEN); len++)
        assert_int_equal(verify(GOLDEN, len, BODY, strlen(BODY), &test_keys, golden_ms, &sent_ms),
                         len ? SIGNATURE_MALFORMED : SIGNATURE_MISSING);
}

static void the_window_is_five_minutes_both_ways_and_inclusive(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        enum signature_result expected;
    } cases[] = {
        {INT64_C(1700000000000) - 300001, SIGNATURE_STALE},
        {INT64_C(1700000000000) - 300000, SIGNATURE_OK},
        {INT64_C(1700000000000) + 300000, SIGNATURE_OK},
        {INT64_C(1700000000000) + 300001, SIGNATURE_STALE},
        {0, SIGNATURE_STALE},
        {INT64_MAX, SIGNATURE_STALE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t sent_ms = -1;
        assert_int_equal(verify(GOLDEN, strlen(GOLDEN), BODY, strlen(BODY), &test_keys,
                                cases[i].now_ms, &sent_ms),
                         cases[i].expected);
    }
}

static void every_flipped_bit_of_the_digest_is_wrong(void **state)
{
    (void)state;
    for (size_t i = strlen(GOLDEN) - 64; i < strlen(GOLDEN); i++) {
        char header[] = GOLDEN;
        header[i] = header[i] == '0' ? '1' : '0';
        assert_int_equal(check(header), SIGNATURE_WRONG);
    }
}

static void every_changed_byte_of_the_body_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < strlen(BODY); i++) {
        char body[] = BODY;
        body[i] ^= 1;
        int64_t sent_ms = -1;
        assert_int_equal(
            verify(GOLDEN, strlen(GOLDEN), body, strlen(body), &test_keys, golden_ms, &sent_ms),
            SIGNATURE_WRONG);
    }
}

static void a_time_moved_within_the_window_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(check("v=1700000000001,d=" DIGEST), SIGNATURE_WRONG);
}

/* Body and time are signed without a separator: digits must not wander from one to the other. */
static void digits_moved_between_body_and_time_are_refused(void **state)
{
    (void)state;
    int64_t sent_ms = -1;
    static const char longer[] = BODY "1";
    static const char header[] = "v=700000000000,d=" DIGEST;
    assert_int_equal(
        verify(header, strlen(header), longer, strlen(longer), &test_keys, golden_ms, &sent_ms),
        SIGNATURE_STALE);
}

/* HMAC-SHA256("key_test", BODY): what who has not read the documentation would compute. */
static void an_hmac_of_the_body_alone_is_wrong(void **state)
{
    (void)state;
    char out[SIGNATURE_SIZE];
    assert_int_equal(signature_sign("key_test", BODY "x", strlen(BODY), golden_ms, out), ERR_OK);
    assert_string_equal(out, GOLDEN); /* the length counts, not a NUL */
    assert_int_equal(check("v=1700000000000,d="
                           "37df79f53da3f3f88f4ac9f2e2b6ac4c64ca5d4f3f3a4f2b9db1d6db1de5d3a2"),
                     SIGNATURE_WRONG);
}

static void any_key_of_the_list_will_do(void **state)
{
    (void)state;
    static const char *const keys[] = {"key_new", "key_test", "key_old"};
    int64_t sent_ms = -1;
    for (size_t count = 0; count <= 3; count++)
        assert_int_equal(verify(GOLDEN, strlen(GOLDEN), BODY, strlen(BODY),
                                &(struct key_list){keys, count}, golden_ms, &sent_ms),
                         count >= 2 ? SIGNATURE_OK : SIGNATURE_WRONG);
}

static void keys_that_only_resemble_the_right_one_are_wrong(void **state)
{
    (void)state;
    static const char *const keys[] = {"key_tes", "key_test ", "Key_test", "key_test1", ""};
    int64_t sent_ms = -1;
    assert_int_equal(verify(GOLDEN, strlen(GOLDEN), BODY, strlen(BODY), &(struct key_list){keys, 5},
                            golden_ms, &sent_ms),
                     SIGNATURE_WRONG);
}

/* A list such as "a,,b" must not open the door to who signs with nothing. */
static void an_empty_key_neither_signs_nor_verifies(void **state)
{
    (void)state;
    static const char *const keys[] = {""};
    static const char signed_with_nothing[] =
        "v=1700000000000,d=10a3bb1ddd6a2de2bfe57ae82bd4b49f6f45cbb8a2e1eccc2a8cbde1bd0b0a6b";
    char out[SIGNATURE_SIZE];
    int64_t sent_ms = -1;
    assert_int_equal(signature_sign("", BODY, strlen(BODY), golden_ms, out), ERR_INVALID);
    assert_int_equal(verify(signed_with_nothing, strlen(signed_with_nothing), BODY, strlen(BODY),
                            &(struct key_list){keys, 1}, golden_ms, &sent_ms),
                     SIGNATURE_WRONG);
}

static void signs_and_verifies_any_bytes(void **state)
{
    (void)state;
    static const char bytes[] = {'{', 0, (char)0xff, (char)0xed, (char)0xa0, (char)0x80, '}'};
    char out[SIGNATURE_SIZE];
    int64_t sent_ms = -1;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        assert_int_equal(signature_sign("key_test", bytes, len, golden_ms, out), ERR_OK);
        assert_int_equal(verify(out, strlen(out), bytes, len, &test_keys, golden_ms, &sent_ms),
                         SIGNATURE_OK);
    }
}

static void signs_only_times_that_it_would_accept(void **state)
{
    (void)state;
    char out[SIGNATURE_SIZE];
    assert_int_equal(signature_sign("k", "", 0, -1, out), ERR_INVALID);
    assert_int_equal(signature_sign("k", "", 0, 0, out), ERR_INVALID);
    assert_int_equal(signature_sign("k", "", 0, INT64_C(1000000000000000), out), ERR_INVALID);
    assert_int_equal(signature_sign("k", "", 0, INT64_C(999999999999999), out), ERR_OK);
    assert_int_equal(strlen(out), SIGNATURE_SIZE - 1);
}

/* Verifies good and bad signatures in turn; gives back NULL when each was judged rightly. */
static void *verify_in_turn(void *arg)
{
    struct signature_keys *keys = arg;
    unsigned mistakes = 0;
    for (int i = 0; i < 200; i++) {
        const char *body = i % 3 ? BODY : "{}";
        int64_t sent_ms = -1;
        enum signature_result expected = i % 3 ? SIGNATURE_OK : SIGNATURE_WRONG;
        mistakes += signature_verify(GOLDEN, strlen(GOLDEN), body, strlen(body), keys, golden_ms,
                                     &sent_ms) != expected;
        mistakes += sent_ms != (i % 3 ? golden_ms : -1);
    }
    return mistakes ? keys : NULL;
}

static void the_same_keys_verify_again_and_again_for_many_threads(void **state)
{
    (void)state;
    static const char *const two[] = {"key_new", "key_test"};
    struct signature_keys *keys = signature_keys_new(two, 2);
    pthread_t threads[8];
    assert_non_null(keys);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_in_turn, keys), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *mistakes = NULL;
        assert_int_equal(pthread_join(threads[i], &mistakes), 0);
        assert_null(mistakes);
    }
    signature_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_the_golden_vector),
        cmocka_unit_test(accepts_the_golden_vector_and_tells_when_it_was_sent),
        cmocka_unit_test(accepts_hex_in_either_case),
        cmocka_unit_test(a_missing_or_empty_header_is_missing),
        cmocka_unit_test(anything_of_another_form_is_malformed),
        cmocka_unit_test(every_shorter_header_is_refused_without_reading_past_it),
        cmocka_unit_test(the_window_is_five_minutes_both_ways_and_inclusive),
        cmocka_unit_test(every_flipped_bit_of_the_digest_is_wrong),
        cmocka_unit_test(every_changed_byte_of_the_body_is_wrong),
        cmocka_unit_test(a_time_moved_within_the_window_is_wrong),
        cmocka_unit_test(digits_moved_between_body_and_time_are_refused),
        cmocka_unit_test(an_hmac_of_the_body_alone_is_wrong),
        cmocka_unit_test(any_key_of_the_list_will_do),
        cmocka_unit_test(keys_that_only_resemble_the_right_one_are_wrong),
        cmocka_unit_test(an_empty_key_neither_signs_nor_verifies),
        cmocka_unit_test(signs_and_verifies_any_bytes),
        cmocka_unit_test(the_same_keys_verify_again_and_again_for_many_threads),
        cmocka_unit_test(signs_only_times_that_it_would_accept),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
