/*
 * The type call_stats: the statistics of a set of calls as one value that adds and subtracts
 * exactly. What is counted and how to ask for it is stats_acc.h, the bytes are stats_codec.h; here
 * is what joins them with PostgreSQL.
 *
 * A Datum of the type is a varlena, flat or (while an aggregate builds it) an expanded object. All
 * functions here take either, and allocate in the current memory context: an accumulator must stay
 * in one context for as long as it is added to.
 */
#ifndef FRONTDESK_CALL_STATS_H
#define FRONTDESK_CALL_STATS_H

#include "fmgr.h"

#include "stats_acc.h"

/* The type's Oid. */
extern Oid call_stats_type(void);

/*
 * Adds a stored value to the accumulator, or subtracts it: sign is 1 or -1. Raises 22003 when a sum
 * leaves 64 bits, XX001 when the value is damaged.
 */
extern void call_stats_accumulate(struct stats_acc *acc, Datum value, int sign);

/* The same for one call. Raises 22003 also for a negative duration or cost. */
extern void call_stats_count(struct stats_acc *acc, const struct stats_call *call, int sign);

/* The accumulator as a flat value. Raises 22003 when a sum of counts leaves 64 bits. */
extern Datum call_stats_value(const struct stats_acc *acc);

/*
 * A call from the columns that are counted of it, in the order of CALL_STATS_COLUMNS. Its words lie
 * in the columns, detoasted.
 */
#define CALL_STATS_COLUMNS                                                                         \
    "call_status, call_successful, user_sentiment, disconnection_reason, in_voicemail,"            \
    " duration_ms, cost"
#define CALL_STATS_COLUMN_COUNT 7
extern void call_stats_read(const NullableDatum *columns, struct stats_call *call);

/* Cents as numeric to 1/10000 cent and back. Raises 22003 for NaN, infinity and beyond 64 bits. */
extern int64 cost_from_numeric(Datum cents);
extern Datum cost_to_numeric(int64 cost);

/* The text form, for `in` and `out`. Parsing into an empty accumulator returns why it failed. */
struct StringInfoData;
extern void call_stats_print(struct StringInfoData *out, const struct stats_acc *acc);
extern const char *call_stats_parse(const char *text, size_t len, struct stats_acc *acc);

/* The bytes of a value, detoasted; `*len` of them. */
extern const uint8 *call_stats_bytes(Datum value, size_t *len);

#endif
