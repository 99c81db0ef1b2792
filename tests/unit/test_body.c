/*
 * Bodies: what each kind of field takes and refuses, that every mistake is told, and that texts
 * which are JSON only nearly, or hold what cannot be stored, are refused as a whole. The body is
 * always handed over in a buffer of its exact size, so that ASan sees a read past its end.
 */
#include "http/body.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT, EMAIL, CHOICE, FLAG, NUMBER, TIME, UUID, TEXTS, FIELDS };

static const struct body_spec specs[FIELDS] = {
    [TEXT] = {"text", BODY_TEXT, .lo = 2, .hi = 8, .not_blank = true},
    [EMAIL] = {"email", BODY_EMAIL},
    [CHOICE] = {"choice", BODY_CHOICE, .choices = "USER|ADMIN"},
    [FLAG] = {"flag", BODY_BOOL, .nullable = true},
    [NUMBER] = {"number", BODY_NUMBER, .lo = 1, .hi = 100},
    [TIME] = {"time", BODY_TIME, .nullable = true},
    [UUID] = {"uuid", BODY_UUID},
    [TEXTS] = {"texts", BODY_TEXTS, .lo = 1, .hi = 3, .max_items = 3},
};

struct fixture {
    struct request req;
    struct response res;
    struct body_value values[FIELDS];
    char *body;
    bool good;
};

static struct fixture *read_with(const struct body_spec *table, size_t count, const char *body,
                                 size_t len)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->body = malloc(len ? len : 1);
    assert_non_null(f->body);
    memcpy(f->body, body, len);
    f->req = (struct request){.body = f->body, .body_len = len, .arena = arena_new(1 << 20)};
    f->good = body_read(&f->req, &f->res, table, count, f->values);
    assert_int_equal(f->res.status, f->good ? 0 : 400);
    return f;
}

static struct fixture *read_body(const char *body)
{
    return read_with(specs, FIELDS, body, strlen(body));
}

static void done(struct fixture *f)
{
    response_free(&f->res);
    arena_free(f->req.arena);
    free(f->body);
    free(f);
}

/* The answer to `body` names `field` and says `message`. */
static void refused(const char *body, const char *field, const char *message)
{
    char expected[512];
    struct fixture *f = read_body(body);
    (void)snprintf(expected, sizeof expected, "{\"field\":\"%s\",\"message\":\"%s", field, message);
    assert_false(f->good);
    assert_non_null(strstr(f->res.body.data, "\"code\":\"validation_failed\""));
    if (!strstr(f->res.body.data, expected))
        fail_msg("%s is not in the answer to %s: %s", expected, body, f->res.body.data);
    done(f);
}

static void is_no_json(const char *body, size_t len)
{
    struct fixture *f = read_with(specs, FIELDS, body, len);
    assert_false(f->good);
    assert_non_null(strstr(f->res.body.data, "\"code\":\"bad_request\""));
    assert_null(strstr(f->res.body.data, "\"errors\""));
    done(f);
}

static void takes_each_kind(void **state)
{
    (void)state;
    struct fixture *f =
        read_body(" {\"text\":\"\\u00e4\xc3\xb6\\n\\\"\",\"email\":\"Some.One+x@Example.COM\","
                  "\"choice\":\"ADMIN\",\"flag\":true,\"number\":42,"
                  "\"time\":\"2024-02-29T10:00:00.5+01:00\","
                  "\"uuid\":\"01234567-89AB-cdef-0123-456789ABCDEF\",\"texts\":[\"a\", \"bc\"]} ");
    assert_true(f->good);
    assert_string_equal(f->values[TEXT].text, "\xc3\xa4\xc3\xb6\n\"");
    assert_string_equal(f->values[EMAIL].text, "some.one+x@example.com");
    assert_string_equal(f->values[CHOICE].text, "ADMIN");
    assert_string_equal(f->values[FLAG].text, "true");
    assert_int_equal(f->values[FLAG].number, 1);
    assert_string_equal(f->values[NUMBER].text, "42");
    assert_int_equal(f->values[NUMBER].number, 42);
    assert_string_equal(f->values[TIME].text, "2024-02-29T09:00:00.500Z");
    assert_int_equal(f->values[TIME].number, INT64_C(1709197200500));
    assert_string_equal(f->values[UUID].text, "01234567-89ab-cdef-0123-456789abcdef");
    assert_int_equal(f->values[TEXTS].count, 2);
    assert_string_equal(f->values[TEXTS].items[0], "a");
    assert_string_equal(f->values[TEXTS].items[1], "bc");
    assert_null(f->values[TEXTS].items[2]);
    assert_string_equal(f->values[TEXTS].text, "[\"a\", \"bc\"]");
    done(f);
}

