/*
 * The numbers of a set of calls: of one agent, or of several, in a range of time. The rows that
 * analysts get (summary_rows.c) and the json that the API passes on (summary_json.c, analytics.c) are
 * both made from these.
 *
 * Ranges are ms since epoch, from `since` up to `until`; ROLLUP_FIRST and ROLLUP_END mean no bound.
 * Everything is read under the snapshot of the calling query, so all numbers of one answer are of one
 * moment. SPI must be connected for what reads.
 */
#ifndef FRONTDESK_SUMMARY_H
#define FRONTDESK_SUMMARY_H

#include "fmgr.h"

#include "calendar.h"
#include "rollup.h"

/* Of a series there are no more buckets than these: 208 days of hours, 13 years of days. */
#define SUMMARY_BUCKETS_MAX 5000

struct summary_range {
    int64 since, until;
};

struct summary {
    struct stats_acc stats;
    int64 first_call, last_call; /* starts, ms since epoch; of no call when the total is 0 */
    int64 least[STATS_MEASURES], greatest[STATS_MEASURES]; /* exact; of no call when none has one */
};

struct summary_agent {
    Datum agent_id, agent_name; /* text */
    bool active;
};

/* One bucket of a series: of which range, how many calls and what of them. */
struct summary_bucket {
    struct summary_range range; /* the bucket, whole */
    struct stats_acc stats;     /* of its calls that are in the range asked for */
};

typedef void (*summary_bucket_function)(void *context, const struct summary_bucket *bucket);
typedef void (*summary_agent_function)(void *context, const struct summary_agent *agent,
                                       const struct summary *summary);

/*
 * The range of two arguments, timestamptz (to ms) or bigint; null and infinity are no bound. Raises
 * 22023 when it ends before it begins.
 */
extern struct summary_range summary_range_of_times(FunctionCallInfo fcinfo, int first);
extern struct summary_range summary_range_of_ms(FunctionCallInfo fcinfo, int first);

/* Agents by name: those in `agent_ids` (null: all), of these the one `agent_id` (null: all). */
extern struct summary_agent *summary_agents(NullableDatum agent_ids, NullableDatum agent_id,
                                            size_t *count);

/* Everything of one agent's calls in the range. */
extern void summary_of_agent(struct summary *summary, Datum agent_id, struct summary_range range);

/*
 * The starts of the agents' first and last call in the range, as the range from the one to just after
 * the other. False when there is none.
 */
extern bool summary_extent(const struct summary_agent *agents, size_t count,
                           struct summary_range range, struct summary_range *extent);

/* Everything of nobody's calls, and of those together with some more. */
extern void summary_init(struct summary *summary);
extern void summary_add(struct summary *summary, const struct summary *more);

/*
 * Visits everything of each agent's calls in the range, in turn, and adds it to `all`; either of the
 * two may be NULL. What a visit allocates is gone after it.
 */
extern void summary_of_agents(const struct summary_agent *agents, size_t count,
                              struct summary_range range, summary_agent_function visit,
                              void *context, struct summary *all);

/*
 * The percentile as stats_acc_percentile() has it, and never outside of what there is. False when
 * there is none.
 */
extern bool summary_percentile(const struct summary *summary, enum stats_measure_id measure,
                               double p, int64 *value);

/*
 * Visits the calendar's buckets that overlap the range, in order, empty ones too. In the place of a
 * bound that is missing stands the agents' first call in the range, or the moment after their last.
 * Raises 22023, naming the parameter from, when there are more than SUMMARY_BUCKETS_MAX.
 */
extern void summary_series(const struct summary_agent *agents, size_t count,
                           struct summary_range range, const struct calendar *calendar,
                           summary_bucket_function visit, void *context);

#endif
