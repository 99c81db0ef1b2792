/* A new field of Retell's gets a row here, a column by a migration, and a place in call_json.c. */
#include "call_fields.h"

const struct call_field call_fields[CALL_FIELD_COUNT] = {
    [FIELD_CALL_STATUS] = {"call_status", "call_status", IN_CALL, KIND_TEXT},
    [FIELD_CALL_TYPE] = {"call_type", "call_type", IN_CALL, KIND_TEXT},
    [FIELD_DIRECTION] = {"direction", "direction", IN_CALL, KIND_TEXT},
    [FIELD_FROM_NUMBER] = {"from_number", "from_number", IN_CALL, KIND_TEXT, true},
    [FIELD_TO_NUMBER] = {"to_number", "to_number", IN_CALL, KIND_TEXT, true},
    [FIELD_START_TIMESTAMP] = {"start_timestamp", "start_timestamp", IN_CALL, KIND_INTEGER},
    [FIELD_END_TIMESTAMP] = {"end_timestamp", "end_timestamp", IN_CALL, KIND_INTEGER},
    [FIELD_DURATION_MS] = {"duration_ms", "duration_ms", IN_CALL, KIND_INTEGER},
    [FIELD_DISCONNECTION_REASON] = {"disconnection_reason", "disconnection_reason", IN_CALL,
                                    KIND_TEXT},
    [FIELD_COST] = {"combined_cost", "cost", IN_COST, KIND_MONEY},
    [FIELD_TRANSCRIPT] = {"transcript", "transcript", IN_CALL, KIND_TEXT},
    [FIELD_CALL_SUMMARY] = {"call_summary", "call_summary", IN_ANALYSIS, KIND_TEXT},
    [FIELD_USER_SENTIMENT] = {"user_sentiment", "user_sentiment", IN_ANALYSIS, KIND_TEXT},
    [FIELD_CALL_SUCCESSFUL] = {"call_successful", "call_successful", IN_ANALYSIS, KIND_BOOL},
    [FIELD_IN_VOICEMAIL] = {"in_voicemail", "in_voicemail", IN_ANALYSIS, KIND_BOOL},
    [FIELD_RECORDING_URL] = {"recording_url", "recording_url", IN_CALL, KIND_TEXT},
    [FIELD_AGENT_VERSION] = {"agent_version", "agent_version", IN_CALL, KIND_INTEGER},
    [FIELD_TRANSFER_DESTINATION] = {"transfer_destination", "transfer_destination", IN_CALL,
                                    KIND_TEXT},
    [FIELD_CUSTOM_ANALYSIS] = {"custom_analysis_data", "custom_analysis", IN_ANALYSIS, KIND_JSON},
    [FIELD_METADATA] = {"metadata", "metadata", IN_CALL, KIND_JSON},
    [FIELD_TRANSCRIPT_OBJECT] = {"transcript_object", "transcript_object", IN_CALL, KIND_JSON_TEXT},
    [FIELD_LATENCY] = {"latency", "latency", IN_CALL, KIND_JSON},
};
