/* What follows from a route table: matches, 404, 405, OPTIONS, HEAD, and who reads which body. */
#include "http/router.h"

#include "unit.h"

#include <stdbool.h>
#include <string.h>

/* What became of a request, noted by the handlers, guard and body reader below. */
struct app {
    const char *handled;    /* by which handler */
    unsigned guarded, read; /* how often */
    enum access access;     /* asked of the guard */
    bool refuse;            /* the guard's answer */
    bool read_after;        /* the guard or a handler had answered when the body was read */
    enum err read_fails;    /* the reader's answer */
    char params[REQUEST_MAX_PARAMS][64];
};

static void handle_one(struct app *app, const struct request *req, struct response *res)
{
    app->handled = "one";
    for (size_t i = 0; i < REQUEST_MAX_PARAMS && req->params[i]; i++)
        strncpy(app->params[i], req->params[i], sizeof app->params[i] - 1);
    response_json(res, 200, "{}", 2);
}

static void handle_two(struct app *app, const struct request *req, struct response *res)
{
    (void)req;
    app->handled = "two";
    response_json(res, 201, "{}", 2);
}

static bool guard(struct app *app, enum access access, struct request *req, struct response *res)
{
    app->guarded++;
    app->access = access;
    if (app->refuse)
        response_error(res, req, 401, "unauthorized", "no");
    return !app->refuse;
}

static enum err read_body(void *conn, struct request *req, int64_t length)
{
    struct app *app = conn;
    app->read++;
    app->read_after |= app->guarded && (app->refuse || app->handled);
    req->body = "{}";
    req->body_len = (size_t)length;
    return app->read_fails;
}

static const struct route routes[] = {
    {METHOD_GET, "/", ACCESS_PUBLIC, .handler = handle_one},
    {METHOD_GET, "/things", ACCESS_READER, .handler = handle_one},
    {METHOD_POST, "/things", ACCESS_ADMIN, .json_body = true, .max_body = 100,
     .handler = handle_two},
    {METHOD_GET, "/things/special", ACCESS_READER, .handler = handle_two},
    {METHOD_GET, "/things/:id", ACCESS_READER, .handler = handle_one},
    {METHOD_GET, "/things/:id/parts/:part", ACCESS_READER, .handler = handle_one},
    {METHOD_DELETE, "/things/:id", ACCESS_ADMIN, .handler = handle_two},
    {METHOD_POST, "/hook", ACCESS_SIGNED, .raw_body = true, .handler = handle_two},
};

/* One request through the table. */
struct trip {
    struct app app;
    struct request req;
    struct response res;
};

static void send_with(struct trip *trip, const char *method, const char *path, int64_t length,
                      const char *type)
{
    struct router router = {.app = &trip->app, .webhook_max_bytes = 1000, .guard = guard};
    const struct body_source body = {length, read_body, &trip->app};
    trip->req = (struct request){.method = method_from_name(method),
                                 .method_name = method,
                                 .path = path,
                                 .arena = arena_new(65536)};
    router_set_routes(&router, routes, COUNT(routes));
    if (type)
        request_add_header(&trip->req, "Content-Type", type);
    router_dispatch(&router, &trip->req, &trip->res, &body);
    /* A body that nobody reads becomes a request, unless the connection ends. */
    assert_true(trip->res.close || trip->app.read || length == 0);
}

static void done(struct trip *trip)
{
    response_free(&trip->res);
    arena_free(trip->req.arena);
    *trip = (struct trip){0};
}

static bool answer_has(const struct trip *trip, const char *text)
{
    return (trip->res.body.data && strstr(trip->res.body.data, text)) ||
           (trip->res.headers.data && strstr(trip->res.headers.data, text));
}

