#include "base/crypto.h"

#include "base/clock.h"
#include "base/codec.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static EVP_MD *sha256; /* fetched once: looking for it takes longer than using it */
static unsigned char compare_key[32];
static bool compare_key_good;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    compare_key_good = RAND_bytes(compare_key, sizeof compare_key) == 1;
}

enum err crypto_sha256(const void *bytes, size_t len, unsigned char out[CRYPTO_SHA256_SIZE])
{
    pthread_once(&prepared, prepare);
    return sha256 && EVP_Digest(bytes, len, out, NULL, sha256, NULL) ? ERR_OK : ERR_INTERNAL;
}

enum err crypto_sha256_hex(const void *bytes, size_t len, char out[CRYPTO_SHA256_HEX_SIZE])
{
    unsigned char digest[CRYPTO_SHA256_SIZE];
    enum err err = crypto_sha256(bytes, len, digest);
    if (err)
        return err;
    codec_hex(digest, sizeof digest, out);
    return ERR_OK;
}

/* SHA-256 of this process's key and then the secret. */
enum err crypto_secret_take(const char *secret, size_t len, struct crypto_secret *out)
{
    pthread_once(&prepared, prepare);
    EVP_MD_CTX *ctx = sha256 && compare_key_good ? EVP_MD_CTX_new() : NULL;
    bool good = ctx && EVP_DigestInit_ex(ctx, sha256, NULL) &&
                EVP_DigestUpdate(ctx, compare_key, sizeof compare_key) &&
                EVP_DigestUpdate(ctx, secret, len) && EVP_DigestFinal_ex(ctx, out->digest, NULL);
    EVP_MD_CTX_free(ctx);
    return good ? ERR_OK : ERR_INTERNAL;
}

bool crypto_secret_is(const struct crypto_secret *secret, const char *text, size_t len)
{
    struct crypto_secret other;
    return crypto_secret_take(text, len, &other) == ERR_OK &&
           CRYPTO_memcmp(other.digest, secret->digest, sizeof other.digest) == 0;
}

static uint64_t unique_start[2];
static pthread_once_t unique_once = PTHREAD_ONCE_INIT;

static void make_unique_start(void)
{
    if (crypto_random(unique_start, sizeof unique_start) != ERR_OK) /* as good as can be had */
        unique_start[0] = (uint64_t)clock_wall_ms() << 22 ^ (uint64_t)getpid();
}

/* Spreads neighbouring numbers over all of 64 bits, each to one of its own (splitmix64's finish). */
static uint64_t spread(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void crypto_unique_hex(char out[CRYPTO_UNIQUE_SIZE])
{
    static atomic_uint_fast64_t count;
    pthread_once(&unique_once, make_unique_start);
    uint64_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    const uint64_t halves[2] = {unique_start[0], spread(unique_start[1] + number)};
    codec_hex((const unsigned char *)halves, sizeof halves, out);
}

enum err crypto_random(void *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? ERR_OK : ERR_INTERNAL;
}
