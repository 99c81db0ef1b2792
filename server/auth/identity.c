#include "auth/identity.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/crypto.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRESH_MS = 10000,  /* looked up again after so long */
    USABLE_MS = 25000, /* and not used after so long */
    LOOKUP_MS = 900,   /* for a caller that cannot be let in without */
    REFRESH_MS = 100,  /* for one that can: it is tried again with the next request */
    MAX_ENTRIES = 8192,
    MAX_BYTES = 16 * 1024 * 1024,
    BUCKETS = 8192,
    KEY_SIZE = CRYPTO_SHA256_HEX_SIZE, /* a user's id, or a digest in hex */
};

/* Something kept, on its bucket's list and on the list of all, the most recently used first. */
struct entry {
    char key[KEY_SIZE];
    struct identity identity; /* its agent_ids are the entry's own */
    int64_t asked_ms;         /* clock_mono_ms() just before it was looked up */
    int64_t used_ms;          /* wall clock; 0: its last use has been taken */
    bool refreshing;          /* some thread is looking it up again */
    size_t bytes;
    struct entry *in_bucket, *newer, *older;
};

struct identities {
    struct db_pool *pool;
    pthread_mutex_t lock; /* guards all below */
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    size_t count, bytes;
    uint64_t forgotten; /* goes up with every identities_forget() */
};

struct identities *identities_new(struct db_pool *pool)
{
    struct identities *identities = calloc(1, sizeof *identities);
    if (!identities)
        return NULL;
    identities->pool = pool;
    pthread_mutex_init(&identities->lock, NULL);
    return identities;
}

/* ---- the two lists; the lock is held ---- */

/* FNV-1a; nobody can choose keys: they are uuids of ours and digests. */
static struct entry **bucket_of(struct identities *identities, const char *key)
{
    uint32_t hash = 2166136261U;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619U;
    return &identities->buckets[hash % BUCKETS];
}

static void unlink_used(struct identities *identities, struct entry *e)
{
    *(e->newer ? &e->newer->older : &identities->newest) = e->older;
    *(e->older ? &e->older->newer : &identities->oldest) = e->newer;
}

static void link_newest(struct identities *identities, struct entry *e)
{
    e->newer = NULL;
    e->older = identities->newest;
    *(e->older ? &e->older->newer : &identities->oldest) = e;
    identities->newest = e;
}

static struct entry *find(struct identities *identities, const char *key)
{
    struct entry *e = *bucket_of(identities, key);
    while (e && strcmp(e->key, key) != 0)
        e = e->in_bucket;
    return e;
}

static void drop(struct identities *identities, struct entry *e)
{
    struct entry **at = bucket_of(identities, e->key);
    while (*at != e)
        at = &(*at)->in_bucket;
    *at = e->in_bucket;
    unlink_used(identities, e);
    identities->count--;
    identities->bytes -= e->bytes;
    free((char *)e->identity.agent_ids);
    free(e);
}

static void add(struct identities *identities, struct entry *e)
{
    struct entry **bucket = bucket_of(identities, e->key);
    e->in_bucket = *bucket;
    *bucket = e;
    link_newest(identities, e);
    identities->count++;
    identities->bytes += e->bytes;
    while (identities->oldest != e &&
           (identities->count > MAX_ENTRIES || identities->bytes > MAX_BYTES))
        drop(identities, identities->oldest);
}

void identities_free(struct identities *identities)
{
    if (!identities)
        return;
    while (identities->oldest)
        drop(identities, identities->oldest);
    pthread_mutex_destroy(&identities->lock);
    free(identities);
}

/* ---- looking up ---- */

/* What to ask the database for one entry. */
struct question {
    char key[KEY_SIZE];
    enum statement statement;
    struct db_param param;
};

/* Reads the one row of the answer: id, role, tokens_from, expires_ms, agent_ids. */
static enum err read_row(const struct db_result *result, struct entry *e)
{
    enum { ID, ROLE, TOKENS_FROM, EXPIRES_MS, AGENT_IDS };
    if (db_rows(result) != 1)
        return ERR_INVALID;
    const char *id = db_value(result, 0, ID);
    const char *tokens_from = db_value(result, 0, TOKENS_FROM);
    const char *expires_ms = db_value(result, 0, EXPIRES_MS);
    const char *agent_ids = db_value(result, 0, AGENT_IDS);
    if (!id || strlen(id) >= sizeof e->identity.id ||
        !role_parse(db_value(result, 0, ROLE), &e->identity.role))
        return ERR_INTERNAL;
    memcpy(e->identity.id, id, strlen(id) + 1);
    e->identity.tokens_from = tokens_from ? strtoll(tokens_from, NULL, 10) : 0;
    e->identity.expires_ms = expires_ms ? strtoll(expires_ms, NULL, 10) : 0;
    e->identity.agent_ids = agent_ids ? strdup(agent_ids) : NULL;
    e->bytes = sizeof *e + (agent_ids ? strlen(agent_ids) + 1 : 0);
    return agent_ids && !e->identity.agent_ids ? ERR_NOMEM : ERR_OK;
}

