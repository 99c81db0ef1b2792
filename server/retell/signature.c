#include "retell/signature.h"

#include "base/codec.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MS_DIGITS = 15, DIGEST_SIZE = 32, DIGEST_HEX = 2 * DIGEST_SIZE };

static const int64_t max_ms = INT64_C(999999999999999);

_Static_assert(OPENSSL_VERSION_NUMBER >= 0x30000030L,
               "before 3.0.3 a MAC that is begun again under its own key gives a wrong digest");

/* What one thread verifies with: a MAC under each key. */
struct trial {
    struct trial *next;
    EVP_MAC_CTX *macs[];
};

struct signature_keys {
    pthread_mutex_t lock;
    struct trial *idle; /* those that nobody uses now; as many as there were threads at a time */
    size_t count;
    EVP_MAC_CTX *begun[]; /* only copied */
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

/* The digest of the body and then the digits, without joining them in memory. */
static bool finish_mac(EVP_MAC_CTX *ctx, const void *body, size_t len, const char *digits,
                       size_t digit_count, unsigned char out[DIGEST_SIZE])
{
    size_t out_len = 0;
    return ctx && EVP_MAC_update(ctx, body, len) &&
           EVP_MAC_update(ctx, (const unsigned char *)digits, digit_count) &&
           EVP_MAC_final(ctx, out, &out_len, DIGEST_SIZE) && out_len == DIGEST_SIZE;
}

static void free_trial(struct trial *trial, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EVP_MAC_CTX_free(trial->macs[i]);
    free(trial);
}

static struct trial *new_trial(const struct signature_keys *keys)
{
    struct trial *trial = calloc(1, sizeof *trial + keys->count * sizeof(EVP_MAC_CTX *));
    for (size_t i = 0; trial && i < keys->count; i++) {
        trial->macs[i] = EVP_MAC_CTX_dup(keys->begun[i]);
        if (!trial->macs[i]) {
            free_trial(trial, i);
            return NULL;
        }
    }
    return trial;
}

/* To copy a MAC takes dozens of allocations, so it is used again. NULL when memory is short. */
static struct trial *take_trial(struct signature_keys *keys)
{
    pthread_mutex_lock(&keys->lock);
    struct trial *trial = keys->idle;
    if (trial)
        keys->idle = trial->next;
    pthread_mutex_unlock(&keys->lock);
    return trial ? trial : new_trial(keys);
}

static void give_back(struct signature_keys *keys, struct trial *trial)
{
    pthread_mutex_lock(&keys->lock);
    trial->next = keys->idle;
    keys->idle = trial;
    pthread_mutex_unlock(&keys->lock);
}

struct signature_keys *signature_keys_new(const char *const *keys, size_t count)
{
    struct signature_keys *made = calloc(1, sizeof *made + count * sizeof(EVP_MAC_CTX *));
    if (!made)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);
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
    for (struct trial *trial = keys->idle, *next; trial; trial = next) {
        next = trial->next;
        free_trial(trial, keys->count);
    }
    for (size_t i = 0; i < keys->count; i++)
        EVP_MAC_CTX_free(keys->begun[i]);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

static bool any_key_made(const struct parts *parts, const void *body, size_t len,
                         struct signature_keys *keys)
{
    bool matched = false;
    struct trial *trial = take_trial(keys);
    for (size_t i = 0; trial && i < keys->count; i++) {
        unsigned char digest[DIGEST_SIZE];
        EVP_MAC_CTX *mac = trial->macs[i];
        if (EVP_MAC_init(mac, NULL, 0, NULL) && /* under its key again */
            finish_mac(mac, body, len, parts->digits, parts->digit_count, digest))
            matched |= CRYPTO_memcmp(digest, parts->digest, DIGEST_SIZE) == 0;
    }
    if (trial)
        give_back(keys, trial);
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
                                       size_t len, struct signature_keys *keys, int64_t now_ms,
                                       int64_t *sent_ms)
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
    EVP_MAC_CTX *mac = begin_mac(key);
    bool good = finish_mac(mac, body, len, out + 2, (size_t)n - 5, digest);
    EVP_MAC_CTX_free(mac);
    if (!good)
        return ERR_INTERNAL;
    codec_hex(digest, sizeof digest, out + n);
    return ERR_OK;
}
