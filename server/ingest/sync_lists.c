/* The lists of a run: see sync.h for what each is for. */
#include "base/clock.h"
#include "ingest/sync_steps.h"
#include "retell/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE = 500,
    UNCONNECTED_PAGE = 100,
    UNCONNECTED_PAGES = 50, /* of each end, unless the whole window is read */
    UNFINISHED = 5000,      /* calls looked at again in one run, the newest */
    IDS_PER_PAGE = 100,
};

/* A list that is being read, page by page. */
struct reading {
    struct sync *sync;
    struct listing_query query;
    struct listing_place place;
    bool moves_cursor;     /* the cursor on starts follows */
    bool last_has_no_time; /* the last item of the page has no start */
};

static bool surprise(struct sync *sync, const char *what)
{
    char message[SYNC_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message,
                   "Retell's list of calls is not as documented: %s. What was read is stored; look "
                   "for a newer Frontdesk",
                   what);
    return sync_fail(sync, SYNC_FAILED, message);
}

/* Notes an item's times; what comes out of order must not move the cursor. */
static void note_times(struct reading *reading, struct json_text item)
{
    struct sync *sync = reading->sync;
    int64_t started = listing_time(item, "start_timestamp");
    int64_t ended = listing_time(item, "end_timestamp");
    reading->last_has_no_time = started < 0;
    if (ended > sync->last_ended)
        sync->last_ended = ended;
    if (!reading->moves_cursor || started < 0)
        return;
    if (started < sync->last_started)
        sync->ordered = false;
    else
        sync->last_started = started;
}

/* Never beyond now: one wrong time in the future would hide all that comes until then. */
static int64_t not_after(int64_t ms, int64_t limit)
{
    return ms < limit ? ms : limit;
}

/* Stores a page in batches; the last one's transaction moves the cursor. */
static bool store_page(struct reading *reading, struct listing_page *page, int64_t asked_ms)
{
    struct sync *sync = reading->sync;
    struct json_text calls[SYNC_BATCH], item;
    struct sync_batch batch = {
        .calls = calls, .asked_ms = asked_ms, .started_to = -1, .ended_to = -1};
    size_t bytes = 0;
    while (json_elements_next(&page->items, &item)) {
        if (batch.count == SYNC_BATCH || (batch.count && bytes + item.len > SYNC_BATCH_BYTES)) {
            if (!sync_store(sync, &batch))
                return false;
            batch.count = bytes = 0;
        }
        note_times(reading, item);
        calls[batch.count++] = item;
        bytes += item.len;
        if (atomic_load(sync->opt->stop))
            return sync_fail(sync, SYNC_CANCELLED, "stopped");
    }
    if (batch.count == 0)
        return true;
    if (reading->moves_cursor && sync->moves_cursor && sync->ordered)
        batch.started_to = not_after(sync->last_started, asked_ms);
    return sync_store(sync, &batch);
}

/* Asks for the page to come. */
static bool ask_page(struct reading *reading, struct retell_request *request,
                     struct listing_page *page)
{
    struct buf body = {0};
    listing_write(&reading->query, reading->place.key.data ? reading->place.key.data : "", &body);
    request->path = "/v3/list-calls";
    request->body = body.data;
    bool good = !body.failed ? sync_ask(reading->sync, request)
                             : sync_fail(reading->sync, SYNC_FAILED, "out of memory");
    buf_free(&body);
    request->body = NULL;
    const char *wrong = good ? listing_read(request->answer.data, request->answer.len, page) : NULL;
    return good && (!wrong || surprise(reading->sync, wrong));
}

/* Goes on to the next page, after what came was stored. */
static bool turn_page(struct reading *reading, const struct listing_page *page)
{
    const char *wrong = listing_next(page, &reading->place);
    if (reading->place.key.failed)
        return sync_fail(reading->sync, SYNC_FAILED, "out of memory");
    return !wrong || surprise(reading->sync, wrong);
}

static bool expect(struct sync *sync, int64_t total)
{
    struct sync_number number = {""};
    struct db_result *result = NULL;
    const struct db_param params[] = {sync_number(&number, total)};
    sync->report->calls.expected = total;
    bool good = sync_exec(sync, STATEMENT_SYNC_EXPECT, params, &result);
    db_result_free(result);
    return good;
}

/* Reads one page and stores it; `*more` says whether another follows. */
static bool read_page(struct reading *reading, bool *more)
{
    struct retell_request request = {0};
    struct listing_page page;
    bool good = ask_page(reading, &request, &page);
    if (good && reading->query.total && page.total >= 0)
        good = expect(reading->sync, page.total);
    reading->query.total = false;
    good = good && store_page(reading, &page, request.asked_ms);
    *more = good && page.has_more;
    good = good && turn_page(reading, &page);
    buf_free(&request.answer);
    return good;
}

