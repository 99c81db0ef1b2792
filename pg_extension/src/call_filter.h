/*
 * Which calls a page is cut from: the filters that pages, counts and searches share. A filter is one
 * row of a table: its condition in SQL, with parameters, and the type of its value. What a caller
 * said is only ever a parameter.
 */
#ifndef FRONTDESK_CALL_FILTER_H
#define FRONTDESK_CALL_FILTER_H

#include "fmgr.h"
#include "lib/stringinfo.h"

/* In the order of the SQL functions' arguments, but for the two that are not arguments. */
enum call_filter {
    FILTER_STATUS,
    FILTER_SENTIMENT,
    FILTER_SUCCESSFUL,
    FILTER_DIRECTION,
    FILTER_TYPE,
    FILTER_REASON,
    FILTER_SINCE,
    FILTER_UNTIL,
    FILTER_MIN_DURATION,
    FILTER_MAX_DURATION,
    FILTER_MIN_COST,
    FILTER_MAX_COST,
    FILTER_CALLER,
    FILTER_WORDS,
    FILTER_SEARCH,        /* the json functions' only */
    FILTER_CALLER_PREFIX, /* FILTER_CALLER with a value like +49* */
    FILTER_COUNT
};

/* What FILTER_SUCCESSFUL may ask for. */
enum call_outcome { OUTCOME_TRUE = 1, OUTCOME_FALSE = 2, OUTCOME_UNKNOWN = 4, OUTCOME_ALL = 7 };

#define FILTER_BIT(filter) (UINT32_C(1) << (filter))

/* Those that an index of their own finds the calls of. */
#define FILTERS_WITH_INDEX                                                                         \
    (FILTER_BIT(FILTER_CALLER) | FILTER_BIT(FILTER_CALLER_PREFIX) | FILTER_BIT(FILTER_WORDS) |     \
     FILTER_BIT(FILTER_SEARCH))

#define CALL_FILTER_ARGUMENTS (FILTER_SEARCH + 1)
#define CALL_FILTER_PARAMS_MAX (FILTER_COUNT + 1)

struct call_filters {
    uint32 set;      /* FILTER_BIT()s */
    uint32 outcomes; /* call_outcome bits, when FILTER_SUCCESSFUL is set */
    Datum values[FILTER_COUNT];
    Datum parts; /* what FILTER_SEARCH looks for in identifiers, a tsquery */
};

/*
 * Reads `count` arguments from `first` on, in the order of the enum; null is no filter. Times are
 * timestamptz, or ms since epoch if `in_ms`. 22023 for what no call can be asked for.
 */
extern void call_filters_read(struct call_filters *filters, FunctionCallInfo fcinfo, int first,
                              int count, bool in_ms);

/* Appends " AND …" for each filter, on a table alias c; parameters from $next on. Returns the next. */
extern int call_filters_append(StringInfo sql, const struct call_filters *filters, int next);

/* Writes the parameters of call_filters_append(), at most CALL_FILTER_PARAMS_MAX; returns how many. */
extern int call_filters_params(const struct call_filters *filters, Oid *types, Datum *values);

/* What of the text of call_filters_append() depends on: equal keys, equal texts. 20 bits. */
extern uint64 call_filters_key(const struct call_filters *filters);

/* The filters and their values as bytes: equal filters append equal bytes. */
extern void call_filters_serialize(StringInfo out, const struct call_filters *filters);

#endif
