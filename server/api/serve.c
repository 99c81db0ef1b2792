#include "api/serve.h"

#include "api/routes.h"
#include "auth/keeper.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/crypto.h"
#include "base/thread.h"
#include "db/migrate.h"
#include "http/listener.h"
#include "ingest/jobs.h"
#include "retell/url.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CONNECT_MS = 3000,
    MAIN_THREADS = 640, /* 512 clients that hold theirs leave 128 for the others */
    ADMIN_THREADS = 16, /* for probes and scrapes, each over in a moment */
    INGEST_CONNECTIONS = WRITER_LEADERS + 1,
    JOBS_CONNECTIONS = 2,
    PROBE_CONNECTIONS = 2,
    MAX_WAITING = 1024,
    GRACE_MS = 25000, /* below the 30 s after which supervisors commonly kill */
};

/*
 * A request gives up on its statement within 2 s, and closes the connection. What goes on behind
 * that holds one more of the database's, so it goes on for as short as can be: slow pages must not
 * take the connections that webhooks need.
 *
 * Nobody waits for jobs, whose own deadlines are shorter where they can be: the first fold of a month
 * after an import of millions of calls reads all of them.
 */
#define DB_OPTIONS(longest_statement)                                                              \
    "-c statement_timeout=" longest_statement                                                      \
    " -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
static const char db_options[] = DB_OPTIONS("2s");
static const char db_jobs_options[] = DB_OPTIONS("60s");

/* Everything that serve owns, so that one function can release it whatever was built. */
struct server {
    struct config config;
    struct log *log;
    struct metrics *metrics;
    struct db_pool *api_pool, *ingest_pool, *jobs_pool, *probe_pool;
    struct identities *identities;
    struct passwords *passwords;
    struct keeper keeper;
    struct jobs *jobs;
    char made_up_secret[CRYPTO_SHA256_HEX_SIZE]; /* signs tokens where JWT_SECRET is not set */
    const char *made_up_secrets[1];
    bool schema_fitted; /* at the start; not known when the database was away */
    struct app app;
    struct router main_router, admin_router;
    struct listener *main_listener, *admin_listener;
};

/* Signals are taken by sigwait, in this thread, and by no other: block them before any starts. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return set;
}

/* Many service managers give 1024 descriptors at first, fewer than there may be clients. */
static void set_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = LISTENER_MAX_DESCRIPTORS;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Looks at the database before anything listens. A database that is away is no reason not to
 * start; one that has no extension or a schema unknown here is. The reasons go to `errors`.
 */
static bool schema_is_known(struct server *server, struct buf *errors)
{
    struct db_conn *conn = NULL;
    char *message = NULL;
    struct buf reasons = {0};
    enum schema_state state = SCHEMA_FITS;
    int64_t deadline = clock_mono_ms() + CONNECT_MS;
    const char *problem = db_url_problem(server->config.database_url);
    if (problem) {
        buf_printf(errors, "DATABASE_URL: %s\n", problem);
        return false;
    }
    enum err err = db_conn_open(server->config.database_url, "frontdesk-start", db_options,
                                deadline, &conn, &message);
    if (!err)
        err = migrate_check(conn, deadline, &state, &reasons);
    server->schema_fitted = !err && state == SCHEMA_FITS;
    if (err == ERR_INVALID) {
        buf_printf(errors,
                   "the database refuses DATABASE_URL: %s\n  if it is new, run `frontdesk "
                   "migrate`, which makes the server's role\n",
                   message);
        state = SCHEMA_UNKNOWN;
    } else if (err) {
        log_warn(server->log, "the database is away; starting without it",
                 LOG_STR("detail", message ? message
                                   : conn  ? db_conn_error(conn)
                                           : ""));
        state = SCHEMA_FITS;
    }
    if (state != SCHEMA_FITS && reasons.data)
        buf_puts(errors, reasons.data);
    if (conn)
        db_conn_close(conn);
    buf_free(&reasons);
    free(message);
    return state == SCHEMA_FITS;
}

static bool migrate_first(struct server *server, struct buf *errors)
{
    struct buf said = {0};
    enum err err = migrate_run(server->config.migration_database_url, &said);
    if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT)
        log_warn(server->log, "the database is away; migrations were not applied",
                 LOG_STR("detail", said.data));
    else if (err)
        buf_puts(errors, said.data ? said.data : "the migrations failed\n");
    else
        log_info(server->log, "migrations", LOG_STR("detail", said.data));
    buf_free(&said);
    return !err || err == ERR_UNAVAILABLE || err == ERR_TIMEOUT;
}

static enum err start_pool(struct server *server, const char *name, const char *options_text,
                           unsigned size, struct db_pool **pool)
{
    const struct db_pool_options options = {.url = server->config.database_url,
                                            .name = name,
                                            .options = options_text,
                                            .size = size,
                                            .max_waiting = MAX_WAITING,
                                            .log = server->log};
    return db_pool_start(&options, pool);
}

