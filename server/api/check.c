/*
 * What an operator wants to know before and after a change, in one table of checks. Each prints one
 * line, ok, warn or FAIL, that says what to do; warn is for what works now and may not for long. A
 * check whose ground is missing says so instead of failing too. No line shows a secret.
 */
#include "api/check.h"

#include "base/clock.h"
#include "base/config.h"
#include "db/conn.h"
#include "db/migrate.h"
#include "retell/client.h"
#include "retell/listing.h"
#include "retell/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 5000,
    RETELL_PATIENCE_S = 15,
    CLOCK_WARN_MS = 5000,
    CLOCK_FAIL_MS = 60000, /* webhooks are refused at 5 minutes */
};

static const uint64_t disk_fail_bytes = UINT64_C(100) << 20;
static const uint64_t disk_warn_bytes = UINT64_C(1) << 30;

enum verdict { OK, WARN, FAIL, SKIP };

/* What the checks find out for those after them. */
struct check {
    const char *name; /* of the check under way */
    struct config config;
    struct db_conn *conn;
    struct db_result *facts;
    int64_t database_ahead_ms; /* its clock, compared with ours */
    bool settings_good, retell_answers;
    int64_t ahead_of_retell_ms;
    bool failed;
};

/* The columns of STATEMENT_CHECK. */
enum { SERVER_VERSION, INSTALLED, AVAILABLE, NOW_MS, IN_RECOVERY, SUPERUSER };

__attribute__((format(printf, 3, 4))) static void say(struct check *c, enum verdict verdict,
                                                      const char *format, ...)
{
    static const char *const words[] = {
        [OK] = "ok", [WARN] = "warn", [FAIL] = "FAIL", [SKIP] = "-"};
    va_list args;
    va_start(args, format);
    (void)printf("%-4s  %-9s  ", words[verdict], c->name);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    c->failed |= verdict == FAIL;
}

/* Says each line of `lines`. */
static void say_lines(struct check *c, enum verdict verdict, const struct buf *lines)
{
    for (const char *at = lines->data; at && *at;) {
        int len = (int)strcspn(at, "\n");
        say(c, verdict, "%.*s", len, at);
        at += len + (at[len] == '\n');
    }
}

static void check_settings(struct check *c)
{
    struct buf errors = {0};
    enum err err = config_read(&c->config, &errors);
    const char *problem =
        c->config.retell_base_url ? url_base_problem(c->config.retell_base_url) : NULL;
    if (problem)
        buf_printf(&errors, "RETELL_BASE_URL: %s\n", problem);
    c->settings_good = !err && !problem;
    if (!c->settings_good)
        say_lines(c, FAIL, &errors);
    else if (c->config.node_env != ENV_PRODUCTION)
        say(c, OK, "complete; NODE_ENV is not production: errors tell of the source");
    else
        say(c, OK, "complete");
    buf_free(&errors);
}

static void check_database(struct check *c)
{
    char *message = NULL;
    int64_t since = clock_mono_ms();
    if (!c->config.database_url) {
        say(c, SKIP, "not looked at: DATABASE_URL is missing");
        return;
    }
    enum err err = db_conn_open(c->config.database_url, "frontdesk-check", NULL,
                                since + PATIENCE_MS, &c->conn, &message);
    if (err)
        say(c, FAIL, "%s; start it, or mend DATABASE_URL", message ? message : "no memory");
    free(message);
    if (err)
        return;
    int64_t asked = clock_mono_ms();
    if (db_conn_exec(c->conn, STATEMENT_CHECK, NULL, since + PATIENCE_MS, &c->facts)) {
        say(c, FAIL, "%s", db_conn_error(c->conn));
        return;
    }
    int64_t took = clock_mono_ms() - asked;
    c->database_ahead_ms = strtoll(db_value(c->facts, 0, NOW_MS), NULL, 10) - clock_wall_ms();
    if (strcmp(db_value(c->facts, 0, IN_RECOVERY), "t") == 0)
        say(c, FAIL, "this is a standby, which takes no events: name the primary in DATABASE_URL");
    else if (strcmp(db_value(c->facts, 0, SUPERUSER), "t") == 0)
        say(c, WARN, "DATABASE_URL logs in as a superuser: use role frontdesk_server");
    else
        say(c, OK, "PostgreSQL %s, answers in %" PRId64 " ms",
            db_value(c->facts, 0, SERVER_VERSION), took);
}

static void check_extension(struct check *c)
{
    if (!c->facts) {
        say(c, SKIP, "not looked at: the database does not answer");
        return;
    }
    struct buf reasons = {0};
    const char *installed = db_value(c->facts, 0, INSTALLED);
    const char *available = db_value(c->facts, 0, AVAILABLE);
    if (migrate_judge_extension(installed, available, &reasons) != SCHEMA_FITS)
        say_lines(c, FAIL, &reasons);
    else if (available && migrate_version_is_before(available, installed))
        say(c, WARN,
            "frontdesk %s, and its machine has the files of %s only: run `make install` of %s "
            "there",
            installed, available, installed);
    else if (available && migrate_version_is_before(installed, available))
        say(c, WARN,
            "frontdesk %s, and the files of %s are there: as a superuser run `ALTER EXTENSION "
            "frontdesk UPDATE`",
            installed, available);
    else
        say(c, OK, "frontdesk %s", installed);
    buf_free(&reasons);
}

