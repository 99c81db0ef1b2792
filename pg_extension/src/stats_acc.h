/*
 * The statistics of calls, in memory: what is added up, subtracted from, and asked. Stored values
 * (call_stats) are these, encoded; see stats_codec.h for the bytes. Pure C.
 *
 * Counts are signed, because a difference of two sets of calls is a value like any other: an update
 * of a call is the new one minus the old one.
 *
 * Memory comes from stats_allocate() and its like, which whoever links this provides: palloc in the
 * extension (so that an accumulator dies with its memory context), malloc in unit tests. It starts
 * with no memory at all and takes some 60 kB once it has seen many different values.
 *
 * Functions that return false met a sum beyond 64 bits. The accumulator is then of no more use.
 */
#ifndef FRONTDESK_STATS_ACC_H
#define FRONTDESK_STATS_ACC_H

#include "histogram.h"
#include "stats_words.h"

/* Units of calls.cost and of everything that is said of costs here: 1/10000 cent. */
#define STATS_COST_SCALE 10000

/* What a call says of a yes-or-no question. */
enum stats_answer { STATS_UNKNOWN, STATS_TRUE, STATS_FALSE, STATS_ANSWERS };

enum stats_measure_id { STATS_DURATION, STATS_COST, STATS_MEASURES };

/* What is counted of one call. */
struct stats_call {
    struct stats_word status, sentiment, reason;
    enum stats_answer successful, voicemail;
    bool has[STATS_MEASURES];
    int64_t value[STATS_MEASURES]; /* ms; 1/10000 cent; never negative */
};

struct stats_cell {
    uint64_t key;
    int64_t count; /* may be 0 */
};

/* Counts by key: a sorted list, or for histograms with many cells an array of all of them. */
struct stats_cells {
    struct stats_cell *list;
    uint32_t count, room;
    int64_t *dense; /* HISTOGRAM_CELLS counts; the list is empty then */
};

struct stats_measure {
    struct stats_cells cells; /* by histogram cell */
    int64_t sum;
};

/* Words without a number of their own get the numbers after stats_words_known(). */
struct stats_own_words {
    struct stats_word *list;
    uint32_t count, room;
    uint32_t *slots; /* once there are many: index in list + 1 by hash, 0 when free */
    uint32_t slot_count;
};

/* Read through the functions below. */
struct stats_acc {
    struct stats_own_words own[STATS_VOCABULARIES];
    struct stats_cells outcomes; /* by stats_outcome_key() */
    struct stats_cells reasons;  /* by number */
    int64_t voicemail[STATS_ANSWERS];
    struct stats_measure measures[STATS_MEASURES];
};

/* How often a word occurs. */
struct stats_count {
    struct stats_word word;
    int64_t count;
};

/* Which calls are counted; a list of length 0 means any. A word with NULL means calls with none. */
struct stats_filter {
    const struct stats_word *statuses, *sentiments;
    size_t status_count, sentiment_count;
    unsigned answers; /* bits 1 << STATS_TRUE and so on; 0 means any */
};

void *stats_allocate(size_t size);
void *stats_enlarge(void *memory, size_t size);
void stats_release(void *memory); /* NULL does nothing */

/* The empty statistics. Takes no memory. */
void stats_acc_init(struct stats_acc *acc);

/* Adds the call, or takes it away: sign is 1 or -1. Words are copied. */
bool stats_acc_add_call(struct stats_acc *acc, const struct stats_call *call, int sign)
    __attribute__((warn_unused_result));

/* How many calls there are. */
int64_t stats_acc_total(const struct stats_acc *acc);

/* How many calls were successful (STATS_TRUE), were not, or are not analysed (STATS_UNKNOWN). */
int64_t stats_acc_successful(const struct stats_acc *acc, enum stats_answer answer);

/* How many calls ended in a voicemail, did not; never STATS_UNKNOWN. */
int64_t stats_acc_voicemail(const struct stats_acc *acc, enum stats_answer answer);

/* How many calls match; status, success and sentiment together. */
int64_t stats_acc_matching(const struct stats_acc *acc, const struct stats_filter *filter);

/* How many calls have the reason; one with NULL means calls with none. */
int64_t stats_acc_reason(const struct stats_acc *acc, struct stats_word reason);

/*
 * Counts by status, sentiment or reason, zeros left out, "none" first, then known words, then others
 * by their bytes. `*counts` is allocated; the words are the accumulator's. Returns how many.
 */
size_t stats_acc_counts(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                        struct stats_count **counts);

/* How many calls have a duration or a cost, and the sum of those. */
int64_t stats_acc_measured(const struct stats_acc *acc, enum stats_measure_id measure);
int64_t stats_acc_sum(const struct stats_acc *acc, enum stats_measure_id measure);

/*
 * The least value of which at least the share p, from 0 to 1, of all values are not above it, to
 * within half a cell (0.79 %); p = 0 is the least value, p = 1 the greatest. False when there are
 * no values, or less than none.
 */
bool stats_acc_percentile(const struct stats_acc *acc, enum stats_measure_id measure, double p,
                          int64_t *value) __attribute__((warn_unused_result));

/*
 * The lowest and the highest cell that are not empty: the least value is in the one, the greatest in
 * the other. False when all are empty.
 */
bool stats_acc_ends(const struct stats_acc *acc, enum stats_measure_id measure, uint32_t *lowest,
                    uint32_t *highest) __attribute__((warn_unused_result));

/*
 * The counts of all HISTOGRAM_CELLS cells, for walks along the values; calls without one are the
 * difference between total and measured. They are the accumulator's, and move when it changes.
 */
const int64_t *stats_acc_histogram(struct stats_acc *acc, enum stats_measure_id measure);

/* Is every count and every sum 0? */
bool stats_acc_is_empty(const struct stats_acc *acc);

/* For the codec. */

/* The key of a status (by number), an answer and a sentiment (by number) in `outcomes`. */
uint64_t stats_outcome_key(uint32_t status, enum stats_answer answer, uint32_t sentiment);
uint32_t stats_outcome_status(uint64_t key);
enum stats_answer stats_outcome_answer(uint64_t key);
uint32_t stats_outcome_sentiment(uint64_t key);

/* The number of a word in this accumulator; it is added, and copied, when it has none. */
uint32_t stats_acc_number(struct stats_acc *acc, enum stats_vocabulary vocabulary,
                          struct stats_word word);

/* The word of a number. */
struct stats_word stats_acc_word(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                                 uint32_t number);

/* Adds to the count of a key. `histogram`: keys are cells. */
bool stats_cells_add(struct stats_cells *cells, uint64_t key, int64_t count, bool histogram)
    __attribute__((warn_unused_result));

/*
 * Visits the counts that are not 0 in the order of their keys: `*at` starts as 0. False after the
 * last.
 */
bool stats_cells_next(const struct stats_cells *cells, uint32_t *at, struct stats_cell *cell);

#endif
