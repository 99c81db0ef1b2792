/* The format is array_recv's in PostgreSQL's src/backend/utils/adt/arrayfuncs.c. */
#include "db/array.h"

#include <endian.h>

static void add_int32(struct buf *out, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    buf_add(out, &wire, sizeof wire);
}

void array_begin(struct buf *out, enum array_type type, size_t count)
{
    add_int32(out, 1); /* dimensions */
    add_int32(out, 0); /* no NULLs */
    add_int32(out, (int32_t)type);
    add_int32(out, (int32_t)count);
    add_int32(out, 1); /* lower bound */
}

void array_add_bytes(struct buf *out, const void *bytes, size_t len)
{
    add_int32(out, (int32_t)len);
    buf_add(out, bytes, len);
}

void array_add_int8(struct buf *out, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    array_add_bytes(out, &wire, sizeof wire);
}

struct db_param array_param(const struct buf *buf)
{
    return (struct db_param){.data = buf->data, .len = buf->len, .binary = true};
}
