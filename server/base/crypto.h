/* What the server needs of cryptography besides signatures; all of it is OpenSSL's. */
#ifndef FRONTDESK_BASE_CRYPTO_H
#define FRONTDESK_BASE_CRYPTO_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { CRYPTO_SHA256_SIZE = 32, CRYPTO_SHA256_HEX_SIZE = 65 };

/* SHA-256 of `len` bytes. */
MUSTCHECK enum err crypto_sha256(const void *bytes, size_t len,
                                 unsigned char out[CRYPTO_SHA256_SIZE]);

/* SHA-256 of `len` bytes as 64 lower-case hex digits and a NUL. */
MUSTCHECK enum err crypto_sha256_hex(const void *bytes, size_t len,
                                     char out[CRYPTO_SHA256_HEX_SIZE]);

/* A secret, in the form that others are compared with: a digest under a random key of this process. */
struct crypto_secret {
    unsigned char digest[CRYPTO_SHA256_SIZE];
};

/* Takes a secret of `len` bytes, which need not stay. */
MUSTCHECK enum err crypto_secret_take(const char *secret, size_t len, struct crypto_secret *out);

/* Is `text` the secret? The time tells neither where they differ nor how long the secret is. */
bool crypto_secret_is(const struct crypto_secret *secret, const char *text, size_t len);

enum { CRYPTO_UNIQUE_SIZE = 33 };

/*
 * 32 hex digits and a NUL that no other call of this or another process gives: a random start and a
 * count. Not secret: who sees one can tell the next.
 */
void crypto_unique_hex(char out[CRYPTO_UNIQUE_SIZE]);

/* `len` random bytes from the operating system. */
MUSTCHECK enum err crypto_random(void *out, size_t len);

#endif
