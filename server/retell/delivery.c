/*
 * One lane is one connection that carries one call at a time: it sends an event, waits for the
 * answer, waits a little longer if that must be tried again, and goes on to the next event, then to
 * the next call. All lanes live in one libcurl multi handle and one thread.
 */
#include "retell/delivery.h"

#include "base/buf.h"
#include "base/clock.h"
#include "retell/retry.h"
#include "retell/signature.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 10000, /* Retell's own */
    CONNECT_TIMEOUT_MS = 3000,
    MAX_RETRIES = 3, /* Retell's own */
    MAX_PAUSE_MS = 8000,
    POLL_MS = 250, /* how long a stop may go unnoticed */
    PLAN_MEMORY = 16 * 1024 * 1024,
    MAX_ANSWER = 1024,
};

struct lane {
    CURL *easy;
    struct curl_slist *headers;
    struct arena *arena; /* of the plan */
    struct call_plan plan;
    struct payload_step steps[PAYLOAD_MAX_STEPS];
    size_t step, step_count;
    struct buf body;
    unsigned retries; /* of this event, so far */
    int64_t again_at; /* clock_mono_ms() of the next try; 0: on its way, or idle */
    char answer[MAX_ANSWER];
    size_t answer_len;
};

struct run {
    const struct delivery *delivery;
    struct delivery_totals *totals;
    CURLM *multi;
    uint64_t next_call;
    unsigned busy; /* lanes that have an event to deliver */
    enum err err;
};

/* Keeps the start of an answer, for its message; without what a terminal might obey. */
static size_t keep_answer(char *bytes, size_t size, size_t count, void *user)
{
    struct lane *lane = user;
    size_t room = sizeof lane->answer - 1 - lane->answer_len;
    size_t n = size * count < room ? size * count : room;
    for (size_t i = 0; i < n; i++)
        lane->answer[lane->answer_len++] = (unsigned char)bytes[i] < ' ' ? ' ' : bytes[i];
    lane->answer[lane->answer_len] = '\0';
    return size * count;
}

static bool add_header(struct lane *lane, const char *line)
{
    struct curl_slist *longer = curl_slist_append(lane->headers, line);
    if (longer)
        lane->headers = longer;
    return longer != NULL;
}

/* Each try is signed anew, or a late one would be refused as stale. */
static enum err sign(const struct run *run, struct lane *lane)
{
    char signature[SIGNATURE_SIZE], line[sizeof SIGNATURE_HEADER + 2 + SIGNATURE_SIZE];
    enum err err = signature_sign(run->delivery->key, lane->body.data, lane->body.len,
                                  clock_wall_ms(), signature);
    if (err)
        return err;
    (void)snprintf(line, sizeof line, SIGNATURE_HEADER ": %s", signature);
    curl_slist_free_all(lane->headers);
    lane->headers = NULL;
    bool good = add_header(lane, line) && add_header(lane, "Content-Type: application/json") &&
                add_header(lane, "Expect:");
    return good ? ERR_OK : ERR_NOMEM;
}

static void send_event(struct run *run, struct lane *lane)
{
    lane->again_at = 0;
    lane->answer_len = 0;
    lane->answer[0] = '\0';
    run->err = sign(run, lane);
    if (run->err)
        return;
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, lane->headers);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, lane->body.data);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)lane->body.len);
    if (curl_multi_add_handle(run->multi, lane->easy) != CURLM_OK)
        run->err = ERR_INTERNAL;
}

/* The lane's next call that has events to send; false when there is none left. */
static bool take_call(struct run *run, struct lane *lane)
{
    const struct delivery *d = run->delivery;
    lane->step = lane->step_count = 0;
    while (lane->step_count == 0 && run->next_call < d->calls && !run->err) {
        arena_free(lane->arena);
        lane->arena = arena_new(PLAN_MEMORY);
        run->err = lane->arena ? call_plan_make(lane->arena, d->plan, run->next_call, &lane->plan)
                               : ERR_NOMEM;
        if (run->err)
            return false;
        run->next_call++;
        lane->step_count = payload_steps(&lane->plan, d->last, lane->steps);
        run->totals->silent += lane->step_count == 0;
        run->totals->calls += lane->step_count != 0;
    }
    return lane->step_count > 0;
}

/* Goes on to the lane's next event, of this call or the next; an idle lane stays idle. */
static void go_on(struct run *run, struct lane *lane)
{
    if (atomic_load(run->delivery->stop) || run->totals->gave_up || run->err)
        return;
    if (lane->step == lane->step_count && !take_call(run, lane))
        return;
    lane->retries = 0;
    lane->body.len = 0;
    payload_write(&lane->plan, &lane->steps[lane->step], &lane->body);
    if (lane->body.failed) {
        run->err = ERR_NOMEM;
        return;
    }
    run->busy++;
    send_event(run, lane);
}

