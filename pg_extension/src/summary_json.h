/* Members that summaries and analytics have in common, appended to a json value. */
#ifndef FRONTDESK_SUMMARY_JSON_H
#define FRONTDESK_SUMMARY_JSON_H

#include "lib/stringinfo.h"

#include "summary.h"

/* Appends `"name":`, after a comma unless an object has just begun. */
extern void summary_json_name(StringInfo out, const char *name);

/* A member of an integer; of value / 10^decimals, or null. */
extern void summary_json_count(StringInfo out, const char *name, int64 count);
extern void summary_json_decimal(StringInfo out, const char *name, bool known, int64 value,
                                 int decimals);

/* {"word": count, …}, without the calls that have none. */
extern void summary_json_counts(StringInfo out, const struct stats_acc *stats,
                                enum stats_vocabulary vocabulary);

/* A time, ms since epoch, as ISO 8601; null where the range has no bound. */
extern void summary_json_time(StringInfo out, int64 ms);

/* An argument of the function, as what reads agents takes it. */
extern NullableDatum summary_json_argument(FunctionCallInfo fcinfo, int number);

/* successful / analysed, 0 to 1; null when none is analysed. */
extern void summary_json_success_rate(StringInfo out, const struct stats_acc *stats);

#endif
