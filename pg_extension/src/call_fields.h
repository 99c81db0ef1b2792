/*
 * The fields of a call that have a column of their own, in one table: where Retell says them, what
 * they are, which column keeps them. Parsing, merging and storing all walk this table.
 */
#ifndef FRONTDESK_CALL_FIELDS_H
#define FRONTDESK_CALL_FIELDS_H

#include <stdbool.h>

/* The order is that of the versions in calls.provenance: new fields are added at the end only. */
enum call_field_id {
    FIELD_CALL_STATUS,
    FIELD_CALL_TYPE,
    FIELD_DIRECTION,
    FIELD_FROM_NUMBER,
    FIELD_TO_NUMBER,
    FIELD_START_TIMESTAMP,
    FIELD_END_TIMESTAMP,
    FIELD_DURATION_MS,
    FIELD_DISCONNECTION_REASON,
    FIELD_COST,
    FIELD_TRANSCRIPT,
    FIELD_CALL_SUMMARY,
    FIELD_USER_SENTIMENT,
    FIELD_CALL_SUCCESSFUL,
    FIELD_IN_VOICEMAIL,
    FIELD_RECORDING_URL,
    FIELD_AGENT_VERSION,
    FIELD_TRANSFER_DESTINATION,
    FIELD_CUSTOM_ANALYSIS,
    FIELD_METADATA,
    FIELD_TRANSCRIPT_OBJECT,
    FIELD_LATENCY,
    CALL_FIELD_COUNT
};

enum call_field_kind {
    KIND_TEXT,
    KIND_INTEGER, /* not negative; ms since epoch, ms, or a version */
    KIND_MONEY,   /* cents, not negative, numeric(14,4) */
    KIND_BOOL,
    KIND_JSON,     /* any value, as jsonb */
    KIND_JSON_TEXT /* any value, as json: its text as Retell wrote it */
};

enum call_field_place { IN_CALL, IN_ANALYSIS, IN_COST };

struct call_field {
    const char *key; /* the member's name in Retell's object */
    const char *column;
    enum call_field_place place;
    enum call_field_kind kind;
    bool is_key; /* of an index: its text must be short */
};

extern const struct call_field call_fields[CALL_FIELD_COUNT];

#endif
