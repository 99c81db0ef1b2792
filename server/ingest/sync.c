#include "ingest/sync.h"

#include "base/clock.h"
#include "db/array.h"
#include "ingest/sync_steps.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 5000,
    STATEMENT_MS = 15000,
    TRIES = 4, /* of a statement that others were in the way of */
    PAUSE_MS = 50,
    SCAN_SECONDS = 3600,  /* how often the whole window is read again */
    AGENTS_SECONDS = 600, /* how often the list of agents is */
    OVERLAP_MS = 600000,  /* calls may become visible later than they started or ended */
};

/* A process that is stopped must not hold the lock for ever: its idle connection is ended. */
static const char db_options[] = "-c statement_timeout=14s -c lock_timeout=2s "
                                 "-c idle_in_transaction_session_timeout=10s "
                                 "-c idle_session_timeout=300s";

bool sync_fail(struct sync *sync, enum sync_outcome outcome, const char *message)
{
    sync->report->outcome = outcome;
    (void)snprintf(sync->report->message, sizeof sync->report->message, "%s", message);
    return false;
}

bool sync_fail_request(struct sync *sync, const struct retell_request *request)
{
    struct buf why = {0};
    if (request->error == RETELL_CANCELLED)
        return sync_fail(sync, SYNC_CANCELLED, "stopped");
    retell_explain(sync->opt->client, request, &why);
    (void)sync_fail(sync, SYNC_FAILED, why.data ? why.data : "out of memory");
    buf_free(&why);
    return false;
}

bool sync_ask(struct sync *sync, struct retell_request *request)
{
    retell_client_run(sync->opt->client, request, 1);
    return request->error == RETELL_OK || sync_fail_request(sync, request);
}

/* ---- the database ---- */

struct db_param sync_number(struct sync_number *number, int64_t value)
{
    (void)snprintf(number->text, sizeof number->text, "%" PRId64, value);
    return db_text(number->text);
}

struct db_param sync_optional(struct sync_number *number, int64_t value)
{
    return value < 0 ? db_text(NULL) : sync_number(number, value);
}

int64_t sync_value(const struct db_result *result, size_t row, int column)
{
    const char *text = db_value(result, row, column);
    return text ? strtoll(text, NULL, 10) : -1;
}

/* One that a lock, a deadlock or a restart of another session has stopped is tried again. */
static enum err try_exec(struct sync *sync, enum statement statement, const struct db_param *params,
                         struct db_result **result)
{
    *result = NULL;
    for (int try = 1;; try++) {
        enum err err =
            db_conn_exec(sync->conn, statement, params, clock_mono_ms() + STATEMENT_MS, result);
        bool passes = (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) && db_conn_usable(sync->conn);
        if (!passes || try == TRIES || atomic_load(sync->opt->stop))
            return err;
        (void)poll(NULL, 0, PAUSE_MS << try);
    }
}

static bool fail_exec(struct sync *sync, enum statement statement)
{
    char message[SYNC_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message, "the database did not take it (%s): %s",
                   statement_text(statement)->name, db_conn_error(sync->conn));
    return sync_fail(sync, SYNC_NO_DATABASE, message);
}

bool sync_exec(struct sync *sync, enum statement statement, const struct db_param *params,
               struct db_result **result)
{
    return !try_exec(sync, statement, params, result) || fail_exec(sync, statement);
}

static bool exec_only(struct sync *sync, enum statement statement, const struct db_param *params)
{
    struct db_result *result = NULL;
    bool good = sync_exec(sync, statement, params, &result);
    db_result_free(result);
    return good;
}

static void say_progress(const struct sync *sync)
{
    if (sync->opt->progress)
        sync->opt->progress(sync->opt->user, &sync->report->calls);
}

/* Takes what the database says of a batch into the report. */
static void count(struct sync *sync, const struct db_result *result, const struct sync_batch *batch)
{
    enum { ADDED, CHANGED, FAILED, PROBLEM };
    struct sync_counts *counts = &sync->report->calls;
    const char *problem = db_value(result, 0, PROBLEM);
    *(batch->whole ? &counts->fetched : &counts->listed) += (int64_t)batch->count;
    counts->added += sync_value(result, 0, ADDED);
    counts->changed += sync_value(result, 0, CHANGED);
    counts->failed += sync_value(result, 0, FAILED);
    if (problem && !sync->report->message[0])
        (void)snprintf(sync->report->message, sizeof sync->report->message,
                       "a call was not understood: %s", problem);
    say_progress(sync);
}

/* Stores calls by one statement, all or none. */
static enum err store_once(struct sync *sync, const struct sync_batch *batch)
{
    struct sync_number asked = {""}, started = {""}, ended = {""};
    struct db_result *result = NULL;
    struct buf bodies = {0};
    if (batch->count) {
        array_begin(&bodies, ARRAY_BYTEA, batch->count);
        for (size_t i = 0; i < batch->count; i++)
            array_add_bytes(&bodies, batch->calls[i].s, batch->calls[i].len);
    }
    enum err err = bodies.failed ? ERR_NOMEM : ERR_OK;
    if (!err) {
        const struct db_param params[] = {db_text(sync->order->agent_id),
                                          batch->count ? array_param(&bodies) : db_text("{}"),
                                          sync_number(&asked, batch->asked_ms),
                                          db_text(batch->whole ? "true" : "false"),
                                          sync_optional(&started, batch->started_to),
                                          sync_optional(&ended, batch->ended_to)};
        err = try_exec(sync, STATEMENT_SYNC_STORE, params, &result);
    }
    if (!err)
        count(sync, result, batch);
    db_result_free(result);
    buf_free(&bodies);
    return err;
}

