/*
 * Most accumulators see a handful of calls (one changed call, one hour): everything is then a short
 * sorted list. Those that see many values turn their histograms into arrays, which adding a stored
 * value walks through at a few nanoseconds a cell.
 */
#include "stats_acc.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ROOM = 8,
    LIST_MAX = 64,  /* a histogram with more cells becomes an array */
    WORDS_MAX = 32, /* more words of its own get a table to be found by */
    ANSWER_SHIFT = 32,
    STATUS_SHIFT = 34,
};

uint64_t stats_outcome_key(uint32_t status, enum stats_answer answer, uint32_t sentiment)
{
    return (uint64_t)status << STATUS_SHIFT | (uint64_t)answer << ANSWER_SHIFT | sentiment;
}

uint32_t stats_outcome_status(uint64_t key)
{
    return (uint32_t)(key >> STATUS_SHIFT);
}

enum stats_answer stats_outcome_answer(uint64_t key)
{
    return (enum stats_answer)(key >> ANSWER_SHIFT & 3);
}

uint32_t stats_outcome_sentiment(uint64_t key)
{
    return (uint32_t)key;
}

void stats_acc_init(struct stats_acc *acc)
{
    memset(acc, 0, sizeof *acc);
}

/* A list with room for one more element. */
static void *with_room(void *list, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : FIRST_ROOM;
    return list ? stats_enlarge(list, *room * size) : stats_allocate(*room * size);
}

/* ---- words ---- */

/* The word cut to STATS_WORD_MAX bytes, at the start of a character. */
static struct stats_word cut(struct stats_word word)
{
    if (word.len > STATS_WORD_MAX) {
        word.len = STATS_WORD_MAX;
        while (word.len > 0 && ((unsigned char)word.s[word.len] & 0xC0) == 0x80)
            word.len--;
    }
    return word;
}

/* FNV-1a, by Fowler, Noll and Vo. */
static uint32_t hash(struct stats_word word)
{
    uint32_t value = 2166136261U;
    for (size_t i = 0; i < word.len; i++)
        value = (value ^ (unsigned char)word.s[i]) * 16777619U;
    return value;
}

/* The slot that holds the word, or is free for it; the table is never full. */
static uint32_t *find_slot(const struct stats_own_words *own, struct stats_word word)
{
    uint32_t at = hash(word) & (own->slot_count - 1);
    while (own->slots[at] && stats_words_compare(own->list[own->slots[at] - 1], word) != 0)
        at = (at + 1) & (own->slot_count - 1);
    return &own->slots[at];
}

/* Enters the last word into the table, which is made, or made anew, when it gets half full. */
static void note_last(struct stats_own_words *own)
{
    if (own->count <= WORDS_MAX)
        return;
    uint32_t from = own->count - 1;
    if (own->count * 2 > own->slot_count) {
        stats_release(own->slots);
        own->slot_count = own->slot_count ? own->slot_count * 4 : 8 * WORDS_MAX;
        own->slots = stats_allocate(own->slot_count * sizeof *own->slots);
        memset(own->slots, 0, own->slot_count * sizeof *own->slots);
        from = 0;
    }
    for (uint32_t i = from; i < own->count; i++)
        *find_slot(own, own->list[i]) = i + 1;
}

static bool find_number(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                        struct stats_word word, uint32_t *number)
{
    const struct stats_own_words *own = &acc->own[vocabulary];
    uint32_t at = 0; /* from 1 */

    if (stats_words_find(vocabulary, word, number))
        return true;
    if (own->slots)
        at = *find_slot(own, word);
    for (uint32_t i = 0; !own->slots && !at && i < own->count; i++)
        if (stats_words_compare(own->list[i], word) == 0)
            at = i + 1;
    *number = stats_words_known(vocabulary) + at - 1;
    return at > 0;
}

uint32_t stats_acc_number(struct stats_acc *acc, enum stats_vocabulary vocabulary,
                          struct stats_word word)
{
    struct stats_own_words *own = &acc->own[vocabulary];
    uint32_t number;

    word = cut(word);
    if (find_number(acc, vocabulary, word, &number))
        return number;
    char *copy = stats_allocate(word.len + 1);
    memcpy(copy, word.s, word.len);
    copy[word.len] = '\0';
    own->list = with_room(own->list, own->count, &own->room, sizeof *own->list);
    own->list[own->count++] = (struct stats_word){copy, word.len};
    note_last(own);
    return stats_words_known(vocabulary) + own->count - 1;
}

struct stats_word stats_acc_word(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                                 uint32_t number)
{
    uint32_t known = stats_words_known(vocabulary);
    return number < known ? stats_words_at(vocabulary, number)
                          : acc->own[vocabulary].list[number - known];
}

/* ---- cells ---- */

