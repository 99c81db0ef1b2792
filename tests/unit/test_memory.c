/*
 * Arena and buffer: what is handed out is whole, aligned and zeroed, bounds hold, and a failure is
 * remembered. ASan watches the bytes.
 */
#include "base/arena.h"
#include "base/buf.h"

#include "unit.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

static void hands_out_zeroed_aligned_memory_of_any_size(void **state)
{
    (void)state;
    enum { SIZES = 600 };
    static unsigned char *pieces[SIZES];
    struct arena *arena = arena_new(1 << 20);
    assert_non_null(arena);
    for (size_t size = 0; size < SIZES; size++) {
        unsigned char *p = pieces[size] = arena_alloc(arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, (int)(size % 255 + 1), size);
    }
    for (size_t size = 0; size < SIZES; size++) /* no two of them overlap */
        for (size_t i = 0; i < size; i++)
            assert_int_equal(pieces[size][i], size % 255 + 1);
    arena_free(arena);
}

static void refuses_what_is_over_the_cap_and_goes_on(void **state)
{
    (void)state;
    struct arena *arena = arena_new(10000);
    assert_non_null(arena_alloc(arena, 4000));
    assert_null(arena_alloc(arena, 10001));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 8));
    assert_null(arena_strndup(arena, "", SIZE_MAX));
    assert_non_null(arena_alloc(arena, 5000));
    assert_null(arena_alloc(arena, 5000));
    assert_non_null(arena_alloc(arena, 16));
    arena_free(arena);
    arena = arena_new(16); /* less than a first block */
    assert_non_null(arena_alloc(arena, 16));
    assert_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void hands_out_no_more_than_its_cap_in_all(void **state)
{
    (void)state;
    enum { CAP = 100000 };
    struct arena *arena = arena_new(CAP);
    size_t taken = 0;
    while (arena_alloc(arena, 32))
        taken += 32;
    assert_true(taken <= CAP);
    assert_true(taken > CAP / 2);
    arena_free(arena);
}

static void copies_and_prints(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 16);
    const char *copy = arena_strndup(arena, "abcdef", 3);
    const char *empty = arena_strndup(arena, NULL, 0);
    char expected[3001];
    memset(expected, 'x', 3000);
    expected[3000] = '\0';
    const char *printed = arena_printf(arena, "%s-%d", expected, 42);
    assert_string_equal(copy, "abc");
    assert_string_equal(empty, "");
    assert_int_equal(strlen(printed), 3003);
    assert_string_equal(printed + 3000, "-42");
    arena_free(arena);

    const size_t align = alignof(max_align_t);
    /* Whatever room is left, and however much of it is taken. */
    for (size_t left = 0; left < 40; left++) {
        for (int len = 0; len < 40; len++) {
            arena = arena_new(192 + left);
            assert_non_null(arena_alloc(arena, 192));
            printed = arena_printf(arena, "%.*s", len, expected);
            assert_int_equal(printed != NULL, (size_t)len + 1 <= left / align * align);
            if (printed)
                assert_int_equal(strlen(printed), len);
            arena_free(arena);
        }
    }
    arena_free(NULL);
}

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (unsigned i = 0; i < 5000; i++) {
        buf_add(&buf, "\0ab", 3);
        assert_int_equal(buf.len, 3 * (i + 1));
        assert_int_equal(buf.data[buf.len], '\0');
    }
    for (size_t i = 0; i < buf.len; i++)
        assert_int_equal(buf.data[i], "\0ab"[i % 3]);
    assert_false(buf.failed);
    buf_free(&buf);
    assert_null(buf.data);
    buf_puts(&buf, "again");
    assert_string_equal(buf.data, "again");
    buf_free(&buf);
}

static void prints_at_its_end(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (int i = 0; i < 100; i++)
        buf_printf(&buf, "%d,", i);
    assert_int_equal(buf.len, 10 * 2 + 90 * 3);
    assert_string_equal(buf.data + buf.len - 6, "98,99,");
    buf_free(&buf);
}

static void remembers_a_failure_and_writes_nothing_more(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_puts(&buf, "kept");
    assert_false(buf_reserve(&buf, SIZE_MAX / 2));
    assert_true(buf.failed);
    buf_puts(&buf, "lost");
    buf_printf(&buf, "%d", 1);
    assert_false(buf_reserve(&buf, 1));
    assert_string_equal(buf.data, "kept");
    buf_free(&buf);
    assert_false(buf.failed);
}

static void json_strings_are_escaped_and_always_valid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"a\n\t\x01\x1f\0b", 7, "\"a\\u000a\\u0009\\u0001\\u001f\\u0000b\""},
        {"\x7f", 1, "\"\x7f\""}, /* DEL is plain to JSON */
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"a\xff"
         "b",
         3,
         "\"a\xEF\xBF\xBD"
         "b\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf = {0};
        buf_json_string(&buf, cases[i].text, cases[i].len);
        assert_string_equal(buf.data, cases[i].json);
        buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_zeroed_aligned_memory_of_any_size),
        cmocka_unit_test(refuses_what_is_over_the_cap_and_goes_on),
        cmocka_unit_test(hands_out_no_more_than_its_cap_in_all),
        cmocka_unit_test(copies_and_prints),
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(prints_at_its_end),
        cmocka_unit_test(remembers_a_failure_and_writes_nothing_more),
        cmocka_unit_test(json_strings_are_escaped_and_always_valid),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
