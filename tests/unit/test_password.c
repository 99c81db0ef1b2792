/* Passwords: right, wrong and unknown; old parameters; and a queue that says when it is full. */
#include "auth/password.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>

static struct passwords *passwords;

static int start(void **state)
{
    (void)state;
    return passwords_start(&passwords) == ERR_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    passwords_stop(passwords);
    return 0;
}

static int64_t soon(void)
{
    return clock_mono_ms() + 60000; /* a hang guard */
}

static void the_right_password_matches_and_no_other(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    char other[PASSWORD_HASH_SIZE];
    struct password_verdict verdict;
    assert_int_equal(password_hash(passwords, "correct horse", soon(), hash), ERR_OK);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_int_equal(password_check(passwords, "correct horse", hash, soon(), &verdict), ERR_OK);
    assert_true(verdict.matches);
    assert_false(verdict.outdated);
    assert_int_equal(password_check(passwords, "correct horsf", hash, soon(), &verdict), ERR_OK);
    assert_false(verdict.matches);
    assert_int_equal(password_check(passwords, "", hash, soon(), &verdict), ERR_OK);
    assert_false(verdict.matches);
    assert_int_equal(password_hash_here("correct horse", other), ERR_OK);
    assert_string_not_equal(hash, other); /* salted */
}

/* Made by bcryptjs, which is what the old back end uses: $2a$, $2b$; and one by PHP: $2y$. */
static void an_imported_bcrypt_hash_matches_and_is_outdated(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    };
    struct password_verdict verdict;
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        assert_int_equal(password_check(passwords, "U*U", hashes[i], soon(), &verdict), ERR_OK);
        assert_true(verdict.matches);
        assert_true(verdict.outdated);
        assert_int_equal(password_check(passwords, "U*V", hashes[i], soon(), &verdict), ERR_OK);
        assert_false(verdict.matches);
        assert_false(verdict.outdated);
    }
}

static void a_bcrypt_hash_that_would_take_hours_or_is_cut_never_matches(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2b$05$",
        "$2",
        "$",
        "",
    };
    struct password_verdict verdict;
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        assert_int_equal(password_check(passwords, "U*U", hashes[i], soon(), &verdict), ERR_OK);
        assert_false(verdict.matches);
    }
}

static void nobodys_password_never_matches(void **state)
{
    (void)state;
    struct password_verdict verdict;
    assert_int_equal(password_check(passwords, "correct horse", NULL, soon(), &verdict), ERR_OK);
    assert_false(verdict.matches);
    assert_false(verdict.outdated);
}

static void a_hash_of_other_parameters_matches_and_is_outdated(void **state)
{
    (void)state;
    char hash[crypto_pwhash_STRBYTES];
    struct password_verdict verdict;
    assert_int_equal(crypto_pwhash_str(hash, "pw", 2, 1, 8 << 20), 0);
    assert_int_equal(password_check(passwords, "pw", hash, soon(), &verdict), ERR_OK);
    assert_true(verdict.matches);
    assert_true(verdict.outdated);
    assert_int_equal(password_check(passwords, "no", hash, soon(), &verdict), ERR_OK);
    assert_false(verdict.outdated);
}

static void a_hash_that_is_none_matches_nothing(void **state)
{
    (void)state;
    struct password_verdict verdict;
    assert_int_equal(password_check(passwords, "pw", "!", soon(), &verdict), ERR_OK);
    assert_false(verdict.matches);
    assert_int_equal(password_check(passwords, "", "", soon(), &verdict), ERR_OK);
    assert_false(verdict.matches);
}

static atomic_uint done, busy, late, other;

static void *one_check(void *arg)
{
    struct password_verdict verdict;
    switch (password_check(passwords, "pw", NULL, *(int64_t *)arg, &verdict)) {
    case ERR_OK:
        done++;
        break;
    case ERR_BUSY:
        busy++;
        break;
    case ERR_TIMEOUT:
        late++;
        break;
    default:
        other++;
    }
    return NULL;
}

enum { CROWD = 1200 }; /* more than MAX_THREADS have room for */

static void crowd(int64_t deadline)
{
    static pthread_t threads[CROWD];
    pthread_attr_t attr;
    done = busy = late = other = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], &attr, one_check, &deadline), 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attr);
    assert_int_equal(done + busy + late + other, CROWD);
    assert_int_equal(other, 0);
}

static void a_crowd_is_served_or_told_at_once(void **state)
{
    (void)state;
    crowd(soon());
    assert_true(done > 0);
    assert_true(busy > 0);
    assert_int_equal(late, 0);
}

static void whoever_waits_past_its_deadline_gives_up(void **state)
{
    (void)state;
    crowd(clock_mono_ms()); /* over already: only what a thread took at once is done */
    assert_true(late > 0);
    crowd(soon()); /* and the queue is whole after it */
    assert_true(done > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_password_matches_and_no_other),
        cmocka_unit_test(an_imported_bcrypt_hash_matches_and_is_outdated),
        cmocka_unit_test(a_bcrypt_hash_that_would_take_hours_or_is_cut_never_matches),
        cmocka_unit_test(nobodys_password_never_matches),
        cmocka_unit_test(a_hash_of_other_parameters_matches_and_is_outdated),
        cmocka_unit_test(a_hash_that_is_none_matches_nothing),
        cmocka_unit_test(a_crowd_is_served_or_told_at_once),
        cmocka_unit_test(whoever_waits_past_its_deadline_gives_up),
    };
    return cmocka_run_group_tests_name("password", tests, start, stop);
}