static void the_first_row_that_matches_answers(void **state)
{
    (void)state;
    static const struct {
        const char *path, *handler, *first, *second;
    } cases[] = {
        {"/", "one", "", ""},
        {"/things", "one", "", ""},
        {"/things/special", "two", "", ""},
        {"/things/specials", "one", "specials", ""},
        {"/things/a%2Fb%20c", "one", "a/b c", ""},
        {"/things/a+b", "one", "a+b", ""},
        {"/things/%C3%A4/parts/7", "one", "\xC3\xA4", "7"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trip trip = {0};
        send_with(&trip, "GET", cases[i].path, 0, NULL);
        assert_non_null(trip.app.handled);
        assert_string_equal(trip.app.handled, cases[i].handler);
        assert_string_equal(trip.app.params[0], cases[i].first);
        assert_string_equal(trip.app.params[1], cases[i].second);
        done(&trip);
    }
}

/* Part for part, without any memory of other rows. */
static bool fits(const char *pattern, const char *path)
{
    while (*pattern && *path) {
        size_t len = strcspn(path, "/"), pattern_len = strcspn(pattern, "/");
        bool same = len == pattern_len && strncmp(pattern, path, len) == 0;
        if (!same && (*pattern != ':' || !len))
            return false;
        path += len + (path[len] == '/');
        pattern += pattern_len + (pattern[pattern_len] == '/');
    }
    return !*pattern && !*path;
}

/* What a row shares with the one before it is not compared again, whatever that one is. */
static void rows_are_found_in_any_order_of_the_table(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "/", "/a", "/ab", "/abc/:x", "/abc/:x/d", "/abc", "/abd", "/:y", "/b/c", "/b", "/abc/d/:z",
    };
    static const char *const paths[] = {
        "/",    "/a",    "/ab",    "/abc/1",   "/abc/1/d",   "/abc", "/abd",
        "/abe", "/b/c",  "/b",     "/abc/d/1", "/abc/d/d/d", "/c/c", "/b/d",
        "/x",   "/ab/c", "/abc/d", "/abc/1/e", "/abc/1/dd",
    };
    enum { ROWS = COUNT(patterns), TURNS = ROWS * (ROWS - 1) };
    for (size_t turn = 0; turn < TURNS; turn++) {
        struct route table[ROWS];
        size_t step = turn % (ROWS - 1) + 1; /* ROWS is prime: each of them meets every row */
        for (size_t i = 0; i < ROWS; i++)
            table[i] = (struct route){METHOD_GET, patterns[(turn / (ROWS - 1) + i * step) % ROWS],
                                      ACCESS_PUBLIC, .handler = handle_one};
        struct app app = {0};
        struct router router = {.app = &app, .guard = guard};
        router_set_routes(&router, table, ROWS);
        for (size_t i = 0; i < COUNT(paths); i++) {
            struct request req = {.path = paths[i], .arena = arena_new(65536)};
            struct response res = {0};
            const struct body_source body = {0, read_body, &app};
            size_t expected = 0;
            while (expected < ROWS && !fits(table[expected].pattern, paths[i]))
                expected++;
            router_dispatch(&router, &req, &res, &body);
            assert_int_equal(req.route, expected);
            response_free(&res);
            arena_free(req.arena);
        }
    }
}

static void what_is_not_in_the_table_is_404(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "//",
        "/thing",
        "/things/",
        "/thingss",
        "/Things",
        "/things//parts/1",
        "/things/1/",
        "/things/1/parts/",
        "/things/1/parts/2/3",
        "/%74hings",
        "/hook/",
        "*",
        "/things/1/Parts/2",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct trip trip = {0};
        send_with(&trip, "GET", paths[i], 0, NULL);
        assert_int_equal(trip.res.status, 404);
        assert_true(answer_has(&trip, "\"code\":\"not_found\""));
        assert_null(trip.app.handled);
        assert_int_equal(trip.app.guarded, 0);
        done(&trip);
    }
}

static void a_wrong_method_is_405_and_names_all_that_would_do(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *allow;
    } cases[] = {
        {"PUT", "/things", "Allow: GET, HEAD, POST, OPTIONS\r\n"},
        {"POST", "/things/1", "Allow: GET, HEAD, DELETE, OPTIONS\r\n"},
        {"GET", "/hook", "Allow: POST, OPTIONS\r\n"},
        {"HEAD", "/hook", "Allow: POST, OPTIONS\r\n"},
        {"BREW", "/hook", "Allow: POST, OPTIONS\r\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trip trip = {0};
        send_with(&trip, cases[i].method, cases[i].path, 0, NULL);
        assert_int_equal(trip.res.status, 405);
        assert_true(answer_has(&trip, "\"code\":\"method_not_allowed\""));
        assert_string_equal(trip.res.headers.data, cases[i].allow);
        assert_int_equal(trip.app.guarded, 0);
        done(&trip);
    }
}

