/*
 * Retell's webhook signature: the header `x-retell-signature: v=<unix ms>,d=<64 hex>`, where d is
 * HMAC-SHA256 under the API key of the raw body followed, without a separator, by the decimal ms.
 *
 * Only the bytes as they came may be checked: JSON that was parsed and written again differs. The
 * keys are a list because the key that signs rotates and need not be the one that we poll with.
 */
#ifndef FRONTDESK_RETELL_SIGNATURE_H
#define FRONTDESK_RETELL_SIGNATURE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_HEADER "x-retell-signature"

enum {
    SIGNATURE_WINDOW_MS = 300000,         /* how far `v` may be from now, both ways, inclusive */
    SIGNATURE_SIZE = 2 + 15 + 3 + 64 + 1, /* "v=" + at most 15 digits + ",d=" + 64 hex + NUL */
};

enum signature_result {
    SIGNATURE_OK,
    SIGNATURE_MISSING,   /* no header, or an empty one */
    SIGNATURE_MALFORMED, /* not of the form above */
    SIGNATURE_STALE,     /* too old, or too far ahead of this clock */
    SIGNATURE_WRONG,     /* no key of the list made it for these bytes at that time */
};

/* The keys that are accepted, ready to be tried: what does not depend on the body is done once. */
struct signature_keys;

/*
 * The `count` keys at `keys`, which need not stay; an empty one is left out. NULL when memory is
 * short or OpenSSL fails. To be freed with signature_keys_free, which takes NULL too.
 */
struct signature_keys *signature_keys_new(const char *const *keys, size_t count);
void signature_keys_free(struct signature_keys *keys);

/*
 * Is `header` (`header_len` bytes, NULL when the request had none) a signature of `body` by one of
 * `keys`, made within the window around `now_ms` (wall clock)? On SIGNATURE_OK, and only then,
 * `*sent_ms` is the time that it was made. Every key is tried and digests are compared in constant
 * time, so the time taken tells nothing of them. Thread-safe; what it works with is kept in `keys`,
 * once for each thread that verified at a time.
 */
MUSTCHECK enum signature_result signature_verify(const char *header, size_t header_len,
                                                 const void *body, size_t len,
                                                 struct signature_keys *keys, int64_t now_ms,
                                                 int64_t *sent_ms);

/*
 * What signature_verify would say of the header before it has a body: SIGNATURE_OK when it is
 * well-formed and fresh. Cheap: no cryptography.
 */
MUSTCHECK enum signature_result signature_check_header(const char *header, size_t header_len,
                                                       int64_t now_ms);

/*
 * The header's value for `body` under `key` at `ms`, as Retell would send it. ERR_INVALID when the
 * key is empty or `ms` is not 1 to 15 digits without a leading zero; ERR_INTERNAL when OpenSSL fails.
 */
MUSTCHECK enum err signature_sign(const char *key, const void *body, size_t len, int64_t ms,
                                  char out[SIGNATURE_SIZE]);

#endif
