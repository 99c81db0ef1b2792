/*
 * What the dashboard's own pages ask for: GET analytics/…, stats and overview. Other names and units
 * than summaries have: cents and whole seconds, rates in percent with two decimals, 0 where there is
 * nothing to divide by. Everything is rounded half up.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "decimal.h"
#include "json_build.h"
#include "kept_plan.h"
#include "rollup.h"
#include "summary_json.h"

PG_FUNCTION_INFO_V1(frontdesk_analytics_agents_json);
PG_FUNCTION_INFO_V1(frontdesk_analytics_calls_json);
PG_FUNCTION_INFO_V1(frontdesk_analytics_overview_json);
PG_FUNCTION_INFO_V1(frontdesk_analytics_sentiment_json);
PG_FUNCTION_INFO_V1(frontdesk_overview_json);
PG_FUNCTION_INFO_V1(frontdesk_stats_json);

/* The agents that an answer is about, and the statistics of their calls. */
struct scope {
    struct summary_range range;
    struct calendar days; /* where days are asked for */
    struct summary_agent *agents;
    size_t count;
    struct stats_acc stats;
};

/* Reads which agents there are, and the statistics of their calls in the range. */
static void scope_count(struct scope *scope, NullableDatum agent_ids, NullableDatum agent_id)
{
    scope->agents = summary_agents(agent_ids, agent_id, &scope->count);
    stats_acc_init(&scope->stats);
    for (size_t i = 0; i < scope->count; i++) {
        CHECK_FOR_INTERRUPTS();
        rollup_range(scope->agents[i].agent_id, scope->range.since, scope->range.until,
                     &scope->stats);
    }
}

/*
 * Reads the arguments agent_ids, agent_id, since, until, and tz if there is one. False when one agent
 * is asked for and not there. SPI must be connected.
 */
static bool scope_read(struct scope *scope, FunctionCallInfo fcinfo)
{
    NullableDatum agent_id = summary_json_argument(fcinfo, 1);
    const char *zone = "UTC";

    scope->range = summary_range_of_ms(fcinfo, 2);
    if (PG_NARGS() > 4 && !PG_ARGISNULL(4))
        zone = text_to_cstring(PG_GETARG_TEXT_PP(4));
    scope->days = calendar_of("day", zone);
    scope_count(scope, summary_json_argument(fcinfo, 0), agent_id);
    return agent_id.isnull || scope->count > 0;
}

static int64 whole_seconds(int64 ms, int64 count)
{
    return decimal_quotient(ms, 1, count * 1000);
}

/* totalCalls to avgDurationSeconds: the members that three of the answers share. */
static void append_totals(StringInfo out, const struct stats_acc *stats)
{
    int64 successful = stats_acc_successful(stats, STATS_TRUE);
    int64 analysed = successful + stats_acc_successful(stats, STATS_FALSE);
    int64 cost = stats_acc_sum(stats, STATS_COST);
    int64 ms = stats_acc_sum(stats, STATS_DURATION);

    summary_json_count(out, "totalCalls", stats_acc_total(stats));
    summary_json_count(out, "successfulCalls", successful);
    summary_json_decimal(out, "successRate", true, decimal_quotient(successful, 10000, analysed),
                         2);
    summary_json_decimal(out, "totalCost", true, cost, 4);
    summary_json_decimal(out, "avgCost", true,
                         decimal_quotient(cost, 1, stats_acc_measured(stats, STATS_COST)), 4);
    summary_json_count(out, "totalDurationSeconds", whole_seconds(ms, 1));
    summary_json_count(out, "avgDurationSeconds",
                       whole_seconds(ms, stats_acc_measured(stats, STATS_DURATION)));
}

static void append_overview(StringInfo out, const struct scope *scope)
{
    appendStringInfoCharMacro(out, '{');
    append_totals(out, &scope->stats);
    summary_json_count(out, "totalAgents", (int64)scope->count);
    summary_json_name(out, "callsByStatus");
    summary_json_counts(out, &scope->stats, STATS_STATUS);
    appendStringInfoCharMacro(out, '}');
}

