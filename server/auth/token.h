/*
 * Tokens of users: JWTs, signed with HMAC-SHA256 and nothing else.
 *
 * libjwt writes and reads them, but never sees what a stranger made: it parses before it verifies,
 * recursively, on a worker's small stack, and takes several algorithms for the same key. So a token
 * must first be short, be of the right characters, have a header that is one of three texts byte
 * for byte, carry our own HMAC, and hold flat JSON with each claim once and of its type.
 *
 * All functions are thread-safe: keys are only read.
 */
#ifndef FRONTDESK_AUTH_TOKEN_H
#define FRONTDESK_AUTH_TOKEN_H

#include "auth/role.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_ISSUER "frontdesk"

enum {
    TOKEN_MAX = 1024,       /* characters of the longest token that is looked at */
    TOKEN_SKEW_S = 30,      /* how far the clocks of two servers may be apart */
    TOKEN_SUBJECT_SIZE = 37 /* a uuid and its NUL */
};

struct token_keys {
    const char *const *secrets; /* each at least 32 bytes; the first signs, all verify */
    size_t count;
    int64_t lifetime_s;
};

struct token_claims {
    char subject[TOKEN_SUBJECT_SIZE];
    enum role role;
    int64_t issued_at, expires_at; /* seconds since the epoch */
};

/* Signs a token of `claims` (expires_at is set from the keys' lifetime). ERR_NOMEM. */
MUSTCHECK enum err token_sign(const struct token_keys *keys, struct token_claims *claims,
                              char out[TOKEN_MAX + 1]);

/* Is this a token of ours that counts at `now_s`? Fills `claims` if so. */
bool token_verify(const struct token_keys *keys, const char *token, size_t len, int64_t now_s,
                  struct token_claims *claims);

#endif
