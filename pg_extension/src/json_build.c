/*
 * Everything here appends to a StringInfo, so that a page of many long texts is one growing buffer
 * from its first byte to the datum that is returned.
 */
#include "postgres.h"

#include "common/int.h"
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

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/*
 * Does any of the eight bytes need an escape? Exact for "none does"; it may also say yes where a
 * byte that does is followed by one that does not, and the caller looks at each byte then.
 */
static bool word_needs_escape(uint64 word)
{
    const uint64 ones = UINT64CONST(0x0101010101010101), tops = ones << 7;
    uint64 quotes = word ^ (ones * '"'), slashes = word ^ (ones * '\\');
    uint64 controls = (word - ones * 0x20) & ~word;
    return ((controls | ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & tops) != 0;
}

/* The first byte from `at` on that needs an escape, or `end`. */
static const char *find_escape(const char *at, const char *end)
{
    for (; end - at >= (ptrdiff_t)sizeof(uint64); at += sizeof(uint64)) {
        uint64 word;
        memcpy(&word, at, sizeof(word));
        if (word_needs_escape(word))
            break;
    }
    while (at < end && !needs_escape((unsigned char)*at))
        at++;
    return at;
}

/* Room is made once for text without escapes, so that the usual case is one copy. */
void json_append_string(StringInfo out, const char *s, size_t len)
{
    static const char letters[] = "\"\\\n\r\t\b\f", names[] = "\"\\nrtbf";
    const char *at = s, *end = s + len;

    enlargeStringInfo(out, (int)Min(len + 2, (size_t)PG_INT32_MAX));
    appendStringInfoCharMacro(out, '"');
    while (at < end) {
        const char *special = find_escape(at, end), *letter;
        if (special > at)
            appendBinaryStringInfo(out, at, (int)(special - at));
        at = special;
        if (at == end)
            break;
        letter = *at ? strchr(letters, *at) : NULL;
        if (letter) {
            appendStringInfoChar(out, '\\');
            appendStringInfoChar(out, names[letter - letters]);
        } else {
            appendStringInfo(out, "\\u%04x", (unsigned char)*at);
        }
        at++;
    }
    appendStringInfoChar(out, '"');
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

void json_append_time(StringInfo out, TimestampTz time)
{
    int64 day = time / USECS_PER_DAY - (time % USECS_PER_DAY < 0);
    int left = (int)((time - day * USECS_PER_DAY) / 1000); /* ms of the day */
    int year, month, mday;

    j2date((int)day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
    appendStringInfo(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", year, month, mday,
                     left / (SECS_PER_HOUR * 1000), left / (SECS_PER_MINUTE * 1000) % 60,
                     left / 1000 % 60, left % 1000);
}

static void append_null(StringInfo out)
{
    appendBinaryStringInfo(out, "null", 4);
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

void json_append_pagination(StringInfo out, int64 total, int64 limit, int64 offset, int64 shown)
{
    int64 end;
    bool more = !pg_add_s64_overflow(offset, shown, &end) && shown > 0 && end < total;

    appendStringInfoString(out, "\"pagination\":{\"total\":");
    json_append_integer(out, total);
    appendStringInfoString(out, ",\"limit\":");
    json_append_integer(out, limit);
    appendStringInfoString(out, ",\"offset\":");
    json_append_integer(out, offset);
    appendStringInfoString(out, ",\"hasMore\":");
    json_append_bool(out, more);
    appendStringInfoChar(out, '}');
}
