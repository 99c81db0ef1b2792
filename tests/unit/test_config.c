/* Settings: where each comes from, what wins, and that all mistakes are told at once, by name. */
#include "base/config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every setting that the tests touch; none may come from the caller's environment. */
static const char *const names[] = {
    "ADMIN_HOST",
    "ADMIN_PORT",
    "API_AUTH_KEY",
    "API_AUTH_KEY_FILE",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "DB_POOL_SIZE",
    "HOST",
    "JOURNAL_RETENTION_DAYS",
    "JWT_EXPIRES_IN",
    "JWT_SECRET",
    "LOG_DIR",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MIGRATION_DATABASE_URL",
    "NODE_ENV",
    "PORT",
    "REGISTRATION",
    "RETELL_API_KEY",
    "RETELL_WEBHOOK_KEYS",
    "RETELL_WEBHOOK_KEYS_FILE",
    "RUN_MIGRATIONS",
    "SUPERADMIN_EMAIL",
    "SUPERADMIN_PASSWORD",
    "WEBHOOK_MAX_BYTES",
};

static const char complete[] = "API_AUTH_KEY=0123456789abcdef\n"
                               "DATABASE_URL=postgresql:///frontdesk\n"
                               "RETELL_API_KEY=key_retell\n";

static char folder[] = "/tmp/frontdesk-unit-XXXXXX";

static void put_file(const char *name, const char *text, size_t len)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void put_env_file(const char *text)
{
    put_file(".env", text, strlen(text));
}

static int fresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    (void)unlink(".env");
    return 0;
}

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    (void)unlink(".env");
    (void)unlink("secret");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

/* Reads the settings; they must be good. */
static struct config good(void)
{
    struct config config;
    struct buf errors = {0};
    enum err err = config_read(&config, &errors);
    assert_string_equal(errors.data ? errors.data : "", "");
    assert_int_equal(err, ERR_OK);
    buf_free(&errors);
    return config;
}

/* Reads the settings; they must be refused with exactly these lines. */
static void refused(const char *expected)
{
    struct config config;
    struct buf errors = {0};
    assert_int_equal(config_read(&config, &errors), ERR_INVALID);
    assert_non_null(errors.data);
    assert_string_equal(errors.data, expected);
    config_free(&config);
    buf_free(&errors);
}

