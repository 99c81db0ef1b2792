/*
 * Arrays as binary parameters, built element by element: no quoting, no size limit but memory, and
 * bytes go over the wire as they are. One dimension, counted from 1.
 */
#ifndef FRONTDESK_DB_ARRAY_H
#define FRONTDESK_DB_ARRAY_H

#include "base/buf.h"
#include "db/conn.h"

enum array_type { ARRAY_BYTEA = 17, ARRAY_INT8 = 20, ARRAY_TEXT = 25 }; /* OIDs of pg_type.dat */

/* Starts an array of exactly `count` ≥ 1 elements in the empty buffer `out`. */
void array_begin(struct buf *out, enum array_type type, size_t count);

/* One element of `len` bytes (bytea, or text without NUL). */
void array_add_bytes(struct buf *out, const void *bytes, size_t len);

/* One int8 element. */
void array_add_int8(struct buf *out, int64_t value);

/* The finished array as a parameter that points into `buf`. */
struct db_param array_param(const struct buf *buf);

#endif
