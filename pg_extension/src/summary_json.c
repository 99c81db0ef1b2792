/* Summaries as the API answers them: GET agent-summary and GET summary. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "compat.h"
#include "decimal.h"
#include "epoch.h"
#include "json_build.h"
#include "kept_plan.h"
#include "summary_json.h"

PG_FUNCTION_INFO_V1(frontdesk_agent_summary_json);
PG_FUNCTION_INFO_V1(frontdesk_summary_json);

/* Decimals of a measure's values, and of its averages. */
static const struct {
    const char *name;
    int decimals;
} measures[STATS_MEASURES] = {[STATS_DURATION] = {"duration_ms", 0}, [STATS_COST] = {"cost", 4}};

void summary_json_name(StringInfo out, const char *name)
{
    if (out->data[out->len - 1] != '{')
        appendStringInfoCharMacro(out, ',');
    appendStringInfoCharMacro(out, '"');
    appendStringInfoString(out, name);
    appendStringInfoString(out, "\":");
}

void summary_json_count(StringInfo out, const char *name, int64 count)
{
    summary_json_name(out, name);
    json_append_integer(out, count);
}

void summary_json_decimal(StringInfo out, const char *name, bool known, int64 value, int decimals)
{
    summary_json_name(out, name);
    if (known)
        decimal_append(out, value, decimals);
    else
        appendStringInfoString(out, "null");
}

void summary_json_counts(StringInfo out, const struct stats_acc *stats,
                         enum stats_vocabulary vocabulary)
{
    struct stats_count *counts;
    size_t count = stats_acc_counts(stats, vocabulary, &counts);

    appendStringInfoCharMacro(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (counts[i].word.s == NULL)
            continue;
        if (out->data[out->len - 1] != '{')
            appendStringInfoCharMacro(out, ',');
        json_append_string(out, counts[i].word.s, counts[i].word.len);
        appendStringInfoCharMacro(out, ':');
        json_append_integer(out, counts[i].count);
    }
    appendStringInfoCharMacro(out, '}');
}

void summary_json_time(StringInfo out, int64 ms)
{
    if (ms == ROLLUP_FIRST || ms == ROLLUP_END)
        appendStringInfoString(out, "null");
    else
        json_append_time(out, epoch_time_of_ms(ms));
}

void summary_json_success_rate(StringInfo out, const struct stats_acc *stats)
{
    int64 successful = stats_acc_successful(stats, STATS_TRUE);
    int64 analysed = successful + stats_acc_successful(stats, STATS_FALSE);

    summary_json_decimal(out, "success_rate", analysed > 0,
                         decimal_quotient(successful, 10000, analysed), 4);
}

static void append_outcomes(StringInfo out, const struct stats_acc *stats)
{
    summary_json_count(out, "successful", stats_acc_successful(stats, STATS_TRUE));
    summary_json_count(out, "unsuccessful", stats_acc_successful(stats, STATS_FALSE));
    summary_json_count(out, "unanalysed", stats_acc_successful(stats, STATS_UNKNOWN));
}

static void append_calls(StringInfo out, const struct stats_acc *stats)
{
    static const struct {
        const char *name;
        enum stats_vocabulary vocabulary;
    } breakdowns[] = {{"by_status", STATS_STATUS},
                      {"by_sentiment", STATS_SENTIMENT},
                      {"by_reason", STATS_REASON}};

    summary_json_name(out, "calls");
    appendStringInfoCharMacro(out, '{');
    summary_json_count(out, "total", stats_acc_total(stats));
    for (size_t i = 0; i < lengthof(breakdowns); i++) {
        summary_json_name(out, breakdowns[i].name);
        summary_json_counts(out, stats, breakdowns[i].vocabulary);
    }
    append_outcomes(out, stats);
    summary_json_success_rate(out, stats);
    summary_json_count(out, "in_voicemail", stats_acc_voicemail(stats, STATS_TRUE));
    appendStringInfoCharMacro(out, '}');
}

/* The sum of a measure and its average, of the calls that have one. */
static void append_sum(StringInfo out, const struct stats_acc *stats, enum stats_measure_id measure)
{
    int64 count = stats_acc_measured(stats, measure), sum = stats_acc_sum(stats, measure);

    summary_json_decimal(out, "sum", true, sum, measures[measure].decimals);
    summary_json_decimal(out, "avg", count > 0, decimal_quotient(sum, 1, count),
                         measures[measure].decimals);
}

static void append_percentile(StringInfo out, const char *name, const struct summary *summary,
                              enum stats_measure_id measure, double p)
{
    int64 value = 0;
    bool known = summary_percentile(summary, measure, p, &value);

    summary_json_decimal(out, name, known, value, measures[measure].decimals);
}

static void append_measure(StringInfo out, const struct summary *summary,
                           enum stats_measure_id measure)
{
    int64 count = stats_acc_measured(&summary->stats, measure);

    summary_json_name(out, measures[measure].name);
    appendStringInfoCharMacro(out, '{');
    summary_json_count(out, "count", count);
    append_sum(out, &summary->stats, measure);
    summary_json_decimal(out, "min", count > 0, summary->least[measure],
                         measures[measure].decimals);
    append_percentile(out, "p50", summary, measure, 0.5);
    append_percentile(out, "p90", summary, measure, 0.9);
    append_percentile(out, "p95", summary, measure, 0.95);
    append_percentile(out, "p99", summary, measure, 0.99);
    summary_json_decimal(out, "max", count > 0, summary->greatest[measure],
                         measures[measure].decimals);
    appendStringInfoCharMacro(out, '}');
}

static void append_summary(StringInfo out, const struct summary *summary,
                           struct summary_range range)
{
    bool any = stats_acc_total(&summary->stats) > 0;

