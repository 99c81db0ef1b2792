/* Requests, query parameters and answers, without a socket. */
#include "http/fields.h"
#include "http/params.h"
#include "http/request.h"
#include "http/response.h"

#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

/* ---- requests ---- */

static void methods_have_their_exact_names(void **state)
{
    (void)state;
    for (int m = 0; m < METHOD_OTHER; m++)
        assert_int_equal(method_from_name(method_name((enum method)m)), m);
    assert_int_equal(method_from_name("get"), METHOD_OTHER);
    assert_int_equal(method_from_name(""), METHOD_OTHER);
    assert_int_equal(method_from_name("GETS"), METHOD_OTHER);
    assert_string_equal(method_name(METHOD_OTHER), "OTHER");
}

static void headers_are_found_in_any_case(void **state)
{
    (void)state;
    struct request req = {.header_count = 0};
    request_add_header(&req, "Host", "a");
    request_add_header(&req, "X-A", "1");
    request_add_header(&req, "x-a", "2");
    assert_string_equal(request_header(&req, "x-A"), "1");
    assert_int_equal(request_header_count(&req, "X-a"), 2);
    assert_null(request_header(&req, "X"));
    assert_int_equal(request_header_count(&req, "X"), 0);
    assert_null(request_header(&req, "X-AB"));
    assert_null(request_header(&req, "X-B"));
    assert_int_equal(req.headers[0].name_len, 4);
    assert_int_equal(req.headers[0].value_len, 1);
}

static void headers_beyond_the_most_are_left_out(void **state)
{
    (void)state;
    struct request req = {.header_count = 0};
    for (size_t i = 0; i < REQUEST_MAX_HEADERS; i++)
        request_add_header(&req, "X-A", "1");
    request_add_header(&req, "X-B", "2");
    assert_int_equal(req.header_count, REQUEST_MAX_HEADERS);
    assert_null(request_header(&req, "X-B"));
}

static void an_id_is_the_callers_when_it_is_well_formed(void **state)
{
    (void)state;
    char longest[REQUEST_ID_SIZE + 1];
    memset(longest, 'a', sizeof longest);
    longest[REQUEST_ID_SIZE - 1] = '\0';
    struct {
        const char *given;
        bool taken;
    } cases[] = {{"a", true},    {"Az09._-", true}, {longest, true},     {"", false},
                 {"a b", false}, {"a\"b", false},   {"\xC3\xA4", false}, {"a/b", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct request req = {.header_count = 0};
        request_add_header(&req, "X-Request-ID", cases[i].given);
        request_set_id(&req);
        if (cases[i].taken)
            assert_string_equal(req.id, cases[i].given);
        else
            assert_int_equal(strspn(req.id, "0123456789abcdef"), 32);
    }
    longest[REQUEST_ID_SIZE - 1] = 'a';
    longest[REQUEST_ID_SIZE] = '\0';
    struct request req = {.header_count = 0};
    request_add_header(&req, "X-Request-Id", longest);
    request_set_id(&req);
    assert_int_equal(strlen(req.id), 32);
    struct request other = {.header_count = 0};
    request_set_id(&other);
    assert_string_not_equal(req.id, other.id);
}

/* ---- parameters ---- */

enum { LIMIT, ORDER, TEXT, SPECS };
static const struct param_spec specs[SPECS] = {
    [LIMIT] = {"limit", PARAM_NUMBER, "20", 1, 100, NULL},
    [ORDER] = {"order", PARAM_CHOICE, "desc", .choices = "desc|asc"},
    [TEXT] = {"search", PARAM_TEXT, .lo = 2, .hi = 5},
};

/* Reads `query`; gives the answer's fields at fault as "field,field", or "good". */
static const char *read_query(struct arena *arena, const char *query, const char **values)
{
    const struct request req = {.query = query, .arena = arena};
    struct response res = {0};
    struct buf fields = {0};
    bool good = params_read(&req, &res, specs, SPECS, values);
    buf_puts(&fields, good ? "good" : "");
    if (!good) {
        assert_int_equal(res.status, 400);
        cJSON *answer = cJSON_Parse(res.body.data);
        assert_non_null(answer);
        assert_string_equal(cJSON_GetObjectItem(answer, "code")->valuestring, "validation_failed");
        const cJSON *error = NULL;
        cJSON_ArrayForEach(error, cJSON_GetObjectItem(answer, "errors"))
            buf_printf(&fields, "%s%s", fields.len ? "," : "",
                       cJSON_GetObjectItem(error, "field")->valuestring);
        cJSON_Delete(answer);
    }
    const char *copy = arena_strndup(arena, fields.data, fields.len);
    buf_free(&fields);
    response_free(&res);
    return copy;
}

static void good_queries_give_values_and_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *query, *limit, *order, *text;
    } cases[] = {
        {NULL, "20", "desc", NULL},
        {"", "20", "desc", NULL},
        {"&&", "20", "desc", NULL},
        {"limit=1&order=asc&search=ab", "1", "asc", "ab"},
        {"limit=100", "100", "desc", NULL},
        {"limit=007", "007", "desc", NULL},
        {"limit=&order=&search=", "20", "desc", NULL},
        {"limit", "20", "desc", NULL},
        {"search=a+b", "20", "desc", "a b"},
        {"search=%61%2Bb", "20", "desc", "a+b"},
        {"se%61rch=%C3%A4%C3%B6", "20", "desc", "\xC3\xA4\xC3\xB6"},
        {"search=a=b", "20", "desc", "a=b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(65536);
        const char *values[SPECS];
        assert_string_equal(read_query(arena, cases[i].query, values), "good");
        assert_string_equal(values[LIMIT], cases[i].limit);
        assert_string_equal(values[ORDER], cases[i].order);
        if (cases[i].text)
            assert_string_equal(values[TEXT], cases[i].text);
        else
            assert_null(values[TEXT]);
        arena_free(arena);
    }
}

