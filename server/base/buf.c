#include "base/buf.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

bool buf_reserve(struct buf *buf, size_t more)
{
    enum { LEAST = 256 };
    if (buf->failed)
        return false;
    if (more > SIZE_MAX / 2 - buf->len - 1) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (buf->data && need <= buf->size)
        return true;
    size_t size = buf->size ? buf->size * 2 : LEAST;
    if (size < need)
        size = need;
    char *data = realloc(buf->data, size);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->size = size;
    return true;
}

void buf_add_int(struct buf *buf, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--at] = '-';
    buf_add(buf, digits + at, sizeof digits - at);
}

/* Nearly always there is room already, and the text is made once. */
void buf_printf(struct buf *buf, const char *format, ...)
{
    enum { USUAL = 128 };
    va_list args;
    if (!buf_reserve(buf, USUAL))
        return;
    size_t room = buf->size - buf->len;
    va_start(args, format);
    int len = vsnprintf(buf->data + buf->len, room, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len >= room) {
        if (!buf_reserve(buf, (size_t)len))
            return;
        va_start(args, format);
        (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
        va_end(args);
    }
    if (len < 0)
        buf->failed = true;
    else
        buf->len += (size_t)len;
}

void buf_json_string(struct buf *buf, const char *s, size_t len)
{
    static const bool plain[256] = {
        [' ' ... '!'] = true, ['#' ... '['] = true, [']' ... 0x7f] = true};
    const unsigned char *p = (const unsigned char *)s;
    buf_add(buf, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t start = i;
        while (i < len && plain[p[i]])
            i++;
        buf_add(buf, p + start, i - start);
        if (i == len)
            break;
        if (p[i] == '"' || p[i] == '\\') {
            buf_add(buf, "\\", 1);
            buf_add(buf, p + i++, 1);
        } else if (p[i] < 0x20) {
            buf_printf(buf, "\\u%04x", p[i++]);
        } else {
            size_t n = utf8_sequence(p + i, len - i);
            buf_add(buf, n ? (const char *)p + i : "\xef\xbf\xbd", n ? n : 3);
            i += n ? n : 1;
        }
    }
    buf_add(buf, "\"", 1);
}
