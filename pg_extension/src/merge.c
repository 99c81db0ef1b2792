/* See merge.h. No database is read or written here. */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"

#include "compat.h"
#include "merge.h"

enum { FORMAT = 1, HEADER_LENGTH = 6, REFERENCE_LENGTH = 2 };

/* Classes of the version of a detail: see struct version. */
enum { DETAIL_BLANK = 1, DETAIL_VALUE = 2 };

static const struct version no_version;

static int compare_versions(const void *a, const void *b)
{
    return memcmp(a, b, VERSION_LENGTH);
}

static bool is_version(const struct version *version)
{
    return compare_versions(version, &no_version) != 0;
}

/* Were both given by the same event, whatever their classes and times? */
static bool same_event(const struct version *a, const struct version *b)
{
    return (a->bytes[0] & 0x0F) == (b->bytes[0] & 0x0F) &&
           memcmp(a->bytes + 9, b->bytes + 9, 8) == 0;
}

/* The inverse of what observation_version() does to the time. */
static int64 version_sent(const struct version *version)
{
    uint64 sent = 0;
    for (int i = 0; i < 8; i++)
        sent = sent << 8 | version->bytes[1 + i];
    return (int64)(sent ^ (uint64)1 << 63);
}

/* jsonb's order of keys: shorter first, then by bytes. */
static int compare_keys(const JsonbValue *a, const JsonbValue *b)
{
    if (a->val.string.len != b->val.string.len)
        return a->val.string.len < b->val.string.len ? -1 : 1;
    return memcmp(a->val.string.val, b->val.string.val, (size_t)a->val.string.len);
}

/* The members of an object, in order, without versions; `count` is set to how many. */
static struct detail *list_details(Jsonb *json, int *count)
{
    struct detail *details = palloc0(sizeof(struct detail) * (JB_ROOT_COUNT(json) + 1));
    JsonbIterator *iterator = JsonbIteratorInit(&json->root);
    JsonbIteratorToken token;
    JsonbValue value;
    int n = 0;

    if (!JB_ROOT_IS_OBJECT(json))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("details are not an object")));
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY)
            details[n].key = value;
        else if (token == WJB_VALUE)
            details[n++].value = value;
    }
    *count = n;
    return details;
}

void call_state_init(struct call_state *state)
{
    *state = (struct call_state){.first_sent_ms = PG_INT64_MAX, .details_changed = true};
}

static uint16 read_uint16(const unsigned char *at)
{
    return (uint16)(at[0] << 8 | at[1]);
}

static void append_uint16(StringInfo out, int value)
{
    appendStringInfoChar(out, (char)(value >> 8));
    appendStringInfoChar(out, (char)value);
}

/* The parts of stored provenance; see merge.h. */
struct provenance {
    int fields, versions, details;
    const unsigned char *list, *references;
    size_t len;
};

static struct provenance read_provenance(Datum stored)
{
    const bytea *bytes = DatumGetByteaPP(stored);
    const unsigned char *at = (const unsigned char *)VARDATA_ANY(bytes);
    struct provenance found = {.len = VARSIZE_ANY_EXHDR(bytes), .list = at + HEADER_LENGTH};
    bool sound = found.len >= HEADER_LENGTH && at[0] == FORMAT && at[1] <= CALL_FIELD_COUNT;

    if (sound) {
        found.fields = at[1];
        found.versions = read_uint16(at + 2);
        found.details = read_uint16(at + 4);
        found.references = found.list + (size_t)found.versions * VERSION_LENGTH;
    }
    if (!sound || found.len != HEADER_LENGTH + (size_t)found.versions * VERSION_LENGTH +
                                   (size_t)(found.fields + found.details) * REFERENCE_LENGTH)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("provenance is not of its format"),
                        errdetail("It has %zu bytes for %d versions, %d fields and %d details.",
                                  found.len, found.versions, found.fields, found.details)));
    return found;
}

/* The version that the reference at `at` names; raises when there is none of that number. */
static struct version referred(const unsigned char *at, const unsigned char *versions, int count)
{
    struct version version = no_version;
    int reference = read_uint16(at);
    if (reference > count)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("provenance refers to version %d of %d", reference, count)));
    if (reference > 0)
        memcpy(version.bytes, versions + (size_t)(reference - 1) * VERSION_LENGTH, VERSION_LENGTH);
    return version;
}

void call_state_load(struct call_state *state, const Datum *values, const bool *nulls,
                     Datum details, Datum provenance)
{
    const struct provenance stored = read_provenance(provenance);
    const unsigned char *at = stored.references;

    state->details_changed = false;
    state->details = list_details(DatumGetJsonbP(details), &state->detail_count);
    memcpy(state->values, values, sizeof(state->values));
    for (int i = 0; i < stored.fields; i++, at += REFERENCE_LENGTH)
        if (!nulls[i])
            state->versions[i] = referred(at, stored.list, stored.versions);
    if (stored.details != state->detail_count)
        return;
    for (int i = 0; i < state->detail_count; i++, at += REFERENCE_LENGTH)
        state->details[i].version = referred(at, stored.list, stored.versions);
}

