#include "ingest/poller.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    RETRY_MS = 1000, /* after a run that could not begin, at most: the database is away */
};

struct poller {
    struct poller_options opt;
    struct retell_client *client;
    atomic_bool stop;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    bool running; /* a run of the schedule has begun */
    bool away;    /* the last run of the schedule did not come through to the database */
    bool ordered; /* `order` waits for the thread, or is being run */
    struct sync_order order;
    uint64_t asked, begun, done; /* orders: the last one's number at each stage */
    struct sync_report report;   /* of the last order that was done */
};

/* Called in the thread, by the run: one has begun once it has the lock of the database. */
static void note_scheduled(void *user, const struct sync_counts *counts)
{
    struct poller *poller = user;
    (void)counts;
    pthread_mutex_lock(&poller->lock);
    poller->running = true;
    pthread_mutex_unlock(&poller->lock);
}

static void note_ordered(void *user, const struct sync_counts *counts)
{
    struct poller *poller = user;
    (void)counts;
    pthread_mutex_lock(&poller->lock);
    if (poller->begun < poller->asked) {
        poller->begun = poller->asked;
        pthread_cond_broadcast(&poller->changed);
    }
    pthread_mutex_unlock(&poller->lock);
}

/* Runs an order, without the lock. */
static void run(struct poller *poller, const struct sync_order *order,
                void (*note)(void *, const struct sync_counts *), struct sync_report *report)
{
    const struct sync_options options = {.database_url = poller->opt.database_url,
                                         .client = poller->client,
                                         .log = poller->opt.log,
                                         .window_ms = poller->opt.window_ms,
                                         .interval_ms = poller->opt.interval_ms,
                                         .stop = &poller->stop,
                                         .progress = note,
                                         .user = poller};
    sync_run(&options, order, report);
}

/*
 * How long to wait after a run of the schedule. Another process that polls is looked after several
 * times in an interval: it may die at any moment, and its turn must not be missed.
 */
static int64_t pause_after(const struct poller *poller, const struct sync_report *report,
                           int64_t began)
{
    int64_t interval = poller->opt.interval_ms;
    int64_t left = interval - (clock_mono_ms() - began);
    switch (report->outcome) {
    case SYNC_NOT_DUE:
        return report->wait_ms < interval ? report->wait_ms : interval;
    case SYNC_BUSY:
        return interval / 4 < RETRY_MS ? interval / 4 : RETRY_MS;
    case SYNC_NO_DATABASE:
        return interval < RETRY_MS ? interval : RETRY_MS;
    default:
        return left > 0 ? left : 0;
    }
}

/* Said once an outage, and once when it is over: the schedule tries every second meanwhile. */
static void tell_of_database(struct poller *poller, const struct sync_report *report)
{
    bool away = report->outcome == SYNC_NO_DATABASE;
    if (away && !poller->away)
        log_error(poller->opt.log, "polling stands still: it goes on where it was, by itself",
                  LOG_STR("reason", report->message));
    else if (!away && poller->away)
        log_info(poller->opt.log, "polling goes on");
    poller->away = away;
}

/* Runs what the schedule asks for; called and returns with the lock held. */
static int64_t run_scheduled(struct poller *poller)
{
    static const struct sync_order everything = {.since_ms = -1};
    struct sync_report report;
    int64_t began = clock_mono_ms();
    pthread_mutex_unlock(&poller->lock);
    run(poller, &everything, note_scheduled, &report);
    pthread_mutex_lock(&poller->lock);
    tell_of_database(poller, &report);
    poller->running = false;
    return clock_mono_ms() + pause_after(poller, &report, began);
}

static void run_order(struct poller *poller)
{
    struct sync_order order = poller->order;
    struct sync_report report;
    pthread_mutex_unlock(&poller->lock);
    run(poller, &order, note_ordered, &report);
    pthread_mutex_lock(&poller->lock);
    poller->report = report;
    poller->done = poller->begun = poller->asked;
    poller->ordered = false;
    pthread_cond_broadcast(&poller->changed);
}

static void *poll_forever(void *arg)
{
    struct poller *poller = arg;
    int64_t due = clock_mono_ms();
    pthread_mutex_lock(&poller->lock);
    while (!atomic_load(&poller->stop)) {
        if (poller->ordered)
            run_order(poller);
        else if (poller->opt.interval_ms > 0 && clock_mono_ms() >= due)
            due = run_scheduled(poller);
        if (poller->ordered || atomic_load(&poller->stop))
            continue;
        if (poller->opt.interval_ms > 0) {
            const struct timespec until = clock_mono_timespec(due);
            (void)pthread_cond_timedwait(&poller->changed, &poller->lock, &until);
        } else {
            (void)pthread_cond_wait(&poller->changed, &poller->lock);
        }
    }
    pthread_mutex_unlock(&poller->lock);
    return NULL;
}

static void release(struct poller *poller)
{
    retell_client_free(poller->client);
    pthread_cond_destroy(&poller->changed);
    pthread_mutex_destroy(&poller->lock);
    free(poller);
}

enum err poller_start(const struct poller_options *options, struct poller **out)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller)
        return ERR_NOMEM;
    poller->opt = *options;
    pthread_mutex_init(&poller->lock, NULL);
    thread_cond_init(&poller->changed);
    const struct retell_client_options client = {.base_url = options->base_url,
                                                 .key = options->key,
                                                 .parallel = POLLER_PARALLEL,
                                                 .stop = &poller->stop};
    poller->client = retell_client_new(&client);
    enum err err = poller->client ? thread_start(&poller->thread, poll_forever, poller) : ERR_NOMEM;
    if (err)
        release(poller);
    else
        *out = poller;
    return err;
}

void poller_cancel(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    atomic_store(&poller->stop, true);
    pthread_cond_broadcast(&poller->changed);
    pthread_mutex_unlock(&poller->lock);
}

void poller_stop(struct poller *poller)
{
    if (!poller)
        return;
    poller_cancel(poller);
    pthread_join(poller->thread, NULL);
    release(poller);
}

static void answer_without_run(struct sync_report *report, enum sync_outcome outcome)
{
    *report = (struct sync_report){.outcome = outcome, .calls = {.expected = -1}};
}

enum poller_answer poller_request(struct poller *poller, const struct sync_order *order,
                                  bool only_begin, int64_t deadline, struct sync_report *report)
{
    const struct timespec until = clock_mono_timespec(deadline);
    enum poller_answer answer = POLLER_DONE;
    int late = 0;
    pthread_mutex_lock(&poller->lock);
    if (poller->running || poller->ordered) {
        answer_without_run(report, SYNC_BUSY);
        pthread_mutex_unlock(&poller->lock);
        return POLLER_DONE;
    }
    uint64_t number = ++poller->asked;
    poller->order = *order;
    poller->ordered = true;
    pthread_cond_broadcast(&poller->changed);
    while (poller->done < number && !(only_begin && poller->begun >= number) && !late &&
           !atomic_load(&poller->stop))
        late = pthread_cond_timedwait(&poller->changed, &poller->lock, &until);
    if (poller->done == number)
        *report = poller->report;
    else if (atomic_load(&poller->stop))
        answer_without_run(report, SYNC_CANCELLED);
    else
        answer = POLLER_RUNNING;
    pthread_mutex_unlock(&poller->lock);
    return answer;
}
