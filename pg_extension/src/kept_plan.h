/* Plans that SPI keeps for the life of the session. */
#ifndef FRONTDESK_KEPT_PLAN_H
#define FRONTDESK_KEPT_PLAN_H

#include "executor/spi.h"

/*
 * The plan in `*slot`; on first use, the text prepared and kept there. SPI must be connected. The
 * text is only read then, but it must be the same whenever the slot is.
 */
extern SPIPlanPtr kept_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types);

/* Runs a plan; raises an error unless the result is `expected`, an SPI_OK_ code. */
extern void run_plan(SPIPlanPtr plan, const Datum *values, const char *nulls, bool read_only,
                     int expected);

#endif
