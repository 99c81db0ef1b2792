/*
 * From an event's bytes to typed values. The text is scanned once, which also finds the members of
 * the envelope and of the call, and then read where it lies; only what becomes jsonb is handed to
 * PostgreSQL, inside a subtransaction, so that whatever it refuses makes one dead event and not a
 * failed batch. Batches share one subtransaction until an event is refused.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"

#include "compat.h"
#include "json_scan.h"
#include "observation.h"

/* The same bound as JavaScript's dates: every time that Retell can say. */
#define INTEGER_MAX 8640000000000000.0

/*
 * Longer and dearer than any call: three years, and what rounds to less than a million dollars. The
 * sums of millions of these still fit in 64 bits; a sum that does not would stop all folding.
 */
#define DURATION_MAX 100000000000.0
#define MONEY_MAX 99999999.99995
#define MONEY_TYPMOD (((14 << 16) | 4) + VARHDRSZ)

/* Members beside the fields: Retell sends some dozens. */
#define DETAILS_MAX 4096

/* Classes of versions: of any value, and of call_status. */
enum { CLASS_BLANK = 1, CLASS_VALUE = 2 };
enum { STATUS_REGISTERED = 1, STATUS_ONGOING, STATUS_IMPLIED, STATUS_TERMINAL };

static const struct {
    const char *event;
    enum rank rank;
} event_ranks[] = {
    {"call_started", RANK_STARTED},
    {"transcript_updated", RANK_PROGRESS},
    {"transfer_started", RANK_PROGRESS},
    {"transfer_bridged", RANK_PROGRESS},
    {"transfer_cancelled", RANK_PROGRESS},
    {"transfer_ended", RANK_PROGRESS},
    {"call_ended", RANK_ENDED},
    {"call_analyzed", RANK_ANALYZED},
};

/*
 * Members of the envelope and of the call that are not details: read elsewhere, or not to be kept.
 */
static const char *const envelope_keys[] = {"event", "call", "data", "access_token", "polled_at"};
static const char *const call_keys[] = {"call_id", "agent_id", "access_token", "call_analysis"};

/* An object's members, found in one walk: a call is long, and asked for many of them. */
struct object {
    struct member {
        struct json_text key, value;
    } * members;
    int count, room;
};

/* What observe_identity() leaves to observe_all(). */
struct reading {
    struct observation *into;
    struct object envelope; /* the whole body, clean */
    struct object call;     /* without members when there is none */
    struct object inner;    /* while scanning: members of an object that may be the call */
    StringInfoData details; /* the text of what becomes into->details */
    bool far_number;        /* some number in the body is out of range */
    bool has_analysis;
    bool has_utterances; /* transcript_object says the words */
};

static bool is_one_of(struct json_text key, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (json_string_equals(key.s, key.len, names[i]))
            return true;
    return false;
}

static enum json_kind kind_of(struct json_text text)
{
    return json_kind(text.s, text.len);
}

static void add_member(struct object *object, struct json_text key, struct json_text value)
{
    if (object->count == object->room) {
        object->room = object->room ? object->room * 2 : 64;
        object->members =
            object->members
                ? repalloc_huge(object->members, sizeof(struct member) * (size_t)object->room)
                : palloc(sizeof(struct member) * (size_t)object->room);
    }
    object->members[object->count++] = (struct member){key, value};
}

/* Told by the scanner. Of several members named "call" the last is it. */
static void take_member(void *context, int depth, struct json_text key, struct json_text value)
{
    struct reading *reading = context;
    if (depth > 1) {
        add_member(&reading->inner, key, value);
        return;
    }
    add_member(&reading->envelope, key, value);
    if (json_string_equals(key.s, key.len, "call")) {
        struct object before = reading->call;
        reading->call = reading->inner;
        reading->inner = before;
    }
    reading->inner.count = 0;
}

