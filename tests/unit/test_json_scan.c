/*
 * The scanner that the server and the extension share: what is JSON by RFC 8259 and what is not,
 * what is JSON but cannot be stored, and the readers that walk accepted text. Every text lies in a
 * buffer of its exact size, without a NUL behind it, so that ASan sees a read past its end.
 */
#include "json_scan.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* A text with its length, which may hold NUL. */
#define TEXT(literal) literal, sizeof(literal) - 1

static char *exact_copy(const char *s, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, s, len);
    return copy;
}

static bool scan(const char *s, size_t len, struct json_scan *out)
{
    char *exact = exact_copy(s, len);
    bool accepted = json_scan(exact, len, out);
    assert_int_equal(accepted, out->error == NULL);
    assert_true(accepted || out->error_offset <= len);
    free(exact);
    return accepted;
}

struct text {
    const char *s;
    size_t len;
};

/* ---- the grammar ---- */

static const struct text accepted[] = {
    {TEXT("{}")},
    {TEXT("[]")},
    {TEXT("null")},
    {TEXT("true")},
    {TEXT("false")},
    {TEXT("\"\"")},
    {TEXT("0")},
    {TEXT("-0")},
    {TEXT("-0.0e-0")},
    {TEXT("1E+2")},
    {TEXT("123456789012345678901234567890.5")},
    {TEXT(" \t\r\n[ 1 , 2 ]\n")},
    {TEXT("{\"a\":1,\"a\":2}")},
    {TEXT("{\"\":{\"\":[{}]}}")},
    {TEXT("[[],{},\"\",0,null,true,false]")},
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"")},
    {TEXT("\"\x7f\xC2\x80\xE2\x82\xAC\xF0\x9F\x98\x80\"")},
    {TEXT("\"\xE2\x80\xA8\xE2\x80\xA9\xEF\xBF\xBF\"")}, /* U+2028, U+2029, U+FFFF */
};

static const struct text refused[] = {
    {TEXT("")},
    {TEXT(" ")},
    {TEXT("{")},
    {TEXT("[")},
    {TEXT("}")},
    {TEXT("]")},
    {TEXT("[}")},
    {TEXT("{]")},
    {TEXT("[[]")},
    {TEXT("[]]")},
    {TEXT("{}}")},
    {TEXT("[1,]")},
    {TEXT("[,1]")},
    {TEXT("[1,,2]")},
    {TEXT("[1 2]")},
    {TEXT("[1:2]")},
    {TEXT(",")},
    {TEXT("{,}")},
    {TEXT("{\"a\"}")},
    {TEXT("{\"a\":}")},
    {TEXT("{\"a\":1,}")},
    {TEXT("{\"a\" 1}")},
    {TEXT("{\"a\":1 \"b\":2}")},
    {TEXT("{\"a\":1:2}")},
    {TEXT("{a:1}")},
    {TEXT("{'a':1}")},
    {TEXT("{1:2}")},
    {TEXT("{null:2}")},
    {TEXT("{} {}")},
    {TEXT("1 2")},
    {TEXT("\"a\"\"b\"")},
    {TEXT("01")},
    {TEXT("-01")},
    {TEXT("00")},
    {TEXT("+1")},
    {TEXT("-")},
    {TEXT("- 1")},
    {TEXT("--1")},
    {TEXT(".5")},
    {TEXT("1.")},
    {TEXT("1.e5")},
    {TEXT("1e")},
    {TEXT("1e+")},
    {TEXT("1e5.5")},
    {TEXT("1.2.3")},
    {TEXT("0x10")},
    {TEXT("1_000")},
    {TEXT("1a")},
    {TEXT("NaN")},
    {TEXT("-NaN")},
    {TEXT("Infinity")},
    {TEXT("-Infinity")},
    {TEXT("tru")},
    {TEXT("True")},
    {TEXT("TRUE")},
    {TEXT("truefalse")},
    {TEXT("nul")},
    {TEXT("undefined")},
    {TEXT("\"")},
    {TEXT("\"a")},
    {TEXT("\"\\\"")},
    {TEXT("\"\\")},
    {TEXT("'a'")},
    {TEXT("\"\\a\"")},
    {TEXT("\"\\x41\"")},
    {TEXT("\"\\'\"")},
    {TEXT("\"\\0\"")},
    {TEXT("\"\\\0\"")},
    {TEXT("\"\\U0041\"")},
    {TEXT("\"\\u\"")},
    {TEXT("\"\\u123\"")},
    {TEXT("\"\\u12g4\"")},
    {TEXT("\"\\u-123\"")},
    {TEXT("\"\\u 123\"")},
    {TEXT("\"\\ud800\\u12\"")},
    {TEXT("\"\0\"")},
    {TEXT("\"\x1f\"")},
    {TEXT("\"a\nb\"")},
    {TEXT("\"a\tb\"")},
    {TEXT("\0")},
    {TEXT("{}\0")},
    {TEXT("[1\0]")},
    {TEXT("\xEF\xBB\xBF{}")}, /* a byte order mark */
    {TEXT("\xFF")},
    {TEXT("[\xC3\xA4]")},
    {TEXT("\v1")},
    {TEXT("\f1")},
    {TEXT("\xC2\xA0"
          "1")}, /* a no-break space */
    {TEXT("// a\n1")},
    {TEXT("/* a */1")},
    {TEXT("1#")},
    {TEXT("(1)")},
};

