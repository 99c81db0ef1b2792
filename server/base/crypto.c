#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>

static unsigned char compare_key[32];
static bool compare_key_ready;
static pthread_once_t compare_key_once = PTHREAD_ONCE_INIT;

enum err crypto_sha256(const void *bytes, size_t len, unsigned char out[CRYPTO_SHA256_SIZE])
{
    return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) ? ERR_OK : ERR_INTERNAL;
}

enum err crypto_sha256_hex(const void *bytes, size_t len, char out[CRYPTO_SHA256_HEX_SIZE])
{
    unsigned char digest[CRYPTO_SHA256_SIZE];
    enum err err = crypto_sha256(bytes, len, digest);
    if (err)
        return err;
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return ERR_OK;
}

static void make_compare_key(void)
{
    compare_key_ready = RAND_bytes(compare_key, sizeof compare_key) == 1;
}

bool crypto_same_secret(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned char da[32], db[32];
    pthread_once(&compare_key_once, make_compare_key);
    if (!compare_key_ready)
        return false;
    if (!HMAC(EVP_sha256(), compare_key, sizeof compare_key, (const unsigned char *)a, a_len, da,
              NULL) ||
        !HMAC(EVP_sha256(), compare_key, sizeof compare_key, (const unsigned char *)b, b_len, db,
              NULL))
        return false;
    return CRYPTO_memcmp(da, db, sizeof da) == 0;
}

enum err crypto_random(void *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? ERR_OK : ERR_INTERNAL;
}
