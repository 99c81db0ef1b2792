/*
 * Summaries as rows, for analysts: agent_summary(), agent_summary_series(), agents_overview(), and of
 * all agents together summary() and summary_series(). The same numbers as in the API's json, under
 * names of their own, each with the statistics themselves at its end, for sums of more.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "call_stats.h"
#include "compat.h"
#include "decimal.h"
#include "epoch.h"
#include "kept_plan.h"
#include "summary_json.h"

PG_FUNCTION_INFO_V1(frontdesk_agent_summary);
PG_FUNCTION_INFO_V1(frontdesk_agent_summary_series);
PG_FUNCTION_INFO_V1(frontdesk_agents_overview);
PG_FUNCTION_INFO_V1(frontdesk_summary);
PG_FUNCTION_INFO_V1(frontdesk_summary_series);

/* Columns are written in the order that the functions declare them. */
enum { COLUMNS_MAX = 32 };

struct row {
    Datum values[COLUMNS_MAX];
    bool nulls[COLUMNS_MAX];
    int count;
};

static void put(struct row *row, Datum value)
{
    Assert(row->count < COLUMNS_MAX);
    row->nulls[row->count] = false;
    row->values[row->count++] = value;
}

static void put_null(struct row *row)
{
    Assert(row->count < COLUMNS_MAX);
    row->nulls[row->count] = true;
    row->values[row->count++] = (Datum)0;
}

/* A value of the measure: bigint ms or numeric cents; null when not known. */
static void put_measured(struct row *row, enum stats_measure_id measure, bool known, int64 value)
{
    if (known)
        put(row, measure == STATS_COST ? cost_to_numeric(value) : Int64GetDatum(value));
    else
        put_null(row);
}

static void put_time(struct row *row, bool known, int64 ms)
{
    if (known)
        put(row, TimestampTzGetDatum(epoch_time_of_ms(ms)));
    else
        put_null(row);
}

/* total, successful, unsuccessful, unanalysed, success_rate */
static void put_outcomes(struct row *row, const struct stats_acc *stats)
{
    int64 successful = stats_acc_successful(stats, STATS_TRUE);
    int64 unsuccessful = stats_acc_successful(stats, STATS_FALSE);

    put(row, Int64GetDatum(stats_acc_total(stats)));
    put(row, Int64GetDatum(successful));
    put(row, Int64GetDatum(unsuccessful));
    put(row, Int64GetDatum(stats_acc_successful(stats, STATS_UNKNOWN)));
    if (successful + unsuccessful > 0)
        put(row,
            decimal_numeric(decimal_quotient(successful, 10000, successful + unsuccessful), 4));
    else
        put_null(row);
}

/* count, sum, avg */
static void put_sum(struct row *row, const struct stats_acc *stats, enum stats_measure_id measure)
{
    int64 count = stats_acc_measured(stats, measure), sum = stats_acc_sum(stats, measure);

    put(row, Int64GetDatum(count));
    put_measured(row, measure, true, sum);
    put_measured(row, measure, count > 0, decimal_quotient(sum, 1, count));
}

/* count, sum, avg, min, p50, p90, p95, p99, max */
static void put_measure(struct row *row, const struct summary *summary,
                        enum stats_measure_id measure)
{
    static const double percentiles[] = {0.5, 0.9, 0.95, 0.99};
    bool any = stats_acc_measured(&summary->stats, measure) > 0;

    put_sum(row, &summary->stats, measure);
    put_measured(row, measure, any, summary->least[measure]);
    for (size_t i = 0; i < lengthof(percentiles); i++) {
        int64 value = 0;
        bool known = summary_percentile(summary, measure, percentiles[i], &value);
        put_measured(row, measure, known, value);
    }
    put_measured(row, measure, any, summary->greatest[measure]);
}

static void put_counts(struct row *row, const struct stats_acc *stats,
                       enum stats_vocabulary vocabulary)
{
    StringInfoData text;