static void what_is_not_set_has_its_default(void **state)
{
    (void)state;
    put_env_file(complete);
    struct config config = good();
    assert_string_equal(config.host, "0.0.0.0");
    assert_int_equal(config.port, 3000);
    assert_string_equal(config.admin_host, "127.0.0.1");
    assert_int_equal(config.admin_port, 9090);
    assert_int_equal(config.webhook_max_bytes, 10 << 20);
    assert_int_equal(config.node_env, ENV_DEVELOPMENT);
    assert_int_equal(config.run_migrations, 0);
    assert_string_equal(config.migration_database_url, config.database_url);
    assert_int_equal(config.retell_webhook_keys.count, 1);
    assert_string_equal(config.retell_webhook_keys.items[0], "key_retell");
    config_free(&config);
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("RETELL_API_KEY", "key_of_environment", 1);
    setenv("PORT", "0", 1);
    setenv("NODE_ENV", "production", 1);
    setenv("JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
    struct config config = good();
    assert_string_equal(config.retell_api_key, "key_of_environment");
    assert_string_equal(config.retell_webhook_keys.items[0], "key_of_environment");
    assert_int_equal(config.port, 0);
    assert_int_equal(config.node_env, ENV_PRODUCTION);
    config_free(&config);
}

static void an_empty_value_is_none(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("PORT", "", 1);
    struct config config = good();
    assert_int_equal(config.port, 3000);
    config_free(&config);
    setenv("API_AUTH_KEY", "", 1);
    refused("API_AUTH_KEY: is missing; set it to the service key that dashboards send as "
            "x-api-key\n");
}

static void a_setting_may_lie_in_a_file_of_its_own(void **state)
{
    (void)state;
    static const char secret[] = "  secret of 16 bytes\n";
    put_env_file(
        "DATABASE_URL=postgresql:///frontdesk\nRETELL_API_KEY=k\nAPI_AUTH_KEY_FILE=secret\n");
    put_file("secret", secret, sizeof secret - 1);
    struct config config = good();
    assert_string_equal(config.api_auth_key, "secret of 16 bytes");
    config_free(&config);

    setenv("API_AUTH_KEY", "the plain one wins", 1);
    config = good();
    assert_string_equal(config.api_auth_key, "the plain one wins");
    config_free(&config);
}

static void a_secret_file_that_cannot_be_read_is_one_error_not_two(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("API_AUTH_KEY", "", 1);
    setenv("API_AUTH_KEY_FILE", "/nonexistent/key", 1);
    refused("API_AUTH_KEY_FILE: /nonexistent/key cannot be read: No such file or directory\n");
}

static void a_secret_file_without_end_is_refused(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("API_AUTH_KEY", "", 1);
    setenv("API_AUTH_KEY_FILE", "/dev/zero", 1);
    refused("API_AUTH_KEY_FILE: /dev/zero cannot be read: File too large\n");
}

static void every_mistake_is_told_at_once(void **state)
{
    (void)state;
    put_env_file("API_AUTH_KEY=short\nPORT=65536\nADMIN_PORT=-1\nDB_POOL_SIZE=0\nLOG_LEVEL=INFO\n"
                 "LOG_FORMAT=js\nNODE_ENV=prod\nRETELL_WEBHOOK_KEYS=,,\nRUN_MIGRATIONS=yes\n"
                 "WEBHOOK_MAX_BYTES=1e6\n");
    refused(
        "ADMIN_PORT: needs a whole number from 0 to 65535\n"
        "API_AUTH_KEY: needs at least 16 characters; make one with: openssl rand -hex 32\n"
        "DATABASE_URL: is missing; set it to the database, as postgresql://user@host/frontdesk\n"
        "DB_POOL_SIZE: needs a whole number from 1 to 256\n"
        "LOG_FORMAT: needs one of json|text\n"
        "LOG_LEVEL: needs one of debug|info|warn|error\n"
        "NODE_ENV: needs one of development|production|test\n"
        "PORT: needs a whole number from 0 to 65535\n"
        "RETELL_API_KEY: is missing; set it to the API key of the Retell account\n"
        "RETELL_WEBHOOK_KEYS: needs one to 8 values, separated by commas\n"
        "RUN_MIGRATIONS: needs one of 0|1\n"
        "WEBHOOK_MAX_BYTES: needs a whole number from 1024 to 134217728\n");
}

static void an_error_does_not_quote_the_value(void **state)
{
    (void)state;
    struct config config;
    struct buf errors = {0};
    setenv("API_AUTH_KEY", "hunter2", 1);
    setenv("DB_POOL_SIZE", "hunter2", 1);
    put_env_file("RETELL_API_KEY=\"hunter2\n");
    assert_int_equal(config_read(&config, &errors), ERR_INVALID);
    assert_null(strstr(errors.data, "hunter2"));
    config_free(&config);
    buf_free(&errors);
}

static void lists_are_split_and_bounded(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("RETELL_WEBHOOK_KEYS", " new , ,old,", 1);
    struct config config = good();
    assert_int_equal(config.retell_webhook_keys.count, 2);
    assert_string_equal(config.retell_webhook_keys.items[0], "new");
    assert_string_equal(config.retell_webhook_keys.items[1], "old");
    config_free(&config);
    setenv("RETELL_WEBHOOK_KEYS", "1,2,3,4,5,6,7,8,9", 1);
    refused("RETELL_WEBHOOK_KEYS: needs one to 8 values, separated by commas\n");
}

static void lines_may_be_quoted_exported_and_commented(void **state)
{
    (void)state;
    put_env_file("# a comment\n\n  export DATABASE_URL = \"postgresql://a \\\"b\\\\\"\r\n"
                 "API_AUTH_KEY=0123456789abcdef=# not a comment\nRETELL_API_KEY=\"a\\nb\"\n"
                 "RETELL_API_KEY=last\nUNKNOWN=fine");
    struct buf errors = {0};
    struct config_source *source = config_source_open(&errors);
    assert_null(source); /* a space before = is no name */
    assert_string_equal(errors.data, ".env, line 3: expected NAME=value\n");
    buf_free(&errors);

    put_env_file("# a comment\n\n  export DATABASE_URL= \"postgresql://a \\\"b\\\\\"\r\n"
                 "API_AUTH_KEY=0123456789abcdef=# not a comment\nRETELL_API_KEY=\"a\\nb\"\n"
                 "RETELL_API_KEY=last\nUNKNOWN=fine");
    struct config config = good();
    assert_string_equal(config.database_url, "postgresql://a \"b\\");
    assert_string_equal(config.api_auth_key, "0123456789abcdef=# not a comment");
    assert_string_equal(config.retell_api_key, "last");
    config_free(&config);
}

static void a_malformed_file_is_refused_line_by_line(void **state)
{
    (void)state;
    put_env_file(
        "API_AUTH_KEY\n=x\nA-B=1\nGOOD=1\nOPEN=\"a\nINNER=\"a\"b\"\nODD=\"\\x\"\nALONE=\"\n");
    refused(".env, line 1: expected NAME=value\n"
            ".env, line 2: expected NAME=value\n"
            ".env, line 3: expected NAME=value\n"
            ".env, line 5: the value of OPEN has an unfinished quote\n"
            ".env, line 6: the value of INNER has an unfinished quote\n"
            ".env, line 7: the value of ODD has an unfinished quote\n"
            ".env, line 8: the value of ALONE has an unfinished quote\n");
}

static void one_setting_may_be_asked_for_alone(void **state)
{
    (void)state;
    struct buf errors = {0};
    put_env_file("DATABASE_URL=postgresql:///one\n");
    struct config_source *source = config_source_open(&errors);
    assert_non_null(source);
    assert_string_equal(config_lookup(source, "DATABASE_URL", &errors), "postgresql:///one");
    assert_null(config_lookup(source, "API_AUTH_KEY", &errors));
    assert_int_equal(errors.len, 0);
    config_source_free(source);
    config_source_free(NULL);
    buf_free(&errors);
}

static void tokens_last_as_long_as_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        int64_t seconds;
    } spans[] = {{"24h", 86400}, {"15m", 900}, {"7d", 604800}, {"90s", 90}, {"3600", 3600}};
    static const char *const bad[] = {"0", "h", "1w", "1.5h", "-1h", "367d", "24 h", "9999999999"};
    put_env_file(complete);
    for (size_t i = 0; i < COUNT(spans); i++) {
        setenv("JWT_EXPIRES_IN", spans[i].said, 1);
        struct config config = good();
        assert_int_equal(config.jwt_expires_in, spans[i].seconds);
        config_free(&config);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        setenv("JWT_EXPIRES_IN", bad[i], 1);
        refused("JWT_EXPIRES_IN: needs a time such as 90s, 15m, 24h or 7d, of 366 d at most\n");
    }
}