/* The value of the last member of that name; a missing one and null are both of len 0. */
static struct json_text member(const struct object *object, const char *key)
{
    for (int i = object->count - 1; i >= 0; i--) {
        const struct member *found = &object->members[i];
        if (json_string_equals(found->key.s, found->key.len, key))
            return kind_of(found->value) == JSON_NULL ? (struct json_text){NULL, 0} : found->value;
    }
    return (struct json_text){NULL, 0};
}

static char *decode(struct json_text value)
{
    char *text = palloc(value.len + 1);
    text[json_string_decode(value.s, value.len, text)] = '\0';
    return text;
}

static bool dead(struct reading *reading, const char *format, ...) pg_attribute_printf(2, 3);

/* Notes why the event is dead; returns false, for the caller to return. */
static bool dead(struct reading *reading, const char *format, ...)
{
    StringInfoData message;
    int needed = 0;
    initStringInfo(&message);
    do {
        va_list args;
        enlargeStringInfo(&message, needed);
        va_start(args, format);
        needed = appendStringInfoVA(&message, format, args);
        va_end(args);
    } while (needed != 0);
    reading->into->error = message.data;
    return false;
}

/* A string of at most IDENTIFIER_MAX bytes; empty when there is none. `name` is for the error. */
static bool read_identifier(struct reading *reading, const struct object *object, const char *key,
                            const char *name, const char **into)
{
    struct json_text value = member(object, key);
    if (value.len == 0)
        return true;
    if (kind_of(value) != JSON_STRING)
        return dead(reading, "%s must be a string", name);
    char *text = decode(value);
    if (strlen(text) > IDENTIFIER_MAX)
        return dead(reading, "%s is longer than %d bytes", name, IDENTIFIER_MAX);
    *into = text;
    return true;
}

/* Scans the body, or a clean copy of it when it is dirty, and finds its members. */
static bool read_envelope(struct reading *reading)
{
    const bytea *body = DatumGetByteaPP(reading->into->body);
    struct json_text text = {VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)};
    struct json_scan scan;

    if (!json_scan_members(text.s, text.len, &scan, take_member, reading))
        return dead(reading, "not JSON: %s at byte %zu", scan.error, scan.error_offset);
    if (scan.dirty) {
        char *clean = MemoryContextAllocHuge(CurrentMemoryContext, JSON_TEXT_MAX(text.len));
        text.len = json_scrub(text.s, text.len, clean);
        text.s = clean;
        reading->envelope.count = reading->call.count = 0;
        if (!json_scan_members(text.s, text.len, &scan, take_member, reading))
            elog(ERROR, "scrubbed JSON is not JSON: %s at byte %zu", scan.error, scan.error_offset);
    }
    if (kind_of(text) != JSON_OBJECT)
        return dead(reading, "the event is not a JSON object");
    reading->far_number = scan.far_number;
    if (member(&reading->envelope, "event").len == 0)
        return dead(reading, "event is missing");
    return read_identifier(reading, &reading->envelope, "event", "event", &reading->into->event);
}

/* The rank that the event's name gives; -1 for a name that is not known. */
static int rank_of_event(const char *event)
{
    for (size_t i = 0; i < lengthof(event_ranks); i++)
        if (strcmp(event_ranks[i].event, event) == 0)
            return event_ranks[i].rank;
    return -1;
}

/* Finds the call and whom it belongs to. Leaves reading->call empty when the event has none. */
static bool read_call(struct reading *reading)
{
    struct observation *into = reading->into;
    struct json_text call = member(&reading->envelope, "call"), name;

    if (call.len == 0) {
        if (rank_of_event(into->event) >= 0)
            return dead(reading, "call is missing");
        return true;
    }
    if (kind_of(call) != JSON_OBJECT)
        return dead(reading, "call must be an object");
    if (!read_identifier(reading, &reading->call, "call_id", "call.call_id", &into->call_id) ||
        !read_identifier(reading, &reading->call, "agent_id", "call.agent_id", &into->agent_id))
        return false;
    if (into->call_id[0] == '\0')
        return dead(reading, "call.call_id is missing");
    name = member(&reading->call, "agent_name");
    if (name.len > 0 && kind_of(name) == JSON_STRING)
        into->agent_name = decode(name);
    into->names_call = true;
    return true;
}

