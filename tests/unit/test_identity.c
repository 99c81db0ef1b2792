/*
 * Who is who, remembered: how long, how much of it, and what a change or an outage does to it. The
 * database and the clock are the test's own; over HTTP, on two servers, revocation_test.js shows it.
 */
#include "auth/identity.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- the clock ---- */

static int64_t now_ms;

int64_t clock_mono_ms(void)
{
    return now_ms;
}

int64_t clock_wall_ms(void)
{
    return now_ms + INT64_C(1700000000000);
}

/* ---- the database: one answer for every question ---- */

struct db_result {
    char id[IDENTITY_ID_SIZE];
};

static struct {
    enum err err;
    bool nobody;
    const char *role, *agent_ids;
    unsigned asked;
    const char *forget; /* is forgotten while the question is on its way */
} database;

static struct identities *identities;

enum err db_pool_query(struct db_pool *pool, enum statement statement,
                       const struct db_param *params, int64_t deadline, struct db_result **result)
{
    (void)pool;
    assert_true(deadline > now_ms && deadline <= now_ms + 1000);
    database.asked++;
    *result = NULL;
    if (database.forget)
        identities_forget(identities, database.forget);
    if (database.err)
        return database.err;
    *result = calloc(1, sizeof **result);
    assert_non_null(*result);
    if (statement == STATEMENT_IDENTITY_USER)
        (void)snprintf((*result)->id, sizeof(*result)->id, "%s", params[0].data);
    else
        (void)snprintf((*result)->id, sizeof(*result)->id, "key-%02x",
                       (unsigned char)params[0].data[0]);
    return ERR_OK;
}

size_t db_rows(const struct db_result *result)
{
    (void)result;
    return database.nobody ? 0 : 1;
}

const char *db_value(const struct db_result *result, size_t row, int column)
{
    const char *const values[] = {result->id, database.role, "7", "99", database.agent_ids};
    assert_int_equal(row, 0);
    assert_in_range(column, 0, COUNT(values) - 1);
    return values[column];
}

void db_result_free(struct db_result *result)
{
    free(result);
}

struct db_param db_text(const char *s)
{
    return (struct db_param){.data = s, .len = strlen(s)};
}

/* ---- asking ---- */

static struct arena *arena;

static int fresh(void **state)
{
    (void)state;
    now_ms = 1000;
    memset(&database, 0, sizeof database);
    database.role = "USER";
    arena = arena_new(268435456);
    identities = identities_new(NULL);
    return arena && identities ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    identities_free(identities);
    arena_free(arena);
    return 0;
}

static enum err ask(const char *id, struct identity *out)
{
    return identity_of_user(identities, id, arena, out);
}

/* Asks for a user who must be there; how often that asked the database. */
static unsigned lookups(const char *id)
{
    struct identity who;
    unsigned before = database.asked;
    assert_int_equal(ask(id, &who), ERR_OK);
    assert_string_equal(who.id, id);
    return database.asked - before;
}

static void a_known_user_costs_a_query_each_ten_seconds(void **state)
{
    (void)state;
    struct identity who;
    database.agent_ids = "{a,b}";
    assert_int_equal(ask("ann", &who), ERR_OK);
    assert_int_equal(who.role, ROLE_USER);
    assert_int_equal(who.tokens_from, 7);
    assert_int_equal(who.expires_ms, 99);
    assert_string_equal(who.agent_ids, "{a,b}");
    assert_int_equal(lookups("ann"), 0);
    now_ms += 9999;
    assert_int_equal(lookups("ann"), 0);
    now_ms += 1;
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("ann"), 0);
    assert_int_equal(lookups("bob"), 1);
}

static void a_change_is_seen_when_it_is_looked_up_again(void **state)
{
    (void)state;
    struct identity who;
    assert_int_equal(lookups("ann"), 1);
    database.role = "ADMIN";
    now_ms += 10000;
    assert_int_equal(ask("ann", &who), ERR_OK);
    assert_int_equal(who.role, ROLE_ADMIN);
    database.nobody = true;
    now_ms += 10000;
    assert_int_equal(ask("ann", &who), ERR_INVALID);
    database.nobody = false;
    assert_int_equal(lookups("ann"), 1);
}

static void nobody_is_not_remembered(void **state)
{
    (void)state;
    struct identity who;
    database.nobody = true;
    assert_int_equal(ask("ann", &who), ERR_INVALID);
    assert_int_equal(ask("ann", &who), ERR_INVALID);
    assert_int_equal(database.asked, 2);
}

static void while_the_database_is_away_the_known_go_on_for_25_seconds(void **state)
{
    (void)state;
    struct identity who;
    assert_int_equal(lookups("ann"), 1);
    database.err = ERR_UNAVAILABLE;
    assert_int_equal(ask("bob", &who), ERR_UNAVAILABLE);
    now_ms += 24999;
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("ann"), 1); /* it is tried each time */
    now_ms += 1;
    assert_int_equal(ask("ann", &who), ERR_UNAVAILABLE);
    database.err = ERR_OK;
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("ann"), 0);
}