static void bad_queries_name_every_field(void **state)
{
    (void)state;
    static const struct {
        const char *query, *fields;
    } cases[] = {
        {"limit=0", "limit"},
        {"limit=101", "limit"},
        {"limit=1e1", "limit"},
        {"limit=%2B5", "limit"},
        {"limit=+5", "limit"},
        {"limit=-1", "limit"},
        {"limit=abc", "limit"},
        {"limit=5%20", "limit"},
        {"limit=1000000000000000000000", "limit"},
        {"limit=9223372036854775808", "limit"},
        {"order=DESC", "order"},
        {"order=desc%7Casc", "order"},
        {"order=des", "order"},
        {"search=a", "search"},
        {"search=abcdef", "search"},
        {"search=%C3%A4", "search"},
        {"search=%C3%28", "search"},
        {"limit=1&limit=1", "limit"},
        {"limit=&limit=1", "limit"},
        {"nope=1", "nope"},
        {"%ff=1", "?"},
        {"=1", ""},
        {"Limit=1", "Limit"},
        {"limit=0&order=x&search=a&a=1&b=2", "limit,order,search,a,b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(65536);
        const char *values[SPECS];
        assert_string_equal(read_query(arena, cases[i].query, values), cases[i].fields);
        arena_free(arena);
    }
}

static void a_flood_of_bad_keys_is_bounded(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    struct buf query = {0};
    for (int i = 0; i < 2000; i++)
        buf_printf(&query, "k%d=1&", i);
    const char *values[SPECS];
    const char *fields = read_query(arena, query.data, values);
    unsigned commas = 0;
    for (const char *c = fields; *c; c++)
        commas += *c == ',';
    assert_int_equal(commas + 1, FIELDS_MAX_ERRORS);
    buf_free(&query);
    arena_free(arena);
}

static void short_memory_is_no_bad_request(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4);
    const struct request req = {.query = "limit=100", .arena = arena};
    struct response res = {0};
    const char *values[SPECS];
    assert_false(params_read(&req, &res, specs, SPECS, values));
    assert_int_equal(res.status, 0); /* response_finish makes a 500 of it */
    response_free(&res);
    arena_free(arena);
}

/* ---- answers ---- */

static const struct request asked = {.method = METHOD_GET, .id = "id-1"};