/* A number far outside of what anybody can mean would be refused, or printed as its many zeros. */
static bool check_numbers(struct reading *reading, const struct object *object, const char *prefix)
{
    for (int i = 0; i < object->count; i++) {
        const struct member *checked = &object->members[i];
        struct json_scan scan;
        if (is_one_of(checked->key, envelope_keys, lengthof(envelope_keys)))
            continue;
        if (json_scan(checked->value.s, checked->value.len, &scan) && scan.far_number) {
            char *name = decode(checked->key);
            int shown = pg_mbcliplen(name, (int)strlen(name), IDENTIFIER_MAX);
            return dead(reading, "%s%.*s is out of range", prefix, shown, name);
        }
    }
    return true;
}

static bool read_text(struct reading *reading, enum call_field_id field, struct json_text value)
{
    struct observation *into = reading->into;
    text *result = palloc(VARHDRSZ + value.len);
    size_t len = json_string_decode(value.s, value.len, VARDATA(result));
    SET_VARSIZE(result, VARHDRSZ + len);
    if (call_fields[field].is_key && len > IDENTIFIER_MAX)
        return dead(reading, "call.%s is longer than %d bytes", call_fields[field].key,
                    IDENTIFIER_MAX);
    into->values[field] = PointerGetDatum(result);
    into->classes[field] = len == 0 ? CLASS_BLANK : CLASS_VALUE;
    return true;
}

/* Rounds half up. Up to its bound a double holds every integer exactly. */
static bool read_integer(struct reading *reading, enum call_field_id field, struct json_text value)
{
    struct observation *into = reading->into;
    double number = strtod(pnstrdup(value.s, value.len), NULL);
    if (!(number >= 0 && number <= (field == FIELD_DURATION_MS ? DURATION_MAX : INTEGER_MAX)))
        return dead(reading, "call.%s is out of range", call_fields[field].key);
    into->values[field] = Int64GetDatum((int64)llround(number));
    into->classes[field] = CLASS_VALUE;
    return true;
}

static bool read_money(struct reading *reading, enum call_field_id field, struct json_text value)
{
    struct observation *into = reading->into;
    char *digits = pnstrdup(value.s, value.len);
    double number = strtod(digits, NULL);
    if (!(number >= 0 && number < MONEY_MAX))
        return dead(reading, "call.call_cost.%s is out of range", call_fields[field].key);
    into->values[field] =
        DirectFunctionCall3(numeric_in, CStringGetDatum(digits), ObjectIdGetDatum(InvalidOid),
                            Int32GetDatum(MONEY_TYPMOD));
    into->classes[field] = CLASS_VALUE;
    return true;
}

/* Is it an empty object, array or string? */
static bool is_blank(struct json_text value)
{
    size_t inside = 1;
    if (*value.s != '{' && *value.s != '[')
        return value.len == 2 && *value.s == '"';
    while (strchr(" \t\r\n", value.s[inside]))
        inside++;
    return inside + 1 == value.len;
}

/* Kept as it was written: making jsonb of every word of a transcript costs more than all else. */
static bool read_json_text(struct reading *reading, enum call_field_id field,
                           struct json_text value)
{
    struct observation *into = reading->into;
    into->values[field] = PointerGetDatum(cstring_to_text_with_len(value.s, (int)value.len));
    into->classes[field] = is_blank(value) ? CLASS_BLANK : CLASS_VALUE;
    return true;
}

static bool read_json(struct reading *reading, enum call_field_id field, struct json_text value)
{
    struct observation *into = reading->into;
    Datum result = DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(value.s, value.len)));
    into->values[field] = result;
    into->classes[field] = is_blank(value) ? CLASS_BLANK : CLASS_VALUE;
    return true;
}