static void tells_absent_null_and_false_apart(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
        bool given;
    } cases[] = {
        {"", NULL, false},
        {"{}", NULL, false},
        {"{\"flag\":null}", NULL, true},
        {"{\"flag\":false}", "false", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = read_body(cases[i].body);
        assert_true(f->good);
        assert_int_equal(f->values[FLAG].given, cases[i].given);
        assert_int_equal(f->values[FLAG].number, 0);
        if (cases[i].text)
            assert_string_equal(f->values[FLAG].text, cases[i].text);
        else
            assert_null(f->values[FLAG].text);
        done(f);
    }
}

static void refuses_what_no_field_takes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *message;
    } cases[] = {
        {"{\"text\":\"a\"}", "text", "must be text of 2 to 8 characters, not only spaces"},
        {"{\"text\":\"123456789\"}", "text", "must be text of 2 to 8"},
        {"{\"text\":\" \\t \\u00a0\\u3000\"}", "text", "must be text of 2 to 8"},
        {"{\"text\":12}", "text", "must be text of 2 to 8"},
        {"{\"text\":null}", "text", "must not be null"},
        {"{\"email\":\"\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"@b\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@b@c\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a b@c\"}", "email", "must be an e-mail address"},
        {"{\"email\":\" a@b\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@b..c\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@-b\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@b.-c\"}", "email", "must be an e-mail address"},
        {"{\"email\":\"a@b\\u00e4.de\"}", "email", "must be an e-mail address"},
        {"{\"email\":[\"a@b\"]}", "email", "must be an e-mail address"},
        {"{\"choice\":\"admin\"}", "choice", "must be one of USER|ADMIN"},
        {"{\"choice\":\"\"}", "choice", "must be one of USER|ADMIN"},
        {"{\"choice\":\"USER|ADMIN\"}", "choice", "must be one of USER|ADMIN"},
        {"{\"choice\":0}", "choice", "must be text"},
        {"{\"flag\":1}", "flag", "must be true or false"},
        {"{\"flag\":\"true\"}", "flag", "must be true or false"},
        {"{\"number\":0}", "number", "must be a whole number from 1 to 100"},
        {"{\"number\":101}", "number", "must be a whole number"},
        {"{\"number\":-1}", "number", "must be a whole number"},
        {"{\"number\":1.5}", "number", "must be a whole number"},
        {"{\"number\":1e1}", "number", "must be a whole number"},
        {"{\"number\":99999999999999999999}", "number", "must be a whole number"},
        {"{\"number\":\"5\"}", "number", "must be a number"},
        {"{\"time\":\"yesterday\"}", "time", "must be a time"},
        {"{\"time\":-1}", "time", "must be a time"},
        {"{\"time\":true}", "time", "must be a time"},
        {"{\"uuid\":\"0123456789abcdef0123456789abcdef\"}", "uuid", "must be a UUID"},
        {"{\"uuid\":\"01234567-89ab-cdef-0123-456789abcdeg\"}", "uuid", "must be a UUID"},
        {"{\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef0\"}", "uuid", "must be a UUID"},
        {"{\"texts\":\"a\"}", "texts", "must be a list of texts"},
        {"{\"texts\":[1]}", "texts", "must be a list of at most 3 different texts"},
        {"{\"texts\":[\"\"]}", "texts", "must be a list of at most 3 different texts"},
        {"{\"texts\":[\"a\",\"a\"]}", "texts", "must be a list of at most 3 different texts"},
        {"{\"texts\":[\"a\",\"b\",\"c\",\"d\"]}", "texts", "must be a list of at most 3"},
        {"{\"other\":1}", "other", "is not a field of this request"},
        {"{\"TEXT\":\"abc\"}", "TEXT", "is not a field of this request"},
        {"{\"\":1}", "", "is not a field of this request"},
        {"{\"flag\":true,\"fl\\u0061g\":true}", "flag", "is given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].body, cases[i].field, cases[i].message);
}

static void counts_characters_not_bytes(void **state)
{
    (void)state;
    struct fixture *f =
        read_body("{\"text\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"}");
    assert_true(f->good);
    done(f);
    refused("{\"text\":\"\xf0\x9f\x98\x80\"}", "text", "must be text");
}

static void lists_every_mistake(void **state)
{
    (void)state;
    static const struct body_spec needed[] = {
        {"a", BODY_TEXT, .required = true, .hi = 1},
        {"b", BODY_BOOL, .required = true},
        {"c", BODY_NUMBER, .hi = 9},
    };
    static const char body[] = "{\"c\":\"x\",\"d\":1,\"b\":null,\"c\":1}";
    struct fixture *f = read_with(needed, 3, body, sizeof body - 1);
    assert_false(f->good);
    assert_non_null(strstr(f->res.body.data,
                           "\"errors\":[{\"field\":\"c\",\"message\":\"must be a number\"},"
                           "{\"field\":\"d\",\"message\":\"is not a field of this request\"},"
                           "{\"field\":\"b\",\"message\":\"must not be null\"},"
                           "{\"field\":\"c\",\"message\":\"is given twice\"},"
                           "{\"field\":\"a\",\"message\":\"is required\"}]"));
    done(f);
}

static void ends_the_list_of_mistakes(void **state)
{
    (void)state;
    struct buf body = {0};
    buf_puts(&body, "{");
    for (int i = 0; i < 10000; i++)
        buf_printf(&body, "%s\"%0200d\":1", i ? "," : "", i);
    buf_puts(&body, "}");
    struct fixture *f = read_with(specs, FIELDS, body.data, body.len);
    assert_false(f->good);
    assert_true(f->res.body.len < 16384);
    done(f);
    buf_free(&body);
}

static void refuses_what_is_json_only_nearly(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        " ",
        "{",
        "{}x",
        "{} {}",
        "[]",
        "[{}]",
        "\"{}\"",
        "null",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":NaN}",
        "{\"a\":+1}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x41\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":1}/* */",
        "{\"a\":\"b",
        /* and what no text column could keep */
        "{\"text\":\"ab\\u0000\"}",
        "{\"text\":\"ab\\ud800\"}",
        "{\"text\":\"ab\xff\"}",
        "{\"text\":\"\xc0\x80\xc0\x80\"}",
        "{\"te\\u0000xt\":1}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        is_no_json(bodies[i], strlen(bodies[i]));
    is_no_json("{\"text\":\"ab\0c\"}", 15);
    is_no_json("{}\0", 3);
}

static void refuses_what_is_nested_too_deeply(void **state)
{
    (void)state;
    char body[200001];
    memset(body, '[', sizeof body);
    is_no_json(body, sizeof body - 1);
    memcpy(body, "{\"a\":", 5);
    is_no_json(body, sizeof body - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_kind),
        cmocka_unit_test(tells_absent_null_and_false_apart),
        cmocka_unit_test(refuses_what_no_field_takes),
        cmocka_unit_test(counts_characters_not_bytes),
        cmocka_unit_test(lists_every_mistake),
        cmocka_unit_test(ends_the_list_of_mistakes),
        cmocka_unit_test(refuses_what_is_json_only_nearly),
        cmocka_unit_test(refuses_what_is_nested_too_deeply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