static void note_failure(struct run *run, const struct lane *lane, CURLcode result, long status)
{
    struct delivery_totals *totals = run->totals;
    totals->failed++;
    totals->gave_up |= totals->accepted == 0;
    if (totals->problem[0])
        return;
    const char *event = payload_event_name(lane->steps[lane->step].event);
    if (result != CURLE_OK)
        (void)snprintf(totals->problem, sizeof totals->problem, "%s of %s: %s", event,
                       lane->plan.call_id, curl_easy_strerror(result));
    else
        (void)snprintf(totals->problem, sizeof totals->problem, "%s of %s: status %ld: %.300s",
                       event, lane->plan.call_id, status, lane->answer);
}

static void finish_try(struct run *run, struct lane *lane, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(run->multi, lane->easy);
    bool accepted = result == CURLE_OK && status >= 200 && status < 300;
    if (!accepted && retry_may_pass(result, status) && lane->retries < MAX_RETRIES) {
        int64_t pause = retry_pause_ms(lane->easy, lane->retries);
        lane->again_at = clock_mono_ms() + (pause < MAX_PAUSE_MS ? pause : MAX_PAUSE_MS);
        lane->retries++;
        return;
    }
    if (accepted)
        run->totals->accepted++;
    else
        note_failure(run, lane, result, status);
    lane->step++;
    run->busy--;
    run->delivery->progress(run->delivery, run->totals);
    go_on(run, lane);
}

static void finish_tries(struct run *run)
{
    int left = 0;
    for (CURLMsg *msg; !run->err && (msg = curl_multi_info_read(run->multi, &left)) != NULL;) {
        void *lane = NULL;
        CURLcode result = msg->data.result; /* gone once the handle is removed */
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&lane);
        finish_try(run, lane, result);
    }
}

/* Sends again what has waited long enough; returns how long the others have to wait yet. */
static int send_again(struct run *run, struct lane *lanes)
{
    int64_t now = clock_mono_ms(), wait = POLL_MS;
    for (unsigned i = 0; i < run->delivery->parallel && !run->err; i++) {
        if (lanes[i].again_at == 0)
            continue;
        if (lanes[i].again_at <= now)
            send_event(run, &lanes[i]);
        else if (lanes[i].again_at - now < wait)
            wait = lanes[i].again_at - now;
    }
    return (int)wait;
}

static bool set_up(const struct delivery *d, struct lane *lane)
{
    lane->easy = curl_easy_init();
    if (!lane->easy)
        return false;
    bool good = curl_easy_setopt(lane->easy, CURLOPT_URL, d->url) == CURLE_OK;
    curl_easy_setopt(lane->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(lane->easy, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    curl_easy_setopt(lane->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(lane->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(lane->easy, CURLOPT_USERAGENT, "frontdesk-trigger/" FRONTDESK_VERSION);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
    return good;
}

static void tear_down(CURLM *multi, struct lane *lane)
{
    if (lane->easy) {
        curl_multi_remove_handle(multi, lane->easy);
        curl_easy_cleanup(lane->easy);
    }
    curl_slist_free_all(lane->headers);
    arena_free(lane->arena);
    buf_free(&lane->body);
}

static void deliver(struct run *run, struct lane *lanes)
{
    for (unsigned i = 0; i < run->delivery->parallel && !run->err; i++)
        go_on(run, &lanes[i]);
    while (run->busy && !atomic_load(run->delivery->stop) && !run->totals->gave_up && !run->err) {
        int running = 0;
        int wait = send_again(run, lanes);
        if (curl_multi_perform(run->multi, &running) != CURLM_OK ||
            curl_multi_poll(run->multi, NULL, 0, wait, NULL) != CURLM_OK)
            run->err = ERR_INTERNAL;
        finish_tries(run);
    }
}

enum err delivery_run(const struct delivery *delivery, struct delivery_totals *totals)
{
    struct run run = {.delivery = delivery, .totals = totals, .multi = curl_multi_init()};
    struct lane *lanes = calloc(delivery->parallel, sizeof *lanes);
    *totals = (struct delivery_totals){0};
    if (!run.multi || !lanes)
        run.err = ERR_NOMEM;
    for (unsigned i = 0; i < delivery->parallel && !run.err; i++)
        if (!set_up(delivery, &lanes[i]))
            run.err = ERR_NOMEM;
    if (!run.err)
        deliver(&run, lanes);
    for (unsigned i = 0; lanes && i < delivery->parallel; i++)
        tear_down(run.multi, &lanes[i]);
    free(lanes);
    curl_multi_cleanup(run.multi);
    return run.err;
}