/* Takes one member into its field; false when the value's type is wrong for it. */
static bool read_field(struct reading *reading, enum call_field_id field, struct json_text value)
{
    static const char *const places[] = {"", "call_analysis.", "call_cost."};
    static const struct {
        enum json_kind json;
        const char *name;
        bool (*read)(struct reading *, enum call_field_id, struct json_text);
    } kinds[] = {
        [KIND_TEXT] = {JSON_STRING, "a string", read_text},
        [KIND_INTEGER] = {JSON_NUMBER, "a number", read_integer},
        [KIND_MONEY] = {JSON_NUMBER, "a number", read_money},
        [KIND_BOOL] = {JSON_BOOL, "true or false", NULL},
        [KIND_JSON] = {JSON_OBJECT, "anything", read_json},
        [KIND_JSON_TEXT] = {JSON_OBJECT, "anything", read_json_text},
    };
    const struct call_field *about = &call_fields[field];
    enum json_kind kind = kind_of(value);

    if (kind == JSON_NULL)
        return true;
    if (about->kind != KIND_JSON && about->kind != KIND_JSON_TEXT &&
        kind != kinds[about->kind].json)
        return dead(reading, "call.%s%s must be %s", places[about->place], about->key,
                    kinds[about->kind].name);
    if (about->kind == KIND_BOOL) {
        reading->into->values[field] = BoolGetDatum(*value.s == 't');
        reading->into->classes[field] = CLASS_VALUE;
        return true;
    }
    return kinds[about->kind].read(reading, field, value);
}

/* The field that `key` names in that place; -1 when it is no field. */
static int find_field(struct json_text key, enum call_field_place place)
{
    bool escaped = key.s[1] == '\\';
    for (int i = 0; i < CALL_FIELD_COUNT; i++)
        if (call_fields[i].place == place && (key.s[1] == *call_fields[i].key || escaped) &&
            json_string_equals(key.s, key.len, call_fields[i].key))
            return i;
    return -1;
}

/*
 * Starts a member of the object that is being written: the comma before it, its key and the colon.
 */
static void append_key(StringInfo out, struct json_text key)
{
    if (out->len > 0 && out->data[out->len - 1] != '{')
        appendStringInfoChar(out, ',');
    appendBinaryStringInfo(out, key.s, (int)key.len);
    appendStringInfoChar(out, ':');
}

static void append_member(StringInfo out, struct json_text key, struct json_text value)
{
    append_key(out, key);
    appendBinaryStringInfo(out, value.s, (int)value.len);
}

/*
 * transcript_with_tool_calls repeats every utterance of transcript_object with all of its words:
 * the larger half of a call. The words are kept once, in transcript_object.
 */
static void append_without_words(StringInfo out, struct json_text key, struct json_text utterances)
{
    struct json_members elements, members;
    struct json_text element, name, value;
    char before = '[';

    append_key(out, key);
    json_elements_begin(&elements, utterances.s, utterances.len);
    while (json_elements_next(&elements, &element)) {
        appendStringInfoChar(out, before);
        before = ',';
        if (kind_of(element) != JSON_OBJECT) {
            appendBinaryStringInfo(out, element.s, (int)element.len);
            continue;
        }
        appendStringInfoChar(out, '{');
        json_members_begin(&members, element.s, element.len);
        while (json_members_next(&members, &name, &value))
            if (!json_string_equals(name.s, name.len, "words"))
                append_member(out, name, value);
        appendStringInfoChar(out, '}');
    }
    if (before == '[')
        appendStringInfoChar(out, '[');
    appendStringInfoChar(out, ']');
}

