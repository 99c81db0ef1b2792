/*
 * JSON written straight into one buffer: text is copied in runs, numbers and times are printed
 * here. row_to_json() and json_agg() would look at every byte and copy every row several times.
 */
#ifndef FRONTDESK_JSON_BUILD_H
#define FRONTDESK_JSON_BUILD_H

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/*
 * Starts a json value that will be returned: memory comes from the current context, which must
 * outlive SPI_finish().
 */
extern void json_begin(StringInfo out);

/* The finished value, of type json. */
extern Datum json_end(StringInfo out);

/* A string with its quotes. The text is valid UTF-8, as everything in the database is. */
extern void json_append_string(StringInfo out, const char *s, size_t len);

extern void json_append_integer(StringInfo out, int64 value);
extern void json_append_bool(StringInfo out, bool value);

/*
 * ISO 8601, UTC, with milliseconds: "2024-01-01T00:00:00.000Z". Years of more than four digits have
 * six and a sign, as ECMAScript reads them; an infinite time is null.
 */
extern void json_append_time(StringInfo out, TimestampTz time);

/* A value of the SQL type named; `null` gives null. */
extern void json_append_text_datum(StringInfo out, Datum value, bool null);
extern void json_append_numeric_datum(StringInfo out, Datum value, bool null);
extern void json_append_jsonb_datum(StringInfo out, Datum value, bool null);
extern void json_append_json_datum(StringInfo out, Datum value, bool null);
extern void json_append_uuid_datum(StringInfo out, Datum value, bool null);

/*
 * "pagination":{…, its closing brace left to the caller: how many things there are in all, and which of them were asked for. A negative
 * offset is not known, and null.
 */
extern void json_append_pagination(StringInfo out, int64 total, int64 limit, int64 offset,
                                   bool more);

#endif