/* What must not wait for each other has pools of its own. */
static bool start_pools(struct server *server, struct buf *errors)
{
    const unsigned api_connections = (unsigned)server->config.db_pool_size;
    const struct {
        const char *name, *options;
        unsigned size;
        struct db_pool **pool;
    } pools[] = {
        {"frontdesk-ingest", db_options, INGEST_CONNECTIONS, &server->ingest_pool},
        {"frontdesk-api", db_options, api_connections, &server->api_pool},
        {"frontdesk-jobs", db_jobs_options, JOBS_CONNECTIONS, &server->jobs_pool},
        {"frontdesk-probes", db_options, PROBE_CONNECTIONS, &server->probe_pool},
    };
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        if (start_pool(server, pools[i].name, pools[i].options, pools[i].size, pools[i].pool)) {
            buf_puts(errors, "short of memory or threads\n");
            return false;
        }
    }
    return true;
}

/* The keys that tokens are signed with. Without JWT_SECRET they die with this process. */
static enum err token_keys(struct server *server, struct token_keys *keys)
{
    unsigned char random[CRYPTO_SHA256_SIZE];
    const struct config_list *list = &server->config.jwt_secret;
    *keys = (struct token_keys){list->items, list->count, server->config.jwt_expires_in};
    if (list->count)
        return ERR_OK;
    log_warn(server->log, "JWT_SECRET is not set: users must log in again after a restart",
             LOG_STR("detail", "set it to the output of: openssl rand -hex 32"));
    enum err err = crypto_random(random, sizeof random);
    if (!err)
        err = crypto_sha256_hex(random, sizeof random, server->made_up_secret);
    server->made_up_secrets[0] = server->made_up_secret;
    *keys = (struct token_keys){server->made_up_secrets, 1, server->config.jwt_expires_in};
    return err;
}

/* The thread that polls Retell: without an interval it waits to be asked. */
static bool start_poller(struct server *server, struct buf *errors)
{
    const struct config *config = &server->config;
    const struct poller_options options = {.database_url = config->database_url,
                                           .base_url = config->retell_base_url,
                                           .key = config->retell_api_key,
                                           .log = server->log,
                                           .interval_ms = config->poll_interval_seconds * 1000,
                                           .window_ms = config->poll_window_hours * 3600000};
    const char *problem = url_base_problem(config->retell_base_url);
    if (problem) {
        buf_printf(errors, "RETELL_BASE_URL: %s\n", problem);
        return false;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
        !poller_start(&options, &server->app.poller))
        return true;
    buf_puts(errors, "short of memory or threads\n");
    return false;
}

/* Passwords, who is who, and the work around them. The pools must be there. */
static bool start_auth(struct server *server, struct guard *guard, struct buf *errors)
{
    const struct config *config = &server->config;
    server->identities = identities_new(server->api_pool);
    server->keeper = (struct keeper){.pool = server->jobs_pool,
                                     .identities = server->identities,
                                     .log = server->log,
                                     .superadmin_email = config->superadmin_email,
                                     .superadmin_password = config->superadmin_password,
                                     .superadmin_name = config->superadmin_name};
    *guard = (struct guard){.identities = server->identities};
    if (!server->identities ||
        crypto_secret_take(config->api_auth_key, strlen(config->api_auth_key),
                           &guard->service_key) ||
        token_keys(server, &guard->tokens) || passwords_start(&server->passwords)) {
        buf_puts(errors, "short of memory or threads\n");
        return false;
    }
    /* Now if the database is there, so that it can log in at once; else as a periodic job. */
    (void)keeper_ensure_superadmin(&server->keeper);
    return true;
}

/* Any origin while developing; in production only those that are listed. */
static struct cors cors_rule(const struct config *config)
{
    const struct config_list *list = &config->allowed_origins;
    return (struct cors){.any = !list->count && config->node_env != ENV_PRODUCTION,
                         .origins = list->items,
                         .count = list->count};
}