/* The members of call_analysis: fields, and the unknown ones as one detail of that name. */
static bool read_analysis(struct reading *reading)
{
    static const struct json_text key_of_rest = {"\"call_analysis\"", 15};
    struct json_text analysis = member(&reading->call, "call_analysis");
    struct json_members members;
    struct json_text key, value;
    StringInfoData rest;

    if (analysis.len == 0)
        return true;
    if (kind_of(analysis) != JSON_OBJECT)
        return dead(reading, "call.call_analysis must be an object");
    reading->has_analysis = true;
    initStringInfo(&rest);
    appendStringInfoChar(&rest, '{');
    json_members_begin(&members, analysis.s, analysis.len);
    while (json_members_next(&members, &key, &value)) {
        int field = find_field(key, IN_ANALYSIS);
        if (field < 0)
            append_member(&rest, key, value);
        else if (!read_field(reading, field, value))
            return false;
    }
    appendStringInfoChar(&rest, '}');
    if (rest.len > 2)
        append_member(&reading->details, key_of_rest, (struct json_text){rest.data, rest.len});
    return true;
}

/* call_cost is a detail whole, for its product costs, and its total is a field. */
static bool read_cost(struct reading *reading)
{
    struct json_text cost = member(&reading->call, "call_cost"), total = {NULL, 0};
    if (cost.len == 0)
        return true;
    if (kind_of(cost) != JSON_OBJECT)
        return dead(reading, "call.call_cost must be an object");
    return !json_member(cost.s, cost.len, call_fields[FIELD_COST].key, &total.s, &total.len) ||
           read_field(reading, FIELD_COST, total);
}

/* The members of the call: fields, and all others as details. */
static bool read_members(struct reading *reading)
{
    for (int i = 0; i < reading->call.count; i++) {
        struct json_text key = reading->call.members[i].key;
        struct json_text value = reading->call.members[i].value;
        enum json_kind kind = kind_of(value);
        int field = find_field(key, IN_CALL);
        if (kind == JSON_NULL || is_one_of(key, call_keys, lengthof(call_keys)))
            continue;
        if (field == FIELD_TRANSFER_DESTINATION && kind != JSON_STRING)
            field = -1; /* a transfer event's own object: a detail */
        if (field >= 0) {
            if (!read_field(reading, field, value))
                return false;
        } else if (reading->has_utterances && kind == JSON_ARRAY &&
                   json_string_equals(key.s, key.len, "transcript_with_tool_calls")) {
            append_without_words(&reading->details, key, value);
        } else {
            append_member(&reading->details, key, value);
        }
    }
    return true;
}

/* What the envelope says beside the call. Written before the call's own, which therefore wins. */
static void read_envelope_details(struct reading *reading)
{
    for (int i = 0; i < reading->envelope.count; i++) {
        const struct member *said = &reading->envelope.members[i];
        if (kind_of(said->value) != JSON_NULL &&
            !is_one_of(said->key, envelope_keys, lengthof(envelope_keys)))
            append_member(&reading->details, said->key, said->value);
    }
}

static bool status_is(const struct observation *observation, const char *status)
{
    const text *value = DatumGetTextPP(observation->values[FIELD_CALL_STATUS]);
    size_t len = VARSIZE_ANY_EXHDR(value);
    return len == strlen(status) && memcmp(VARDATA_ANY(value), status, len) == 0;
}

static bool status_is_terminal(const struct observation *observation)
{
    return observation->classes[FIELD_CALL_STATUS] != 0 &&
           (status_is(observation, "ended") || status_is(observation, "error") ||
            status_is(observation, "not_connected"));
}

/* A poll has no event of Retell's behind it: it is as complete as what it carries, or more. */
static unsigned char rank_of(const struct reading *reading)
{
    const struct observation *into = reading->into;
    int rank = Max(rank_of_event(into->event), RANK_UNKNOWN);
    if (strcmp(into->source, "poll") == 0)
        rank = Max(rank, reading->has_analysis      ? RANK_ANALYZED
                         : status_is_terminal(into) ? RANK_ENDED
                                                    : RANK_STARTED);
    return (unsigned char)rank;
}

/*
 * How final the status is. An event that closes a call implies "ended" when it names no status, or
 * one that a closed call cannot have; that yields to a final status that some other event names. A
 * status that is not known is taken for final in an event that closes, else for one of a live call.
 */
