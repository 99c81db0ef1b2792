/* The format is described in stats_codec.h; the word lists belong to it. */
#include "stats_codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    HAS_WORDS = 0x80,
    NUMBER_MAX = 10, /* bytes of a number */
};

/* The least 64-bit number is refused too: it cannot be subtracted. */
static bool fits(int64_t number)
{
    return number != INT64_MIN;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static uint64_t read_number(struct reader *reader)
{
    uint64_t number = 0;

    for (unsigned shift = 0; reader->at < reader->end && shift < 64; shift += 7) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1)
            break;
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return number;
    }
    reader->failed = true;
    return 0;
}

static int64_t read_signed(struct reader *reader)
{
    uint64_t number = read_number(reader);
    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

/* A number of things that take a byte each, at least. */
static uint64_t read_count(struct reader *reader)
{
    uint64_t count = read_number(reader);
    if (count > (uint64_t)(reader->end - reader->at)) {
        reader->failed = true;
        return 0;
    }
    return count;
}

/* The words of one value, and their numbers in the accumulator. */
struct word_map {
    uint32_t known, count;
    uint32_t *numbers;
};

static bool read_words(struct reader *reader, struct stats_acc *acc,
                       enum stats_vocabulary vocabulary, struct word_map *map)
{
    uint64_t count = read_count(reader);

    map->numbers = count ? stats_allocate(count * sizeof *map->numbers) : NULL;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t len = read_count(reader);
        if (reader->failed || len > STATS_WORD_MAX || memchr(reader->at, '\0', len))
            return false;
        map->numbers[i] = stats_acc_number(
            acc, vocabulary, (struct stats_word){(const char *)reader->at, (size_t)len});
        reader->at += len;
    }
    map->count = (uint32_t)count;
    return !reader->failed;
}

/* False when the value has no such number. */
static bool map_number(const struct word_map *map, uint64_t number, uint32_t *mapped)
{
    if (number >= (uint64_t)map->known + map->count)
        return false;
    *mapped = number < map->known ? (uint32_t)number : map->numbers[number - map->known];
    return true;
}

static bool map_outcome(const struct word_map *maps, uint64_t key, uint64_t *mapped)
{
    uint64_t sentiments = (uint64_t)maps[STATS_SENTIMENT].known + maps[STATS_SENTIMENT].count;
    uint64_t answered = key / sentiments;
    uint32_t status;
    uint32_t sentiment;

    if (!map_number(&maps[STATS_STATUS], answered / STATS_ANSWERS, &status) ||
        !map_number(&maps[STATS_SENTIMENT], key % sentiments, &sentiment))
        return false;
    *mapped = stats_outcome_key(status, (enum stats_answer)(answered % STATS_ANSWERS), sentiment);
    return true;
}

static bool map_reason(const struct word_map *maps, uint64_t key, uint64_t *mapped)
{
    uint32_t number;
    bool found = map_number(&maps[STATS_REASON], key, &number);
    *mapped = found ? number : 0;
    return found;
}

static bool map_cell(const struct word_map *maps, uint64_t key, uint64_t *mapped)
{
    (void)maps;
    *mapped = key;
    return key < HISTOGRAM_CELLS;
}

typedef bool key_map(const struct word_map *maps, uint64_t key, uint64_t *mapped);

/* Adds the cells that come next; `*sum` is the sum of their counts. */
static enum stats_result read_cells(struct reader *reader, key_map *map,
                                    const struct word_map *maps, int sign,
                                    struct stats_cells *cells, int64_t *sum)
{
    uint64_t count = read_count(reader);
    uint64_t key = 0;

    *sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = read_number(reader);
        int64_t number = read_signed(reader);
        uint64_t mapped;
        if (reader->failed || (i > 0 && __builtin_add_overflow(key, 1, &key)) ||
            __builtin_add_overflow(key, step, &key) || !map(maps, key, &mapped))
            return STATS_MALFORMED;
        if (!fits(number) || __builtin_add_overflow(*sum, number, sum) ||
            !stats_cells_add(cells, mapped, sign < 0 ? -number : number, map == map_cell))
            return STATS_OVERFLOW;
    }
    return reader->failed ? STATS_MALFORMED : STATS_OK;
}

static enum stats_result read_sum(struct reader *reader, int sign, int64_t *sum)
{
    int64_t number = read_signed(reader);
    if (reader->failed)
        return STATS_MALFORMED;
    return !fits(number) || __builtin_add_overflow(*sum, sign < 0 ? -number : number, sum)
               ? STATS_OVERFLOW
               : STATS_OK;
}

/* Everything behind the words. */
static enum stats_result read_body(struct reader *reader, const struct word_map *maps, int sign,
                                   struct stats_acc *acc)
{
    enum stats_result result;
    int64_t outcomes;
    int64_t reasons;
    int64_t measured;

