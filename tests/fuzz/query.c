/* Targets and queries: decoding never writes more than it reads, and every value that is taken is valid. */
#include "http/params.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct param_spec specs[] = {
        {"limit", PARAM_NUMBER, "20", 1, 100, NULL},
        {"order", PARAM_CHOICE, "desc", .choices = "desc|asc"},
        {"q", PARAM_TEXT, .lo = 1, .hi = 20},
        {"from", PARAM_TIME},
        {"status", PARAM_LIST, .lo = 1, .hi = 30},
    };
    enum { COUNT = sizeof specs / sizeof specs[0] };
    const char *values[COUNT];
    struct request req = {.arena = arena_new(1 << 20), .path = "/x", .method_name = "GET"};
    struct response res = {0};
    char *query = fuzz_text(data, size);

    MUST(req.arena);
    for (int form = 0; form < 2; form++) {
        char *decoded = params_decode(req.arena, query, size, form);
        MUST(!decoded || strlen(decoded) <= size);
    }
    req.query = query;
    if (params_read(&req, &res, specs, COUNT, values)) {
        long limit = values[0] ? strtol(values[0], NULL, 10) : 0;
        MUST(limit >= 1 && limit <= 100);
        MUST(!strcmp(values[1], "desc") || !strcmp(values[1], "asc"));
        MUST(!values[2] || strlen(values[2]) <= 80);
        MUST(!values[3] || strspn(values[3], "-0123456789") == strlen(values[3]));
    } else {
        MUST(res.status == 400 && res.body.len > 0);
    }
    response_free(&res);
    arena_free(req.arena);
    free(query);
    return 0;
}