static void an_answer_is_one_text_with_its_exact_length(void **state)
{
    (void)state;
    struct response res = {0};
    struct buf out = {0};
    response_json(&res, 200, "{\"a\":1}", 7);
    response_header(&res, "X-A", "b");
    response_finish(&res, &asked, false, NULL, &out);
    assert_ptr_equal(strstr(out.data, "HTTP/1.1 200 OK\r\n"), out.data);
    assert_non_null(strstr(out.data, "\r\nX-Request-Id: id-1\r\n"));
    assert_non_null(strstr(out.data, "\r\nX-A: b\r\n"));
    assert_non_null(strstr(out.data, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(out.data, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(out.data, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(out.data, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(out.data, "\r\nConnection: keep-alive\r\n\r\n{\"a\":1}"));
    assert_null(strstr(out.data, "Strict-Transport-Security"));
    buf_free(&out);
    response_free(&res);
}

static void production_asks_for_tls(void **state)
{
    (void)state;
    struct response res = {.close = true};
    struct buf out = {0};
    response_json(&res, 200, "{}", 2);
    response_finish(&res, &asked, true, NULL, &out);
    assert_non_null(strstr(out.data, "\r\nStrict-Transport-Security: max-age="));
    assert_non_null(strstr(out.data, "\r\nConnection: close\r\n"));
    buf_free(&out);
    response_free(&res);
}

static void head_has_the_length_and_not_the_body(void **state)
{
    (void)state;
    const struct request req = {.method = METHOD_HEAD, .id = "id-1"};
    struct response res = {0};
    struct buf out = {0};
    response_json(&res, 200, "{\"a\":1}", 7);
    response_finish(&res, &req, false, NULL, &out);
    assert_non_null(strstr(out.data, "\r\nContent-Length: 7\r\n"));
    assert_string_equal(out.data + out.len - 4, "\r\n\r\n");
    buf_free(&out);
    response_free(&res);
}

static void no_content_has_no_length(void **state)
{
    (void)state;
    struct response res = {0};
    struct buf out = {0};
    response_empty(&res, 204);
    response_finish(&res, &asked, false, NULL, &out);
    assert_ptr_equal(strstr(out.data, "HTTP/1.1 204 No Content\r\n"), out.data);
    assert_null(strstr(out.data, "\r\nContent-Length"));
    assert_null(strstr(out.data, "\r\nContent-Type"));
    buf_free(&out);
    response_free(&res);
}

static void errors_have_one_shape_and_are_escaped(void **state)
{
    (void)state;
    static const struct field_error errors[] = {{"a\"b", "is \\ bad"}, {"c", "\x01\xff"}};
    struct response res = {.show_stack = true};
    response_json(&res, 200, "forgotten", 9);
    response_invalid(&res, &asked, errors, COUNT(errors));
    cJSON *answer = cJSON_Parse(res.body.data);
    assert_non_null(answer);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(answer, "error")));
    assert_int_equal(cJSON_GetObjectItem(answer, "status")->valueint, 400);
    assert_string_equal(cJSON_GetObjectItem(answer, "requestId")->valuestring, "id-1");
    assert_non_null(strstr(cJSON_GetObjectItem(answer, "stack")->valuestring, "test_http.c:"));
    const cJSON *list = cJSON_GetObjectItem(answer, "errors");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 0), "field")->valuestring,
                        "a\"b");
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 1), "message")->valuestring,
                        "\x01\xEF\xBF\xBD");
    cJSON_Delete(answer);

    res.show_stack = false;
    response_error(&res, &asked, 404, "not_found", "Nothing.");
    assert_string_equal(res.body.data, "{\"error\":true,\"message\":\"Nothing.\",\"code\":\"not_"
                                       "found\",\"status\":404,\"requestId\":\"id-1\"}");
    response_free(&res);
}

static void what_nobody_filled_or_memory_spoiled_is_500(void **state)
{
    (void)state;
    for (int spoiled = 0; spoiled < 3; spoiled++) {
        struct response res = {0};
        struct buf out = {0};
        if (spoiled) {
            response_json(&res, 200, "{}", 2);
            response_header(&res, "X-Half", "told");
            *(spoiled == 1 ? &res.body.failed : &res.headers.failed) = true;
        }
        response_finish(&res, &asked, true, NULL, &out);
        assert_int_equal(res.status, 500);
        assert_ptr_equal(strstr(out.data, "HTTP/1.1 500 Internal Server Error\r\n"), out.data);
        assert_non_null(strstr(out.data, "\"code\":\"internal_error\""));
        assert_null(strstr(out.data, "X-Half"));
        buf_free(&out);
        response_free(&res);
    }
}

static void every_status_that_is_said_has_a_reason(void **state)
{
    (void)state;
    static const int said[] = {200, 201, 204, 400, 401, 403, 404, 405, 408, 409,
                               411, 413, 414, 415, 429, 431, 500, 501, 503, 505};
    for (size_t i = 0; i < COUNT(said); i++)
        assert_string_not_equal(response_reason(said[i]), "Unknown");
    assert_string_equal(response_reason(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_have_their_exact_names),
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(headers_beyond_the_most_are_left_out),
        cmocka_unit_test(an_id_is_the_callers_when_it_is_well_formed),
        cmocka_unit_test(good_queries_give_values_and_defaults),
        cmocka_unit_test(bad_queries_name_every_field),
        cmocka_unit_test(a_flood_of_bad_keys_is_bounded),
        cmocka_unit_test(short_memory_is_no_bad_request),
        cmocka_unit_test(an_answer_is_one_text_with_its_exact_length),
        cmocka_unit_test(production_asks_for_tls),
        cmocka_unit_test(head_has_the_length_and_not_the_body),
        cmocka_unit_test(no_content_has_no_length),
        cmocka_unit_test(errors_have_one_shape_and_are_escaped),
        cmocka_unit_test(what_nobody_filled_or_memory_spoiled_is_500),
        cmocka_unit_test(every_status_that_is_said_has_a_reason),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
