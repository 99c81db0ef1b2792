/*
 * What all observations of one call together say of it.
 *
 * A call is a map from field to (value, version), where every key of details is a field of its own.
 * Of the observations that have a value for a field, the one with the greatest version gives it
 * (see struct version). The maximum does not depend on the order or number of observations, so
 * neither does the call, provided the versions are kept: that is calls.provenance.
 *
 * provenance, format 1, all integers big-endian:
 *   1 byte   format
 *   1 byte   number of fields F, those of call_fields at the time of writing
 *   2 bytes  number of versions V
 *   2 bytes  number of details D
 *   V × 17   the versions referred to, each once, ascending
 *   F × 2    for each field which of them gave it, from 1; 0: no value
 *   D × 2    the same for each key of details, in jsonb's order of keys
 * Equal states have equal bytes. Fields added later stand at the end: older rows have none of them.
 */
#ifndef FRONTDESK_MERGE_H
#define FRONTDESK_MERGE_H

#include "observation.h"

struct detail {
    JsonbValue key; /* a string */
    JsonbValue value;
    struct version version; /* all zero: no event is known to have said it */
};

struct call_state {
    Datum values[CALL_FIELD_COUNT];
    struct version versions[CALL_FIELD_COUNT]; /* all zero: no value */
    bool replaced[CALL_FIELD_COUNT];           /* the value is not the one that was loaded */
    struct detail *details;                    /* in jsonb's order of keys */
    int detail_count;
    int64 first_sent_ms;
    bool details_changed;
    bool changed; /* something must be written, be it a version only */
    bool news;    /* a value changed, and not by a link's signature alone */
};

/* The state of a call of which nothing is known. */
extern void call_state_init(struct call_state *state);

/*
 * Takes in a stored call: its values, its details and its provenance. What somebody has changed by
 * hand, a value that was taken away or details that provenance does not fit, no event is taken to
 * have said: the next that says it counts. Provenance that cannot be right raises XX001.
 */
extern void call_state_load(struct call_state *state, const Datum *values, const bool *nulls,
                            Datum details, Datum provenance);

/* Merges one observation. Says whether a value changed (a version alone does not count). */
extern bool call_state_merge(struct call_state *state, const struct observation *given);

/*
 * The body of this observation turns out to have been sent earlier than was known: lowers the
 * versions that it gave. Merge every observation of the call again afterwards, because values that
 * had lost to it may win now.
 */
extern void call_state_resend(struct call_state *state, const struct observation *observation);

extern bool call_state_has(const struct call_state *state, enum call_field_id field);

/*
 * How complete the event was that gave the field its value, by the stored provenance of its call:
 * an enum rank; -1 when the field has no value. Provenance that cannot be right raises XX001.
 */
extern int call_provenance_rank(Datum provenance, enum call_field_id field);

/*
 * What to store: details (jsonb; an empty object when they are as they were loaded) and provenance
 * (bytea).
 */
extern Datum call_state_details(const struct call_state *state);
extern Datum call_state_provenance(const struct call_state *state);

#endif
