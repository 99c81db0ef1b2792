/* The framing gate. The first line is method, target and version; the others are headers. */
#include "http/gate.h"

#include "fuzz.h"

#include <strings.h>

static char *take_line(char **at)
{
    char *line = *at;
    char *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    *at = end ? end + 1 : line + strlen(line);
    return line;
}

static char *take_word(char **at)
{
    char *word = *at;
    *at += strcspn(word, " ");
    if (**at)
        *(*at)++ = '\0';
    return word;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *at = text;
    char *first = take_line(&at);
    struct request req = {0};
    unsigned lengths = 0, hosts = 0;

    req.method_name = take_word(&first);
    req.method = method_from_name(req.method_name);
    char *target = take_word(&first);
    size_t target_len = strlen(target);
    req.path = strsep(&target, "?");
    req.query = target;
    req.http_version = take_word(&first);
    while (*at && req.header_count < REQUEST_MAX_HEADERS) {
        char *name = take_line(&at);
        char *colon = strchr(name, ':');
        if (colon)
            *colon = '\0';
        request_add_header(&req, name, colon ? colon + 1 : "");
        lengths += strcasecmp(name, "Content-Length") == 0;
        hosts += strcasecmp(name, "Host") == 0;
        if (strcasecmp(name, "Transfer-Encoding") == 0)
            lengths = 99;
    }
    struct gate_verdict verdict = gate_check(&req);
    if (verdict.status) {
        MUST(verdict.status >= 400 && verdict.status < 600 && verdict.code && verdict.message);
    } else {
        MUST(lengths <= 1 && (hosts == 1 || strcmp(req.http_version, "1.1") != 0));
        MUST(verdict.content_length >= 0 && target_len <= GATE_MAX_TARGET);
    }
    free(text);
    return 0;
}