static bool read_all(struct reading *reading)
{
    bool more = true, good = true;
    while (good && more)
        good = read_page(reading, &more);
    listing_place_free(&reading->place);
    return good;
}

static struct reading reading_of(struct sync *sync, unsigned limit)
{
    struct reading reading = {.sync = sync, .query = listing_query(limit)};
    reading.query.agent_id = sync->order->agent_id;
    return reading;
}

/* Calls by their start, from the window's beginning on. */
static bool list_started(struct sync *sync)
{
    struct reading reading = reading_of(sync, PAGE);
    reading.query.started_from = sync->lower_ms;
    reading.query.total = sync->order->forced || sync->started_to < 0;
    reading.moves_cursor = true;
    return read_all(&reading);
}

/* Calls that started before that, and ended since. */
static bool list_ended(struct sync *sync)
{
    struct reading reading = reading_of(sync, PAGE);
    if (sync->lower_ms == 0)
        return true;
    reading.query.started_before = sync->lower_ms;
    reading.query.ended_from = sync->ended_from;
    return read_all(&reading);
}

/* How many calls never connected, at Retell; -1 when it does not say. */
static bool count_unconnected(struct sync *sync, int64_t *total)
{
    struct reading reading = reading_of(sync, 1);
    struct retell_request request = {0};
    struct listing_page page;
    reading.query.unconnected = reading.query.total = true;
    bool good = ask_page(&reading, &request, &page);
    *total = good ? page.total : -1;
    buf_free(&request.answer);
    return good;
}

/*
 * Calls without a start stand together at one end of the list, and Retell does not say at which.
 * The others of this list have been found by their start.
 */
static bool list_timeless(struct sync *sync, bool ascending)
{
    struct reading reading = reading_of(sync, UNCONNECTED_PAGE);
    bool more = true, good = true;
    reading.query.unconnected = true;
    reading.query.ascending = ascending;
    for (int pages = 0; good && more && (pages < UNCONNECTED_PAGES || sync->scan); pages++) {
        good = read_page(&reading, &more);
        more = more && reading.last_has_no_time;
    }
    listing_place_free(&reading.place);
    return good;
}

static bool list_unconnected(struct sync *sync)
{
    int64_t total = -1;
    if (!count_unconnected(sync, &total))
        return false;
    bool same = total >= 0 && total == sync->unconnected;
    sync->unconnected = total;
    return (same && !sync->scan) || (list_timeless(sync, false) && list_timeless(sync, true));
}

bool sync_lists(struct sync *sync)
{
    if (!list_started(sync) || !list_ended(sync) || !list_unconnected(sync))
        return false;
    if (!sync->moves_cursor || sync->order->since_ms >= 0)
        return true;
    /* A call that was listed before it ended is found by the next run: hence not beyond the start. */
    const struct sync_batch cursors = {
        .asked_ms = sync->began_ms,
        .started_to = not_after(sync->last_started, retell_client_now_ms(sync->opt->client)),
        .ended_to = not_after(sync->last_ended, sync->began_ms)};
    return sync_store(sync, &cursors);
}

/* ---- calls to look at again ---- */

static bool look_again(struct sync *sync, const char *const *ids, size_t count)
{
    struct reading reading = reading_of(sync, IDS_PER_PAGE);
    reading.query.call_ids = ids;
    reading.query.call_id_count = count;
    return read_all(&reading);
}

bool sync_unfinished(struct sync *sync)
{
    struct sync_number since = {""}, before = {""}, now = {""}, looked = {""}, most = {""};
    struct db_result *result = NULL;
    const char *ids[IDS_PER_PAGE];
    const int64_t last_look = sync->order->forced ? -1 : sync->looked_at;
    const struct db_param params[] = {
        db_text(sync->order->agent_id),
        sync_number(&since, sync->window_from > 0 ? sync->window_from : 0),
        sync_number(&before, sync->lower_ms),
        sync_number(&now, sync->began_ms),
        sync_optional(&looked, last_look),
        sync_number(&most, UNFINISHED)};
    bool good = sync_exec(sync, STATEMENT_SYNC_UNFINISHED, params, &result);
    size_t n = 0, rows = good ? db_rows(result) : 0;
    for (size_t row = 0; good && row < rows; row++) {
        ids[n++] = db_value(result, row, 0);
        if (n == IDS_PER_PAGE || row + 1 == rows) {
            good = look_again(sync, ids, n);
            n = 0;
        }
    }
    db_result_free(result);
    return good;
}
