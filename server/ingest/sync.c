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

bool sync_ask(struct sync *sync, struct retell_request *request)
{
    struct buf why = {0};
    retell_client_run(sync->opt->client, request, 1);
    if (request->error == RETELL_OK)
        return true;
    if (request->error == RETELL_CANCELLED)
        return sync_fail(sync, SYNC_CANCELLED, "stopped");
    retell_explain(sync->opt->client, request, &why);
    (void)sync_fail(sync, SYNC_FAILED, why.data ? why.data : "out of memory");
    buf_free(&why);
    return false;
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

bool sync_exec(struct sync *sync, enum statement statement, const struct db_param *params,
               struct db_result **result)
{
    *result = NULL;
    for (int try = 1;; try++) {
        enum err err =
            db_conn_exec(sync->conn, statement, params, clock_mono_ms() + STATEMENT_MS, result);
        if (!err)
            return true;
        bool passes = (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) && db_conn_usable(sync->conn);
        if (!passes || try == TRIES || atomic_load(sync->opt->stop)) {
            char message[SYNC_MESSAGE_SIZE];
            (void)snprintf(message, sizeof message, "the database did not take it (%s): %s",
                           statement_text(statement)->name, db_conn_error(sync->conn));
            return sync_fail(sync, SYNC_NO_DATABASE, message);
        }
        (void)poll(NULL, 0, PAUSE_MS << try);
    }
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

/* Takes what sync_store() of the database says into the report. */
static void count(struct sync *sync, const struct db_result *result, size_t calls, bool whole,
                  bool *news)
{
    enum { ADDED, CHANGED, FAILED, PROBLEM };
    struct sync_counts *counts = &sync->report->calls;
    const char *problem = db_value(result, 0, PROBLEM);
    int64_t added = sync_value(result, 0, ADDED), changed = sync_value(result, 0, CHANGED);
    *(whole ? &counts->fetched : &counts->listed) += (int64_t)calls;
    counts->added += added;
    counts->changed += changed;
    counts->failed += sync_value(result, 0, FAILED);
    if (problem && !sync->report->message[0])
        (void)snprintf(sync->report->message, sizeof sync->report->message,
                       "a call was not understood: %s", problem);
    if (news)
        *news |= added + changed > 0;
    say_progress(sync);
}

bool sync_store(struct sync *sync, const struct json_text *calls, size_t n, int64_t asked_ms,
                bool whole, int64_t started_to, int64_t ended_to, bool *news)
{
    struct sync_number asked = {""}, started = {""}, ended = {""};
    struct db_result *result = NULL;
    struct buf bodies = {0};
    if (n) {
        array_begin(&bodies, ARRAY_BYTEA, n);
        for (size_t i = 0; i < n; i++)
            array_add_bytes(&bodies, calls[i].s, calls[i].len);
    }
    if (bodies.failed) {
        buf_free(&bodies);
        return sync_fail(sync, SYNC_FAILED, "out of memory");
    }
    const struct db_param params[] = {
        db_text(sync->order->agent_id),      n ? array_param(&bodies) : db_text("{}"),
        sync_number(&asked, asked_ms),       db_text(whole ? "true" : "false"),
        sync_optional(&started, started_to), sync_optional(&ended, ended_to)};
    bool good = sync_exec(sync, STATEMENT_SYNC_STORE, params, &result);
    if (good)
        count(sync, result, n, whole, news);
    db_result_free(result);
    buf_free(&bodies);
    return good;
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

/* Decides from when on calls are listed by their start. */
static void choose_window(struct sync *sync)
{
    const struct sync_order *order = sync->order;
    int64_t lower = 0;
    sync->began_ms = retell_client_now_ms(sync->opt->client);
    if (order->since_ms >= 0) {
        lower = order->since_ms;
    } else if (sync->started_to >= 0) {
        lower = sync->started_to - OVERLAP_MS;
        if (sync->scan && sync->began_ms - sync->opt->window_ms < lower)
            lower = sync->began_ms - sync->opt->window_ms;
    }
    sync->lower_ms = lower > 0 ? lower : 0;
    sync->moves_cursor =
        sync->started_to >= 0 ? sync->lower_ms <= sync->started_to : sync->lower_ms == 0;
    /* What has ended before is found from here on; see sync_lists(). */
    if (order->since_ms >= 0)
        sync->ended_to = order->since_ms;
    else if (sync->ended_to < 0 ||
             (sync->scan && sync->began_ms - sync->opt->window_ms < sync->ended_to - OVERLAP_MS))
        sync->ended_to = sync->began_ms - sync->opt->window_ms;
    else
        sync->ended_to -= OVERLAP_MS;
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

/* Writes down how the run ended; `reason` NULL: well. */
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
        sync_number(&began, sync->began_ms),
        sync_number(&ahead, retell_client_skew_ms(sync->opt->client)),
        sync->order->forced ? db_text(NULL) : sync_number(&next, seconds)};
    return exec_only(sync, STATEMENT_SYNC_END, params);
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
    int64_t until = sync->order->forced || sync->opt->interval_ms == 0
                        ? INT64_MAX
                        : sync->began_mono_ms + sync->opt->interval_ms;
    return sync_fetch(sync, until);
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
