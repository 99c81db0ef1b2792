/*
 * Where a page ended, as a text for the next request: opaque to whoever carries it. Pure C, so that
 * it is tested and fuzzed without a server.
 *
 * base64url without padding of: version (1 byte), digest (16), sort key (8), start (8), both big
 * endian and two's complement, then the call's id (1 to CURSOR_ID_MAX bytes). One position has one
 * text: decoding accepts nothing else, and what it accepts encodes to the same text.
 *
 * The digest is not looked at here. It is for whoever makes cursors to bind one to a sort, an order,
 * filters and a scope; the position itself grants nothing, since the next page is cut from what its
 * reader may see.
 */
#ifndef FRONTDESK_CURSOR_H
#define FRONTDESK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_DIGEST_LEN 16
#define CURSOR_ID_MAX 1024

/* Bytes of the longest cursor's text, and of the bytes that it stands for. */
#define CURSOR_RAW_MAX (1 + CURSOR_DIGEST_LEN + 8 + 8 + CURSOR_ID_MAX)
#define CURSOR_TEXT_MAX ((CURSOR_RAW_MAX * 4 + 2) / 3)

struct cursor {
    uint8_t digest[CURSOR_DIGEST_LEN];
    int64_t key;        /* of the sort: ms, or 1/10000 cent; less than any value: not known */
    int64_t started_at; /* ms since epoch */
    const char *id;     /* the call's, not NUL-terminated */
    size_t id_len;
};

/*
 * Writes the text, without a NUL, to `out` of CURSOR_TEXT_MAX bytes; its length. 0 when the id is
 * empty or too long.
 */
size_t cursor_encode(const struct cursor *cursor, char *out);

/*
 * Reads a text of any bytes. `raw`, of CURSOR_RAW_MAX bytes, keeps what `cursor` points into. false:
 * it is no cursor of this version. The id may be any bytes.
 */
bool cursor_decode(const char *text, size_t len, uint8_t *raw, struct cursor *cursor);

#endif
