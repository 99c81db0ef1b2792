/*
 * Who is behind a token or a key: role, agents, and whether they still count. Kept in memory, so
 * that a request costs no query; looked up again every few seconds, so that what changes at the
 * database counts everywhere soon.
 *
 * An identity is used for 10 s before it is looked up again, and for 25 s at most: so whoever was
 * disabled, deleted or changed, or whose key was revoked, is refused within 25 s on every server, at
 * once on the one that did it. While the database is away known callers go on for those 25 s (to
 * answers that mostly need the database, too); then they get 503, not 401: nobody knows better.
 *
 * Memory is bounded: 8192 identities and 16 MB, the least recently used go first. Unknown ones are
 * not kept, so a flood of them pushes nobody out. All functions are thread-safe.
 */
#ifndef FRONTDESK_AUTH_IDENTITY_H
#define FRONTDESK_AUTH_IDENTITY_H

#include "auth/api_key.h"
#include "auth/role.h"
#include "auth/token.h"
#include "base/arena.h"
#include "base/err.h"
#include "db/pool.h"

#include <stdint.h>

enum { IDENTITY_ID_SIZE = TOKEN_SUBJECT_SIZE };

struct identities;

/* What is known of a user or a key. */
struct identity {
    char id[IDENTITY_ID_SIZE];
    enum role role;
    int64_t tokens_from;   /* of a user: tokens issued before this second are dead */
    int64_t expires_ms;    /* of a key, since the epoch; 0: never */
    const char *agent_ids; /* what it may see, as a PostgreSQL text[] literal; NULL: all */
};

/* An empty cache over `pool`, which must outlive it; NULL when memory is short. */
struct identities *identities_new(struct db_pool *pool);
void identities_free(struct identities *identities);

/*
 * The user of that id, or the key of that digest; agent_ids is copied into `arena`. ERR_INVALID:
 * there is none that counts; else, as db_pool_query, nobody can tell right now.
 */
MUSTCHECK enum err identity_of_user(struct identities *identities, const char *id,
                                    struct arena *arena, struct identity *out);
MUSTCHECK enum err identity_of_key(struct identities *identities,
                                   const unsigned char digest[API_KEY_DIGEST_SIZE],
                                   struct arena *arena, struct identity *out);

/* Something changed about the user or key of that id: look it up again. */
void identities_forget(struct identities *identities, const char *id);

/* When keys were last used, as far as that has not been written down: see identities_note_used. */
struct identity_use {
    char id[IDENTITY_ID_SIZE];
    int64_t used_ms; /* since the epoch */
};

/* Takes at most `max` of the uses that were not taken yet; how many. */
size_t identities_take_uses(struct identities *identities, struct identity_use *uses, size_t max);

#endif