static void check_schema(struct check *c)
{
    enum schema_state state = SCHEMA_UNKNOWN;
    struct buf reasons = {0};
    if (!c->facts) {
        say(c, SKIP, "not looked at: the database does not answer");
        return;
    }
    if (migrate_check(c->conn, clock_mono_ms() + PATIENCE_MS, &state, &reasons))
        say(c, FAIL, "%s", db_conn_error(c->conn));
    else if (state == SCHEMA_FITS)
        say(c, OK, "every migration is applied");
    else if (state == SCHEMA_NO_EXTENSION || state == SCHEMA_OLD_EXTENSION)
        say(c, SKIP, "not looked at: the extension comes first");
    else
        say_lines(c, FAIL, &reasons);
    buf_free(&reasons);
}

static atomic_bool retell_took_too_long;

static void give_up(int signal_number)
{
    (void)signal_number;
    atomic_store(&retell_took_too_long, true);
}

static void ask_retell(struct check *c, struct retell_client *client)
{
    struct buf path = {0};
    struct buf why = {0};
    struct retell_request request = {.body = "{}"};
    listing_agents_path("", &path);
    request.path = path.data;
    (void)alarm(RETELL_PATIENCE_S);
    if (!path.failed)
        retell_client_run(client, &request, 1);
    (void)alarm(0);
    if (path.failed) {
        say(c, FAIL, "short of memory");
    } else if (request.error == RETELL_OK) {
        c->retell_answers = true;
        c->ahead_of_retell_ms = retell_client_skew_ms(client);
        say(c, OK, "RETELL_API_KEY is accepted");
    } else if (request.error == RETELL_CANCELLED) {
        say(c, FAIL, "no answer from %s in %d s: does this machine reach it?",
            c->config.retell_base_url, RETELL_PATIENCE_S);
    } else {
        retell_explain(client, &request, &why);
        say_lines(c, FAIL, &why);
    }
    buf_free(&request.answer);
    buf_free(&path);
    buf_free(&why);
}

static void check_retell(struct check *c)
{
    const struct sigaction on_alarm = {.sa_handler = give_up};
    if (!c->settings_good) {
        say(c, SKIP, "not looked at: the settings are not complete");
        return;
    }
    const struct retell_client_options options = {.base_url = c->config.retell_base_url,
                                                  .key = c->config.retell_api_key,
                                                  .parallel = 1,
                                                  .stop = &retell_took_too_long};
    (void)sigaction(SIGALRM, &on_alarm, NULL);
    struct retell_client *client =
        curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? retell_client_new(&options) : NULL;
    if (client)
        ask_retell(c, client);
    else
        say(c, FAIL, "short of memory");
    retell_client_free(client);
    curl_global_cleanup();
}

static void check_clock(struct check *c)
{
    const char *whose = c->retell_answers ? "Retell's" : "the database's";
    int64_t ahead = c->retell_answers ? c->ahead_of_retell_ms : -c->database_ahead_ms;
    int64_t off = ahead < 0 ? -ahead : ahead;
    if (!c->retell_answers && !c->facts)
        say(c, SKIP, "not looked at: nobody to compare it with");
    else if (off < CLOCK_WARN_MS)
        say(c, OK, "as %s", whose);
    else
        say(c, off < CLOCK_FAIL_MS ? WARN : FAIL,
            "%" PRId64 " s %s %s: set it by NTP; webhooks are refused when it is 5 minutes off",
            off / 1000, ahead < 0 ? "behind" : "ahead of", whose);
}

static void check_disk(struct check *c)
{
    const char *dir =
        c->config.log_dir && strcmp(c->config.log_dir, "-") != 0 ? c->config.log_dir : ".";
    struct statvfs fs;
    if (statvfs(dir, &fs) && (errno != ENOENT || statvfs(".", &fs))) {
        say(c, FAIL, "%s: %s", dir, strerror(errno));
        return;
    }
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    say(c,
        left < disk_fail_bytes   ? FAIL
        : left < disk_warn_bytes ? WARN
                                 : OK,
        "%" PRIu64 " MB left for logs in %s%s", left >> 20, dir,
        left < disk_warn_bytes ? ": make room" : "");
}

static const struct {
    const char *name;
    void (*run)(struct check *c);
} checks[] = {
    {"settings", check_settings}, {"database", check_database}, {"extension", check_extension},
    {"schema", check_schema},     {"retell", check_retell},     {"clock", check_clock},
    {"disk", check_disk},
};

int check_run(void)
{
    struct check c = {0};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        c.name = checks[i].name;
        checks[i].run(&c);
        (void)fflush(stdout);
    }
    db_result_free(c.facts);
    db_conn_close(c.conn);
    config_free(&c.config);
    return c.failed;
}

/* ---- a running server ---- */

static size_t drop(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes;
    (void)user;
    return size * count;
}

/* The status of its answer, or 0 with `why` set. */
static long ask_running(const struct config *config, char why[CURL_ERROR_SIZE])
{
    long status = 0;
    char url[64];
    bool anywhere = strcmp(config->admin_host, "0.0.0.0") == 0;
    (void)snprintf(url, sizeof url, "http://%.32s:%d/readyz",
                   anywhere ? "127.0.0.1" : config->admin_host, (int)config->admin_port);
    CURL *curl = curl_easy_init();
    if (!curl)
        return 0;
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    if (curl_easy_perform(curl) == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

int check_running(void)
{
    struct config config;
    struct buf errors = {0};
    char why[CURL_ERROR_SIZE] = "short of memory";
    long status = 0;
    if (config_read(&config, &errors))
        (void)fputs(errors.data ? errors.data : "", stderr);
    else if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
             !(status = ask_running(&config, why)))
        (void)fprintf(stderr, "no answer on ADMIN_PORT %d: %s\n", (int)config.admin_port, why);
    else if (status != 200)
        (void)fprintf(stderr, "it runs and is not ready (%ld): see its log\n", status);
    curl_global_cleanup();
    config_free(&config);
    buf_free(&errors);
    return status != 200;
}