static bool build_app(struct server *server, struct buf *errors)
{
    struct guard guard;
    const struct config *config = &server->config;
    server->metrics = routes_metrics();
    metrics_set(server->metrics, METRIC_BUILD_INFO, 0, 1);
    metrics_set(server->metrics, METRIC_START_TIME_SECONDS, 0, clock_wall_ms());
    if (!start_pools(server, errors) || !start_auth(server, &guard, errors))
        return false;
    server->app =
        (struct app){.config = config,
                     .log = server->log,
                     .api_pool = server->api_pool,
                     .ingest_pool = server->ingest_pool,
                     .jobs_pool = server->jobs_pool,
                     .probe_pool = server->probe_pool,
                     .metrics = server->metrics,
                     .writer = writer_new(server->ingest_pool, server->log, server->metrics),
                     .webhook_keys = signature_keys_new(config->retell_webhook_keys.items,
                                                        config->retell_webhook_keys.count),
                     .cors = cors_rule(config),
                     .guard = guard,
                     .passwords = server->passwords,
                     .started_ms = clock_mono_ms(),
                     .schema_fitted = server->schema_fitted};
    if (config->rate_limit_max)
        server->app.limiter = limiter_new(config->rate_limit_max, config->rate_limit_window_ms);
    if (!server->app.writer || !server->app.webhook_keys || !server->metrics ||
        (config->rate_limit_max && !server->app.limiter)) {
        buf_puts(errors, "short of memory\n");
        return false;
    }
    const struct jobs_options jobs = {.pool = server->jobs_pool,
                                      .log = server->log,
                                      .keeper = &server->keeper,
                                      .journal_retention_days = config->journal_retention_days};
    if (jobs_start(&jobs, &server->jobs)) {
        buf_puts(errors, "short of memory or threads\n");
        return false;
    }
    server->main_router = routes_main(&server->app);
    server->admin_router = routes_admin(&server->app);
    return start_poller(server, errors);
}

/* What both ports have in common. */
static struct listener_options common_options(const struct server *server)
{
    const struct config *config = &server->config;
    return (struct listener_options){.production = config->node_env == ENV_PRODUCTION,
                                     .trusted_proxies = config->trusted_proxies.items,
                                     .trusted_proxy_count = config->trusted_proxies.count,
                                     .log = server->log};
}

/* Both are tried, so that both ports that are taken are reported at once. */
static bool listen_on_ports(struct server *server, struct buf *errors)
{
    const struct config *config = &server->config;
    struct listener_options main_port = common_options(server);
    struct listener_options admin_port = common_options(server);
    main_port.host = config->host;
    main_port.port = config->port;
    main_port.threads = MAIN_THREADS;
    main_port.router = &server->main_router;
    main_port.metrics = server->metrics;
    admin_port.host = config->admin_host;
    admin_port.port = config->admin_port;
    admin_port.threads = ADMIN_THREADS;
    admin_port.one_request = true;
    admin_port.router = &server->admin_router;
    enum err err = listener_start(&main_port, errors, &server->main_listener);
    return listener_start(&admin_port, errors, &server->admin_listener) == ERR_OK && !err;
}

static bool start(struct server *server, struct buf *errors)
{
    const struct config *config = &server->config;
    const struct log_options log = {.fd = STDOUT_FILENO,
                                    .dir =
                                        strcmp(config->log_dir, "-") == 0 ? NULL : config->log_dir,
                                    .level = (enum log_level)config->log_level,
                                    .format = (enum log_format)config->log_format};
    if (log_new(&log, errors, &server->log))
        return false;
    crash_install(log_exceptions_fd(server->log));
    return (!config->run_migrations || migrate_first(server, errors)) &&
           schema_is_known(server, errors) && build_app(server, errors) &&
           listen_on_ports(server, errors);
}

/* In reverse order; what was not built is NULL. The admin port answers until the end. */
static void stop(struct server *server)
{
    if (server->app.poller)
        poller_cancel(server->app.poller); /* whoever waits for it would hold up the end */
    unsigned cut = listener_stop(server->main_listener, GRACE_MS);
    (void)listener_stop(server->admin_listener, 0);
    poller_stop(server->app.poller);
    writer_free(server->app.writer);
    jobs_stop(server->jobs);
    if (server->identities)
        (void)keeper_write_uses(&server->keeper); /* what was used since the job's last round */
    passwords_stop(server->passwords);
    limiter_free(server->app.limiter);
    signature_keys_free(server->app.webhook_keys);
    struct db_pool *const pools[] = {server->api_pool, server->ingest_pool, server->jobs_pool,
                                     server->probe_pool};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        db_pool_close(pools[i]);
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        db_pool_stop(pools[i]);
    identities_free(server->identities);
    metrics_free(server->metrics);
    log_info(server->log, "stopped", LOG_INT("cut_off", (int64_t)cut));
    log_free(server->log);
    config_free(&server->config);
}

int serve_run(void)
{
    const sigset_t signals = block_signals();
    struct server server = {0};
    struct buf errors = {0};
    int caught = 0;
    int status = 1;

    set_descriptor_limit();
    thread_expect_many();
    if (!config_read(&server.config, &errors) && start(&server, &errors)) {
        status = 0;
        log_info(server.log, "listening", LOG_INT("port", listener_port(server.main_listener)),
                 LOG_INT("admin_port", listener_port(server.admin_listener)),
                 LOG_STR("version", FRONTDESK_VERSION));
        while (sigwait(&signals, &caught) == 0 && caught == SIGHUP)
            log_reopen(server.log);
        log_info(server.log, "stopping", LOG_INT("signal", caught));
    } else {
        (void)fprintf(stderr, "frontdesk: cannot start:\n%s", errors.data ? errors.data : "");
    }
    stop(&server);
    buf_free(&errors);
    return status;
}