int call_provenance_rank(Datum provenance, enum call_field_id field)
{
    const struct provenance stored = read_provenance(provenance);
    struct version version = no_version;
    if ((int)field < stored.fields)
        version = referred(stored.references + (size_t)field * REFERENCE_LENGTH, stored.list,
                           stored.versions);
    return is_version(&version) ? version.bytes[0] & 0x0F : -1;
}

bool call_state_has(const struct call_state *state, enum call_field_id field)
{
    return is_version(&state->versions[field]);
}

static bool equal_values(enum call_field_kind kind, Datum a, Datum b)
{
    switch (kind) {
    case KIND_INTEGER:
    case KIND_BOOL:
        return a == b || (kind == KIND_INTEGER && DatumGetInt64(a) == DatumGetInt64(b));
    case KIND_MONEY:
        return DatumGetBool(DirectFunctionCall2(numeric_eq, a, b));
    case KIND_TEXT:
    case KIND_JSON:
    case KIND_JSON_TEXT:
        return datum_image_eq(a, b, false, -1);
    }
    return false;
}

/*
 * Do two texts differ in what follows a question mark alone? Links to recordings are signed anew in
 * every answer of Retell's. Texts that are no links do not look like that.
 */
static bool same_link(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *a_end = memchr(a, '?', a_len), *b_end = memchr(b, '?', b_len);
    size_t len = a_end ? (size_t)(a_end - a) : a_len;
    if (a_len < 8 || strncmp(a, "https://", 8) != 0 || (!a_end && !b_end))
        return false;
    return len == (b_end ? (size_t)(b_end - b) : b_len) && memcmp(a, b, len) == 0;
}

static bool same_link_datums(Datum a, Datum b)
{
    const text *left = DatumGetTextPP(a), *right = DatumGetTextPP(b);
    return same_link(VARDATA_ANY(left), VARSIZE_ANY_EXHDR(left), VARDATA_ANY(right),
                     VARSIZE_ANY_EXHDR(right));
}

static bool same_link_values(const JsonbValue *a, const JsonbValue *b)
{
    return a->type == jbvString && b->type == jbvString &&
           same_link(a->val.string.val, (size_t)a->val.string.len, b->val.string.val,
                     (size_t)b->val.string.len);
}

static bool merge_fields(struct call_state *state, const struct observation *observation)
{
    bool visible = false;
    for (int i = 0; i < CALL_FIELD_COUNT; i++) {
        if (observation->classes[i] == 0)
            continue;
        struct version version = observation_version(observation, observation->classes[i]);
        if (compare_versions(&version, &state->versions[i]) <= 0)
            continue;
        bool known = is_version(&state->versions[i]);
        if (!known ||
            !equal_values(call_fields[i].kind, state->values[i], observation->values[i])) {
            state->news |= !known || i != FIELD_RECORDING_URL ||
                           !same_link_datums(state->values[i], observation->values[i]);
            state->values[i] = observation->values[i];
            state->replaced[i] = visible = true;
        }
        state->versions[i] = version;
        state->changed = true;
    }
    return visible;
}

static bool is_blank(const JsonbValue *value)
{
    if (value->type == jbvString)
        return value->val.string.len == 0;
    return value->type == jbvBinary && JsonContainerSize(value->val.binary.data) == 0;
}

static bool equal_details(JsonbValue *a, JsonbValue *b)
{
    Jsonb *left, *right;
    if (a->type != b->type)
        return false;
    if (a->type == jbvBinary)
        return a->val.binary.len == b->val.binary.len &&
               memcmp(a->val.binary.data, b->val.binary.data, (size_t)a->val.binary.len) == 0;
    left = JsonbValueToJsonb(a);
    right = JsonbValueToJsonb(b);
    return VARSIZE(left) == VARSIZE(right) && memcmp(left, right, VARSIZE(left)) == 0;
}

/* Both lists are in order, so one walk merges them. */
static bool merge_details(struct call_state *state, const struct observation *observation)
{
    int theirs_count, ours = 0, theirs = 0, n = 0;
    struct detail *new = list_details(observation->details, &theirs_count);
    struct detail *merged =
        palloc(sizeof(struct detail) * (size_t)(state->detail_count + theirs_count + 1));
    bool visible = false;

    while (ours < state->detail_count || theirs < theirs_count) {
        int order = ours == state->detail_count ? 1
                    : theirs == theirs_count
                        ? -1
                        : compare_keys(&state->details[ours].key, &new[theirs].key);
        if (order < 0) {
            merged[n++] = state->details[ours++];
            continue;
        }
        struct detail *candidate = &new[theirs++];
        if (candidate->value.type == jbvNull)
            continue; /* absent: ours, if there is one, is taken in the next round */
        candidate->version = observation_version(
            observation, is_blank(&candidate->value) ? DETAIL_BLANK : DETAIL_VALUE);
        merged[n] = *candidate;
        if (order == 0) {
            struct detail *held = &state->details[ours++];
            bool same = equal_details(&held->value, &candidate->value);
            bool wins = compare_versions(&candidate->version, &held->version) > 0;
            if (!wins)
                merged[n] = *held;
            visible |= wins && !same;
            state->news |= wins && !same && !same_link_values(&held->value, &merged[n].value);
            state->changed |= wins;
            state->details_changed |= wins && !same;
        } else {
            visible = state->changed = state->details_changed = state->news = true;
        }
        n++;
    }
    state->details = merged;
    state->detail_count = n;
    return visible;
}

