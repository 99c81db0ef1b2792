/* The framing gate: what a proxy in front could read in another way is refused, by its own code. */
#include "http/gate.h"

#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A request that passes, for the tests to spoil. */
static struct request plain(void)
{
    struct request req = {
        .method = METHOD_GET, .method_name = "GET", .path = "/healthz", .http_version = "1.1"};
    request_add_header(&req, "Host", "localhost");
    return req;
}

static struct request with_header(const char *name, const char *value)
{
    struct request req = plain();
    request_add_header(&req, name, value);
    return req;
}

static void verdict_is(const struct request *req, int status, const char *code)
{
    struct gate_verdict verdict = gate_check(req);
    assert_int_equal(verdict.status, status);
    if (status) {
        assert_string_equal(verdict.code, code);
        assert_non_null(verdict.message);
    }
}

static void passes_what_is_well_formed(void **state)
{
    (void)state;
    struct request req = plain();
    verdict_is(&req, 0, NULL);
    req = with_header("content-length", "0123");
    struct gate_verdict verdict = gate_check(&req);
    assert_int_equal(verdict.status, 0);
    assert_int_equal(verdict.content_length, 123);
    req = with_header("X-Tab", "a\tb\x80\xff");
    verdict_is(&req, 0, NULL);
    req = plain();
    req.http_version = "1.0";
    req.header_count = 0;
    verdict_is(&req, 0, NULL);
}

static void judges_versions_and_hosts(void **state)
{
    (void)state;
    static const char *const versions[] = {"", "0.9", "1.2", "2.0", "1.1 "};
    struct request req = plain();
    for (size_t i = 0; i < COUNT(versions); i++) {
        req.http_version = versions[i];
        verdict_is(&req, 505, "http_version_not_supported");
    }
    req = plain();
    req.header_count = 0;
    verdict_is(&req, 400, "bad_host");
    req = with_header("HOST", "localhost");
    verdict_is(&req, 400, "bad_host");
    req.http_version = "1.0";
    verdict_is(&req, 400, "bad_host");
}

static void judges_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        bool good;
    } cases[] = {
        {"/", true},        {"/a?b=c&d", true}, {"*", true},        {"/%41%e4%C3", true},
        {"/%20", true},     {"", false},        {"a", false},       {"http://a/", false},
        {"/a b", false},    {"/a\x01", false},  {"/a\x7f", false},  {"/\xC3\xA4", false},
        {"/%", false},      {"/%4", false},     {"/%4g", false},    {"/%g4", false},
        {"/%00", false},    {"/%0d%0a", false}, {"/%1f", false},    {"/%7F", false},
        {"*?a", false},     {"/%?41", false},   {"/?a=%00", false}, {"/%%41", false},
        {"/a\r\nb", false}, {"**", false},
    };
    struct request req = plain();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "%s", cases[i].target);
        char *mark = strchr(path, '?');
        if (mark)
            *mark = '\0';
        req.path = path;
        req.query = mark ? mark + 1 : NULL;
        verdict_is(&req, cases[i].good ? 0 : 400, "bad_target");
    }
    req = plain();
    char longest[GATE_MAX_TARGET + 2];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[GATE_MAX_TARGET] = '\0';
    req.path = longest;
    verdict_is(&req, 0, NULL);
    req.query = "";
    verdict_is(&req, 414, "uri_too_long");
    req.query = NULL;
    longest[GATE_MAX_TARGET] = 'a';
    longest[GATE_MAX_TARGET + 1] = '\0';
    verdict_is(&req, 414, "uri_too_long");
}

static void judges_content_lengths(void **state)
{
    (void)state;
    static const char *const lengths[] = {"",    "-1",   "+1",  "1 ",  " 1",
                                          "1,1", "0x10", "1e3", "1.0", "1234567890123456"};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct request req = with_header("Content-Length", lengths[i]);
        verdict_is(&req, 400, "bad_framing");
    }
    struct request req = with_header("Content-Length", "999999999999999");
    assert_int_equal(gate_check(&req).content_length, INT64_C(999999999999999));
    request_add_header(&req, "content-length", "999999999999999");
    verdict_is(&req, 400, "bad_framing");
}

static void refuses_other_framings_and_protocols(void **state)
{
    (void)state;
    static const char *const encodings[] = {"chunked", "identity", "", "gzip, chunked"};
    for (size_t i = 0; i < COUNT(encodings); i++) {
        struct request req = with_header("transfer-encoding", encodings[i]);
        verdict_is(&req, 411, "length_required");
        request_add_header(&req, "Content-Length", "5");
        verdict_is(&req, 411, "length_required");
    }
    struct request req = with_header("Upgrade", "h2c, WebSocket/13");
    verdict_is(&req, 400, "no_upgrade");
    req = with_header("Upgrade", "h2c");
    verdict_is(&req, 0, NULL);
    request_add_header(&req, "upgrade", "websocket");
    verdict_is(&req, 400, "no_upgrade");
}

static void judges_headers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"", "a"},    {"a b", "c"},       {"a:", "b"},   {"a\x01", "b"}, {"\xC3\xA4", "b"},
        {"(a)", "b"}, {"a", "b\r\nc: d"}, {"a", "\x01"}, {"a", "\x7f"},  {"Content-Length ", "5"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct request req = with_header(bad[i].name, bad[i].value);
        verdict_is(&req, 400, "bad_header");
    }
}

static void bounds_headers_by_number_and_size(void **state)
{
    (void)state;
    struct request req = plain();
    while (req.header_count < REQUEST_MAX_HEADERS - 1)
        request_add_header(&req, "X-A", "b");
    verdict_is(&req, 0, NULL);
    request_add_header(&req, "X-A", "b");
    verdict_is(&req, 431, "headers_too_large");

    char value[GATE_MAX_HEADER_BYTES + 1];
    memset(value, 'v', sizeof value);
    const size_t rest = strlen("Host") + strlen("localhost") + strlen("X");
    value[GATE_MAX_HEADER_BYTES - rest] = '\0';
    req = with_header("X", value);
    verdict_is(&req, 0, NULL);
    req = with_header("XX", value);
    verdict_is(&req, 431, "headers_too_large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_what_is_well_formed),
        cmocka_unit_test(judges_versions_and_hosts),
        cmocka_unit_test(judges_targets),
        cmocka_unit_test(judges_content_lengths),
        cmocka_unit_test(refuses_other_framings_and_protocols),
        cmocka_unit_test(judges_headers),
        cmocka_unit_test(bounds_headers_by_number_and_size),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