/* Where the key is in the list, or belongs. Keys mostly come in their order. */
static uint32_t find_cell(const struct stats_cells *cells, uint64_t key)
{
    uint32_t low = 0;
    uint32_t high = cells->count;

    if (high == 0 || cells->list[high - 1].key < key)
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cells->list[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_dense(struct stats_cells *cells)
{
    cells->dense = stats_allocate(HISTOGRAM_CELLS * sizeof *cells->dense);
    memset(cells->dense, 0, HISTOGRAM_CELLS * sizeof *cells->dense);
    for (uint32_t i = 0; i < cells->count; i++)
        cells->dense[cells->list[i].key] = cells->list[i].count;
    stats_release(cells->list);
    cells->list = NULL;
    cells->count = cells->room = 0;
}

bool stats_cells_add(struct stats_cells *cells, uint64_t key, int64_t count, bool histogram)
{
    if (cells->dense)
        return !__builtin_add_overflow(cells->dense[key], count, &cells->dense[key]);
    uint32_t at = find_cell(cells, key);
    if (at < cells->count && cells->list[at].key == key)
        return !__builtin_add_overflow(cells->list[at].count, count, &cells->list[at].count);
    if (histogram && cells->count >= LIST_MAX) {
        make_dense(cells);
        cells->dense[key] = count;
        return true;
    }
    cells->list = with_room(cells->list, cells->count, &cells->room, sizeof *cells->list);
    memmove(&cells->list[at + 1], &cells->list[at], (cells->count - at) * sizeof *cells->list);
    cells->list[at] = (struct stats_cell){key, count};
    cells->count++;
    return true;
}

bool stats_cells_next(const struct stats_cells *cells, uint32_t *at, struct stats_cell *cell)
{
    if (cells->dense) {
        while (*at < HISTOGRAM_CELLS && cells->dense[*at] == 0)
            ++*at;
        if (*at == HISTOGRAM_CELLS)
            return false;
        *cell = (struct stats_cell){*at, cells->dense[*at]};
    } else {
        while (*at < cells->count && cells->list[*at].count == 0)
            ++*at;
        if (*at == cells->count)
            return false;
        *cell = cells->list[*at];
    }
    ++*at;
    return true;
}

static int64_t sum_of(const struct stats_cells *cells)
{
    struct stats_cell cell;
    int64_t sum = 0;

    /* Wraps rather than traps: what is stored was checked. */
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);)
        sum = (int64_t)((uint64_t)sum + (uint64_t)cell.count);
    return sum;
}

/* ---- adding ---- */

static bool add_measure(struct stats_measure *measure, int64_t value, int sign)
{
    return !__builtin_add_overflow(measure->sum, sign < 0 ? -value : value, &measure->sum) &&
           stats_cells_add(&measure->cells, histogram_cell(value), sign, true);
}

bool stats_acc_add_call(struct stats_acc *acc, const struct stats_call *call, int sign)
{
    uint32_t status = stats_acc_number(acc, STATS_STATUS, call->status);
    uint32_t sentiment = stats_acc_number(acc, STATS_SENTIMENT, call->sentiment);
    uint32_t reason = stats_acc_number(acc, STATS_REASON, call->reason);
    uint64_t outcome = stats_outcome_key(status, call->successful, sentiment);

    if (!stats_cells_add(&acc->outcomes, outcome, sign, false) ||
        !stats_cells_add(&acc->reasons, reason, sign, false))
        return false;
    if (call->voicemail != STATS_UNKNOWN &&
        __builtin_add_overflow(acc->voicemail[call->voicemail], sign,
                               &acc->voicemail[call->voicemail]))
        return false;
    for (int i = 0; i < STATS_MEASURES; i++)
        if (call->has[i] && !add_measure(&acc->measures[i], call->value[i], sign))
            return false;
    return true;
}

/* ---- asking ---- */

int64_t stats_acc_total(const struct stats_acc *acc)
{
    return sum_of(&acc->reasons);
}

int64_t stats_acc_successful(const struct stats_acc *acc, enum stats_answer answer)
{
    const struct stats_filter filter = {.answers = 1U << answer};
    return stats_acc_matching(acc, &filter);
}

int64_t stats_acc_voicemail(const struct stats_acc *acc, enum stats_answer answer)
{
    return acc->voicemail[answer];
}

static bool same_word(struct stats_word a, struct stats_word b)
{
    return (a.s == NULL) == (b.s == NULL) && stats_words_compare(a, b) == 0;
}

static bool one_of(struct stats_word word, const struct stats_word *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_word(word, cut(list[i])))
            return true;
    return count == 0;
}