/*
 * When the observation's event was sent first, as far as the state knows: a delivery that comes after
 * the journal has forgotten the event is taken for what it is.
 */
static int64 first_sent(const struct call_state *state, const struct observation *observation)
{
    const struct version sent = observation_version(observation, 0);
    int64 first = observation->sent_ms;
    for (int i = 0; i < CALL_FIELD_COUNT + state->detail_count; i++) {
        const struct version *held = i < CALL_FIELD_COUNT
                                         ? &state->versions[i]
                                         : &state->details[i - CALL_FIELD_COUNT].version;
        if (same_event(held, &sent))
            first = Min(first, version_sent(held));
    }
    return first;
}

bool call_state_merge(struct call_state *state, const struct observation *given)
{
    struct observation observation = *given;
    observation.sent_ms = first_sent(state, given);
    bool fields = merge_fields(state, &observation);
    bool details = merge_details(state, &observation);
    if (observation.sent_ms < state->first_sent_ms) {
        state->first_sent_ms = observation.sent_ms;
        state->changed = true;
        if (!call_state_has(state, FIELD_START_TIMESTAMP))
            fields = true; /* it is where the call stands in time */
    }
    return fields || details;
}

/* Lowers `version` to `sent` if the observation that `sent` belongs to gave it. */
static bool lower_version(struct version *version, const struct version *sent)
{
    struct version lowered = *sent;
    lowered.bytes[0] = version->bytes[0];
    if (!same_event(version, sent) || compare_versions(version, &lowered) <= 0)
        return false;
    *version = lowered;
    return true;
}

void call_state_resend(struct call_state *state, const struct observation *observation)
{
    const struct version sent = observation_version(observation, 0);
    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (is_version(&state->versions[i]))
            state->changed |= lower_version(&state->versions[i], &sent);
    for (int i = 0; i < state->detail_count; i++)
        state->changed |= lower_version(&state->details[i].version, &sent);
}

Datum call_state_details(const struct call_state *state)
{
    JsonbParseState *parse = NULL;
    int count = state->details_changed ? state->detail_count : 0;
    pushJsonbValue(&parse, WJB_BEGIN_OBJECT, NULL);
    for (int i = 0; i < count; i++) {
        pushJsonbValue(&parse, WJB_KEY, &state->details[i].key);
        pushJsonbValue(&parse, WJB_VALUE, &state->details[i].value);
    }
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&parse, WJB_END_OBJECT, NULL)));
}

/* The number, from 1, of a version in the ascending list; 0 for none. */
static int reference_to(const struct version *version, const struct version *list, int count)
{
    const struct version *found;
    if (!is_version(version))
        return 0;
    found = bsearch(version, list, (size_t)count, VERSION_LENGTH, compare_versions);
    Assert(found != NULL);
    return (int)(found - list) + 1;
}

Datum call_state_provenance(const struct call_state *state)
{
    int total = CALL_FIELD_COUNT + state->detail_count, n = 0, distinct = 0;
    struct version *list = palloc(sizeof(struct version) * (size_t)total);
    StringInfoData out;

    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (is_version(&state->versions[i]))
            list[n++] = state->versions[i];
    for (int i = 0; i < state->detail_count; i++)
        if (is_version(&state->details[i].version))
            list[n++] = state->details[i].version;
    qsort(list, (size_t)n, VERSION_LENGTH, compare_versions);
    for (int i = 0; i < n; i++)
        if (i == 0 || compare_versions(&list[i], &list[distinct - 1]) != 0)
            list[distinct++] = list[i];
    if (distinct > PG_UINT16_MAX || state->detail_count > PG_UINT16_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a call has more than %d details", PG_UINT16_MAX)));

    initStringInfo(&out);
    appendStringInfoSpaces(&out, VARHDRSZ);
    appendStringInfoChar(&out, FORMAT);
    appendStringInfoChar(&out, CALL_FIELD_COUNT);
    append_uint16(&out, distinct);
    append_uint16(&out, state->detail_count);
    appendBinaryStringInfo(&out, (const char *)list, distinct * VERSION_LENGTH);
    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        append_uint16(&out, reference_to(&state->versions[i], list, distinct));
    for (int i = 0; i < state->detail_count; i++)
        append_uint16(&out, reference_to(&state->details[i].version, list, distinct));
    SET_VARSIZE(out.data, out.len);
    return PointerGetDatum(out.data);
}