    summary_json_name(out, "from");
    summary_json_time(out, range.since);
    summary_json_name(out, "to");
    summary_json_time(out, range.until);
    append_calls(out, &summary->stats);
    for (int m = 0; m < STATS_MEASURES; m++)
        append_measure(out, summary, m);
    summary_json_name(out, "first_call_at");
    summary_json_time(out, any ? summary->first_call : ROLLUP_FIRST);
    summary_json_name(out, "last_call_at");
    summary_json_time(out, any ? summary->last_call : ROLLUP_FIRST);
}

/* ---- series ---- */

static void append_bucket(void *context, const struct summary_bucket *bucket)
{
    StringInfo out = context;
    int64 value = 0;
    bool known;

    if (out->data[out->len - 1] != '[')
        appendStringInfoCharMacro(out, ',');
    appendStringInfoString(out, "{\"bucket\":");
    summary_json_time(out, bucket->range.since);
    summary_json_count(out, "total", stats_acc_total(&bucket->stats));
    append_outcomes(out, &bucket->stats);
    summary_json_name(out, "duration_ms");
    appendStringInfoCharMacro(out, '{');
    append_sum(out, &bucket->stats, STATS_DURATION);
    known = stats_acc_percentile(&bucket->stats, STATS_DURATION, 0.5, &value);
    summary_json_decimal(out, "p50", known, value, 0);
    known = stats_acc_percentile(&bucket->stats, STATS_DURATION, 0.95, &value);
    summary_json_decimal(out, "p95", known, value, 0);
    appendStringInfoCharMacro(out, '}');
    summary_json_name(out, "cost");
    appendStringInfoCharMacro(out, '{');
    append_sum(out, &bucket->stats, STATS_COST);
    appendStringInfoString(out, "}}");
}

/* Appends the series if a bucket is asked for. */
static void append_series(StringInfo out, const struct summary_agent *agents, size_t count,
                          struct summary_range range, const struct calendar *calendar)
{
    if (calendar->unit == CALENDAR_UNITS)
        return;
    summary_json_name(out, "series");
    appendStringInfoCharMacro(out, '[');
    summary_series(agents, count, range, calendar, append_bucket, out);
    appendStringInfoCharMacro(out, ']');
}

/* The calendar of the arguments bucket and tz; its unit is CALENDAR_UNITS when no bucket is given. */
static struct calendar calendar_argument(FunctionCallInfo fcinfo, int first)
{
    bool none = PG_ARGISNULL(first);
    struct calendar calendar = calendar_of(
        none ? "day" : text_to_cstring(PG_GETARG_TEXT_PP(first)),
        PG_ARGISNULL(first + 1) ? "UTC" : text_to_cstring(PG_GETARG_TEXT_PP(first + 1)));
    if (none)
        calendar.unit = CALENDAR_UNITS;
    return calendar;
}

NullableDatum summary_json_argument(FunctionCallInfo fcinfo, int number)
{
    return (NullableDatum){PG_ARGISNULL(number) ? (Datum)0 : PG_GETARG_DATUM(number),
                           PG_ARGISNULL(number)};
}

/* ---- the functions ---- */

/* agent_id, agent_ids, since, until, bucket, tz */
Datum frontdesk_agent_summary_json(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_ms(fcinfo, 2);
    struct calendar calendar = calendar_argument(fcinfo, 4);
    struct summary_agent *agents;
    struct summary summary;
    StringInfoData out;
    size_t count;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    json_begin(&out);
    connect_spi();
    agents =
        summary_agents(summary_json_argument(fcinfo, 1), summary_json_argument(fcinfo, 0), &count);
    if (count > 0) {
        summary_of_agent(&summary, agents[0].agent_id, range);
        appendStringInfoString(&out, "{\"agent_id\":");
        json_append_text_datum(&out, agents[0].agent_id, false);
        append_summary(&out, &summary, range);
        append_series(&out, agents, count, range, &calendar);
        appendStringInfoCharMacro(&out, '}');
    }
    SPI_finish();
    if (count == 0)
        PG_RETURN_NULL();
    return json_end(&out);
}

static void append_agent(void *context, const struct summary_agent *agent,
                         const struct summary *summary)
{
    StringInfo out = context;

    if (out->len > 0)
        appendStringInfoCharMacro(out, ',');
    appendStringInfoString(out, "{\"agent_id\":");
    json_append_text_datum(out, agent->agent_id, false);
    summary_json_name(out, "agent_name");
    json_append_text_datum(out, agent->agent_name, false);
    summary_json_count(out, "total", stats_acc_total(&summary->stats));
    summary_json_success_rate(out, &summary->stats);
    for (int m = 0; m < STATS_MEASURES; m++)
        append_measure(out, summary, m);
    appendStringInfoCharMacro(out, '}');
}

/* agent_ids, since, until, bucket, tz */
Datum frontdesk_summary_json(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_ms(fcinfo, 1);
    struct calendar calendar = calendar_argument(fcinfo, 3);
    struct summary_agent *agents;
    struct summary all;
    StringInfoData out, list;
    size_t count;

    json_begin(&out);
    connect_spi();
    initStringInfo(&list);
    agents = summary_agents(summary_json_argument(fcinfo, 0), (NullableDatum){0, true}, &count);
    summary_init(&all);
    summary_of_agents(agents, count, range, append_agent, &list, &all);
    appendStringInfoCharMacro(&out, '{');
    append_summary(&out, &all, range);
    summary_json_name(&out, "agents");
    appendStringInfoCharMacro(&out, '[');
    appendBinaryStringInfo(&out, list.data, list.len);
    appendStringInfoCharMacro(&out, ']');
    append_series(&out, agents, count, range, &calendar);
    appendStringInfoCharMacro(&out, '}');
    SPI_finish();
    return json_end(&out);
}
