/*
 * The order in kept_plan() matters: the slot is written only once SPI has the plan for good, so an
 * error in between leaves no pointer to freed memory behind.
 */
#include "postgres.h"

#include "kept_plan.h"

SPIPlanPtr kept_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types)
{
    if (*slot == NULL) {
        SPIPlanPtr plan = SPI_prepare(text, nargs, unconstify(Oid *, types));
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