static void accepts_what_is_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct json_scan out;
        assert_true(scan(accepted[i].s, accepted[i].len, &out));
        assert_false(out.dirty);
        assert_false(out.far_number);
    }
}

static void refuses_what_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct json_scan out;
        if (scan(refused[i].s, refused[i].len, &out))
            fail_msg("accepted: %.*s", (int)refused[i].len, refused[i].s);
    }
}

/* A text that is cut off is not JSON, wherever it is cut. */
static void refuses_every_beginning_of_a_text(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1.5e-3,\"\\u00e4\\ud83d\\ude00\\n\xC3\xA4\",true,null,{}],\"b\":{\"c\":[]}}";
    struct json_scan out;
    assert_true(scan(text, sizeof text - 1, &out));
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_false(scan(text, len, &out));
}

static void control_characters_are_refused_in_strings_and_between(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        struct json_scan out;
        const char inside[] = {'"', (char)c, '"'};
        const char between[] = {'[', (char)c, ']'};
        assert_false(scan(inside, sizeof inside, &out));
        assert_int_equal(out.error_offset, 1);
        assert_int_equal(scan(between, sizeof between, &out), c && strchr("\t\n\r", c));
    }
}

static void says_where_it_stopped(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t offset;
    } cases[] = {{"{\"a\":x}", 5}, {"[1,2", 4}, {"[1]x", 3}, {"\"a\\q\"", 2}, {"[01]", 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_scan out;
        assert_false(scan(cases[i].s, strlen(cases[i].s), &out));
        assert_int_equal(out.error_offset, cases[i].offset);
    }
}

/* ---- depth ---- */

/* Is `depth` times `open`, `inner`, and `depth` times `close` accepted? */
static bool nested(size_t depth, const char *open, const char *inner, const char *close)
{
    char s[4096];
    size_t len = 0;
    assert_true(depth * (strlen(open) + strlen(close)) + strlen(inner) <= sizeof s);
    for (size_t i = 0; i < 2 * depth + 1; i++) {
        const char *piece = i < depth ? open : i == depth ? inner : close;
        memcpy(s + len, piece, strlen(piece));
        len += strlen(piece);
    }
    struct json_scan out;
    return scan(s, len, &out);
}

