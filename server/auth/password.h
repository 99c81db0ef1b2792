/*
 * Passwords: argon2id on threads of its own.
 *
 * One hash takes 19 MiB and 13 ms of a core, so more at once than there are cores would only queue
 * inside the memory bus and eat memory. They are hashed by one thread a core, first come first
 * served, from a queue short enough that whoever is let in gets an answer soon; the others are told
 * ERR_BUSY at once. The threads have stacks of 1 MiB: a worker's is too small for argon2.
 */
#ifndef FRONTDESK_AUTH_PASSWORD_H
#define FRONTDESK_AUTH_PASSWORD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 128 /* characters */, PASSWORD_HASH_SIZE = 128 };

struct passwords;

/* Starts the threads. ERR_NOMEM or ERR_INTERNAL. */
MUSTCHECK enum err passwords_start(struct passwords **passwords);

/* Ends the threads; nobody may be waiting. NULL is fine. */
void passwords_stop(struct passwords *passwords);

/* What is to be known of a password that was checked. */
struct password_verdict {
    bool matches;
    bool outdated; /* it matches, but its hash was made with other parameters: hash it anew */
};

/*
 * Hashes `password` into `hash` (PASSWORD_HASH_SIZE). ERR_BUSY: the queue is full; ERR_TIMEOUT: no
 * thread took it by `deadline`; ERR_NOMEM. Thread-safe.
 */
MUSTCHECK enum err password_hash(struct passwords *passwords, const char *password,
                                 int64_t deadline, char *hash);

/*
 * Checks `password` against `hash` (argon2id, or bcrypt of a cost up to 14, which is outdated), or in the same time against one that nothing matches when
 * `hash` is NULL (there is no such user). Errors as password_hash().
 */
MUSTCHECK enum err password_check(struct passwords *passwords, const char *password,
                                  const char *hash, int64_t deadline,
                                  struct password_verdict *verdict);

/* Hashes in this thread, which must have a stack of its own: for the command line. ERR_NOMEM. */
MUSTCHECK enum err password_hash_here(const char *password, char *hash);

#endif
