/*
 * One loop and a bit per level instead of a function per rule: a worker's stack may be 100 KB, and
 * a million opening brackets are one short request. The walkers below the scanner trust the text,
 * because json_scan() has seen it; they still never read past its end.
 */
#include "json_scan.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* U+FFFD, as bytes and as an escape. */
static const char replacement[] = "\xEF\xBF\xBD";
static const char replacement_escape[] = "\\ufffd";

enum { NUMBER_EXPONENT_MAX = 308, EXPONENT_CAP = 1000000 };

struct scanner {
    const char *start, *end;
    struct json_scan *out;
    json_member_fn *told; /* NULL: nobody wants to know */
    void *context;
    /* Of the member under way at each depth: the key is empty in an array, and before a key. */
    struct json_text keys[JSON_MEMBERS_DEPTH + 1];
    const char *values[JSON_MEMBERS_DEPTH + 1];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *at, const char *end)
{
    /* Nearly always there is none, and one comparison says so. */
    while (at < end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/*
 * The value of the four hexadecimal digits at `s`, of which `len` bytes remain; -1 if they are not.
 */
static int hex4(const char *s, size_t len)
{
    int value = 0;
    if (len < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/*
 * The code point of the \u escape at `s` (its backslash) and the bytes it takes: 6, or 12 for a
 * pair of surrogates. -1 for what has no place in a text, NUL or half of a pair (6 bytes), and 0
 * bytes when it is no \u escape at all.
 */
static int unicode_escape(const char *s, size_t len, size_t *taken)
{
    int unit = len >= 6 ? hex4(s + 2, len - 2) : -1;
    *taken = unit < 0 ? 0 : 6;
    if (is_high_surrogate(unit) && len >= 12 && s[6] == '\\' && s[7] == 'u') {
        int low = hex4(s + 8, len - 8);
        if (is_low_surrogate(low)) {
            *taken = 12;
            return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit))
        return -1;
    return unit;
}

/*
 * Length of the well-formed UTF-8 sequence (RFC 3629) at `s` of which `len` bytes remain; 0 if
 * none.
 */
static size_t utf8_length(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t need = u[0] < 0x80 ? 1 : u[0] < 0xC2 ? 0 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
    if (need == 0 || u[0] > 0xF4 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((u[i] & 0xC0) != 0x80)
            return 0;
    bool wrong = (u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) ||
                 (u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F);
    return wrong ? 0 : need;
}

static size_t utf8_encode(int code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Printable ASCII but the quote and the backslash: most of what there is to read. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte from `at` on that is not plain, or `end`. */
static inline const char *skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    while (end - at >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        /* Compared as signed numbers, what is not ASCII is less than a space too. */
        const __m128i found = _mm_or_si128(
            _mm_cmplt_epi8(bytes, space),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        int mask = _mm_movemask_epi8(found);
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
#endif
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

/*
 * What scans a part of the text takes where it starts, and returns where it ends; NULL when it is
 * not well-formed, which is noted.
 */
static const char *fail(struct scanner *scan, const char *at, const char *error)
{
    scan->out->error = error;
    scan->out->error_offset = (size_t)(at - scan->start);
    return NULL;
}

/* An escape, from its backslash on. */
static const char *scan_escape(struct scanner *scan, const char *at)
{
    size_t left = (size_t)(scan->end - at);
    if (left < 2)
        return fail(scan, scan->end, "unterminated string");
    if (at[1] != 'u') {
        if (at[1] == '\0' || !strchr("\"\\/bfnrt", at[1]))
            return fail(scan, at, "invalid escape");
        return at + 2;
    }
    size_t taken;
    if (unicode_escape(at, left, &taken) < 0)
        scan->out->dirty = true;
    if (taken == 0)
        return fail(scan, at, "invalid \\u escape");
    return at + taken;
}

/* A character of a string that is not plain, nor its end. */
static const char *scan_special(struct scanner *scan, const char *at)
{
    if (*at == '\\')
        return scan_escape(scan, at);
    if ((unsigned char)*at < 0x20)
        return fail(scan, at, "control character in a string");
    size_t length = utf8_length(at, (size_t)(scan->end - at));
    if (length == 0)
        scan->out->dirty = true;
    return at + (length ? length : 1);
}

/* The rest of a string that is not all plain. */
static __attribute__((noinline)) const char *scan_rest(struct scanner *scan, const char *at)
{
    const char *const end = scan->end;
    while (at < end && *at != '"') {
        at = scan_special(scan, at);
        if (!at)
            return NULL;
        at = skip_plain(at, end);
    }
    return at < end ? at + 1 : fail(scan, end, "unterminated string");
}

/* A string, from its opening quote on. */
static inline __attribute__((always_inline)) const char *scan_string(struct scanner *scan,
                                                                     const char *at)
{
    at = skip_plain(at + 1, scan->end);
    return at < scan->end && *at == '"' ? at + 1 : scan_rest(scan, at);
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static const char *no_digit(struct scanner *scan, const char *at)
{
    return fail(scan, at, "digit expected in a number");
}

/* Notes a number whose first significant digit stands too far from the point. */
static void note_far_number(struct scanner *scan, const char *s, const char *end)
{
    const char *at = s + (*s == '-');
    long point = 0, first = 0, exponent = 0;
    bool significant = false, fraction = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (!fraction)
            point++;
        if (!significant)
            first++;
        significant = significant || *at != '0';
    }
    if (at < end) {
        bool negative = at[1] == '-';
        for (at += 1 + (at[1] == '-' || at[1] == '+'); at < end; at++)
            if (exponent < EXPONENT_CAP)
                exponent = exponent * 10 + (*at - '0');
        exponent = negative ? -exponent : exponent;
    }
    long magnitude = significant ? point - first + exponent : exponent;
    bool far = magnitude > NUMBER_EXPONENT_MAX || magnitude < -NUMBER_EXPONENT_MAX;
    if (far && !scan->out->far_number) {
        scan->out->far_number = true;
        scan->out->far_offset = (size_t)(s - scan->start);
    }
}

static const char *scan_number(struct scanner *scan, const char *s)
{
    const char *end = scan->end, *integer = s + (*s == '-');
    const char *at = skip_digits(integer, end), *from;
    bool exponent = false;

    if (at == integer)
        return no_digit(scan, at);
    if (*integer == '0' && at - integer > 1)
        return fail(scan, integer, "leading zero in a number");
    if (at < end && *at == '.') {
        from = at + 1;
        at = skip_digits(from, end);
        if (at == from)
            return no_digit(scan, at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        exponent = true;
        from = at + 1;
        if (from < end && (*from == '+' || *from == '-'))
            from++;
        at = skip_digits(from, end);
        if (at == from)
            return no_digit(scan, at);
    }
    if (exponent || at - s > 15)
        note_far_number(scan, s, at);
    return at;
}

static const char *scan_word(struct scanner *scan, const char *at, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - at) < len || memcmp(at, word, len) != 0)
        return fail(scan, at, "value expected");
    return at + len;
}

static const char *scan_scalar(struct scanner *scan, const char *at)
{
    if (*at == '"') /* in the order of how often they are met */
        return scan_string(scan, at);
    if (*at == '-' || is_digit(*at))
        return scan_number(scan, at);
    switch (*at) {
    case 't':
        return scan_word(scan, at, "true");
    case 'f':
        return scan_word(scan, at, "false");
    case 'n':
        return scan_word(scan, at, "null");
    default:
        return fail(scan, at, "value expected");
    }
}

/* Where the next token starts; NULL at the end of the text, where there should be one. */
static const char *next_token(struct scanner *scan, const char *at)
{
    at = skip_space(at, scan->end);
    return at < scan->end ? at : fail(scan, at, "unexpected end");
}

/* A member's key and the colon after it, in `depth` containers; returns where its value starts. */
static const char *scan_key(struct scanner *scan, const char *key, int depth)
{
    if (*key != '"')
        return fail(scan, key, "key expected");
    const char *at = scan_string(scan, key);
    if (!at)
        return NULL;
    if (depth <= JSON_MEMBERS_DEPTH)
        scan->keys[depth] = (struct json_text){key, (size_t)(at - key)};
    at = skip_space(at, scan->end);
    if (at == scan->end || *at != ':')
        return fail(scan, at, "colon expected after a key");
    return next_token(scan, at + 1);
}

/* A value that `depth` containers hold, at most JSON_MEMBERS_DEPTH, has ended before `at`. */
static void end_value(struct scanner *scan, const char *at, int depth)
{
    if (!scan->told || scan->keys[depth].len == 0)
        return;
    const char *value = scan->values[depth];
    /* Below an object that is no member, inside an array, are no members to tell of. */
    if (depth == 1 || scan->keys[1].len > 0)
        scan->told(scan->context, depth, scan->keys[depth],
                   (struct json_text){value, (size_t)(at - value)});
    scan->keys[depth].len = 0;
}

/* Each turn of the loop reads a value, its key before it, and what ends after it. */
static bool scan_text(struct scanner *scan)
{
    const char *const end = scan->end;
    const char *at = next_token(scan, scan->start);
    uint64_t objects = 0; /* the lowest bit: is the innermost container an object? */
    int depth = 0;

    while (at) {
        if (objects & 1 && !(at = scan_key(scan, at, depth)))
            return false;
        if (depth <= JSON_MEMBERS_DEPTH)
            scan->values[depth] = at;
        if (*at == '{' || *at == '[') {
            if (depth == JSON_MAX_DEPTH)
                return fail(scan, at, "nested too deeply");
            depth++;
            objects = objects << 1 | (*at == '{');
            at = next_token(scan, at + 1);
            if (!at || *at != (objects & 1 ? '}' : ']'))
                continue;
        } else {
            at = scan_scalar(scan, at);
            if (!at)
                return false;
            if (depth <= JSON_MEMBERS_DEPTH)
                end_value(scan, at, depth);
            at = skip_space(at, end);
        }
        while (at < end && *at != ',' && depth > 0 && *at == (objects & 1 ? '}' : ']')) {
            at++;
            depth--;
            objects >>= 1;
            if (depth <= JSON_MEMBERS_DEPTH)
                end_value(scan, at, depth);
            at = skip_space(at, end);
        }
        if (depth == 0)
            return at == end || fail(scan, at, "something after the value");
        if (at == end)
            return fail(scan, at, "unexpected end");
        if (*at != ',')
            return fail(scan, at, "comma or end of container expected");
        at = next_token(scan, at + 1);
    }
    return false;
}

bool json_scan(const char *s, size_t len, struct json_scan *out)
{
    return json_scan_members(s, len, out, NULL, NULL);
}

bool json_scan_members(const char *s, size_t len, struct json_scan *out, json_member_fn *told,
                       void *context)
{
    struct scanner scan = {
        .start = s, .end = s + len, .out = out, .told = told, .context = context};
    *out = (struct json_scan){0};
    return scan_text(&scan);
}

size_t json_scrub(const char *s, size_t len, char *out)
{
    const char *at = s, *end = s + len;
    char *to = out;
    while (at < end) {
        size_t left = (size_t)(end - at), taken;
        if (*at == '\\' && left >= 2 && at[1] == 'u') {
            int code = unicode_escape(at, left, &taken);
            if (taken == 0)
                taken = 1; /* not JSON: copied as it is */
            if (code < 0 && taken == 6)
                memcpy(to, replacement_escape, taken);
            else
                memcpy(to, at, taken);
            to += taken;
        } else if (*at == '\\' && left >= 2 && (unsigned char)at[1] < 0x80) {
            taken = 2;
            memcpy(to, at, taken);
            to += taken;
        } else {
            taken = utf8_length(at, left);
            if (taken == 0) {
                taken = 1;
                memcpy(to, replacement, 3);
                to += 3;
            } else {
                memcpy(to, at, taken);
                to += taken;
            }
        }
        at += taken;
    }
    return (size_t)(to - out);
}

enum json_kind json_kind(const char *s, size_t len)
{
    const char *at = skip_space(s, s + len);
    if (at == s + len)
        return JSON_NULL;
    switch (*at) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* The end of the string that starts at `at`. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; (at = skip_plain(at, end)) < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\' && at + 1 < end)
            at++;
    }
    return end;
}

/* The end of the value that starts at `at`. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    if (at < end && *at != '"' && *at != '{' && *at != '[') {
        while (at < end && *at != ',' && *at != ']' && *at != '}' && (unsigned char)*at > ' ')
            at++;
        return at;
    }
    while (at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            break;
        case '{':
        case '[':
            depth++;
            at++;
            break;
        case '}':
        case ']':
            depth--;
            at++;
            break;
        default:
            at++;
            continue;
        }
        if (depth == 0)
            break;
    }
    return at;
}

/* The value at members->at, and the comma after it. */
static struct json_text take_value(struct json_members *members)
{
    const char *s = skip_space(members->at, members->end);
    const char *value_end = skip_value(s, members->end);
    members->at = skip_space(value_end, members->end);
    if (members->at < members->end && *members->at == ',')
        members->at++;
    return (struct json_text){s, (size_t)(value_end - s)};
}

static void begin(struct json_members *members, const char *s, size_t len, char open)
{
    members->end = s + len;
    members->at = skip_space(s, members->end);
    if (members->at < members->end && *members->at == open)
        members->at++;
    else
        members->at = members->end;
}

void json_members_begin(struct json_members *members, const char *s, size_t len)
{
    begin(members, s, len, '{');
}

bool json_members_next(struct json_members *members, struct json_text *key, struct json_text *value)
{
    const char *at = skip_space(members->at, members->end);
    if (at == members->end || *at != '"')
        return false;
    const char *key_end = skip_string(at, members->end);
    *key = (struct json_text){at, (size_t)(key_end - at)};
    members->at = skip_space(key_end, members->end);
    if (members->at < members->end)
        members->at++; /* the colon */
    *value = take_value(members);
    return true;
}

void json_elements_begin(struct json_members *elements, const char *s, size_t len)
{
    begin(elements, s, len, '[');
}

bool json_elements_next(struct json_members *elements, struct json_text *value)
{
    elements->at = skip_space(elements->at, elements->end);
    if (elements->at == elements->end || *elements->at == ']')
        return false;
    *value = take_value(elements);
    return true;
}

bool json_member(const char *s, size_t len, const char *key, const char **value, size_t *value_len)
{
    struct json_members members;
    struct json_text name, text;
    bool found = false;
    json_members_begin(&members, s, len);
    while (json_members_next(&members, &name, &text)) {
        if (json_string_equals(name.s, name.len, key)) {
            *value = text.s;
            *value_len = text.len;
            found = true;
        }
    }
    return found;
}

/*
 * Decodes what stands at `at` into `out`, at most 4 bytes; says how many bytes it wrote and read.
 */
static size_t decode_one(const char *at, size_t left, char *out, size_t *taken)
{
    if (*at != '\\' || left < 2) {
        *taken = utf8_length(at, left);
        if (*taken == 0) {
            *taken = 1;
            memcpy(out, replacement, 3);
            return 3;
        }
        memcpy(out, at, *taken);
        return *taken;
    }
    if (at[1] == 'u') {
        int code = unicode_escape(at, left, taken);
        if (*taken == 0)
            *taken = 2;
        return utf8_encode(code < 0 ? 0xFFFD : code, out);
    }
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, at[1]);
    *taken = 2;
    *out = letter && *letter ? meanings[letter - letters] : at[1];
    return 1;
}

/* The inside of a string value, without its quotes; empty when it is none. */
static struct json_text string_inside(const char *s, size_t len)
{
    const char *at = skip_space(s, s + len);
    if (at == s + len || *at != '"')
        return (struct json_text){s, 0};
    const char *end = skip_string(at, s + len);
    size_t quotes = end - at >= 2 && end[-1] == '"' ? 2 : 1;
    return (struct json_text){at + 1, (size_t)(end - at) - quotes};
}

size_t json_string_decode(const char *s, size_t len, char *out)
{
    struct json_text inside = string_inside(s, len);
    const char *at = inside.s, *end = inside.s + inside.len;
    char *to = out;
    while (at < end) {
        const char *run = at;
        at = skip_plain(at, end);
        memcpy(to, run, (size_t)(at - run));
        to += at - run;
        if (at < end) {
            size_t taken;
            to += decode_one(at, (size_t)(end - at), to, &taken);
            at += taken;
        }
    }
    return (size_t)(to - out);
}

bool json_string_equals(const char *s, size_t len, const char *text)
{
    size_t text_len = strlen(text), done = 0;
    if (len == text_len + 2 && *s == '"' && memcmp(s + 1, text, text_len) == 0 &&
        !memchr(text, '\\', text_len))
        return true; /* nearly always, when it is */
    if (len > 2 && *s == '"' && s[1] != '\\' && s[1] != *text)
        return false; /* mostly, when it is not */
    struct json_text inside = string_inside(s, len);
    const char *at = inside.s, *end = inside.s + inside.len;
    if (json_kind(s, len) != JSON_STRING)
        return false;
    while (at < end) {
        char piece[4];
        size_t taken, wrote = decode_one(at, (size_t)(end - at), piece, &taken);
        if (text_len - done < wrote || memcmp(text + done, piece, wrote) != 0)
            return false;
        done += wrote;
        at += taken;
    }
    return done == text_len;
}