static void takes_64_levels_and_no_more(void **state)
{
    (void)state;
    assert_true(nested(JSON_MAX_DEPTH, "[", "1", "]"));
    assert_false(nested(JSON_MAX_DEPTH + 1, "[", "1", "]"));
    assert_true(nested(JSON_MAX_DEPTH, "{\"a\":", "1", "}"));
    assert_false(nested(JSON_MAX_DEPTH + 1, "{\"a\":", "1", "}"));
    assert_true(nested(JSON_MAX_DEPTH / 2, "[{\"a\":1,\"b\":", "1", "},[1]]"));
    assert_false(nested(JSON_MAX_DEPTH / 2, "[{\"a\":1,\"b\":", "[1]", "},[1]]"));
    assert_false(nested(JSON_MAX_DEPTH, "[", "1", "}"));
}

static void a_million_brackets_are_refused_at_once(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    char *s = malloc(MANY);
    assert_non_null(s);
    struct json_scan out;
    memset(s, '[', MANY);
    assert_false(json_scan(s, MANY, &out));
    assert_int_equal(out.error_offset, JSON_MAX_DEPTH);
    memset(s, ']', MANY);
    assert_false(json_scan(s, MANY, &out));
    assert_int_equal(out.error_offset, 0);
    free(s);
}

/* ---- what cannot be stored ---- */