/* A new entry that nobody else knows yet, NULL unless ERR_OK. */
static enum err look_up(struct identities *identities, const struct question *question,
                        int64_t deadline, struct entry **out)
{
    struct db_result *result = NULL;
    struct entry *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e)
        return ERR_NOMEM;
    memcpy(e->key, question->key, sizeof e->key);
    e->asked_ms = clock_mono_ms();
    enum err err =
        db_pool_query(identities->pool, question->statement, &question->param, deadline, &result);
    if (err == ERR_INVALID)
        err = ERR_INTERNAL; /* here that means: there is nobody */
    if (!err)
        err = read_row(result, e);
    db_result_free(result);
    if (err)
        free(e);
    else
        *out = e;
    return err;
}

/* Hands out a copy. The lock is held. */
static enum err give(struct identities *identities, struct entry *e, struct arena *arena,
                     struct identity *out)
{
    e->used_ms = clock_wall_ms();
    unlink_used(identities, e);
    link_newest(identities, e);
    *out = e->identity;
    if (e->identity.agent_ids) {
        out->agent_ids = arena_strndup(arena, e->identity.agent_ids, strlen(e->identity.agent_ids));
        if (!out->agent_ids)
            return ERR_NOMEM;
    }
    return ERR_OK;
}

/*
 * Keeps what was found, unless something was forgotten meanwhile: it may have been found before that
 * change. Then it serves this one request. The lock is held.
 */
static enum err take_in(struct identities *identities, struct entry *made, uint64_t forgotten,
                        struct arena *arena, struct identity *out)
{
    struct entry *old = find(identities, made->key);
    if (old) {
        made->used_ms = old->used_ms;
        drop(identities, old);
    }
    add(identities, made);
    enum err err = give(identities, made, arena, out);
    if (identities->forgotten != forgotten)
        drop(identities, made);
    return err;
}

static enum err identify(struct identities *identities, const struct question *question,
                         struct arena *arena, struct identity *out)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&identities->lock);
    struct entry *e = find(identities, question->key);
    bool usable = e && now - e->asked_ms < USABLE_MS;
    if (usable && (now - e->asked_ms < FRESH_MS || e->refreshing)) {
        enum err err = give(identities, e, arena, out);
        pthread_mutex_unlock(&identities->lock);
        return err;
    }
    if (e)
        e->refreshing = true;
    uint64_t forgotten = identities->forgotten;
    pthread_mutex_unlock(&identities->lock);

    struct entry *made = NULL;
    enum err err = look_up(identities, question, now + (usable ? REFRESH_MS : LOOKUP_MS), &made);

    pthread_mutex_lock(&identities->lock);
    e = find(identities, question->key);
    if (e)
        e->refreshing = false;
    if (made)
        err = take_in(identities, made, forgotten, arena, out);
    else if (err == ERR_INVALID && e)
        drop(identities, e);
    else if (err != ERR_INVALID && e && now - e->asked_ms < USABLE_MS)
        err = give(identities, e, arena, out);
    pthread_mutex_unlock(&identities->lock);
    return err;
}

enum err identity_of_user(struct identities *identities, const char *id, struct arena *arena,
                          struct identity *out)
{
    struct question question = {.statement = STATEMENT_IDENTITY_USER, .param = db_text(id)};
    (void)snprintf(question.key, sizeof question.key, "%s", id);
    return identify(identities, &question, arena, out);
}

enum err identity_of_key(struct identities *identities,
                         const unsigned char digest[API_KEY_DIGEST_SIZE], struct arena *arena,
                         struct identity *out)
{
    struct question question = {
        .statement = STATEMENT_IDENTITY_KEY,
        .param = {.data = (const char *)digest, .len = API_KEY_DIGEST_SIZE, .binary = true}};
    codec_hex(digest, API_KEY_DIGEST_SIZE, question.key);
    return identify(identities, &question, arena, out);
}

void identities_forget(struct identities *identities, const char *id)
{
    pthread_mutex_lock(&identities->lock);
    identities->forgotten++;
    for (struct entry *e = identities->newest, *older; e; e = older) {
        older = e->older;
        if (strcmp(e->identity.id, id) == 0)
            drop(identities, e);
    }
    pthread_mutex_unlock(&identities->lock);
}

size_t identities_take_uses(struct identities *identities, struct identity_use *uses, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&identities->lock);
    for (struct entry *e = identities->newest; e && count < max; e = e->older) {
        /* A user's key is its id; only keys of programs have their use written down. */
        if (!e->used_ms || strcmp(e->key, e->identity.id) == 0)
            continue;
        memcpy(uses[count].id, e->identity.id, sizeof uses[count].id);
        uses[count++].used_ms = e->used_ms;
        e->used_ms = 0;
    }
    pthread_mutex_unlock(&identities->lock);
    return count;
}
