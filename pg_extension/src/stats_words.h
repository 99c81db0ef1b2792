/*
 * The words that a call_stats value knows by number. Retell adds words without notice, so a value
 * may hold any other word too, spelled out; these are only the ones that take one byte each.
 *
 * The lists are part of the format on disk: in version 1 of it nothing is ever added, removed or
 * moved. Pure C.
 */
#ifndef FRONTDESK_STATS_WORDS_H
#define FRONTDESK_STATS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stats_vocabulary { STATS_STATUS, STATS_SENTIMENT, STATS_REASON, STATS_VOCABULARIES };

/* A word, not NUL-terminated; `s` is NULL where a call has none. */
struct stats_word {
    const char *s;
    size_t len;
};

/* Longer words are counted under as many of their first bytes as make whole characters. */
#define STATS_WORD_MAX 64

/* How many numbers a vocabulary has, from 0, which is "none". */
uint32_t stats_words_known(enum stats_vocabulary vocabulary);

/* The word of a number below stats_words_known(). */
struct stats_word stats_words_at(enum stats_vocabulary vocabulary, uint32_t number);

/* The number of a word; false when it has none. */
bool stats_words_find(enum stats_vocabulary vocabulary, struct stats_word word, uint32_t *number);

/* Byte order, a shorter word before a longer that begins with it. */
int stats_words_compare(struct stats_word a, struct stats_word b);

#endif
