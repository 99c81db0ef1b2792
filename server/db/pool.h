/*
 * A bounded pool of connections, first come first served.
 *
 * Takers never connect: a keeper thread with a stack of its own opens what is missing and tries
 * again with growing pauses (100 ms to 1 s) while the database is away. Without that, every
 * request would pay for a connection attempt during an outage, on a worker's small stack. While
 * the database is known to be away, takers are refused at once.
 */
#ifndef FRONTDESK_DB_POOL_H
#define FRONTDESK_DB_POOL_H

#include "base/err.h"
#include "base/log.h"
#include "db/conn.h"

#include <stdint.h>

struct db_pool;

struct db_pool_options {
    const char *url;
    const char *name;     /* application_name, and the pool's name in the log */
    const char *options;  /* libpq's options */
    unsigned size;        /* connections, at most */
    unsigned max_waiting; /* takers that may wait; one more gets ERR_BUSY */
    const struct log *log;
};

/* Starts the keeper; strings must outlive the pool. ERR_NOMEM or ERR_INTERNAL. */
MUSTCHECK enum err db_pool_start(const struct db_pool_options *options, struct db_pool **pool);

/*
 * Hands out nothing any more and asks the keeper to end, without waiting for that: several pools
 * whose database hangs then stop at the same time. NULL is fine.
 */
void db_pool_close(struct db_pool *pool);

/*
 * Ends the keeper, which may take the 5 s of an attempt to connect, and closes all connections; every
 * taken one must have been given back.
 */
void db_pool_stop(struct db_pool *pool);

/*
 * Whoever waits for a connection or, holding one, for the database's answer is told ERR_UNAVAILABLE
 * at once. What the database was doing it may still finish. Thread-safe.
 */
void db_pool_interrupt(struct db_pool *pool);

/*
 * A connection for this thread, to be given back by db_pool_give. ERR_UNAVAILABLE: the database is
 * away; ERR_BUSY: too many wait; ERR_TIMEOUT: none came free by `deadline`. Thread-safe.
 */
MUSTCHECK enum err db_pool_take(struct db_pool *pool, int64_t deadline, struct db_conn **conn);

/* Gives a connection back; one that is not usable is closed and replaced. Thread-safe. */
void db_pool_give(struct db_pool *pool, struct db_conn *conn);

/* How many connections are open, and how many takers and queries wait. Thread-safe. */
void db_pool_look(struct db_pool *pool, unsigned *open, unsigned *waiting);

/*
 * Takes a connection, runs one statement, gives it back. Errors of both; failures are logged. Brief
 * statements of several threads that come at the same time share a connection and a round trip.
 */
MUSTCHECK enum err db_pool_query(struct db_pool *pool, enum statement statement,
                                 const struct db_param *params, int64_t deadline,
                                 struct db_result **result);

#endif