/* The database refuses this call, and would again: it fails alone, and the cursor moves on. */
static enum err leave_out(struct sync *sync, const struct sync_batch *batch)
{
    struct sync_batch none = *batch;
    log_error(sync->opt->log, "a polled call is refused by the database",
              LOG_STR("error", db_conn_error(sync->conn)));
    if (!sync->report->message[0])
        (void)snprintf(sync->report->message, sizeof sync->report->message,
                       "the database refuses a call: %s", db_conn_error(sync->conn));
    sync->report->calls.failed++;
    none.count = 0;
    return store_once(sync, &none);
}

bool sync_store(struct sync *sync, const struct sync_batch *batch)
{
    enum err err = store_once(sync, batch);
    bool refused = (err == ERR_DATA || err == ERR_INTERNAL) && db_conn_usable(sync->conn);
    for (size_t i = 0; refused && i < batch->count; i++) {
        struct sync_batch one = *batch;
        one.calls = &batch->calls[i];
        one.count = 1;
        if (i + 1 < batch->count)
            one.started_to = one.ended_to = -1;
        err = store_once(sync, &one);
        if ((err == ERR_DATA || err == ERR_INTERNAL) && db_conn_usable(sync->conn))
            err = leave_out(sync, &one);
        refused = !err;
    }
    return !err || (err == ERR_NOMEM ? sync_fail(sync, SYNC_FAILED, "out of memory")
                                     : fail_exec(sync, STATEMENT_SYNC_STORE));
}

/* ---- beginning and ending ---- */

static bool connect(struct sync *sync)
{
    char *message = NULL;
    enum err err = db_conn_open(sync->opt->database_url, "frontdesk-sync", db_options,
                                clock_mono_ms() + CONNECT_MS, &sync->conn, &message);
    if (err)
        (void)sync_fail(sync, SYNC_NO_DATABASE, message ? message : "out of memory");
    free(message);
    return !err;
}

static bool lock(struct sync *sync)
{
    struct db_result *result = NULL;
    if (!sync_exec(sync, STATEMENT_SYNC_LOCK, NULL, &result))
        return false;
    const char *locked = db_value(result, 0, 0);
    bool good = locked && locked[0] == 't';
    db_result_free(result);
    return good || sync_fail(sync, SYNC_BUSY, "another sync is running; wait until it is done");
}

/* Closing the connection would free it too, but only once the database has noticed. */
static void unlock(struct sync *sync)
{
    struct db_result *result = NULL;
    enum err err = db_conn_exec(sync->conn, STATEMENT_SYNC_UNLOCK, NULL,
                                clock_mono_ms() + CONNECT_MS, &result);
    if (err)
        log_warn(sync->opt->log, "the lock of polling is freed late",
                 LOG_STR("error", err_name(err)));
    db_result_free(result);
}

static bool is_true(const struct db_result *result, int column)
{
    const char *value = db_value(result, 0, column);
    return value && value[0] == 't';
}

static bool begin(struct sync *sync)
{
    enum { WAIT, STARTED, ENDED, SCAN, UNCONNECTED, LOOKED, AGENTS };
    struct sync_number scan = {""}, agents = {""};
    struct db_result *result = NULL;
    const struct db_param params[] = {
        db_text(sync->order->agent_id), db_text(sync->order->forced ? "true" : "false"),
        sync_number(&scan, SCAN_SECONDS), sync_number(&agents, AGENTS_SECONDS)};
    if (!sync_exec(sync, STATEMENT_SYNC_BEGIN, params, &result))
        return false;
    sync->report->wait_ms = sync_value(result, 0, WAIT);
    sync->started_to = sync_value(result, 0, STARTED);
    sync->ended_to = sync_value(result, 0, ENDED);
    sync->unconnected = sync_value(result, 0, UNCONNECTED);
    sync->looked_at = sync_value(result, 0, LOOKED);
    sync->scan = sync->order->forced || is_true(result, SCAN);
    sync->agents_due = sync->order->only_agents || is_true(result, AGENTS);
    db_result_free(result);
    if (sync->report->wait_ms > 0)
        return sync_fail(sync, SYNC_NOT_DUE, "");
    say_progress(sync);
    return true;
}

/*
 * Decides from when on calls are listed. What is looked at again reaches back a window before the
 * last successful run, if that is longer ago than this one: an outage of any length hides nothing.
 */
