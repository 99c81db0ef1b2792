/*
 * What auth wants done from time to time, by whoever runs periodic work: the superadmin of the
 * settings, when keys were last used, old login attempts. Each function is one round, with a
 * deadline of its own; false: it failed (the pool has logged why) and wants another try.
 */
#ifndef FRONTDESK_AUTH_KEEPER_H
#define FRONTDESK_AUTH_KEEPER_H

#include "auth/identity.h"
#include "base/log.h"
#include "db/pool.h"

#include <stdbool.h>

/* Strings and pointers must outlive it. */
struct keeper {
    struct db_pool *pool;
    struct identities *identities;
    const struct log *log;
    /* The superadmin to make unless there is a user of that e-mail; e-mail NULL: none. */
    const char *superadmin_email, *superadmin_password, *superadmin_name;
    bool has_superadmin; /* seen or made: set once, by one thread at a time */
};

/* Makes the superadmin. The thread needs a stack for argon2. */
bool keeper_ensure_superadmin(struct keeper *keeper);

/* Writes down when keys were last used. What cannot be written is lost: the next use is as good. */
bool keeper_write_uses(const struct keeper *keeper);

/* Drops login attempts of yesterday, and the oldest if there are too many. */
bool keeper_drop_attempts(const struct keeper *keeper);

#endif
