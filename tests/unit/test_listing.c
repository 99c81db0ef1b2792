/* What Retell's lists are asked, how their pages are read, and which URLs may be asked at all. */
#include "retell/listing.h"
#include "retell/url.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void assert_body(const struct listing_query *query, const char *key, const char *wanted)
{
    struct buf body = {0};
    listing_write(query, key, &body);
    assert_string_equal(body.data, wanted);
    buf_free(&body);
}

static void a_query_says_only_what_is_asked(void **state)
{
    (void)state;
    struct listing_query query = listing_query(500);
    assert_body(&query, "", "{\"filter_criteria\":{},\"sort_order\":\"ascending\",\"limit\":500}");
    query.started_from = 0;
    query.total = true;
    assert_body(&query, "k\"1",
                "{\"filter_criteria\":{\"start_timestamp\":{\"type\":\"number\",\"op\":\"ge\","
                "\"value\":0}},\"sort_order\":\"ascending\",\"limit\":500,\"include_total\":true,"
                "\"pagination_key\":\"k\\\"1\"}");
}

static void filters_are_typed_and_joined(void **state)
{
    (void)state;
    static const char *const ids[] = {"call_1", "call_2"};
    struct listing_query query = listing_query(10);
    query.started_before = 20;
    query.ended_from = 30;
    query.agent_id = "a";
    query.unconnected = true;
    query.call_ids = ids;
    query.call_id_count = COUNT(ids);
    query.ascending = false;
    assert_body(&query, "",
                "{\"filter_criteria\":{\"start_timestamp\":{\"type\":\"number\",\"op\":\"lt\","
                "\"value\":20},\"end_timestamp\":{\"type\":\"number\",\"op\":\"ge\",\"value\":30},"
                "\"agent\":[{\"agent_id\":\"a\"}],\"call_status\":{\"type\":\"enum\",\"op\":\"in\","
                "\"value\":[\"not_connected\",\"error\"]},\"call_id\":{\"type\":\"enum\",\"op\":"
                "\"in\",\"value\":[\"call_1\",\"call_2\"]}},\"sort_order\":\"descending\","
                "\"limit\":10}");
    query = listing_query(10);
    query.started_from = 5;
    query.started_before = 20;
    assert_body(&query, "",
                "{\"filter_criteria\":{\"start_timestamp\":{\"type\":\"range\",\"op\":\"bt\","
                "\"value\":[5,20]}},\"sort_order\":\"ascending\",\"limit\":10}");
}

static void a_page_is_taken_apart(void **state)
{
    (void)state;
    static const char answer[] = "{\"items\":[{\"start_timestamp\":1700000000000.7},{\"a\":[1,2]},"
                                 "3],\"has_more\":true,\"pagination_key\":\"n\\u0065xt\","
                                 "\"total\":7,\"new\":null}";
    struct listing_page page;
    struct json_text item = {NULL, 0};
    struct listing_place place = {0};
    assert_null(listing_read(answer, strlen(answer), &page));
    assert_int_equal(page.count, 3);
    assert_int_equal(page.total, 7);
    assert_true(page.has_more && json_elements_next(&page.items, &item));
    assert_true(listing_time(item, "start_timestamp") == INT64_C(1700000000000));
    assert_true(listing_time(item, "end_timestamp") == -1);
    assert_true(json_elements_next(&page.items, &item) && json_elements_next(&page.items, &item));
    assert_true(listing_time(item, "start_timestamp") == -1); /* it is no object */
    assert_null(listing_next(&page, &place));
    assert_string_equal(place.key.data, "next");
    assert_string_equal(listing_next(&page, &place), "it gives the same `pagination_key` twice");
    listing_place_free(&place);
}

/* Goes through pages whose keys are `before` different ones and then a circle of `circle`. */
static int pages_until_seen(int before, int circle)
{
    struct listing_place place = {0};
    const char *wrong = NULL;
    int turned = 0;
    while (!wrong && turned < 1000) {
        char answer[80];
        int at = turned < before ? turned : before + (turned - before) % circle;
        (void)snprintf(answer, sizeof answer,
                       "{\"items\":[],\"has_more\":true,\"pagination_key\":\"k%d\"}", at);
        struct listing_page page;
        assert_null(listing_read(answer, strlen(answer), &page));
        wrong = listing_next(&page, &place);
        turned++;
    }
    listing_place_free(&place);
    return turned;
}

static void a_circle_is_seen_however_long(void **state)
{
    (void)state;
    for (int before = 0; before <= 20; before++)
        for (int circle = 1; circle <= 20; circle++)
            assert_in_range(pages_until_seen(before, circle), before + circle,
                            3 * (before + circle) + 1);
}

static void what_is_not_a_list_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *wrong;
    } cases[] = {
        {"{}", "it has no `items`"},
        {"{\"items\":null,\"has_more\":false}", "it has no `items`"},
        {"{\"items\":{},\"has_more\":false}", "it has no `items`"},
        {"{\"items\":[]}", "it does not say `has_more`"},
        {"{\"items\":[],\"has_more\":1}", "it does not say `has_more`"},
        {"{\"items\":[],\"has_more\":true,\"pagination_key\":5}",
         "its `pagination_key` is not a string"},
    };
    struct listing_page page;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(listing_read(cases[i].answer, strlen(cases[i].answer), &page),
                            cases[i].wrong);

    static const char endless[] = "{\"items\":[],\"has_more\":true,\"pagination_key\":\"\"}";
    struct listing_place place = {0};
    assert_null(listing_read(endless, strlen(endless), &page));
    assert_string_equal(listing_next(&page, &place),
                        "it says `has_more` and gives no `pagination_key`");
    listing_place_free(&place);
}

static void identifiers_are_escaped_in_paths(void **state)
{
    (void)state;
    struct buf path = {0};
    listing_call_path("call_1/../x?y=\xc3\xa9", &path);
    assert_string_equal(path.data, "/v2/get-call/call_1%2F..%2Fx%3Fy%3D%C3%A9");
    path.len = 0;
    listing_agents_path("a+b=", &path);
    assert_string_equal(path.data, "/v2/list-agents?limit=1000&sort_order=ascending&"
                                   "pagination_key=a%2Bb%3D");
    buf_free(&path);
}

static void plain_http_is_for_this_machine_only(void **state)
{
    (void)state;
    static const char *const good[] = {"https://api.retellai.com", "http://localhost:3000/x",
                                       "http://127.0.0.1", "http://127.9.8.7:1", "http://[::1]:2"};
    static const char *const bad[] = {"http://api.retellai.com", "http://127.0.0.1.example.com",
                                      "ftp://127.0.0.1", "localhost", ""};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_null(url_problem(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(url_problem(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_says_only_what_is_asked),
        cmocka_unit_test(filters_are_typed_and_joined),
        cmocka_unit_test(a_page_is_taken_apart),
        cmocka_unit_test(a_circle_is_seen_however_long),
        cmocka_unit_test(what_is_not_a_list_is_said),
        cmocka_unit_test(identifiers_are_escaped_in_paths),
        cmocka_unit_test(plain_http_is_for_this_machine_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