static void who_may_register_depends_on_where_it_runs(void **state)
{
    (void)state;
    put_env_file(complete);
    struct config config = good();
    assert_int_equal(config.registration, REGISTRATION_OPEN);
    assert_int_equal(config.jwt_secret.count, 0);
    config_free(&config);
    setenv("REGISTRATION", "closed", 1);
    config = good();
    assert_int_equal(config.registration, REGISTRATION_CLOSED);
    config_free(&config);
    setenv("REGISTRATION", "", 1);
    setenv("NODE_ENV", "production", 1);
    setenv("JWT_SECRET", "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210", 1);
    config = good();
    assert_int_equal(config.registration, REGISTRATION_APPROVAL);
    assert_int_equal(config.jwt_secret.count, 2);
    config_free(&config);
}

static void secrets_that_are_short_or_missing_are_refused(void **state)
{
    (void)state;
    put_env_file(complete);
    setenv("JWT_SECRET", "0123456789abcdef0123456789abcdef,0123456789abcdef0123456789abcde", 1);
    refused("JWT_SECRET: value 2 needs at least 32 characters; make one with: openssl rand -hex "
            "32\n");
    setenv("JWT_SECRET", "", 1);
    setenv("NODE_ENV", "production", 1);
    setenv("SUPERADMIN_PASSWORD", "short", 1);
    refused("JWT_SECRET: is missing; set it to what signs the tokens of users, at least 32 "
            "characters: openssl rand -hex 32\n"
            "SUPERADMIN_EMAIL, SUPERADMIN_PASSWORD: set both, or none of them\n"
            "SUPERADMIN_PASSWORD: needs 8 to 128 characters\n");
    setenv("NODE_ENV", "", 1);
    setenv("SUPERADMIN_PASSWORD", "long enough", 1);
    setenv("SUPERADMIN_EMAIL", "admin", 1);
    refused("SUPERADMIN_EMAIL: needs an e-mail address\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_not_set_has_its_default, fresh),
        cmocka_unit_test_setup(the_environment_wins_over_the_file, fresh),
        cmocka_unit_test_setup(an_empty_value_is_none, fresh),
        cmocka_unit_test_setup(a_setting_may_lie_in_a_file_of_its_own, fresh),
        cmocka_unit_test_setup(a_secret_file_that_cannot_be_read_is_one_error_not_two, fresh),
        cmocka_unit_test_setup(a_secret_file_without_end_is_refused, fresh),
        cmocka_unit_test_setup(every_mistake_is_told_at_once, fresh),
        cmocka_unit_test_setup(an_error_does_not_quote_the_value, fresh),
        cmocka_unit_test_setup(lists_are_split_and_bounded, fresh),
        cmocka_unit_test_setup(tokens_last_as_long_as_is_said, fresh),
        cmocka_unit_test_setup(who_may_register_depends_on_where_it_runs, fresh),
        cmocka_unit_test_setup(secrets_that_are_short_or_missing_are_refused, fresh),
        cmocka_unit_test_setup(lines_may_be_quoted_exported_and_commented, fresh),
        cmocka_unit_test_setup(a_malformed_file_is_refused_line_by_line, fresh),
        cmocka_unit_test_setup(one_setting_may_be_asked_for_alone, fresh),
    };
    return cmocka_run_group_tests_name("config", tests, enter_folder, leave_folder);
}
