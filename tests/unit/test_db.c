/* The pure parts of db/: cutting scripts into statements, arrays' wire format, SQLSTATEs, texts. */
#include "db/array.h"
#include "db/conn.h"
#include "db/sql_split.h"
#include "db/statements.h"

#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- sql_split ---- */

/* The statements of `script`, each in angle brackets; freed by the caller. */
static char *split(const char *script)
{
    struct buf out = {0};
    const char *at = script;
    const char *statement = NULL;
    size_t len = 0;
    buf_puts(&out, "");
    while (sql_split_next(&at, &statement, &len)) {
        buf_puts(&out, "<");
        buf_add(&out, statement, len);
        buf_puts(&out, ">");
    }
    assert_int_equal(*at, '\0');
    return out.data;
}

static void cuts_where_psql_would(void **state)
{
    (void)state;
    static const struct {
        const char *script, *statements;
    } cases[] = {
        {"", ""},
        {" \n ;; -- nothing\n/* nor /* here */ ; */ ;", ""},
        {"SELECT 1", "<SELECT 1>"},
        {"SELECT 1;SELECT 2;\n", "<SELECT 1><SELECT 2>"},
        {"-- why\nSELECT 1; -- one; two\n SELECT 2", "<SELECT 1><SELECT 2>"},
        {"SELECT ';', 'it''s;', E'\\';', e'\\\\';SELECT 2",
         "<SELECT ';', 'it''s;', E'\\';', e'\\\\'><SELECT 2>"},
        {"SELECT '\\';SELECT 2", "<SELECT '\\'><SELECT 2>"},
        {"SELECT \"a;\"\"b\";SELECT 2", "<SELECT \"a;\"\"b\"><SELECT 2>"},
        {"DO $$ a; $x$ b; $$; SELECT 2", "<DO $$ a; $x$ b; $$><SELECT 2>"},
        {"DO $body$ $$ ; $bod$ ; $body$; SELECT 2", "<DO $body$ $$ ; $bod$ ; $body$><SELECT 2>"},
        {"SELECT $1; SELECT a$b$c; SELECT 2", "<SELECT $1><SELECT a$b$c><SELECT 2>"},
        {"CREATE RULE r DO (a; b); SELECT 2", "<CREATE RULE r DO (a; b)><SELECT 2>"},
        {"SELECT ); SELECT 2", "<SELECT )><SELECT 2>"},
        {"SELECT 1 /* ; /* ; */ ; */; SELECT 2", "<SELECT 1 /* ; /* ; */ ; */><SELECT 2>"},
        {"SELECT type'a;b';SELECT 2", "<SELECT type'a;b'><SELECT 2>"},
        {"SELECT 2-1;SELECT 4/2;", "<SELECT 2-1><SELECT 4/2>"},
        /* What is not finished reaches to the end. */
        {"SELECT 'a; b", "<SELECT 'a; b>"},
        {"SELECT E'a\\", "<SELECT E'a\\>"},
        {"SELECT \"a; b", "<SELECT \"a; b>"},
        {"DO $$ a; b", "<DO $$ a; b>"},
        {"SELECT /* a; b", "<SELECT /* a; b>"},
        {"SELECT (a; b", "<SELECT (a; b>"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *statements = split(cases[i].script);
        assert_string_equal(statements, cases[i].statements);
        free(statements);
    }
}

static void never_reads_past_the_end(void **state)
{
    (void)state;
    static const char pieces[] = "aE'\"$$x$--/**/(;)\\\n";
    for (size_t start = 0; start < sizeof pieces; start++) {
        for (size_t len = 0; start + len < sizeof pieces; len++) {
            char *exact = strndup(pieces + start, len);
            char *statements = split(exact);
            free(statements);
            free(exact);
        }
    }
}

/* ---- array ---- */

static void arrays_have_postgresqls_wire_format(void **state)
{
    (void)state;
    static const unsigned char bytea[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0,
                                          2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0,  0, 0, 0};
    static const unsigned char int8[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1,
                                         0, 0, 0, 1, 0, 0, 0, 8, 1, 2, 3, 4,  5, 6, 7, 8};
    struct buf out = {0};
    array_begin(&out, ARRAY_BYTEA, 2);
    array_add_bytes(&out, "\0\1", 2);
    array_add_bytes(&out, "", 0);
    struct db_param param = array_param(&out);
    assert_true(param.binary);
    assert_int_equal(param.len, sizeof bytea);
    assert_memory_equal(param.data, bytea, sizeof bytea);
    buf_free(&out);

    array_begin(&out, ARRAY_INT8, 1);
    array_add_int8(&out, INT64_C(0x0102030405060708));
    assert_int_equal(out.len, sizeof int8);
    assert_memory_equal(out.data, int8, sizeof int8);
    buf_free(&out);
}

/* ---- SQLSTATE ---- */

static void sqlstates_tell_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum err err;
    } cases[] = {
        {NULL, ERR_UNAVAILABLE},    /* libpq's own failure: the connection */
        {"08006", ERR_UNAVAILABLE}, /* connection_failure */
        {"22P05", ERR_DATA},        /* untranslatable_character */
        {"22003", ERR_DATA},        /* numeric_value_out_of_range */
        {"23505", ERR_DATA},        /* unique_violation */
        {"25006", ERR_UNAVAILABLE}, /* read_only_sql_transaction */
        {"25P02", ERR_INTERNAL},    /* in_failed_sql_transaction: ours */
        {"28P01", ERR_UNAVAILABLE}, /* invalid_password */
        {"3D000", ERR_UNAVAILABLE}, /* invalid_catalog_name */
        {"40001", ERR_UNAVAILABLE}, /* serialization_failure */
        {"40P01", ERR_UNAVAILABLE}, /* deadlock_detected */
        {"42601", ERR_INTERNAL},    /* syntax_error */
        {"42501", ERR_INTERNAL},    /* insufficient_privilege */
        {"53100", ERR_UNAVAILABLE}, /* disk_full */
        {"53300", ERR_UNAVAILABLE}, /* too_many_connections */
        {"55P03", ERR_UNAVAILABLE}, /* lock_not_available */
        {"57014", ERR_TIMEOUT},     /* query_canceled */
        {"57P01", ERR_UNAVAILABLE}, /* admin_shutdown */
        {"58030", ERR_UNAVAILABLE}, /* io_error */
        {"XX001", ERR_INTERNAL},    /* data_corrupted */
        {"", ERR_INTERNAL},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(db_sqlstate_err(cases[i].sqlstate), cases[i].err);
}

/* ---- statements ---- */

static void every_statement_is_there_and_counts_its_parameters(void **state)
{
    (void)state;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        const struct statement_text *text = statement_text((enum statement)i);
        assert_non_null(text->name);
        assert_non_null(text->sql);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(text->name, statement_text((enum statement)j)->name);
        int highest = 0;
        for (const char *at = strchr(text->sql, '$'); at; at = strchr(at + 1, '$')) {
            int number = (int)strtol(at + 1, NULL, 10);
            highest = number > highest ? number : highest;
        }
        assert_int_equal(highest, text->params);
    }
}

static void text_parameters_know_null(void **state)
{
    (void)state;
    struct db_param some = db_text("abc");
    struct db_param none = db_text(NULL);
    assert_int_equal(some.len, 3);
    assert_false(some.binary);
    assert_null(none.data);
    assert_int_equal(none.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_where_psql_would),
        cmocka_unit_test(never_reads_past_the_end),
        cmocka_unit_test(arrays_have_postgresqls_wire_format),
        cmocka_unit_test(sqlstates_tell_what_to_do),
        cmocka_unit_test(every_statement_is_there_and_counts_its_parameters),
        cmocka_unit_test(text_parameters_know_null),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