static void append_stats(StringInfo out, const struct scope *scope)
{
    int64 active = 0;

    for (size_t i = 0; i < scope->count; i++)
        active += scope->agents[i].active;
    appendStringInfoString(out, "{\"agents\":{");
    summary_json_count(out, "total", (int64)scope->count);
    summary_json_count(out, "active", active);
    summary_json_count(out, "inactive", (int64)scope->count - active);
    appendStringInfoString(out, "},\"calls\":{");
    summary_json_count(out, "total", stats_acc_total(&scope->stats));
    appendStringInfoString(out, "},\"cost\":{");
    summary_json_decimal(out, "total", true, stats_acc_sum(&scope->stats, STATS_COST), 4);
    appendStringInfoString(out, "}}");
}

static void append_sentiments(StringInfo out, const struct scope *scope)
{
    struct stats_count *counts;
    size_t count = stats_acc_counts(&scope->stats, STATS_SENTIMENT, &counts);
    int64 total = 0;

    for (size_t i = 0; i < count; i++)
        total += counts[i].word.s ? counts[i].count : 0;
    appendStringInfoCharMacro(out, '{');
    summary_json_count(out, "totalCallsWithSentiment", total);
    appendStringInfoString(out, ",\"sentimentDistribution\":{");
    for (size_t i = 0; i < count; i++) {
        if (counts[i].word.s == NULL)
            continue;
        if (out->data[out->len - 1] != '{')
            appendStringInfoCharMacro(out, ',');
        json_append_string(out, counts[i].word.s, counts[i].word.len);
        appendStringInfoString(out, ":{");
        summary_json_count(out, "count", counts[i].count);
        summary_json_count(out, "percentage", decimal_quotient(counts[i].count, 100, total));
        appendStringInfoCharMacro(out, '}');
    }
    appendStringInfoString(out, "}}");
}

/* ---- days ---- */

struct days {
    StringInfo out;
    const struct calendar *calendar;
};

static void append_day(void *context, const struct summary_bucket *bucket)
{
    const struct days *days = context;
    StringInfo out = days->out;
    int year, month, day;

    calendar_date(days->calendar, bucket->range.since, &year, &month, &day);
    if (out->data[out->len - 1] != '[')
        appendStringInfoCharMacro(out, ',');
    appendStringInfo(out, "{\"date\":\"%04d-%02d-%02d\"", year, month, day);
    summary_json_count(out, "totalCalls", stats_acc_total(&bucket->stats));
    summary_json_count(out, "successfulCalls", stats_acc_successful(&bucket->stats, STATS_TRUE));
    summary_json_decimal(out, "totalCost", true, stats_acc_sum(&bucket->stats, STATS_COST), 4);
    summary_json_count(out, "totalDuration",
                       whole_seconds(stats_acc_sum(&bucket->stats, STATS_DURATION), 1));
    appendStringInfoCharMacro(out, '}');
}

/*
 * The days of the range. One without a begin shows as many of the latest as there may be, so that a
 * single call with an absurd date takes nobody's chart away.
 */
static void append_days(StringInfo out, const struct scope *scope)
{
    const int64 longest = (int64)(SUMMARY_BUCKETS_MAX - 2) * SECS_PER_DAY * 1000;
    struct summary_range range = scope->range, extent;
    struct days days = {out, &scope->days};

    if (range.since == ROLLUP_FIRST) {
        if (!summary_extent(scope->agents, scope->count, range, &extent))
            return;
        range.since = Max(extent.since, extent.until - longest);
        if (range.until == ROLLUP_END)
            range.until = extent.until;
    }
    summary_series(scope->agents, scope->count, range, &scope->days, append_day, &days);
}