static void options_answers_without_a_guard(void **state)
{
    (void)state;
    struct trip trip = {0};
    send_with(&trip, "OPTIONS", "/things", 0, NULL);
    assert_int_equal(trip.res.status, 204);
    assert_string_equal(trip.res.headers.data, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    assert_int_equal(trip.app.guarded, 0);
    done(&trip);
    send_with(&trip, "OPTIONS", "/nothing", 0, NULL);
    assert_int_equal(trip.res.status, 404);
    done(&trip);
}

static void head_goes_where_get_does(void **state)
{
    (void)state;
    struct trip trip = {0};
    send_with(&trip, "HEAD", "/things/1", 0, NULL);
    assert_string_equal(trip.app.handled, "one");
    assert_int_equal(trip.app.access, ACCESS_READER);
    done(&trip);
}

static void the_guard_is_asked_before_the_body_is_read(void **state)
{
    (void)state;
    struct trip trip = {.app.refuse = true};
    send_with(&trip, "POST", "/things", 10, "application/json");
    assert_int_equal(trip.res.status, 401);
    assert_int_equal(trip.app.access, ACCESS_ADMIN);
    assert_null(trip.app.handled);
    assert_true(trip.app.read_after); /* only then, and only to keep the connection */
    assert_false(trip.res.close);
    done(&trip);
}

static void a_path_that_is_no_text_is_refused(void **state)
{
    (void)state;
    struct trip trip = {0};
    send_with(&trip, "GET", "/things/%ff", 0, NULL);
    assert_int_equal(trip.res.status, 400);
    assert_null(trip.app.handled);
    done(&trip);
}

static void bodies_are_bounded_by_their_row(void **state)
{
    (void)state;
    static const struct {
        const char *path, *type;
        int64_t length;
        int status;
    } cases[] = {
        {"/things", "application/json", 100, 201},
        {"/things", "application/json", 101, 413},
        {"/things", "application/json", 0, 201},
        {"/things", "Application/JSON; charset=utf-8", 10, 201},
        {"/things", "application/jsonx", 10, 415},
        {"/things", "text/plain", 10, 415},
        {"/things", NULL, 10, 415},
        {"/things", "text/plain", 101, 413},
        {"/hook", NULL, 1000, 201}, /* the app's own limit */
        {"/hook", NULL, 1001, 413},
        {"/hook", "text/plain", INT64_C(999999999999999), 413},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trip trip = {0};
        send_with(&trip, "POST", cases[i].path, cases[i].length, cases[i].type);
        assert_int_equal(trip.res.status, cases[i].status);
        assert_int_equal(trip.app.handled != NULL, cases[i].status == 201);
        done(&trip);
    }
}

static void
a_body_that_nobody_asked_for_is_dropped_when_short_and_else_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t length;
        bool fails, close;
    } cases[] = {
        {"/things", 0, false, false},         {"/things", 5, false, false},
        {"/things", 65536, false, false},     {"/things", 65537, false, true},
        {"/nowhere", 5, false, false},        {"/nowhere", 5, true, true},
        {"/nowhere", INT64_MAX, false, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trip trip = {.app.read_fails = cases[i].fails ? ERR_CLOSED : ERR_OK};
        send_with(&trip, "GET", cases[i].path, cases[i].length, NULL);
        assert_int_equal(trip.res.close, cases[i].close);
        assert_int_equal(trip.app.read, cases[i].length > 0 && cases[i].length <= 65536);
        done(&trip);
    }
}

static void a_body_that_does_not_come_is_answered_and_the_connection_closed(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
    } cases[] = {{ERR_TIMEOUT, 408}, {ERR_CLOSED, 400}, {ERR_NOMEM, 503}, {ERR_INTERNAL, 503}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trip trip = {.app.read_fails = cases[i].err};
        send_with(&trip, "POST", "/hook", 10, NULL);
        assert_int_equal(trip.res.status, cases[i].status);
        assert_true(trip.res.close);
        assert_null(trip.app.handled);
        assert_true(cases[i].status != 503 || answer_has(&trip, "Retry-After: 1\r\n"));
        done(&trip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_row_that_matches_answers),
        cmocka_unit_test(rows_are_found_in_any_order_of_the_table),
        cmocka_unit_test(what_is_not_in_the_table_is_404),
        cmocka_unit_test(a_wrong_method_is_405_and_names_all_that_would_do),
        cmocka_unit_test(options_answers_without_a_guard),
        cmocka_unit_test(head_goes_where_get_does),
        cmocka_unit_test(the_guard_is_asked_before_the_body_is_read),
        cmocka_unit_test(a_path_that_is_no_text_is_refused),
        cmocka_unit_test(bodies_are_bounded_by_their_row),
        cmocka_unit_test(
            a_body_that_nobody_asked_for_is_dropped_when_short_and_else_ends_the_connection),
        cmocka_unit_test(a_body_that_does_not_come_is_answered_and_the_connection_closed),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
