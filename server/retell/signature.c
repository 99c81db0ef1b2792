#include "retell/signature.h"

#include "base/codec.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MS_DIGITS = 15, DIGEST_SIZE = 32, DIGEST_HEX = 2 * DIGEST_SIZE };

static const int64_t max_ms = INT64_C(999999999999999);

struct signature_keys {
    size_t count;
    EVP_MAC_CTX *begun[]; /* only copied: to look for the algorithm takes longer than to use it */
};

/* A header taken apart; `digits` points into it, since those very characters were signed. */
struct parts {
    const char *digits;
    size_t digit_count;
    int64_t ms;
    unsigned char digest[DIGEST_SIZE];
};

/* Bounded by MAX_MS_DIGITS, so `ms` cannot overflow; a time with a leading zero is no decimal. */
static bool parse_header(const char *header, size_t len, struct parts *parts)
{
    if (len < 2 || memcmp(header, "v=", 2) != 0)
        return false;
    const char *digits = header + 2;
    size_t room = len - 2;
    size_t count = 0;
    int64_t ms = 0;
    while (count < room && count <= MAX_MS_DIGITS && digits[count] >= '0' && digits[count] <= '9')
        ms = ms * 10 + (digits[count++] - '0');
    if (count == 0 || count > MAX_MS_DIGITS || digits[0] == '0')
        return false;
    if (room - count != 3 + DIGEST_HEX || memcmp(digits + count, ",d=", 3) != 0)
        return false;
    *parts = (struct parts){.digits = digits, .digit_count = count, .ms = ms};
    return codec_hex_decode(digits + count + 3, DIGEST_SIZE, parts->digest);
}

/* HMAC-SHA256 under `key`, about to be given bytes; NULL when OpenSSL fails. */
static EVP_MAC_CTX *begin_mac(const char *key)
{
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* a context holds on to it */
    if (ctx && EVP_MAC_init(ctx, (const unsigned char *)key, strlen(key), params))
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

/* The digest of the body and then the digits, without joining them in memory; frees `ctx`. */
static bool finish_mac(EVP_MAC_CTX *ctx, const void *body, size_t len, const char *digits,
                       size_t digit_count, unsigned char out[DIGEST_SIZE])
{
    size_t out_len = 0;
    bool good = ctx && EVP_MAC_update(ctx, body, len) &&
                EVP_MAC_update(ctx, (const unsigned char *)digits, digit_count) &&
                EVP_MAC_final(ctx, out, &out_len, DIGEST_SIZE) && out_len == DIGEST_SIZE;
    EVP_MAC_CTX_free(ctx);
    return good;
}

struct signature_keys *signature_keys_new(const char *const *keys, size_t count)
{
    struct signature_keys *made = calloc(1, sizeof *made + count * sizeof(EVP_MAC_CTX *));
    if (!made)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (keys[i][0] == '\0')
            continue;
        EVP_MAC_CTX *begun = begin_mac(keys[i]);
        if (!begun) {
            signature_keys_free(made);
            return NULL;
        }
        made->begun[made->count++] = begun;
    }
    return made;
}

void signature_keys_free(struct signature_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_MAC_CTX_free(keys->begun[i]);
    free(keys);
}

static bool any_key_made(const struct parts *parts, const void *body, size_t len,
                         const struct signature_keys *keys)
{
    bool matched = false;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned char digest[DIGEST_SIZE];
        EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(keys->begun[i]);
        if (finish_mac(ctx, body, len, parts->digits, parts->digit_count, digest))
            matched |= CRYPTO_memcmp(digest, parts->digest, DIGEST_SIZE) == 0;
    }
    return matched;
}

static enum signature_result read_header(const char *header, size_t header_len, int64_t now_ms,
                                         struct parts *parts)
{
    if (!header || header_len == 0)
        return SIGNATURE_MISSING;
    if (!parse_header(header, header_len, parts))
        return SIGNATURE_MALFORMED;
    int64_t apart = now_ms > parts->ms ? now_ms - parts->ms : parts->ms - now_ms;
    return apart > SIGNATURE_WINDOW_MS ? SIGNATURE_STALE : SIGNATURE_OK;
}

enum signature_result signature_check_header(const char *header, size_t header_len, int64_t now_ms)
{
    struct parts parts;
    return read_header(header, header_len, now_ms, &parts);
}

enum signature_result signature_verify(const char *header, size_t header_len, const void *body,
                                       size_t len, const struct signature_keys *keys,
                                       int64_t now_ms, int64_t *sent_ms)
{
    struct parts parts;
    enum signature_result result = read_header(header, header_len, now_ms, &parts);
    if (result != SIGNATURE_OK)
        return result;
    if (!any_key_made(&parts, body, len, keys))
        return SIGNATURE_WRONG;
    *sent_ms = parts.ms;
    return SIGNATURE_OK;
}

enum err signature_sign(const char *key, const void *body, size_t len, int64_t ms,
                        char out[SIGNATURE_SIZE])
{
    if (key[0] == '\0' || ms <= 0 || ms > max_ms)
        return ERR_INVALID;
    int n = snprintf(out, SIGNATURE_SIZE, "v=%lld,d=", (long long)ms);
    unsigned char digest[DIGEST_SIZE];
    if (!finish_mac(begin_mac(key), body, len, out + 2, (size_t)n - 5, digest))
        return ERR_INTERNAL;
    codec_hex(digest, sizeof digest, out + n);
    return ERR_OK;
}
