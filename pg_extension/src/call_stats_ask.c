/* What a call_stats value says: the functions that analysts ask it with. */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "call_stats.h"
#include "compat.h"

static void load(FunctionCallInfo fcinfo, struct stats_acc *acc)
{
    stats_acc_init(acc);
    call_stats_accumulate(acc, PG_GETARG_DATUM(0), 1);
}

/* ---- counts ---- */

#define COUNT_FUNCTION(name, expression)                                                           \
    PG_FUNCTION_INFO_V1(frontdesk_##name);                                                         \
    Datum frontdesk_##name(PG_FUNCTION_ARGS)                                                       \
    {                                                                                              \
        struct stats_acc acc;                                                                      \
        load(fcinfo, &acc);                                                                        \
        PG_RETURN_INT64(expression);                                                               \
    }

COUNT_FUNCTION(total, stats_acc_total(&acc))
COUNT_FUNCTION(successful, stats_acc_successful(&acc, STATS_TRUE))
COUNT_FUNCTION(unsuccessful, stats_acc_successful(&acc, STATS_FALSE))
COUNT_FUNCTION(unanalysed, stats_acc_successful(&acc, STATS_UNKNOWN))
COUNT_FUNCTION(in_voicemail, stats_acc_voicemail(&acc, STATS_TRUE))
COUNT_FUNCTION(duration_count, stats_acc_measured(&acc, STATS_DURATION))
COUNT_FUNCTION(duration_sum, stats_acc_sum(&acc, STATS_DURATION))
COUNT_FUNCTION(cost_count, stats_acc_measured(&acc, STATS_COST))

PG_FUNCTION_INFO_V1(frontdesk_success_rate);

Datum frontdesk_success_rate(PG_FUNCTION_ARGS)
{
    struct stats_acc acc;
    int64 successful, analysed;

    load(fcinfo, &acc);
    successful = stats_acc_successful(&acc, STATS_TRUE);
    analysed = successful + stats_acc_successful(&acc, STATS_FALSE);
    if (analysed == 0)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8((float8)successful / (float8)analysed);
}

/* ---- breakdowns ---- */

static Datum breakdown(FunctionCallInfo fcinfo, enum stats_vocabulary vocabulary)
{
    ReturnSetInfo *into = (ReturnSetInfo *)fcinfo->resultinfo;
    struct stats_count *counts;
    struct stats_acc acc;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    load(fcinfo, &acc);
    count = stats_acc_counts(&acc, vocabulary, &counts);
    for (size_t i = 0; i < count; i++) {
        struct stats_word word = counts[i].word;
        Datum values[] = {word.s ? PointerGetDatum(cstring_to_text_with_len(word.s, (int)word.len))
                                 : (Datum)0,
                          Int64GetDatum(counts[i].count)};
        bool nulls[] = {word.s == NULL, false};
        tuplestore_putvalues(into->setResult, into->setDesc, values, nulls);
    }
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(frontdesk_by_status);
PG_FUNCTION_INFO_V1(frontdesk_by_sentiment);
PG_FUNCTION_INFO_V1(frontdesk_by_reason);

Datum frontdesk_by_status(PG_FUNCTION_ARGS)
{
    return breakdown(fcinfo, STATS_STATUS);
}

Datum frontdesk_by_sentiment(PG_FUNCTION_ARGS)
{
    return breakdown(fcinfo, STATS_SENTIMENT);
}

Datum frontdesk_by_reason(PG_FUNCTION_ARGS)
{
    return breakdown(fcinfo, STATS_REASON);
}

/* ---- durations and costs ---- */

/* A value of the measure as SQL has it: bigint ms, numeric cents. */
static Datum measured(enum stats_measure_id measure, int64 value)
{
    return measure == STATS_COST ? cost_to_numeric(value) : Int64GetDatum(value);
}

static Datum average(FunctionCallInfo fcinfo, enum stats_measure_id measure)
{
    struct stats_acc acc;
    int64 count;
    Datum sum;

    load(fcinfo, &acc);
    count = stats_acc_measured(&acc, measure);
    if (count == 0)
        PG_RETURN_NULL();
    sum = measure == STATS_COST ? cost_to_numeric(stats_acc_sum(&acc, measure))
                                : NumericGetDatum(int64_to_numeric(stats_acc_sum(&acc, measure)));
    return DirectFunctionCall2(numeric_div, sum, NumericGetDatum(int64_to_numeric(count)));
}

static Datum end_value(FunctionCallInfo fcinfo, enum stats_measure_id measure, bool greatest)
{
    struct stats_acc acc;
    uint32 lowest, highest;

    load(fcinfo, &acc);
    if (!stats_acc_ends(&acc, measure, &lowest, &highest))
        PG_RETURN_NULL();
    return measured(measure, greatest ? histogram_high(highest) : histogram_low(lowest));
}

static Datum percentile(FunctionCallInfo fcinfo, enum stats_measure_id measure)
{
    double p = PG_GETARG_FLOAT8(1);
    struct stats_acc acc;
    int64 value;

    if (!(p >= 0 && p <= 1))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("percentile %g is not between 0 and 1", p)));
    load(fcinfo, &acc);
    if (!stats_acc_percentile(&acc, measure, p, &value))
        PG_RETURN_NULL();
    return measured(measure, value);
}

PG_FUNCTION_INFO_V1(frontdesk_cost_sum);

Datum frontdesk_cost_sum(PG_FUNCTION_ARGS)
{
    struct stats_acc acc;
    load(fcinfo, &acc);
    return cost_to_numeric(stats_acc_sum(&acc, STATS_COST));
}

#define MEASURE_FUNCTION(name, expression)                                                         \
    PG_FUNCTION_INFO_V1(frontdesk_##name);                                                         \
    Datum frontdesk_##name(PG_FUNCTION_ARGS)                                                       \
    {                                                                                              \
        return expression;                                                                         \
    }

MEASURE_FUNCTION(duration_avg, average(fcinfo, STATS_DURATION))
MEASURE_FUNCTION(duration_min, end_value(fcinfo, STATS_DURATION, false))
MEASURE_FUNCTION(duration_max, end_value(fcinfo, STATS_DURATION, true))
MEASURE_FUNCTION(duration_percentile, percentile(fcinfo, STATS_DURATION))
MEASURE_FUNCTION(cost_avg, average(fcinfo, STATS_COST))
MEASURE_FUNCTION(cost_min, end_value(fcinfo, STATS_COST, false))
MEASURE_FUNCTION(cost_max, end_value(fcinfo, STATS_COST, true))
MEASURE_FUNCTION(cost_percentile, percentile(fcinfo, STATS_COST))