int64_t stats_acc_matching(const struct stats_acc *acc, const struct stats_filter *filter)
{
    struct stats_cell cell;
    int64_t sum = 0;

    for (uint32_t at = 0; stats_cells_next(&acc->outcomes, &at, &cell);) {
        uint32_t status = stats_outcome_status(cell.key);
        uint32_t sentiment = stats_outcome_sentiment(cell.key);
        if ((filter->answers && !(filter->answers >> stats_outcome_answer(cell.key) & 1)) ||
            !one_of(stats_acc_word(acc, STATS_STATUS, status), filter->statuses,
                    filter->status_count) ||
            !one_of(stats_acc_word(acc, STATS_SENTIMENT, sentiment), filter->sentiments,
                    filter->sentiment_count))
            continue;
        sum = (int64_t)((uint64_t)sum + (uint64_t)cell.count);
    }
    return sum;
}

int64_t stats_acc_reason(const struct stats_acc *acc, struct stats_word reason)
{
    uint32_t number;

    if (!find_number(acc, STATS_REASON, cut(reason), &number))
        return 0;
    uint32_t at = find_cell(&acc->reasons, number);
    return at < acc->reasons.count && acc->reasons.list[at].key == number
               ? acc->reasons.list[at].count
               : 0;
}

static int compare_counts(const void *a, const void *b)
{
    const struct stats_count *left = a;
    const struct stats_count *right = b;
    return stats_words_compare(left->word, right->word);
}

size_t stats_acc_counts(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                        struct stats_count **counts)
{
    const struct stats_cells *cells = vocabulary == STATS_REASON ? &acc->reasons : &acc->outcomes;
    uint32_t known = stats_words_known(vocabulary);
    uint32_t numbers = known + acc->own[vocabulary].count;
    struct stats_count *all = stats_allocate(numbers * sizeof *all);
    struct stats_cell cell;
    size_t kept = 0;

    for (uint32_t i = 0; i < numbers; i++)
        all[i] = (struct stats_count){stats_acc_word(acc, vocabulary, i), 0};
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);) {
        uint32_t number = vocabulary == STATS_REASON   ? (uint32_t)cell.key
                          : vocabulary == STATS_STATUS ? stats_outcome_status(cell.key)
                                                       : stats_outcome_sentiment(cell.key);
        all[number].count = (int64_t)((uint64_t)all[number].count + (uint64_t)cell.count);
    }
    qsort(all + known, numbers - known, sizeof *all, compare_counts);
    for (uint32_t i = 0; i < numbers; i++)
        if (all[i].count != 0)
            all[kept++] = all[i];
    *counts = all;
    return kept;
}

int64_t stats_acc_measured(const struct stats_acc *acc, enum stats_measure_id measure)
{
    return sum_of(&acc->measures[measure].cells);
}

int64_t stats_acc_sum(const struct stats_acc *acc, enum stats_measure_id measure)
{
    return acc->measures[measure].sum;
}

/* The rank, from 1, of the value that p stands for among n. */
static int64_t rank_of(double p, int64_t n)
{
    double exact = p * (double)n;
    if (!(exact > 1))
        return 1;
    if (exact >= (double)n)
        return n;
    int64_t rank = (int64_t)exact;
    return (double)rank < exact ? rank + 1 : rank;
}

bool stats_acc_percentile(const struct stats_acc *acc, enum stats_measure_id measure, double p,
                          int64_t *value)
{
    const struct stats_measure *of = &acc->measures[measure];
    int64_t n = sum_of(&of->cells);
    int64_t rank = rank_of(p, n);
    int64_t below = 0;
    struct stats_cell cell;

    if (n <= 0)
        return false;
    if (n == 1) {
        *value = of->sum;
        return true;
    }
    for (uint32_t at = 0; stats_cells_next(&of->cells, &at, &cell);) {
        below += cell.count;
        if (below >= rank) {
            *value = histogram_middle((uint32_t)cell.key);
            return true;
        }
    }
    return false;
}

bool stats_acc_ends(const struct stats_acc *acc, enum stats_measure_id measure, uint32_t *lowest,
                    uint32_t *highest)
{
    struct stats_cell cell;
    bool any = false;

    for (uint32_t at = 0; stats_cells_next(&acc->measures[measure].cells, &at, &cell);) {
        if (!any)
            *lowest = (uint32_t)cell.key;
        *highest = (uint32_t)cell.key;
        any = true;
    }
    return any;
}

const int64_t *stats_acc_histogram(struct stats_acc *acc, enum stats_measure_id measure)
{
    struct stats_cells *cells = &acc->measures[measure].cells;
    if (!cells->dense)
        make_dense(cells);
    return cells->dense;
}

static bool all_zero(const struct stats_cells *cells)
{
    struct stats_cell cell;
    uint32_t at = 0;
    return !stats_cells_next(cells, &at, &cell);
}

bool stats_acc_is_empty(const struct stats_acc *acc)
{
    for (int i = 0; i < STATS_MEASURES; i++)
        if (acc->measures[i].sum != 0 || !all_zero(&acc->measures[i].cells))
            return false;
    return all_zero(&acc->outcomes) && all_zero(&acc->reasons) && acc->voicemail[STATS_TRUE] == 0 &&
           acc->voicemail[STATS_FALSE] == 0;
}
