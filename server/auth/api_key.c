#include "auth/api_key.h"

#include "base/codec.h"
#include "base/crypto.h"

#include <string.h>

enum { RANDOM_SIZE = 32, PREFIX_LEN = sizeof API_KEY_PREFIX - 1 };

enum err api_key_make(char key[API_KEY_LEN + 1], unsigned char digest[API_KEY_DIGEST_SIZE])
{
    unsigned char random[RANDOM_SIZE];
    enum err err = crypto_random(random, sizeof random);
    if (err)
        return err;
    memcpy(key, API_KEY_PREFIX, PREFIX_LEN);
    codec_base64url(random, sizeof random, key + PREFIX_LEN);
    return crypto_sha256(key, API_KEY_LEN, digest);
}

bool api_key_digest(const char *key, size_t len, unsigned char digest[API_KEY_DIGEST_SIZE])
{
    unsigned char random[CODEC_BYTES_LEN(API_KEY_LEN)];
    size_t random_len = 0;
    return len == API_KEY_LEN && memcmp(key, API_KEY_PREFIX, PREFIX_LEN) == 0 &&
           codec_base64url_decode(key + PREFIX_LEN, len - PREFIX_LEN, random, &random_len) &&
           !crypto_sha256(key, len, digest);
}