static void choose_window(struct sync *sync)
{
    const int64_t since = sync->order->since_ms;
    int64_t lower = 0, ended = 0;
    sync->began_ms = retell_client_now_ms(sync->opt->client);
    sync->window_from = sync->began_ms;
    if (sync->looked_at >= 0 && sync->looked_at < sync->window_from)
        sync->window_from = sync->looked_at;
    sync->window_from -= sync->opt->window_ms;
    if (since >= 0) {
        lower = ended = since;
    } else {
        ended = sync->ended_to >= 0 ? sync->ended_to - OVERLAP_MS : sync->window_from;
        lower = sync->started_to >= 0 ? sync->started_to - OVERLAP_MS : 0;
        if (sync->scan && sync->window_from < lower)
            lower = sync->window_from;
        if (sync->scan && sync->window_from < ended)
            ended = sync->window_from;
    }
    sync->lower_ms = lower > 0 ? lower : 0;
    sync->ended_from = ended > 0 ? ended : 0;
    sync->moves_cursor =
        sync->started_to >= 0 ? sync->lower_ms <= sync->started_to : sync->lower_ms == 0;
    sync->last_started = sync->last_ended = -1;
    sync->ordered = true;
}

static bool note_clocks(struct sync *sync)
{
    struct sync_number now = {""}, ahead = {""};
    const struct db_param params[] = {
        sync_number(&now, retell_client_now_ms(sync->opt->client)),
        sync_number(&ahead, retell_client_skew_ms(sync->opt->client))};
    return exec_only(sync, STATEMENT_SYNC_WATCH, params);
}

/*
 * Writes down how the run ended; `reason` NULL: well. One that was told from when on to list has not
 * looked at all that the next one may rely on.
 */
static bool end(struct sync *sync, const char *reason)
{
    struct sync_number unconnected = {""}, began = {""}, ahead = {""}, next = {""};
    int64_t left = sync->opt->interval_ms - (clock_mono_ms() - sync->began_mono_ms);
    int64_t seconds = sync->opt->interval_ms == 0 ? 0 : left > 1000 ? left / 1000 : 1;
    const struct db_param params[] = {
        db_text(sync->order->agent_id),
        db_text(reason),
        db_text(sync->scan && sync->order->since_ms < 0 ? "true" : "false"),
        sync_optional(&unconnected, sync->unconnected),
        sync_optional(&began, sync->order->since_ms < 0 ? sync->began_ms : sync->looked_at),
        sync_number(&ahead, retell_client_skew_ms(sync->opt->client)),
        sync->order->forced ? db_text(NULL) : sync_number(&next, seconds)};
    return exec_only(sync, STATEMENT_SYNC_END, params);
}

/*
 * How long this run may fetch transcripts: until the next one is due, but for half an interval even
 * when the lists have taken all of it, or slow lists would keep transcripts away for ever.
 */
static int64_t fetch_until(const struct sync *sync)
{
    const int64_t interval = sync->opt->interval_ms;
    int64_t due = sync->began_mono_ms + interval;
    int64_t least = clock_mono_ms() + interval / 2;
    if (sync->order->forced || interval == 0)
        return INT64_MAX;
    return due > least ? due : least;
}

static bool steps(struct sync *sync)
{
    if (sync->agents_due && !sync_agents(sync))
        return false;
    if (!note_clocks(sync) || sync->order->only_agents)
        return sync->report->outcome == SYNC_DONE;
    choose_window(sync);
    if (!sync_lists(sync) || !sync_unfinished(sync) || !end(sync, NULL))
        return false;
    return sync_fetch(sync, fetch_until(sync));
}

static void log_end(const struct sync *sync)
{
    const struct sync_report *report = sync->report;
    const struct sync_counts *calls = &report->calls;
    if (report->outcome == SYNC_FAILED || report->outcome == SYNC_NO_DATABASE)
        log_warn(sync->opt->log, "sync failed", LOG_STR("reason", report->message),
                 LOG_INT("listed", calls->listed), LOG_INT("new", calls->added));
    else if (calls->added || calls->changed || calls->failed || sync->order->forced)
        log_info(sync->opt->log, "synced", LOG_INT("listed", calls->listed),
                 LOG_INT("fetched", calls->fetched), LOG_INT("new", calls->added),
                 LOG_INT("changed", calls->changed), LOG_INT("failed", calls->failed),
                 LOG_STR("problem", report->message[0] ? report->message : NULL));
}

void sync_run(const struct sync_options *options, const struct sync_order *order,
              struct sync_report *report)
{
    struct sync sync = {
        .opt = options, .order = order, .report = report, .began_mono_ms = clock_mono_ms()};
    *report = (struct sync_report){.outcome = SYNC_DONE, .calls = {.expected = -1}};
    if (connect(&sync) && lock(&sync) && begin(&sync)) {
        if (!steps(&sync) && report->outcome == SYNC_FAILED) {
            char reason[SYNC_MESSAGE_SIZE];
            memcpy(reason, report->message, sizeof reason);
            if (!end(&sync, reason)) /* the first failure is the one to tell */
                (void)sync_fail(&sync, SYNC_FAILED, reason);
        }
        log_end(&sync);
    }
    if (sync.conn && db_conn_usable(sync.conn) && report->outcome != SYNC_BUSY)
        unlock(&sync);
    db_conn_close(sync.conn); /* frees the lock, whatever happened */
}