static void a_refused_parameter_is_no_word_about_the_user(void **state)
{
    (void)state;
    struct identity who;
    database.err = ERR_INVALID;
    assert_int_equal(ask("ann", &who), ERR_INTERNAL);
}

static void what_is_forgotten_is_looked_up_at_once(void **state)
{
    (void)state;
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("bob"), 1);
    identities_forget(identities, "ann");
    assert_int_equal(lookups("bob"), 0);
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("ann"), 0);
}

static void an_answer_that_a_change_overtook_is_not_kept(void **state)
{
    (void)state;
    database.forget = "ann";
    assert_int_equal(lookups("ann"), 1);
    database.forget = NULL;
    assert_int_equal(lookups("ann"), 1);
    assert_int_equal(lookups("ann"), 0);
}

static void keys_are_told_apart_from_users_and_by_their_digest(void **state)
{
    (void)state;
    unsigned char digest[API_KEY_DIGEST_SIZE] = {0xab};
    struct identity who;
    assert_int_equal(identity_of_key(identities, digest, arena, &who), ERR_OK);
    assert_string_equal(who.id, "key-ab");
    assert_int_equal(identity_of_key(identities, digest, arena, &who), ERR_OK);
    assert_int_equal(database.asked, 1);
    digest[31] = 1;
    assert_int_equal(identity_of_key(identities, digest, arena, &who), ERR_OK);
    assert_int_equal(database.asked, 2);
    identities_forget(identities, "key-ab");
    assert_int_equal(identity_of_key(identities, digest, arena, &who), ERR_OK);
    assert_int_equal(database.asked, 3);
}

static void uses_of_keys_are_taken_once_and_those_of_users_never(void **state)
{
    (void)state;
    struct identity_use uses[4];
    struct identity who;
    unsigned char digest[API_KEY_DIGEST_SIZE] = {1};
    assert_int_equal(lookups("ann"), 1);
    for (; digest[0] <= 5; digest[0]++, now_ms++)
        assert_int_equal(identity_of_key(identities, digest, arena, &who), ERR_OK);
    assert_int_equal(identities_take_uses(identities, uses, COUNT(uses)), 4);
    assert_string_equal(uses[0].id, "key-05");
    assert_int_equal(uses[0].used_ms, INT64_C(1700000000000) + 1004);
    assert_int_equal(identities_take_uses(identities, uses, COUNT(uses)), 1);
    assert_string_equal(uses[0].id, "key-01");
    assert_int_equal(identities_take_uses(identities, uses, COUNT(uses)), 0);
}

/* Asks for users `from` to `to`; how many of them had to be looked up. */
static unsigned lookups_of_range(unsigned from, unsigned to)
{
    unsigned count = 0;
    for (unsigned i = from; i < to; i++) {
        char id[IDENTITY_ID_SIZE];
        (void)snprintf(id, sizeof id, "user-%u", i);
        count += lookups(id);
    }
    return count;
}

static void no_more_are_remembered_than_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(lookups_of_range(0, 8192), 8192);
    assert_int_equal(lookups_of_range(0, 8192), 0);
    assert_int_equal(lookups_of_range(8192, 8292), 100); /* the hundred oldest make room */
    assert_int_equal(lookups_of_range(100, 8292), 0);
    assert_int_equal(lookups_of_range(0, 1), 1);
}

static void long_lists_of_agents_take_the_room_of_many(void **state)
{
    (void)state;
    static char agents[1024 * 1024];
    memset(agents, 'x', sizeof agents - 1);
    database.agent_ids = agents;
    assert_int_equal(lookups_of_range(0, 15), 15);
    assert_int_equal(lookups_of_range(0, 15), 0);
    assert_int_equal(lookups_of_range(15, 30), 15);
    assert_int_equal(lookups_of_range(15, 30), 0);
    assert_int_equal(lookups_of_range(0, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_known_user_costs_a_query_each_ten_seconds, fresh, done),
        cmocka_unit_test_setup_teardown(a_change_is_seen_when_it_is_looked_up_again, fresh, done),
        cmocka_unit_test_setup_teardown(nobody_is_not_remembered, fresh, done),
        cmocka_unit_test_setup_teardown(while_the_database_is_away_the_known_go_on_for_25_seconds,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(a_refused_parameter_is_no_word_about_the_user, fresh, done),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_looked_up_at_once, fresh, done),
        cmocka_unit_test_setup_teardown(an_answer_that_a_change_overtook_is_not_kept, fresh, done),
        cmocka_unit_test_setup_teardown(keys_are_told_apart_from_users_and_by_their_digest, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(uses_of_keys_are_taken_once_and_those_of_users_never, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(no_more_are_remembered_than_there_is_room_for, fresh, done),
        cmocka_unit_test_setup_teardown(long_lists_of_agents_take_the_room_of_many, fresh, done),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
