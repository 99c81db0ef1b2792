/*
 * The text form of call_stats, a JSON object such as
 *
 *   {"calls": [["ended", true, "Positive", 2], ["ongoing", null, null, 1]],
 *    "reasons": [[null, 1], ["user_hangup", 2]],
 *    "in_voicemail": {"true": 0, "false": 2},
 *    "duration_ms": {"sum": 90000, "cells": [[629, 1], [693, 1]]},
 *    "cost": {"sum": 125000, "cells": [[673, 1], [700, 1]]}}
 *
 * with all members, in this order: calls by status, success and sentiment; by reason; and for
 * durations and costs the sum and the counts by histogram cell. Cells may come in any order but once
 * each, and none with a count of 0.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "call_stats.h"
#include "compat.h"
#include "json_build.h"
#include "json_scan.h"

/* ---- printing ---- */

static void print_word(StringInfo out, struct stats_word word)
{
    if (word.s)
        json_append_string(out, word.s, word.len);
    else
        appendStringInfoString(out, "null");
}

static void print_calls(StringInfo out, const struct stats_acc *acc)
{
    static const char *const answers[STATS_ANSWERS] = {"null", "true", "false"};
    const char *comma = "";
    struct stats_cell cell;

    for (uint32 at = 0; stats_cells_next(&acc->outcomes, &at, &cell); comma = ", ") {
        appendStringInfo(out, "%s[", comma);
        print_word(out, stats_acc_word(acc, STATS_STATUS, stats_outcome_status(cell.key)));
        appendStringInfo(out, ", %s, ", answers[stats_outcome_answer(cell.key)]);
        print_word(out, stats_acc_word(acc, STATS_SENTIMENT, stats_outcome_sentiment(cell.key)));
        appendStringInfo(out, ", " INT64_FORMAT "]", (int64)cell.count);
    }
}

static void print_reasons(StringInfo out, const struct stats_acc *acc)
{
    const char *comma = "";
    struct stats_cell cell;

    for (uint32 at = 0; stats_cells_next(&acc->reasons, &at, &cell); comma = ", ") {
        appendStringInfo(out, "%s[", comma);
        print_word(out, stats_acc_word(acc, STATS_REASON, (uint32)cell.key));
        appendStringInfo(out, ", " INT64_FORMAT "]", (int64)cell.count);
    }
}

static void print_measure(StringInfo out, const struct stats_measure *measure)
{
    const char *comma = "";
    struct stats_cell cell;

    appendStringInfo(out, "{\"sum\": " INT64_FORMAT ", \"cells\": [", (int64)measure->sum);
    for (uint32 at = 0; stats_cells_next(&measure->cells, &at, &cell); comma = ", ")
        appendStringInfo(out, "%s[%u, " INT64_FORMAT "]", comma, (uint32)cell.key,
                         (int64)cell.count);
    appendStringInfoString(out, "]}");
}

void call_stats_print(StringInfo out, const struct stats_acc *acc)
{
    appendStringInfoString(out, "{\"calls\": [");
    print_calls(out, acc);
    appendStringInfoString(out, "], \"reasons\": [");
    print_reasons(out, acc);
    appendStringInfo(out,
                     "], \"in_voicemail\": {\"true\": " INT64_FORMAT ", \"false\": " INT64_FORMAT
                     "}, \"duration_ms\": ",
                     (int64)acc->voicemail[STATS_TRUE], (int64)acc->voicemail[STATS_FALSE]);
    print_measure(out, &acc->measures[STATS_DURATION]);
    appendStringInfoString(out, ", \"cost\": ");
    print_measure(out, &acc->measures[STATS_COST]);
    appendStringInfoChar(out, '}');
}

/* ---- parsing ---- */

static bool parse_integer(struct json_text value, int64 *number)
{
    size_t i = value.len > 0 && value.s[0] == '-';
    int64 result = 0;

    if (i == value.len)
        return false;
    for (; i < value.len; i++) {
        if (value.s[i] < '0' || value.s[i] > '9' || __builtin_mul_overflow(result, 10, &result) ||
            __builtin_sub_overflow(result, value.s[i] - '0', &result))
            return false;
    }
    if (value.s[0] == '-')
        *number = result;
    return value.s[0] == '-' || !__builtin_sub_overflow(0, result, number);
}

static bool is_literal(struct json_text value, const char *literal)
{
    return value.len == strlen(literal) && memcmp(value.s, literal, value.len) == 0;
}

static bool parse_word(struct json_text value, struct stats_word *word)
{
    char *decoded;

    if (is_literal(value, "null")) {
        *word = (struct stats_word){NULL, 0};
        return true;
    }
    if (json_kind(value.s, value.len) != JSON_STRING)
        return false;
    decoded = palloc(value.len);
    *word = (struct stats_word){decoded, json_string_decode(value.s, value.len, decoded)};
    return word->len <= STATS_WORD_MAX;
}

static bool parse_answer(struct json_text value, enum stats_answer *answer)
{
    *answer = is_literal(value, "true")    ? STATS_TRUE
              : is_literal(value, "false") ? STATS_FALSE
                                           : STATS_UNKNOWN;
    return *answer != STATS_UNKNOWN || is_literal(value, "null");
}

