/* The JSON pre-scan, what it tells of members, and the readers of text that it has accepted. */
#include "json_scan.h"

#include "fuzz.h"

struct told {
    const char *s, *end;
    size_t members;
};

static void tell(void *context, int depth, struct json_text key, struct json_text value)
{
    struct told *told = context;
    MUST(depth == 1 || depth == 2);
    MUST(key.s >= told->s && key.s + key.len <= told->end && key.len >= 2 && *key.s == '"');
    MUST(value.s > key.s && value.s + value.len <= told->end && value.len > 0);
    told->members += depth == 1;
}

/* Walks members and elements as deep as the text goes, without recursion. */
static size_t walk(struct json_text text, char *out)
{
    struct json_members stack[JSON_MAX_DEPTH];
    bool objects[JSON_MAX_DEPTH];
    struct json_text key, value = text;
    size_t members = 0;
    int depth = 0;
    for (;;) {
        enum json_kind kind = json_kind(value.s, value.len);
        size_t len = json_string_decode(value.s, value.len, out);
        MUST(len <= JSON_TEXT_MAX(value.len) && !memchr(out, '\0', len));
        if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
            MUST(depth < JSON_MAX_DEPTH);
            objects[depth] = kind == JSON_OBJECT;
            (objects[depth] ? json_members_begin : json_elements_begin)(&stack[depth], value.s,
                                                                        value.len);
            depth++;
        }
        while (depth > 0 &&
               !(objects[depth - 1] ? json_members_next(&stack[depth - 1], &key, &value)
                                    : json_elements_next(&stack[depth - 1], &value)))
            depth--;
        if (depth == 0)
            return members;
        members += depth == 1 && objects[0];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    struct json_scan scan, again;
    struct told told = {.s = s, .end = s + size};

    bool accepted = json_scan(s, size, &scan);
    MUST(accepted == (scan.error == NULL) && (accepted || scan.error_offset <= size));
    MUST(json_scan_members(s, size, &again, tell, &told) == accepted);
    MUST(again.dirty == scan.dirty && again.far_number == scan.far_number);
    if (!accepted)
        return 0;
    char *out = malloc(JSON_TEXT_MAX(size) + 1);
    MUST(out);
    size_t members = walk((struct json_text){s, size}, out);
    if (json_kind(s, size) == JSON_OBJECT)
        MUST(members == told.members);
    size_t len = json_scrub(s, size, out);
    MUST(len <= JSON_TEXT_MAX(size));
    MUST(json_scan(out, len, &again) && !again.dirty);
    free(out);
    return 0;
}
