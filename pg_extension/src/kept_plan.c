/*
 * The order in kept_plan() matters: the slot is written only once SPI has the plan for good, so an
 * error in between leaves no pointer to freed memory behind.
 *
 * Plans are generic, made once and not for every set of parameters: the texts are written so that
 * only one way through them is sensible whoever is asked for, and planning a page takes three times
 * as long as cutting it. PostgreSQL still makes a new plan when the tables' statistics change.
 */
#include "postgres.h"

#include "kept_plan.h"

SPIPlanPtr kept_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types)
{
    if (*slot == NULL) {
        SPIPlanPtr plan =
            SPI_prepare_cursor(text, nargs, unconstify(Oid *, types), CURSOR_OPT_GENERIC_PLAN);
        if (plan == NULL)
            elog(ERROR, "cannot prepare \"%s\": %s", text, SPI_result_code_string(SPI_result));
        if (SPI_keepplan(plan) != 0)
            elog(ERROR, "cannot keep the plan of \"%s\"", text);
        *slot = plan;
    }
    return *slot;
}

void run_plan(SPIPlanPtr plan, const Datum *values, const char *nulls, bool read_only, int expected)
{
    int result = SPI_execute_plan(plan, unconstify(Datum *, values), nulls, read_only, 0);
    if (result != expected)
        elog(ERROR, "unexpected result of a plan: %s", SPI_result_code_string(result));
}

Datum result_value(uint64 row, int column)
{
    bool null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);
    if (null)
        elog(ERROR, "unexpected null in column %d", column);
    return value;
}
