/* Every length is checked before the first byte is written; nothing is allocated. */
#include "cursor.h"

#include <string.h>

enum { VERSION = 1, KEY_AT = 1 + CURSOR_DIGEST_LEN, START_AT = KEY_AT + 8, ID_AT = START_AT + 8 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_int64(uint8_t *to, int64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static int64_t get_int64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return (int64_t)value;
}

size_t cursor_encode(const struct cursor *cursor, char *out)
{
    uint8_t raw[CURSOR_RAW_MAX];
    size_t len = ID_AT + cursor->id_len, written = 0;
    uint32_t bits = 0;
    unsigned held = 0;

    if (cursor->id_len < 1 || cursor->id_len > CURSOR_ID_MAX)
        return 0;
    raw[0] = VERSION;
    memcpy(raw + 1, cursor->digest, CURSOR_DIGEST_LEN);
    put_int64(raw + KEY_AT, cursor->key);
    put_int64(raw + START_AT, cursor->started_at);
    memcpy(raw + ID_AT, cursor->id, cursor->id_len);
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | raw[i]) & 0xffff;
        for (held += 8; held >= 6; held -= 6)
            out[written++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held)
        out[written++] = alphabet[bits << (6 - held) & 63];
    return written;
}

/* The six bits that a character stands for, or -1. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool cursor_decode(const char *text, size_t len, uint8_t *raw, struct cursor *cursor)
{
    size_t size = 0;
    uint32_t bits = 0;
    unsigned held = 0;

    if (len > CURSOR_TEXT_MAX || len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            raw[size++] = (uint8_t)(bits >> held);
        }
    }
    /* What is left over is padding, and written as zero. */
    if ((bits & ((1U << held) - 1)) != 0 || size <= ID_AT || raw[0] != VERSION)
        return false;
    memcpy(cursor->digest, raw + 1, CURSOR_DIGEST_LEN);
    cursor->key = get_int64(raw + KEY_AT);
    cursor->started_at = get_int64(raw + START_AT);
    cursor->id = (const char *)raw + ID_AT;
    cursor->id_len = size - ID_AT;
    return true;
}