static const struct {
    struct text json, scrubbed, decoded;
} dirty[] = {
    {{TEXT("\"a\\u0000b\"")},
     {TEXT("\"a\\ufffdb\"")},
     {TEXT("a\xEF\xBF\xBD"
           "b")}},
    {{TEXT("\"\\uD800\"")}, {TEXT("\"\\ufffd\"")}, {TEXT("\xEF\xBF\xBD")}},
    {{TEXT("\"\\uDC00x\"")}, {TEXT("\"\\ufffdx\"")}, {TEXT("\xEF\xBF\xBDx")}},
    {{TEXT("\"\\uD800\\uD800\\uDC00\"")},
     {TEXT("\"\\ufffd\\uD800\\uDC00\"")},
     {TEXT("\xEF\xBF\xBD\xF0\x90\x80\x80")}},
    {{TEXT("\"\\uD800\\n\"")}, {TEXT("\"\\ufffd\\n\"")}, {TEXT("\xEF\xBF\xBD\n")}},
    {{TEXT("\"\\uDBFF\\u0041\"")},
     {TEXT("\"\\ufffd\\u0041\"")},
     {TEXT("\xEF\xBF\xBD"
           "A")}},
    {{TEXT("\"\x80\"")}, {TEXT("\"\xEF\xBF\xBD\"")}, {TEXT("\xEF\xBF\xBD")}},
    {{TEXT("\"\xC0\xAF\"")},
     {TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
     {TEXT("\xEF\xBF\xBD\xEF\xBF\xBD")}},
    {{TEXT("\"\xED\xA0\x80\"")},
     {TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
     {TEXT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")}},
    {{TEXT("\"\xE2\x82\"")},
     {TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
     {TEXT("\xEF\xBF\xBD\xEF\xBF\xBD")}},
    {{TEXT("\"\xF5\x80\x80\x80\"")},
     {TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
     {TEXT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")}},
};

static void what_cannot_be_stored_is_accepted_marked_and_scrubbed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dirty); i++) {
        const struct text json = dirty[i].json;
        char *exact = exact_copy(json.s, json.len);
        char *out = malloc(JSON_TEXT_MAX(json.len));
        struct json_scan result;
        assert_non_null(out);
        assert_true(json_scan(exact, json.len, &result));
        assert_true(result.dirty);
        size_t len = json_scrub(exact, json.len, out);
        assert_int_equal(len, dirty[i].scrubbed.len);
        assert_memory_equal(out, dirty[i].scrubbed.s, len);
        assert_true(scan(out, len, &result));
        assert_false(result.dirty);
        len = json_string_decode(exact, json.len, out);
        assert_int_equal(len, dirty[i].decoded.len);
        assert_memory_equal(out, dirty[i].decoded.s, len);
        free(out);
        free(exact);
    }
}

static void scrubbing_changes_nothing_that_is_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        char *out = malloc(JSON_TEXT_MAX(accepted[i].len));
        assert_non_null(out);
        assert_int_equal(json_scrub(accepted[i].s, accepted[i].len, out), accepted[i].len);
        assert_memory_equal(out, accepted[i].s, accepted[i].len);
        free(out);
    }
}

static void numbers_beyond_a_double_are_noted(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool far;
    } cases[] = {
        {"1e308", false},
        {"1e309", true},
        {"-1e309", true},
        {"1e-308", false},
        {"1e-309", true},
        {"0e999999999999", true},
        {"10e307", false},
        {"10e308", true},
        {"0.001e311", false},
        {"0.001e312", true},
        {"1e400", true},
        {"1E400", true},
        {"1e99999999999999999999", true},
        {"0.0000001", false},
        {"12345678901234567890", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_scan out;
        assert_true(scan(cases[i].s, strlen(cases[i].s), &out));
        assert_int_equal(out.far_number, cases[i].far);
    }
    struct json_scan out;
    assert_true(scan(TEXT("[1, 1e400, 1e500]"), &out));
    assert_int_equal(out.far_offset, 4);
    char digits[400];
    memset(digits, '9', sizeof digits);
    assert_true(scan(digits, sizeof digits, &out));
    assert_true(out.far_number);
}

/* ---- readers ---- */

static void kinds_are_told_by_the_first_byte(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        enum json_kind kind;
    } cases[] = {{" {}", JSON_OBJECT}, {"[]", JSON_ARRAY},   {"\"\"", JSON_STRING},
                 {"true", JSON_BOOL},  {"false", JSON_BOOL}, {"null", JSON_NULL},
                 {"-1", JSON_NUMBER},  {"0", JSON_NUMBER},   {"", JSON_NULL},
                 {"  ", JSON_NULL}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(json_kind(cases[i].s, strlen(cases[i].s)), cases[i].kind);
}

static void members_are_found_by_their_decoded_name_and_the_last_wins(void **state)
{
    (void)state;
    static const struct {
        const char *json, *key, *value; /* value NULL: there is none */
    } cases[] = {
        {"{\"event\":\"x\"}", "event", "\"x\""},
        {"{ \"a\" : 1 , \"b\" : [1, {\"c\": 2}] }", "b", "[1, {\"c\": 2}]"},
        {"{\"b\":{\"a\":1},\"a\":2}", "a", "2"},
        {"{\"b\":{\"a\":1}}", "a", NULL},
        {"{\"b\":\"\\\"a\\\":1\",\"a\":3}", "a", "3"},
        {"{\"a\":1,\"a\":null}", "a", "null"},
        {"{\"\\u0061\":1}", "a", "1"},
        {"{\"\\u00e4\":1}", "\xC3\xA4", "1"},
        {"{\"a\\u0000\":1}", "a", NULL},
        {"{\"A\":1}", "a", NULL},
        {"{\"ab\":1}", "a", NULL},
        {"{\"\":1}", "", "1"},
        {"[\"a\",1]", "a", NULL},
        {"\"a\"", "a", NULL},
        {"{\"a\":\"]}\",\"b\":\"{[\"}", "b", "\"{[\""},
        {"{\"a\":-1.5e3}", "a", "-1.5e3"},
        {"{}", "a", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].json);
        char *exact = exact_copy(cases[i].json, len);
        const char *value = NULL;
        size_t value_len = 0;
        struct json_scan result;
        assert_true(json_scan(exact, len, &result));
        bool found = json_member(exact, len, cases[i].key, &value, &value_len);
        assert_int_equal(found, cases[i].value != NULL);
        if (cases[i].value) {
            assert_int_equal(value_len, strlen(cases[i].value));
            assert_memory_equal(value, cases[i].value, value_len);
        }
        free(exact);
    }
}

static void elements_come_in_order(void **state)
{
    (void)state;
    static const char json[] = "[ 1, \"a,]\" ,[2,3], {\"b\":4} ,null]";
    static const char *const expected[] = {"1", "\"a,]\"", "[2,3]", "{\"b\":4}", "null"};
    struct json_members elements;
    struct json_text value;
    size_t count = 0;
    json_elements_begin(&elements, json, sizeof json - 1);
    for (; json_elements_next(&elements, &value); count++) {
        assert_true(count < COUNT(expected));
        assert_int_equal(value.len, strlen(expected[count]));
        assert_memory_equal(value.s, expected[count], value.len);
    }
    assert_int_equal(count, COUNT(expected));
    json_elements_begin(&elements, "[]", 2);
    assert_false(json_elements_next(&elements, &value));
    json_elements_begin(&elements, "{}", 2);
    assert_false(json_elements_next(&elements, &value));
    json_members_begin(&elements, "[]", 2);
    assert_false(json_members_next(&elements, &value, &value));
}

static void strings_decode_and_compare(void **state)
{
    (void)state;
    static const char json[] =
        " \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20ac\\ud83d\\ude00z\"";
    static const char text[] = "\"\\/\b\f\n\r\tA\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
    char out[sizeof json];
    size_t len = json_string_decode(json, sizeof json - 1, out);
    assert_int_equal(len, sizeof text - 1);
    assert_memory_equal(out, text, len);
    assert_true(json_string_equals(json, sizeof json - 1, text));
    assert_false(json_string_equals(json, sizeof json - 1, "z"));
    assert_false(json_string_equals(TEXT("\"a\""), "ab"));
    assert_false(json_string_equals(TEXT("\"ab\""), "a"));
    assert_false(json_string_equals(TEXT("\"\\u0061b\""), "a"));
    assert_true(json_string_equals(TEXT("\"\""), ""));
    assert_false(json_string_equals(TEXT("1"), "1"));
    assert_false(json_string_equals(TEXT("null"), ""));
    assert_int_equal(json_string_decode(TEXT("12"), out), 0);
}

/* Any bytes at all: refused or not, nothing is read or written out of bounds. */
static void random_bytes_are_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:\\u0dD8eE+-.1 tfn\xC3\xA4\xED\n";
    uint64_t seed = 88172645463325252u;
    unsigned good = 0;
    for (int round = 0; round < 200000; round++) {
        char s[12];
        char out[JSON_TEXT_MAX(sizeof s)];
        for (size_t i = 0; i < sizeof s; i++) {
            seed ^= seed << 13; /* xorshift64, Marsaglia 2003 */
            seed ^= seed >> 7;
            seed ^= seed << 17;
            s[i] = alphabet[seed % (sizeof alphabet - 1)];
        }
        const size_t len = seed >> 32 & 7 ? 1 + (seed >> 40) % sizeof s : sizeof s;
        struct json_scan result;
        if (!scan(s, len, &result))
            continue;
        good++;
        size_t out_len = json_scrub(s, len, out);
        assert_true(scan(out, out_len, &result));
        assert_false(result.dirty);
        (void)json_string_decode(s, len, out);
    }
    assert_true(good > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_json),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(refuses_every_beginning_of_a_text),
        cmocka_unit_test(control_characters_are_refused_in_strings_and_between),
        cmocka_unit_test(says_where_it_stopped),
        cmocka_unit_test(takes_64_levels_and_no_more),
        cmocka_unit_test(a_million_brackets_are_refused_at_once),
        cmocka_unit_test(what_cannot_be_stored_is_accepted_marked_and_scrubbed),
        cmocka_unit_test(scrubbing_changes_nothing_that_is_clean),
        cmocka_unit_test(numbers_beyond_a_double_are_noted),
        cmocka_unit_test(kinds_are_told_by_the_first_byte),
        cmocka_unit_test(members_are_found_by_their_decoded_name_and_the_last_wins),
        cmocka_unit_test(elements_come_in_order),
        cmocka_unit_test(strings_decode_and_compare),
        cmocka_unit_test(random_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
