/*
 * The periodic work of auth, on a thread of its own: makes the superadmin of the settings once the
 * database is there, writes down when keys were last used, drops old login attempts.
 */
#ifndef FRONTDESK_AUTH_KEEPER_H
#define FRONTDESK_AUTH_KEEPER_H

#include "auth/identity.h"
#include "base/err.h"
#include "base/log.h"
#include "db/pool.h"

struct keeper;

struct keeper_options {
    struct db_pool *pool;
    struct identities *identities;
    const struct log *log;
    /* The superadmin to make unless there is a user of that e-mail; e-mail NULL: none. */
    const char *superadmin_email, *superadmin_password, *superadmin_name;
};

/*
 * Makes the superadmin if the database answers within two seconds, then starts the thread, which
 * tries again until it has. Strings must outlive the keeper. ERR_NOMEM, ERR_INTERNAL.
 */
MUSTCHECK enum err keeper_start(const struct keeper_options *options, struct keeper **keeper);

/* Writes down what is left to write, and ends the thread. NULL is fine. */
void keeper_stop(struct keeper *keeper);

#endif