/* The elements of an array that must have exactly so many. */
static bool elements_of(struct json_text array, struct json_text *elements, int count)
{
    struct json_members at;
    struct json_text extra;

    if (json_kind(array.s, array.len) != JSON_ARRAY)
        return false;
    json_elements_begin(&at, array.s, array.len);
    for (int i = 0; i < count; i++)
        if (!json_elements_next(&at, &elements[i]))
            return false;
    return !json_elements_next(&at, &extra);
}

/* The values of an object that must have exactly these members, in this order. */
static bool members_of(struct json_text object, const char *const *names, int count,
                       struct json_text *values)
{
    struct json_members at;
    struct json_text name, extra;

    if (json_kind(object.s, object.len) != JSON_OBJECT)
        return false;
    json_members_begin(&at, object.s, object.len);
    for (int i = 0; i < count; i++)
        if (!json_members_next(&at, &name, &values[i]) ||
            !json_string_equals(name.s, name.len, names[i]))
            return false;
    return !json_members_next(&at, &name, &extra);
}

typedef bool parse_key(const struct json_text *parts, struct stats_acc *acc, uint64 *key);

static bool parse_outcome(const struct json_text *parts, struct stats_acc *acc, uint64 *key)
{
    struct stats_word status, sentiment;
    enum stats_answer answer;

    if (!parse_word(parts[0], &status) || !parse_answer(parts[1], &answer) ||
        !parse_word(parts[2], &sentiment))
        return false;
    *key = stats_outcome_key(stats_acc_number(acc, STATS_STATUS, status), answer,
                             stats_acc_number(acc, STATS_SENTIMENT, sentiment));
    return true;
}

static bool parse_reason(const struct json_text *parts, struct stats_acc *acc, uint64 *key)
{
    struct stats_word reason;

    if (!parse_word(parts[0], &reason))
        return false;
    *key = stats_acc_number(acc, STATS_REASON, reason);
    return true;
}

static bool parse_cell(const struct json_text *parts, struct stats_acc *acc, uint64 *key)
{
    int64 cell;

    (void)acc;
    if (!parse_integer(parts[0], &cell) || cell < 0 || cell >= HISTOGRAM_CELLS)
        return false;
    *key = (uint64)cell;
    return true;
}

/* An array of cells, each an array of `parts`: its key's, then its count. */
static bool parse_cells(struct json_text array, parse_key *parse, int parts, struct stats_acc *acc,
                        struct stats_cells *cells)
{
    struct json_members at;
    struct json_text element, part[4];
    uint32 count = 0, position = 0;
    struct stats_cell cell;

    if (json_kind(array.s, array.len) != JSON_ARRAY)
        return false;
    json_elements_begin(&at, array.s, array.len);
    while (json_elements_next(&at, &element)) {
        uint64 key;
        int64 number;
        if (!elements_of(element, part, parts) || !parse(part, acc, &key) ||
            !parse_integer(part[parts - 1], &number) || number == 0 ||
            !stats_cells_add(cells, key, number, parse == parse_cell))
            return false;
        count++;
    }
    /* As many as there were: none came twice. */
    while (stats_cells_next(cells, &position, &cell))
        count--;
    return count == 0;
}

static bool parse_measure(struct json_text object, struct stats_acc *acc,
                          struct stats_measure *measure)
{
    static const char *const names[] = {"sum", "cells"};
    struct json_text values[lengthof(names)];
    int64 sum;

    if (!members_of(object, names, lengthof(names), values) || !parse_integer(values[0], &sum) ||
        !parse_cells(values[1], parse_cell, 2, acc, &measure->cells))
        return false;
    measure->sum = sum;
    return true;
}

static bool parse_voicemail(struct json_text object, struct stats_acc *acc)
{
    static const char *const names[] = {"true", "false"};
    struct json_text values[lengthof(names)];
    int64 yes, no;

    if (!members_of(object, names, lengthof(names), values) || !parse_integer(values[0], &yes) ||
        !parse_integer(values[1], &no))
        return false;
    acc->voicemail[STATS_TRUE] = yes;
    acc->voicemail[STATS_FALSE] = no;
    return true;
}

const char *call_stats_parse(const char *text, size_t len, struct stats_acc *acc)
{
    static const char *const names[] = {"calls", "reasons", "in_voicemail", "duration_ms", "cost"};
    struct json_text values[lengthof(names)];
    struct json_scan scan;

    if (!json_scan(text, len, &scan))
        return psprintf("It is no JSON: %s, at byte %zu.", scan.error, scan.error_offset);
    if (scan.dirty)
        return "A string in it cannot be stored as text.";
    if (!members_of((struct json_text){text, len}, names, lengthof(names), values))
        return "It must be an object of calls, reasons, in_voicemail, duration_ms and cost, in "
               "this "
               "order.";
    if (!parse_cells(values[0], parse_outcome, 4, acc, &acc->outcomes))
        return "Each of calls must be [status, successful, sentiment, count], and no two alike.";
    if (!parse_cells(values[1], parse_reason, 2, acc, &acc->reasons))
        return "Each of reasons must be [reason, count], and no two alike.";
    if (!parse_voicemail(values[2], acc))
        return "in_voicemail must be {\"true\": count, \"false\": count}.";
    if (!parse_measure(values[3], acc, &acc->measures[STATS_DURATION]) ||
        !parse_measure(values[4], acc, &acc->measures[STATS_COST]))
        return "duration_ms and cost must be {\"sum\": sum, \"cells\": [[cell, count], ...]}, and "
               "no "
               "two cells alike.";
    return NULL;
}