    if ((result = read_cells(reader, map_outcome, maps, sign, &acc->outcomes, &outcomes)) ||
        (result = read_cells(reader, map_reason, maps, sign, &acc->reasons, &reasons)) ||
        (result = read_sum(reader, sign, &acc->voicemail[STATS_TRUE])) ||
        (result = read_sum(reader, sign, &acc->voicemail[STATS_FALSE])))
        return result;
    for (int i = 0; i < STATS_MEASURES; i++) {
        struct stats_measure *measure = &acc->measures[i];
        if ((result = read_sum(reader, sign, &measure->sum)) ||
            (result = read_cells(reader, map_cell, maps, sign, &measure->cells, &measured)))
            return result;
    }
    return reader->at == reader->end && outcomes == reasons ? STATS_OK : STATS_MALFORMED;
}

enum stats_result stats_decode(const uint8_t *bytes, size_t len, int sign, struct stats_acc *acc)
{
    struct reader reader = {bytes, bytes + len, false};
    struct word_map maps[STATS_VOCABULARIES] = {0};
    enum stats_result result = STATS_OK;

    if (len == 0 || (*reader.at & ~HAS_WORDS) != VERSION)
        return STATS_MALFORMED;
    bool words = *reader.at++ & HAS_WORDS;
    for (int i = 0; i < STATS_VOCABULARIES; i++) {
        maps[i].known = stats_words_known((enum stats_vocabulary)i);
        if (result == STATS_OK && words &&
            !read_words(&reader, acc, (enum stats_vocabulary)i, &maps[i]))
            result = STATS_MALFORMED;
    }
    if (result == STATS_OK)
        result = read_body(&reader, maps, sign, acc);
    for (int i = 0; i < STATS_VOCABULARIES; i++)
        stats_release(maps[i].numbers);
    return result;
}

/* ---- writing ---- */

static uint8_t *write_number(uint8_t *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *out++ = (uint8_t)number | 0x80;
    *out++ = (uint8_t)number;
    return out;
}

static uint8_t *write_signed(uint8_t *out, int64_t number)
{
    return write_number(out, (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0));
}

static uint32_t cell_count(const struct stats_cells *cells)
{
    struct stats_cell cell;
    uint32_t count = 0;
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);)
        count++;
    return count;
}

static uint8_t *write_cells(uint8_t *out, const struct stats_cells *cells)
{
    struct stats_cell cell;
    uint64_t next = 0;

    out = write_number(out, cell_count(cells));
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell); next = cell.key + 1) {
        out = write_number(out, cell.key - next);
        out = write_signed(out, cell.count);
    }
    return out;
}

/* A word that is used, and its number in the accumulator. */
struct used_word {
    struct stats_word word;
    uint32_t number;
};

static int compare_used(const void *a, const void *b)
{
    const struct used_word *left = a;
    const struct used_word *right = b;
    return stats_words_compare(left->word, right->word);
}

static uint32_t number_of(enum stats_vocabulary vocabulary, uint64_t key)
{
    return vocabulary == STATS_REASON   ? (uint32_t)key
           : vocabulary == STATS_STATUS ? stats_outcome_status(key)
                                        : stats_outcome_sentiment(key);
}

/*
 * Lists the words without a number of their own that are used, and says in `map` which number each
 * gets in the value. Returns the list, which is map->count words long.
 */
static struct used_word *list_words(const struct stats_acc *acc, enum stats_vocabulary vocabulary,
                                    struct word_map *map)
{
    const struct stats_own_words *own = &acc->own[vocabulary];
    const struct stats_cells *cells = vocabulary == STATS_REASON ? &acc->reasons : &acc->outcomes;
    struct stats_cell cell;

    map->known = stats_words_known(vocabulary);
    if (own->count == 0)
        return NULL;
    struct used_word *used = stats_allocate(own->count * sizeof *used);
    map->numbers = stats_allocate(own->count * sizeof *map->numbers);
    memset(map->numbers, 0, own->count * sizeof *map->numbers);
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);) {
        uint32_t number = number_of(vocabulary, cell.key);
        if (number < map->known || map->numbers[number - map->known]++)
            continue;
        used[map->count++] = (struct used_word){own->list[number - map->known], number};
    }
    qsort(used, map->count, sizeof *used, compare_used);
    for (uint32_t i = 0; i < map->count; i++)
        map->numbers[used[i].number - map->known] = map->known + i;
    return used;
}

static uint8_t *write_words(uint8_t *out, const struct used_word *words, uint32_t count)
{
    out = write_number(out, count);
    for (uint32_t i = 0; i < count; i++) {
        out = write_number(out, words[i].word.len);
        memcpy(out, words[i].word.s, words[i].word.len);
        out += words[i].word.len;
    }
    return out;
}

static uint32_t renumber(const struct word_map *map, uint32_t number)
{
    return number < map->known || !map->numbers ? number : map->numbers[number - map->known];
}

static int compare_cells(const void *a, const void *b)
{
    const struct stats_cell *left = a;
    const struct stats_cell *right = b;
    return (left->key > right->key) - (left->key < right->key);
}

