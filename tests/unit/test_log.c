/* The log, read back as whoever collects it does: one whole line an event, whatever is in it. */
#include "base/log.h"

#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

/* A log that writes into a file without a name. */
struct capture {
    FILE *file;
    struct log *log;
};

static struct log *start(int fd, enum log_level level, enum log_format format)
{
    const struct log_options options = {.fd = fd, .level = level, .format = format};
    struct log *log = NULL;
    struct buf errors = {0};
    assert_int_equal(log_new(&options, &errors, &log), ERR_OK);
    assert_int_equal(errors.len, 0);
    return log;
}

static struct capture capture(enum log_level level, enum log_format format)
{
    struct capture c = {.file = tmpfile()};
    assert_non_null(c.file);
    c.log = start(fileno(c.file), level, format);
    return c;
}

/* All that was written, to be freed; ends the capture. */
static char *finish(struct capture *c)
{
    log_free(c->log);
    off_t size = lseek(fileno(c->file), 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(c->file), text, (size_t)size, 0), size);
    (void)fclose(c->file);
    return text;
}

static void a_line_is_json_with_time_level_and_fields(void **state)
{
    (void)state;
    struct capture c = capture(LOG_INFO, LOG_JSON);
    log_warn(c.log, "it \"broke\"\n", LOG_STR("why", "a\x01\xff\n"), LOG_INT("count", INT64_MIN),
             LOG_STR("missing", NULL));
    char *text = finish(&c);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    cJSON *line = cJSON_Parse(text);
    assert_non_null(line);
    assert_string_equal(cJSON_GetObjectItem(line, "level")->valuestring, "warn");
    assert_string_equal(cJSON_GetObjectItem(line, "msg")->valuestring, "it \"broke\"\n");
    assert_string_equal(cJSON_GetObjectItem(line, "why")->valuestring, "a\x01\xEF\xBF\xBD\n");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "missing")));
    assert_non_null(strstr(text, "\"count\":-9223372036854775808"));
    assert_int_equal(strlen(cJSON_GetObjectItem(line, "time")->valuestring), 24);
    cJSON_Delete(line);
    free(text);
}

static void text_for_people_is_one_line_too(void **state)
{
    (void)state;
    struct capture c = capture(LOG_DEBUG, LOG_TEXT);
    log_error(c.log, "request", LOG_STR("path", "/a\nb"), LOG_INT("status", 500),
              LOG_STR("none", NULL));
    char *text = finish(&c);
    assert_string_equal(text + 24, " error request path=\"/a\\u000ab\" status=500 none=-\n");
    free(text);
}

static void lower_levels_are_left_out(void **state)
{
    (void)state;
    struct capture c = capture(LOG_WARN, LOG_TEXT);
    log_debug(c.log, "one", LOG_INT("n", 1));
    log_info(c.log, "two", LOG_INT("n", 2));
    log_warn(c.log, "three", LOG_INT("n", 3));
    log_error(c.log, "four", LOG_INT("n", 4));
    log_error(NULL, "nowhere", LOG_INT("n", 5));
    char *text = finish(&c);
    assert_null(strstr(text, "one"));
    assert_null(strstr(text, "two"));
    assert_non_null(strstr(text, "three"));
    assert_non_null(strstr(text, "four"));
    free(text);
}

/* Together less than the log's buffer: none is dropped, however slow the disk. */
enum { THREADS = 8, LINES = 60 };

static void *write_lines(void *arg)
{
    char filler[2000];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        log_info(arg, "line", LOG_STR("filler", filler), LOG_INT("n", i));
    return NULL;
}

static void lines_of_threads_never_mix(void **state)
{
    (void)state;
    struct capture c = capture(LOG_INFO, LOG_JSON);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, c.log), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *text = finish(&c);
    unsigned lines = 0;
    for (char *at = text, *line; (line = strsep(&at, "\n")) && *line; lines++) {
        cJSON *json = cJSON_Parse(line);
        assert_non_null(json);
        cJSON_Delete(json);
    }
    assert_int_equal(lines, THREADS * LINES);
    free(text);
}

static void a_line_that_cannot_be_written_harms_nobody(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    const int nowhere[] = {fileno(full), -1};
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        struct log *log = start(nowhere[i], LOG_INFO, LOG_JSON);
        log_info(log, "lost", LOG_INT("n", 1));
        log_free(log);
    }
    (void)fclose(full);
}

static void lines_that_nobody_reads_are_dropped_and_counted(void **state)
{
    (void)state;
    int ends[2];
    char filler[4000];
    char text[64 * 1024];
    size_t kept = 0;
    (void)signal(SIGPIPE, SIG_IGN); /* the log's thread may still write when the reader goes */
    assert_int_equal(pipe(ends), 0);
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    struct log *log = start(ends[1], LOG_INFO, LOG_JSON);
    for (int i = 0; i < 2000; i++) /* 8 MB: neither the pipe nor the log has room for it */
        log_info(log, "line", LOG_STR("filler", filler));
    bool confessed = false;
    for (ssize_t n; !confessed && (n = read(ends[0], text + kept, sizeof text - 1 - kept)) > 0;) {
        size_t len = kept + (size_t)n;
        text[len] = '\0';
        confessed = strstr(text, "log lines were dropped") != NULL;
        kept = len < 64 ? len : 64; /* what may be cut in two */
        memmove(text, text + len - kept, kept);
        log_info(log, "another", LOG_INT("n", 1));
    }
    assert_true(confessed);
    close(ends[0]);
    log_free(log);
    close(ends[1]);
}

static void a_folder_that_cannot_be_used_is_refused_with_a_reason(void **state)
{
    (void)state;
    const struct log_options options = {.fd = -1, .dir = "/proc/nowhere"};
    struct log *log = NULL;
    struct buf errors = {0};
    assert_int_equal(log_new(&options, &errors, &log), ERR_INVALID);
    assert_non_null(strstr(errors.data, "LOG_DIR: cannot write to /proc/nowhere"));
    buf_free(&errors);
    log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_json_with_time_level_and_fields),
        cmocka_unit_test(text_for_people_is_one_line_too),
        cmocka_unit_test(lower_levels_are_left_out),
        cmocka_unit_test(lines_of_threads_never_mix),
        cmocka_unit_test(a_line_that_cannot_be_written_harms_nobody),
        cmocka_unit_test(lines_that_nobody_reads_are_dropped_and_counted),
        cmocka_unit_test(a_folder_that_cannot_be_used_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
