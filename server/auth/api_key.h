/*
 * Keys of programs: "fd_" and 256 random bits as base64url, shown once when made.
 *
 * The database keeps SHA-256 of a key. That is enough, and a slow hash would not be better: it makes
 * guessing dear where what is guessed is short, and nobody guesses 256 random bits; a slow one would
 * cost every request that a flood sends 13 ms of a core. Nor does a secret of the server's belong
 * into it: it would have to be rotated together with every key.
 */
#ifndef FRONTDESK_AUTH_API_KEY_H
#define FRONTDESK_AUTH_API_KEY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define API_KEY_PREFIX "fd_"

enum {
    API_KEY_LEN = 3 + 43,
    API_KEY_SHOWN = 3 + 8, /* characters that lists show: 208 unknown bits are left */
    API_KEY_DIGEST_SIZE = 32
};

/* A new key and its digest. */
MUSTCHECK enum err api_key_make(char key[API_KEY_LEN + 1],
                                unsigned char digest[API_KEY_DIGEST_SIZE]);

/* The digest of what was sent; false when it has not the form of a key, so that none is it. */
bool api_key_digest(const char *key, size_t len, unsigned char digest[API_KEY_DIGEST_SIZE]);

#endif