/* The cells with the keys that they have in the value, in their order there. */
static struct stats_cells renumbered(const struct stats_cells *cells, bool outcomes,
                                     const struct word_map *maps)
{
    const struct word_map *sentiments = &maps[STATS_SENTIMENT];
    struct stats_cells out = {0};
    struct stats_cell cell;

    if (cells->count == 0)
        return out;
    out.list = stats_allocate(cells->count * sizeof *out.list);
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);) {
        if (outcomes) {
            uint64_t status = renumber(&maps[STATS_STATUS], stats_outcome_status(cell.key));
            uint64_t sentiment = renumber(sentiments, stats_outcome_sentiment(cell.key));
            cell.key = (status * STATS_ANSWERS + stats_outcome_answer(cell.key)) *
                           (sentiments->known + sentiments->count) +
                       sentiment;
        } else {
            cell.key = renumber(&maps[STATS_REASON], (uint32_t)cell.key);
        }
        out.list[out.count++] = cell;
    }
    qsort(out.list, out.count, sizeof *out.list, compare_cells);
    return out;
}

size_t stats_encoded_max(const struct stats_acc *acc)
{
    size_t numbers = 16; /* those outside of cells, generously */
    size_t bytes = 1;

    for (int i = 0; i < STATS_VOCABULARIES; i++)
        for (uint32_t k = 0; k < acc->own[i].count; k++)
            bytes += acc->own[i].list[k].len + NUMBER_MAX;
    numbers += 2 * ((size_t)cell_count(&acc->outcomes) + cell_count(&acc->reasons));
    for (int i = 0; i < STATS_MEASURES; i++)
        numbers += 2 * (size_t)cell_count(&acc->measures[i].cells);
    return bytes + numbers * NUMBER_MAX;
}

size_t stats_encode(const struct stats_acc *acc, uint8_t *out)
{
    struct word_map maps[STATS_VOCABULARIES] = {0};
    struct used_word *words[STATS_VOCABULARIES];
    uint8_t *start = out;
    bool any = false;

    for (int i = 0; i < STATS_VOCABULARIES; i++) {
        words[i] = list_words(acc, (enum stats_vocabulary)i, &maps[i]);
        any |= maps[i].count > 0;
    }
    *out++ = VERSION | (any ? HAS_WORDS : 0);
    for (int i = 0; any && i < STATS_VOCABULARIES; i++)
        out = write_words(out, words[i], maps[i].count);
    struct stats_cells outcomes = renumbered(&acc->outcomes, true, maps);
    struct stats_cells reasons = renumbered(&acc->reasons, false, maps);
    out = write_cells(out, &outcomes);
    out = write_cells(out, &reasons);
    out = write_signed(out, acc->voicemail[STATS_TRUE]);
    out = write_signed(out, acc->voicemail[STATS_FALSE]);
    for (int i = 0; i < STATS_MEASURES; i++) {
        out = write_signed(out, acc->measures[i].sum);
        out = write_cells(out, &acc->measures[i].cells);
    }
    for (int i = 0; i < STATS_VOCABULARIES; i++) {
        stats_release(words[i]);
        stats_release(maps[i].numbers);
    }
    stats_release(outcomes.list);
    stats_release(reasons.list);
    return (size_t)(out - start);
}

/* ---- checking ---- */

static bool add_up(const struct stats_cells *cells, int64_t *sum)
{
    struct stats_cell cell;

    *sum = 0;
    for (uint32_t at = 0; stats_cells_next(cells, &at, &cell);)
        if (!fits(cell.count) || __builtin_add_overflow(*sum, cell.count, sum))
            return false;
    return true;
}

enum stats_result stats_acc_check(const struct stats_acc *acc)
{
    int64_t outcomes;
    int64_t reasons;
    int64_t measured;

    if (!add_up(&acc->outcomes, &outcomes) || !add_up(&acc->reasons, &reasons) ||
        !fits(acc->voicemail[STATS_TRUE]) || !fits(acc->voicemail[STATS_FALSE]))
        return STATS_OVERFLOW;
    for (int i = 0; i < STATS_MEASURES; i++)
        if (!fits(acc->measures[i].sum) || !add_up(&acc->measures[i].cells, &measured))
            return STATS_OVERFLOW;
    return outcomes == reasons ? STATS_OK : STATS_MALFORMED;
}

enum stats_result stats_check(const uint8_t *bytes, size_t len, struct stats_acc *acc)
{
    enum stats_result result = stats_decode(bytes, len, 1, acc);
    if (result == STATS_OK)
        result = stats_acc_check(acc);
    if (result != STATS_OK)
        return result;
    uint8_t *again = stats_allocate(stats_encoded_max(acc));
    return stats_encode(acc, again) == len && memcmp(again, bytes, len) == 0 ? STATS_OK
                                                                             : STATS_MALFORMED;
}