static void append_calls(StringInfo out, const struct scope *scope)
{
    appendStringInfoString(out, "{\"summary\":{");
    append_totals(out, &scope->stats);
    appendStringInfoString(out, "},\"dailyStats\":[");
    append_days(out, scope);
    appendStringInfoString(out, "]}");
}

/* ---- the functions ---- */

static Datum answer(FunctionCallInfo fcinfo,
                    void (*append)(StringInfo out, const struct scope *scope))
{
    struct scope scope;
    StringInfoData out;
    bool found;

    json_begin(&out);
    connect_spi();
    found = scope_read(&scope, fcinfo);
    if (found)
        append(&out, &scope);
    SPI_finish();
    if (!found)
        PG_RETURN_NULL();
    return json_end(&out);
}

Datum frontdesk_analytics_overview_json(PG_FUNCTION_ARGS)
{
    return answer(fcinfo, append_overview);
}

Datum frontdesk_analytics_sentiment_json(PG_FUNCTION_ARGS)
{
    return answer(fcinfo, append_sentiments);
}

Datum frontdesk_analytics_calls_json(PG_FUNCTION_ARGS)
{
    return answer(fcinfo, append_calls);
}

struct agent_total {
    const struct summary_agent *agent;
    struct stats_acc stats;
};

/* The busiest first; agents come in the order of their names. */
static int compare_totals(const void *a, const void *b)
{
    const struct agent_total *x = a, *y = b;
    int64 first = stats_acc_total(&x->stats), second = stats_acc_total(&y->stats);

    if (first != second)
        return first > second ? -1 : 1;
    return x->agent < y->agent ? -1 : x->agent > y->agent;
}

/* agent_ids, since, until */
Datum frontdesk_analytics_agents_json(PG_FUNCTION_ARGS)
{
    struct summary_range range = summary_range_of_ms(fcinfo, 1);
    struct summary_agent *agents;
    struct agent_total *totals;
    StringInfoData out;
    size_t count;

    json_begin(&out);
    connect_spi();
    agents = summary_agents(summary_json_argument(fcinfo, 0), (NullableDatum){0, true}, &count);
    totals = palloc_array(struct agent_total, count + 1);
    for (size_t i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        totals[i].agent = &agents[i];
        stats_acc_init(&totals[i].stats);
        rollup_range(agents[i].agent_id, range.since, range.until, &totals[i].stats);
    }
    qsort(totals, count, sizeof(*totals), compare_totals);
    appendStringInfoCharMacro(&out, '[');
    for (size_t i = 0; i < count; i++) {
        appendStringInfoString(&out, i > 0 ? ",{\"agent_id\":" : "{\"agent_id\":");
        json_append_text_datum(&out, totals[i].agent->agent_id, false);
        summary_json_name(&out, "agent_name");
        json_append_text_datum(&out, totals[i].agent->agent_name, false);
        append_totals(&out, &totals[i].stats);
        appendStringInfoCharMacro(&out, '}');
    }
    appendStringInfoCharMacro(&out, ']');
    SPI_finish();
    return json_end(&out);
}

/* agent_ids */
static Datum answer_of_all_time(FunctionCallInfo fcinfo, bool with_analytics)
{
    struct scope scope = {.range = {ROLLUP_FIRST, ROLLUP_END}};
    StringInfoData out;

    json_begin(&out);
    connect_spi();
    scope_count(&scope, summary_json_argument(fcinfo, 0), (NullableDatum){0, true});
    if (with_analytics)
        appendStringInfoString(&out, "{\"stats\":");
    append_stats(&out, &scope);
    if (with_analytics) {
        appendStringInfoString(&out, ",\"analytics\":");
        append_overview(&out, &scope);
        appendStringInfoCharMacro(&out, '}');
    }
    SPI_finish();
    return json_end(&out);
}

Datum frontdesk_stats_json(PG_FUNCTION_ARGS)
{
    return answer_of_all_time(fcinfo, false);
}

Datum frontdesk_overview_json(PG_FUNCTION_ARGS)
{
    return answer_of_all_time(fcinfo, true);
}
