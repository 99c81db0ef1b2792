/*
 * A set-associative table: a client's key picks one set of WAYS entries, and within it whichever
 * entry is its own, else one whose window is over, else the one with the fewest requests. The key
 * is a keyed hash, so nobody can choose whose set to land in. Each shard of sets has one lock.
 */
#include "http/limiter.h"

#include "base/crypto.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 64, SETS = 128, WAYS = 8 }; /* 65536 entries of 24 bytes */

struct entry {
    uint64_t key;
    int64_t ends_ms; /* of its window; 0: never used */
    uint32_t count;
};

struct shard {
    pthread_mutex_t lock;
    struct entry entries[SETS][WAYS];
};

struct limiter {
    int64_t max, window_ms;
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct shard shards[SHARDS];
};

const char *limiter_limit_name(enum limit limit)
{
    static const char *const names[] = {
        [LIMIT_REQUESTS] = "requests",
        [LIMIT_FAILURES] = "failures",
        [LIMIT_NONE] = "none",
    };
    return names[limit];
}

struct limiter *limiter_new(int64_t max, int64_t window_ms)
{
    struct limiter *limiter = calloc(1, sizeof *limiter);
    if (!limiter || crypto_random(limiter->secret, sizeof limiter->secret)) {
        free(limiter);
        return NULL;
    }
    limiter->max = max;
    limiter->window_ms = window_ms;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&limiter->shards[i].lock, NULL); /* cannot fail on Linux */
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (!limiter)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_destroy(&limiter->shards[i].lock);
    free(limiter);
}

static uint64_t key_of(const struct limiter *limiter, enum limit limit,
                       const struct address *client)
{
    struct address network = address_client(client);
    unsigned char text[sizeof network.bytes + 1];
    uint64_t key = 0;
    memcpy(text, network.bytes, sizeof network.bytes);
    text[sizeof network.bytes] = (unsigned char)limit;
    _Static_assert(sizeof key == crypto_shorthash_BYTES, "one hash is one key");
    (void)crypto_shorthash((unsigned char *)&key, text, sizeof text, limiter->secret);
    return key;
}

/* Which of two entries is the better one to forget: an ended one, else that with fewer requests. */
static bool is_lesser(const struct entry *a, const struct entry *b, int64_t now_ms)
{
    bool a_over = a->ends_ms <= now_ms;
    bool b_over = b->ends_ms <= now_ms;
    if (a_over != b_over)
        return a_over;
    return a->count != b->count ? a->count < b->count : a->ends_ms < b->ends_ms;
}

/* The client's entry in its set, in a window that is not over. */
static struct entry *find_entry(struct entry *set, uint64_t key, int64_t now_ms, int64_t window_ms)
{
    struct entry *found = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key && set[i].ends_ms > now_ms)
            return &set[i];
        if (is_lesser(&set[i], found, now_ms))
            found = &set[i];
    }
    *found = (struct entry){.key = key, .ends_ms = now_ms + window_ms};
    return found;
}

struct limit_state limiter_count(struct limiter *limiter, enum limit limit,
                                 const struct address *client, int64_t now_ms)
{
    uint64_t key = key_of(limiter, limit, client);
    struct shard *shard = &limiter->shards[key % SHARDS];
    struct entry *set = shard->entries[key / SHARDS % SETS];

    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find_entry(set, key, now_ms, limiter->window_ms);
    if (entry->count < UINT32_MAX)
        entry->count++;
    int64_t count = entry->count;
    int64_t reset_ms = entry->ends_ms - now_ms;
    pthread_mutex_unlock(&shard->lock);

    return (struct limit_state){.within = count <= limiter->max,
                                .max = limiter->max,
                                .window_ms = limiter->window_ms,
                                .remaining = count < limiter->max ? limiter->max - count : 0,
                                .reset_ms = reset_ms};
}
