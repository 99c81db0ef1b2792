/*
 * Cursors: one text for one position, and no other text is taken. Texts are handed over without a
 * NUL in buffers of their exact size, so that ASan sees a read past their end.
 */
#include "cursor.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static char *exactly(const char *s, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, s, len);
    return copy;
}

static bool decode(const char *text, size_t len, uint8_t *raw, struct cursor *cursor)
{
    char *exact = exactly(text, len);
    bool good = cursor_decode(exact, len, raw, cursor);
    free(exact);
    return good;
}

static struct cursor cursor_of(int64_t key, int64_t started_at, const char *id, size_t len)
{
    struct cursor cursor = {.key = key, .started_at = started_at, .id = id, .id_len = len};
    for (size_t i = 0; i < CURSOR_DIGEST_LEN; i++)
        cursor.digest[i] = (uint8_t)(i * 37 + len);
    return cursor;
}

static void what_is_encoded_comes_back(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1772323200000, -10000};
    char id[CURSOR_ID_MAX], text[CURSOR_TEXT_MAX] = {0};
    uint8_t raw[CURSOR_RAW_MAX];

    for (size_t i = 0; i < sizeof id; i++)
        id[i] = (char)(i * 131);
    for (size_t len = 1; len <= sizeof id; len++) {
        struct cursor out, in = cursor_of(numbers[len % COUNT(numbers)],
                                          numbers[len / 3 % COUNT(numbers)], id, len);
        size_t size = cursor_encode(&in, text);
        assert_in_range(size, 1, CURSOR_TEXT_MAX);
        assert_true(decode(text, size, raw, &out));
        assert_memory_equal(out.digest, in.digest, CURSOR_DIGEST_LEN);
        assert_true(out.key == in.key && out.started_at == in.started_at);
        assert_int_equal(out.id_len, len);
        assert_memory_equal(out.id, id, len);
    }
}

static void an_id_that_is_empty_or_too_long_has_no_cursor(void **state)
{
    (void)state;
    char id[CURSOR_ID_MAX + 1] = {0}, text[CURSOR_TEXT_MAX] = {0};
    struct cursor none = cursor_of(0, 0, id, 0), longer = cursor_of(0, 0, id, sizeof id);
    assert_int_equal(cursor_encode(&none, text), 0);
    assert_int_equal(cursor_encode(&longer, text), 0);
}

static void the_text_of_a_cursor_does_not_change_between_releases(void **state)
{
    (void)state;
    char text[CURSOR_TEXT_MAX] = {0};
    struct cursor cursor = cursor_of(1, 2, "call_1", 6);
    static const char golden[] = "AQYrUHWav-QJLlN4ncLnDDEAAAAAAAAAAQAAAAAAAAACY2FsbF8x";
    assert_int_equal(cursor_encode(&cursor, text), sizeof golden - 1);
    assert_memory_equal(text, golden, sizeof golden - 1);
}

static void every_shorter_text_is_refused_or_is_itself(void **state)
{
    (void)state;
    char text[CURSOR_TEXT_MAX] = {0}, again[CURSOR_TEXT_MAX];
    uint8_t raw[CURSOR_RAW_MAX];
    struct cursor out, cursor = cursor_of(5, 6, "call_abcdef", 11);
    size_t size = cursor_encode(&cursor, text);
    for (size_t len = 0; len <= size; len++)
        if (decode(text, len, raw, &out)) {
            assert_int_equal(cursor_encode(&out, again), len);
            assert_memory_equal(again, text, len);
        }
    assert_false(decode(text, 44, raw, &out)); /* nothing but the head */
}

static void other_alphabets_padding_and_versions_are_refused(void **state)
{
    (void)state;
    char text[CURSOR_TEXT_MAX + 8] = {0};
    uint8_t raw[CURSOR_RAW_MAX];
    struct cursor out, cursor = cursor_of(5, 6, "call_abcd", 9); /* 42 bytes: no bits left over */
    size_t size = cursor_encode(&cursor, text);
    assert_true(decode(text, size, raw, &out));
    for (size_t i = 0; i < size; i++)
        for (int c = 0; c < 256; c++) {
            char before = text[i];
            bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_';
            text[i] = (char)c;
            if (!fits)
                assert_false(decode(text, size, raw, &out));
            text[i] = before;
        }
    memcpy(text + size, "====", 4);
    assert_false(decode(text, size + 1, raw, &out));
    text[1] = 'g'; /* version 2 */
    assert_false(decode(text, size, raw, &out));

    /* 43 bytes leave two bits over, which are zero. */
    cursor = cursor_of(5, 6, "call_abcde", 10);
    size = cursor_encode(&cursor, text);
    assert_true(decode(text, size, raw, &out));
    text[size - 1]++;
    assert_false(decode(text, size, raw, &out));
}

static void random_texts_are_refused_or_have_no_other_spelling(void **state)
{
    (void)state;
    static const char likely[] = "AQAQABCDabcd0189-_";
    uint32_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        char text[CURSOR_TEXT_MAX + 64] = {0}, again[CURSOR_TEXT_MAX];
        uint8_t raw[CURSOR_RAW_MAX];
        struct cursor out;
        size_t len = (seed = seed * 1664525 + 1013904223) >> 8;
        len %= round % 50 ? 80 : sizeof text;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = round % 3 ? likely[(seed >> 8) % (sizeof likely - 1)] : (char)(seed >> 16);
        }
        if (round % 3 && len >= 2)
            memcpy(text, "AQ", 2);
        if (!decode(text, len, raw, &out))
            continue;
        assert_int_equal(cursor_encode(&out, again), len);
        assert_memory_equal(again, text, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_comes_back),
        cmocka_unit_test(an_id_that_is_empty_or_too_long_has_no_cursor),
        cmocka_unit_test(the_text_of_a_cursor_does_not_change_between_releases),
        cmocka_unit_test(every_shorter_text_is_refused_or_is_itself),
        cmocka_unit_test(other_alphabets_padding_and_versions_are_refused),
        cmocka_unit_test(random_texts_are_refused_or_have_no_other_spelling),
    };
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
