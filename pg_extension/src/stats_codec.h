/*
 * The bytes of a call_stats value, as they lie on disk, travel in binary and are compared.
 *
 *   head        1 byte: the version of the format, 1; bit 7 set when words follow
 *   words       only then: for status, sentiment and reason each a number, and as many words, in
 *               ascending order of their bytes, each its length and its bytes
 *   outcomes    cells; the key is (status * 3 + answer) * sentiments + sentiment, where answer is
 *               0 unknown, 1 successful, 2 not, and sentiments is how many numbers there are
 *   reasons     cells; the key is the reason's number
 *   voicemail   how many calls ended in one, how many did not
 *   duration    the sum in ms, then cells; the key is the histogram's cell (histogram.h)
 *   cost        the sum in 1/10000 cent, then cells, as for duration
 *
 * Cells are their number and then, in ascending order of keys, for each the key (the first as it
 * is, others as the difference from the one before, less one) and the count. All numbers are
 * little-endian base 128, 7 bits a byte; counts and sums may be negative and are zigzag encoded.
 * Statuses, sentiments and reasons have the numbers that stats_words.h gives them, and words that
 * it does not have get the numbers after those, in the order in which they are listed.
 *
 * One call takes about 23 bytes, a hundred about 350, a million about 2 kB: most cells are empty,
 * and keys and counts are small. Nothing is aligned or padded.
 *
 * Equal statistics are equal bytes. So there is exactly one spelling of each number, no cell with a
 * count of 0, no word that is not used or that has a number of its own, and nothing after the end.
 *
 * Not stored, because they follow: how many calls there are (the sum of reasons, which is that of
 * outcomes), how many have a duration or a cost (the sums of the cells). Impossible: the least and
 * the greatest value, which could not be subtracted (indexes of calls know them), and values of
 * which a histogram does not tell apart.
 *
 * Pure C.
 */
#ifndef FRONTDESK_STATS_CODEC_H
#define FRONTDESK_STATS_CODEC_H

#include "stats_acc.h"

enum stats_result {
    STATS_OK,
    STATS_MALFORMED, /* these bytes are no value */
    STATS_OVERFLOW,  /* some sum is beyond 64 bits */
};

/*
 * Adds the value in `bytes` to the accumulator, or subtracts it: sign is 1 or -1. Safe on any
 * bytes; it checks what it must for that, and that the parts agree on how many calls there are, but
 * not that the spelling is the canonical one: see stats_is_canonical().
 */
enum stats_result stats_decode(const uint8_t *bytes, size_t len, int sign, struct stats_acc *acc)
    __attribute__((warn_unused_result));

/* How many bytes stats_encode() may write, at most. */
size_t stats_encoded_max(const struct stats_acc *acc);

/* Writes the value and returns its length. */
size_t stats_encode(const struct stats_acc *acc, uint8_t *out);

/*
 * Is this a value in its one spelling, with no sum of counts beyond 64 bits? For bytes from outside.
 * `acc`, which must be empty, has the value then.
 */
enum stats_result stats_check(const uint8_t *bytes, size_t len, struct stats_acc *acc)
    __attribute__((warn_unused_result));

/* Do outcomes and reasons count as many calls, and is no sum of counts beyond 64 bits? */
enum stats_result stats_acc_check(const struct stats_acc *acc) __attribute__((warn_unused_result));

#endif
