/* Which versions of the extension this program can use, and what is said of the others. */
#include "db/migrate.h"
#include "db/migration_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void judge(const char *installed, const char *available, enum schema_state expected,
                  const char *said)
{
    struct buf reasons = {0};
    assert_int_equal(migrate_judge_extension(installed, available, &reasons), expected);
    if (said)
        assert_non_null(strstr(reasons.data, said));
    else
        assert_null(reasons.data);
    buf_free(&reasons);
}

static void takes_this_version_and_later_ones(void **state)
{
    const char *const ours = migration_extension;
    char next_patch[32];
    (void)state;
    (void)snprintf(next_patch, sizeof next_patch, "%s.1", ours);
    judge(ours, ours, SCHEMA_FITS, NULL);
    judge(next_patch, next_patch, SCHEMA_FITS, NULL);
    judge("99.0", ours, SCHEMA_FITS, NULL);
    /* By number, not by letter. */
    judge("1.10", "1.10", SCHEMA_FITS, NULL);
    judge("10.0", ours, SCHEMA_FITS, NULL);
    /* Its files are gone from the machine; what is in the database works on until it is restarted. */
    judge(ours, NULL, SCHEMA_FITS, NULL);
}

static void names_the_step_from_an_earlier_one(void **state)
{
    const char *const ours = migration_extension;
    (void)state;
    judge("1.0", ours, SCHEMA_OLD_EXTENSION, "superuser run `ALTER EXTENSION frontdesk UPDATE`");
    judge("0.9", "99.0", SCHEMA_OLD_EXTENSION, "this program needs");
    judge("0.10", ours, SCHEMA_OLD_EXTENSION, "is 0.10 in this database");
    judge("1", ours, SCHEMA_OLD_EXTENSION, "ALTER EXTENSION");
    judge("1.0", "1.0", SCHEMA_OLD_EXTENSION,
          "`make install` of this version on its machine, then");
    judge("1.0", NULL, SCHEMA_OLD_EXTENSION, "`make install`");
    judge("", ours, SCHEMA_OLD_EXTENSION, "ALTER EXTENSION");
    judge("unpackaged", ours, SCHEMA_OLD_EXTENSION, "ALTER EXTENSION");
}

static void tells_missing_files_from_a_missing_extension(void **state)
{
    (void)state;
    judge(NULL, migration_extension, SCHEMA_NO_EXTENSION, "CREATE EXTENSION frontdesk");
    judge(NULL, NULL, SCHEMA_NO_EXTENSION, "`make install`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_this_version_and_later_ones),
        cmocka_unit_test(names_the_step_from_an_earlier_one),
        cmocka_unit_test(tells_missing_files_from_a_missing_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