    initStringInfo(&text);
    summary_json_counts(&text, stats, vocabulary);
    put(row, DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

/* What agent_summary() returns, and agents_overview() after the agent. */
static void put_summary(struct row *row, const struct summary *summary)
{
    bool any = stats_acc_total(&summary->stats) > 0;

    put_outcomes(row, &summary->stats);
    put(row, Int64GetDatum(stats_acc_voicemail(&summary->stats, STATS_TRUE)));
    for (int v = 0; v < STATS_VOCABULARIES; v++)
        put_counts(row, &summary->stats, v);
    for (int m = 0; m < STATS_MEASURES; m++)
        put_measure(row, summary, m);
    put_time(row, any, summary->first_call);
    put_time(row, any, summary->last_call);
    put(row, call_stats_value(&summary->stats));
}

static void return_row(FunctionCallInfo fcinfo, struct row *row)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;

    Assert(row->count == into->setDesc->natts);
    tuplestore_putvalues(into->setResult, into->setDesc, row->values, row->nulls);
    row->count = 0;
}

Datum frontdesk_agent_summary(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_times(fcinfo, 1);
    struct summary summary;
    struct row row = {.count = 0};

    InitMaterializedSRF(fcinfo, 0);
    connect_spi();
    if (PG_ARGISNULL(0))
        summary_init(&summary);
    else
        summary_of_agent(&summary, PG_GETARG_DATUM(0), range);
    put_summary(&row, &summary);
    return_row(fcinfo, &row);
    SPI_finish();
    return (Datum)0;
}

static struct summary_agent *all_agents(size_t *count)
{
    const NullableDatum any = {0, true};
    return summary_agents(any, any, count);
}

Datum frontdesk_summary(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_times(fcinfo, 0);
    struct summary_agent *agents;
    struct summary all;
    struct row row = {.count = 0};
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    connect_spi();
    agents = all_agents(&count);
    summary_init(&all);
    summary_of_agents(agents, count, range, NULL, NULL, &all);
    put_summary(&row, &all);
    return_row(fcinfo, &row);
    SPI_finish();
    return (Datum)0;
}

static void return_agent(void *context, const struct summary_agent *agent,
                         const struct summary *summary)
{
    struct row row = {.count = 0};

    put(&row, agent->agent_id);
    put(&row, agent->agent_name);
    put_summary(&row, summary);
    return_row(context, &row);
}

Datum frontdesk_agents_overview(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_times(fcinfo, 0);
    struct summary_agent *agents;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    connect_spi();
    agents = all_agents(&count);
    summary_of_agents(agents, count, range, return_agent, fcinfo, NULL);
    SPI_finish();
    return (Datum)0;
}

/* bucket, then the columns of a summary that a part of a range can have. */
static void return_bucket(void *context, const struct summary_bucket *bucket)
{
    static const double percentiles[] = {0.5, 0.95};
    struct row row = {.count = 0};

    put_time(&row, true, bucket->range.since);
    put_outcomes(&row, &bucket->stats);
    put_sum(&row, &bucket->stats, STATS_DURATION);
    for (size_t i = 0; i < lengthof(percentiles); i++) {
        int64 value = 0;
        bool known = stats_acc_percentile(&bucket->stats, STATS_DURATION, percentiles[i], &value);
        put_measured(&row, STATS_DURATION, known, value);
    }
    put_sum(&row, &bucket->stats, STATS_COST);
    put(&row, call_stats_value(&bucket->stats));
    return_row(context, &row);
}

static const char *text_argument(FunctionCallInfo fcinfo, int number, const char *fallback)
{
    return PG_ARGISNULL(number) ? fallback : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

Datum frontdesk_agent_summary_series(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_times(fcinfo, 1);
    struct calendar calendar =
        calendar_of(text_argument(fcinfo, 3, "day"), text_argument(fcinfo, 4, "UTC"));

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    struct summary_agent agent = {.agent_id = PG_GETARG_DATUM(0)};
    connect_spi();
    summary_series(&agent, 1, range, &calendar, return_bucket, fcinfo);
    SPI_finish();
    return (Datum)0;
}

Datum frontdesk_summary_series(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_times(fcinfo, 0);
    struct calendar calendar =
        calendar_of(text_argument(fcinfo, 2, "day"), text_argument(fcinfo, 3, "UTC"));
    struct summary_agent *agents;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    connect_spi();
    agents = all_agents(&count);
    summary_series(agents, count, range, &calendar, return_bucket, fcinfo);
    SPI_finish();
    return (Datum)0;
}
