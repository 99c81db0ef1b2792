/*
 * Everything here appends to a StringInfo, so that a page of many long texts is one growing buffer
 * from its first byte to the datum that is returned.
 */
#include "postgres.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

#include "compat.h"
#include "json_build.h"

void json_begin(StringInfo out)
{
    initStringInfo(out);
    appendStringInfoSpaces(out, VARHDRSZ);
}

Datum json_end(StringInfo out)
{
    SET_VARSIZE(out->data, out->len);
    return PointerGetDatum(out->data);
}

/* Bytes that are looked at, and copied, at a time. */
#define STEP 16

/* The longest that one byte of text can become: \u001f. */
#define ESCAPE_MAX 6

/*
 * How each byte stands in a string: 0 as it is, 'u' as \u00XX, else as a backslash and that letter.
 */
static const unsigned char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n', 'u',
    'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

/* Copies STEP bytes, and says which of them, the first as the lowest bit, need an escape. */
#ifdef __SSE2__
static inline uint32 copy_step(char *to, const char *from)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

    _mm_storeu_si128((__m128i *)to, bytes);
    return (uint32)_mm_movemask_epi8(_mm_or_si128(controls, _mm_or_si128(quotes, slashes)));
}
#else
static inline uint32 copy_step(char *to, const char *from)
{
    uint32 found = 0;

    memcpy(to, from, STEP);
    for (int i = 0; i < STEP; i++)
        found |= (uint32)(escapes[(unsigned char)from[i]] != 0) << i;
    return found;
}
#endif

/* Writes the escape of a byte that needs one. */
static inline char *put_escape(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";

    *to++ = '\\';
    *to++ = (char)escapes[byte];
    if (escapes[byte] == 'u') {
        *to++ = '0';
        *to++ = '0';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    return to;
}

/*
 * Writes `len` bytes; returns where the text ends. There is room for ESCAPE_MAX bytes for each, and
 * STEP more.
 */
static char *put_escaped(char *to, const char *from, size_t len)
{
    const char *end = from + len;

    while (end - from >= STEP) {
        uint32 found = copy_step(to, from);
        if (found == 0) {
            from += STEP;
            to += STEP;
        } else {
            int plain = pg_rightmost_one_pos32(found);
            to = put_escape(to + plain, (unsigned char)from[plain]);
            from += plain + 1;
        }
    }
    for (; from < end; from++) {
        if (escapes[(unsigned char)*from])
            to = put_escape(to, (unsigned char)*from);
        else
            *to++ = *from;
    }
    return to;
}

/* Long texts go in pieces, so that no more room is asked for than one piece may need. */
void json_append_string(StringInfo out, const char *s, size_t len)
{
    const size_t piece = 4096;

    enlargeStringInfo(out, (int)Min(len + 2, (size_t)PG_INT32_MAX));
    appendStringInfoCharMacro(out, '"');
    while (len > 0) {
        size_t part = Min(len, piece);
        enlargeStringInfo(out, (int)(part * ESCAPE_MAX + STEP));
        out->len = (int)(put_escaped(out->data + out->len, s, part) - out->data);
        s += part;
        len -= part;
    }
    enlargeStringInfo(out, 1);
    out->data[out->len++] = '"';
    out->data[out->len] = '\0';
}

void json_append_integer(StringInfo out, int64 value)
{
    char digits[MAXINT8LEN + 1];
    int len = pg_lltoa(value, digits);
    appendBinaryStringInfo(out, digits, len);
}

void json_append_bool(StringInfo out, bool value)
{
    appendStringInfoString(out, value ? "true" : "false");
}

static void append_null(StringInfo out)
{
    appendBinaryStringInfo(out, "null", 4);
}

/* Writes the last `count` digits of a number that is not negative. */
static char *put_digits(char *to, int number, int count)
{
    for (int i = count - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + count;
}

void json_append_time(StringInfo out, TimestampTz time)
{
    int64 day = time / USECS_PER_DAY - (time % USECS_PER_DAY < 0);
    int left = (int)((time - day * USECS_PER_DAY) / 1000); /* ms of the day */
    int year, month, mday;
    char text[sizeof("\"+999999-01-01T00:00:00.000Z\"")], *to = text;

    if (TIMESTAMP_NOT_FINITE(time)) {
        append_null(out);
        return;
    }
    j2date((int)day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
    *to++ = '"';
    if (year < 0 || year > 9999)
        *to++ = year < 0 ? '-' : '+';
    to = put_digits(to, abs(year), year < 0 || year > 9999 ? 6 : 4);
    *to++ = '-';
    to = put_digits(to, month, 2);
    *to++ = '-';
    to = put_digits(to, mday, 2);
    *to++ = 'T';
    to = put_digits(to, left / (SECS_PER_HOUR * 1000), 2);
    *to++ = ':';
    to = put_digits(to, left / (SECS_PER_MINUTE * 1000) % 60, 2);
    *to++ = ':';
    to = put_digits(to, left / 1000 % 60, 2);
    *to++ = '.';
    to = put_digits(to, left % 1000, 3);
    *to++ = 'Z';
    *to++ = '"';
    appendBinaryStringInfo(out, text, (int)(to - text));
}

void json_append_text_datum(StringInfo out, Datum value, bool null)
{
    if (null) {
        append_null(out);
        return;
    }
    text *plain = DatumGetTextPP(value);
    json_append_string(out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
    if ((Pointer)plain != DatumGetPointer(value))
        pfree(plain);
}

void json_append_numeric_datum(StringInfo out, Datum value, bool null)
{
    if (null) {
        append_null(out);
        return;
    }
    char *digits = numeric_normalize(DatumGetNumeric(value));
    appendStringInfoString(out, digits);
    pfree(digits);
}

void json_append_jsonb_datum(StringInfo out, Datum value, bool null)
{
    if (null) {
        append_null(out);
        return;
    }
    Jsonb *json = DatumGetJsonbP(value);
    JsonbToCString(out, &json->root, (int)VARSIZE(json));
    if ((Pointer)json != DatumGetPointer(value))
        pfree(json);
}

void json_append_json_datum(StringInfo out, Datum value, bool null)
{
    if (null) {
        append_null(out);
        return;
    }
    text *plain = DatumGetTextPP(value);
    appendBinaryStringInfo(out, VARDATA_ANY(plain), (int)VARSIZE_ANY_EXHDR(plain));
    if ((Pointer)plain != DatumGetPointer(value))
        pfree(plain);
}

void json_append_uuid_datum(StringInfo out, Datum value, bool null)
{
    static const char hex[] = "0123456789abcdef";
    char text[UUID_LEN * 2 + 4 + 2], *to = text;

    if (null) {
        append_null(out);
        return;
    }
    *to++ = '"';
    for (int i = 0; i < UUID_LEN; i++) {
        unsigned char byte = DatumGetUUIDP(value)->data[i];
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    *to++ = '"';
    appendBinaryStringInfo(out, text, (int)(to - text));
}

void json_append_pagination(StringInfo out, int64 total, int64 limit, int64 offset, bool more)
{
    appendStringInfoString(out, "\"pagination\":{\"total\":");
    json_append_integer(out, total);
    appendStringInfoString(out, ",\"limit\":");
    json_append_integer(out, limit);
    appendStringInfoString(out, ",\"offset\":");
    if (offset < 0)
        append_null(out);
    else
        json_append_integer(out, offset);
    appendStringInfoString(out, ",\"hasMore\":");
    json_append_bool(out, more);
}
