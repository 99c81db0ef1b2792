/*
 * A growing byte buffer with a sticky failure: write as much as you like, ask once at the end. The
 * bytes are always followed by a NUL that is not counted. Not thread-safe.
 */
#ifndef FRONTDESK_BASE_BUF_H
#define FRONTDESK_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data; /* NULL while nothing was written */
    size_t len, size;
    bool failed; /* memory was short once: the contents are not whole */
};

/* Frees the bytes; the buffer is empty and usable again. */
void buf_free(struct buf *buf);

/* Makes room for `more` bytes; false when memory is short. */
bool buf_reserve(struct buf *buf, size_t more);

/* Inline, these two: most of what is added is a constant, of a length that is known then. */
static inline void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    bool fits = buf->data && !buf->failed && len < buf->size - buf->len;
    if (!fits && !buf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

static inline void buf_puts(struct buf *buf, const char *s)
{
    buf_add(buf, s, strlen(s));
}

void buf_add_int(struct buf *buf, int64_t value); /* in decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `s` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD, so the result is valid. */
void buf_json_string(struct buf *buf, const char *s, size_t len);

#endif
