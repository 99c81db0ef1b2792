/*
 * One event, understood: which call it speaks of and what it says of it. No database is read here.
 *
 * An event that cannot be understood still gives an observation: one with an error.
 */
#ifndef FRONTDESK_OBSERVATION_H
#define FRONTDESK_OBSERVATION_H

#include "utils/jsonb.h"

#include "call_fields.h"

/* Longest event name, identifiers and numbers, in bytes: they are index keys. */
#define IDENTIFIER_MAX 255

#define DIGEST_LENGTH 32

/* How complete an event is. */
enum rank { RANK_UNKNOWN, RANK_STARTED, RANK_PROGRESS, RANK_ENDED, RANK_ANALYZED };

/*
 * What decides between two values of one field: the greater version wins, byte by byte. So its
 * parts are the criteria in their order, and all zero, less than any, is "no value".
 *   class   4 bits: for call_status how final it is, else 2 for a value and 1 for a blank one
 *   rank    4 bits: how complete the event is
 *   sent    64 bits, ms since epoch, big-endian, biased
 *   digest  the first 64 bits of the body's SHA-256: settles ties the same way everywhere
 */
#define VERSION_LENGTH 17

struct version {
    unsigned char bytes[VERSION_LENGTH];
};

struct reading;

struct observation {
    /* As delivered. */
    Datum body;         /* bytea */
    const char *source; /* webhook, poll, replay or import */
    int64 sent_ms;
    unsigned char digest[DIGEST_LENGTH];

    /* Strings are never NULL: empty when the event does not say. */
    const char *event;
    const char *call_id;
    const char *agent_id;
    const char *agent_name;

    const char *error; /* why it is dead; NULL when it is not */
    bool names_call;   /* it speaks of the call call_id, as far as observe_identity() can tell */
    struct reading *reading; /* how far it was read; NULL when there is no more to read */

    bool has_call; /* it speaks of a call; what follows is set only then */
    unsigned char rank;
    Datum values[CALL_FIELD_COUNT];
    unsigned char classes[CALL_FIELD_COUNT]; /* of the version; 0 where there is no value */
    Jsonb *details;                          /* all else that it says, an object */
};

/*
 * Reads the event in `body` into `observation`, whose first three members are set, in two steps: an
 * event that is known already, by its digest, needs only the first and cheaper one. What is wrong
 * with the event becomes observation->error; errors are raised only for what is not the event's
 * fault. Memory comes from the current context.
 *
 * observe_identity() says what the event is and whom it is about; observe_all() what these events,
 * identified before, say of their calls.
 */
extern void observe_identity(struct observation *observation);
extern void observe_all(struct observation **observations, int count);

/* Both steps for one event. */
extern void observe(struct observation *observation);

/* The version of a value of class `class_` (not 0) that this observation brings. */
extern struct version observation_version(const struct observation *observation,
                                          unsigned char class_);

#endif
