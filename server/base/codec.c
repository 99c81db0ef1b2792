#include "base/codec.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void codec_base64url(const unsigned char *bytes, size_t len, char *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *out++ = alphabet[bits >> held & 63];
        }
    }
    if (held)
        *out++ = alphabet[bits << (6 - held) & 63];
    *out = '\0';
}

static int sextet(char c)
{
    const char *at = c ? memchr(alphabet, c, sizeof alphabet - 1) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool codec_base64url_decode(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[count++] = (unsigned char)(bits >> held);
        }
    }
    *out_len = count;
    /* What is left over: no whole character, and no bit that the encoder would not have set. */
    return held < 6 && (bits & ((1U << held) - 1)) == 0;
}