static void classify_status(struct observation *into)
{
    bool closes = into->rank >= RANK_ENDED;
    unsigned char *class_ = &into->classes[FIELD_CALL_STATUS];
    bool named = *class_ == CLASS_VALUE;
    bool live = named && (status_is(into, "registered") || status_is(into, "ongoing"));

    if (closes && (!named || live)) {
        into->values[FIELD_CALL_STATUS] = PointerGetDatum(cstring_to_text("ended"));
        *class_ = STATUS_IMPLIED;
    } else if (!named) {
        *class_ = 0;
    } else if (closes || status_is_terminal(into)) {
        *class_ = STATUS_TERMINAL;
    } else {
        *class_ = status_is(into, "registered") ? STATUS_REGISTERED : STATUS_ONGOING;
    }
}

/* Everything that may be refused by PostgreSQL's own types. */
static void read_observation(struct reading *reading)
{
    struct observation *into = reading->into;
    struct json_text utterances;

    if (reading->far_number && (!check_numbers(reading, &reading->envelope, "") ||
                                !check_numbers(reading, &reading->call, "call.")))
        return;
    utterances = member(&reading->call, "transcript_object");
    reading->has_utterances = utterances.len > 0 && kind_of(utterances) == JSON_ARRAY;

    initStringInfo(&reading->details);
    appendStringInfoChar(&reading->details, '{');
    read_envelope_details(reading);
    if (!read_analysis(reading) || !read_cost(reading) || !read_members(reading))
        return;
    appendStringInfoChar(&reading->details, '}');
    into->details =
        DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(reading->details.data)));
    if (JB_ROOT_COUNT(into->details) > DETAILS_MAX) {
        dead(reading, "call has more than %d members", DETAILS_MAX);
        return;
    }
    into->rank = rank_of(reading);
    classify_status(into);
    into->has_call = true;
}

/*
 * The error as text for the journal, if it is the data's fault; else it is raised again. The
 * subtransaction that it happened in has ended: whoever catches it next would end one of theirs.
 */
static char *data_error(ErrorData *error)
{
    if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
        ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
        ReThrowError(error);
    return psprintf("call cannot be stored: %s", error->message);
}

void observe_identity(struct observation *observation)
{
    struct reading *reading = palloc0(sizeof(*reading));
    const Datum digest = DirectFunctionCall1(sha256_bytea, observation->body);

    memcpy(observation->digest, VARDATA_ANY(DatumGetByteaPP(digest)), DIGEST_LENGTH);
    observation->event = observation->call_id = observation->agent_id = "";
    observation->agent_name = "";
    reading->into = observation;
    if (read_envelope(reading) && read_call(reading) && observation->names_call)
        observation->reading = reading;
}

/*
 * Reads events from number `from` on, up to one that is refused; returns how many are done with.
 */
static int observe_some(struct observation **observations, int from, int count)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData *volatile error = NULL;
    volatile int at = from;

    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        for (; at < count; at++) {
            CHECK_FOR_INTERRUPTS();
            if (observations[at]->reading)
                read_observation(observations[at]->reading);
        }
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (error) {
        observations[at]->error = data_error(error);
        observations[at]->has_call = false;
        at++;
    }
    return at;
}

void observe_all(struct observation **observations, int count)
{
    for (int done = 0; done < count;)
        done = observe_some(observations, done, count);
    for (int i = 0; i < count; i++)
        observations[i]->reading = NULL;
}

void observe(struct observation *observation)
{
    observe_identity(observation);
    observe_all(&observation, 1);
}

struct version observation_version(const struct observation *observation, unsigned char class_)
{
    struct version version;
    uint64 sent = (uint64)observation->sent_ms ^ ((uint64)1 << 63);

    version.bytes[0] = (unsigned char)(class_ << 4 | observation->rank);
    for (int i = 0; i < 8; i++)
        version.bytes[1 + i] = (unsigned char)(sent >> (56 - 8 * i));
    memcpy(version.bytes + 9, observation->digest, 8);
    return version;
}
