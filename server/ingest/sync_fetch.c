/* Fetches calls whole, a few at a time, for the transcripts that lists leave out. */
#include "base/clock.h"
#include "db/array.h"
#include "ingest/sync_steps.h"
#include "retell/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16 };

enum { DUE_AGENT, DUE_CALL };

static bool note_failure(struct sync *sync, const struct db_result *due, size_t row,
                         const struct retell_request *request)
{
    struct db_result *result = NULL;
    struct buf why = {0};
    bool gone = request->error == RETELL_NOT_FOUND;
    if (gone)
        buf_printf(&why, "Retell does not know this call (%ld)", request->status);
    else
        retell_explain(sync->opt->client, request, &why);
    const struct db_param params[] = {db_text(db_value(due, row, DUE_AGENT)),
                                      db_text(db_value(due, row, DUE_CALL)),
                                      db_text(gone ? "true" : "false"), db_text(why.data)};
    sync->report->calls.failed++;
    if (!sync->report->message[0] && why.data)
        (void)snprintf(sync->report->message, sizeof sync->report->message, "%s", why.data);
    bool good = sync_exec(sync, STATEMENT_SYNC_FETCH_FAILED, params, &result);
    db_result_free(result);
    buf_free(&why);
    return good;
}

/* Is this failure not the call's, but everybody's? */
static bool concerns_all(enum retell_error error)
{
    return error == RETELL_UNAUTHORIZED || error == RETELL_NO_CREDIT ||
           error == RETELL_UNREACHABLE || error == RETELL_CANCELLED || error == RETELL_NOMEM;
}

/* Stores what was fetched, and notes what was not. */
static bool take_answers(struct sync *sync, const struct db_result *due,
                         struct retell_request *requests, size_t count)
{
    struct json_text calls[AT_ONCE];
    struct sync_batch batch = {.calls = calls, .whole = true, .started_to = -1, .ended_to = -1};
    const struct retell_request *lost = NULL;
    size_t bytes = 0;
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        struct retell_request *request = &requests[i];
        if (request->error != RETELL_OK) {
            if (concerns_all(request->error))
                lost = request;
            else
                good = note_failure(sync, due, i, request);
            continue;
        }
        if (batch.count && bytes + request->answer.len > SYNC_BATCH_BYTES) {
            good = sync_store(sync, &batch);
            batch.count = bytes = 0;
        }
        if (batch.count == 0 || request->asked_ms < batch.asked_ms)
            batch.asked_ms = request->asked_ms;
        calls[batch.count++] = (struct json_text){request->answer.data, request->answer.len};
        bytes += request->answer.len;
    }
    if (good && batch.count)
        good = sync_store(sync, &batch);
    return good && (!lost || sync_fail_request(sync, lost));
}

/*
 * Those that are due still were answered with something that is not this call, or not understood:
 * they wait like those that failed, or they would be asked for again at once, and for ever.
 */
static bool put_off(struct sync *sync, const struct db_result *due)
{
    struct buf agents = {0}, calls = {0};
    struct db_result *result = NULL;
    size_t count = db_rows(due);
    array_begin(&agents, ARRAY_TEXT, count);
    array_begin(&calls, ARRAY_TEXT, count);
    for (size_t i = 0; i < count; i++) {
        array_add_bytes(&agents, db_value(due, i, DUE_AGENT), db_value_len(due, i, DUE_AGENT));
        array_add_bytes(&calls, db_value(due, i, DUE_CALL), db_value_len(due, i, DUE_CALL));
    }
    const struct db_param params[] = {array_param(&agents), array_param(&calls)};
    bool good = agents.failed || calls.failed
                    ? sync_fail(sync, SYNC_FAILED, "out of memory")
                    : sync_exec(sync, STATEMENT_SYNC_PUT_OFF, params, &result);
    db_result_free(result);
    buf_free(&agents);
    buf_free(&calls);
    return good;
}

/* Fetches what is due, at most AT_ONCE; `*more` says whether there was anything. */
static bool fetch_some(struct sync *sync, bool *more)
{
    struct retell_request requests[AT_ONCE];
    struct buf paths[AT_ONCE];
    struct db_result *due = NULL;
    struct sync_number most = {""};
    const struct db_param params[] = {db_text(sync->order->agent_id), sync_number(&most, AT_ONCE)};
    if (!sync_exec(sync, STATEMENT_SYNC_DUE, params, &due))
        return false;
    size_t count = db_rows(due);
    bool good = true;
    memset(requests, 0, sizeof requests);
    memset(paths, 0, sizeof paths);
    for (size_t i = 0; i < count; i++) {
        listing_call_path(db_value(due, i, DUE_CALL), &paths[i]);
        good = good && !paths[i].failed;
        requests[i].path = paths[i].data;
    }
    if (good && count) {
        retell_client_run(sync->opt->client, requests, count);
        good = take_answers(sync, due, requests, count) && put_off(sync, due);
    } else if (!good) {
        (void)sync_fail(sync, SYNC_FAILED, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        buf_free(&requests[i].answer);
        buf_free(&paths[i]);
    }
    db_result_free(due);
    *more = count > 0;
    return good;
}

bool sync_fetch(struct sync *sync, int64_t until_mono_ms)
{
    bool more = true, good = true;
    while (good && more && clock_mono_ms() < until_mono_ms)
        good = fetch_some(sync, &more);
    return good;
}
