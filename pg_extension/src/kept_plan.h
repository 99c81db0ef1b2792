/* Plans that SPI keeps for the life of the session, and what their texts and results need. */
#ifndef FRONTDESK_KEPT_PLAN_H
#define FRONTDESK_KEPT_PLAN_H

#include "executor/spi.h"

/*
 * Operators for the texts of plans, qualified: a text runs under its caller's search_path, where an
 * operator may have been put that is not PostgreSQL's.
 */
#define SQL_EQ " OPERATOR(pg_catalog.=) "
#define SQL_NE " OPERATOR(pg_catalog.<>) "
#define SQL_GT " OPERATOR(pg_catalog.>) "
#define SQL_ADD " OPERATOR(pg_catalog.+) "
#define SQL_GE " OPERATOR(pg_catalog.>=) "
#define SQL_LE " OPERATOR(pg_catalog.<=) "
#define SQL_LT " OPERATOR(pg_catalog.<) "

/* SPI_connect(). */
extern void connect_spi(void);

/*
 * The plan in `*slot`; on first use, the text prepared and kept there. SPI must be connected. The
 * text is only read then, but it must be the same whenever the slot is.
 */
extern SPIPlanPtr kept_plan(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types);

/* The same with options of SPI_prepare_cursor(), such as CURSOR_OPT_CUSTOM_PLAN. */
extern SPIPlanPtr kept_plan_as(SPIPlanPtr *slot, const char *text, int nargs, const Oid *types,
                               int options);

/* Runs a plan; raises an error unless the result is `expected`, an SPI_OK_ code. */
extern void run_plan(SPIPlanPtr plan, const Datum *values, const char *nulls, bool read_only,
                     int expected);

/*
 * The same, with the rights of the owner of frontdesk.`table`, which the plan writes: for trigger
 * functions, whose caller may have none on it. They have those of the superuser who installed the
 * extension, and must not use them, because what the table's owner has put on it (triggers,
 * defaults) runs with the rights of whoever writes.
 */
extern void run_plan_as_owner(const char *table, SPIPlanPtr plan, const Datum *values,
                              int expected);

/*
 * A row of a plan that is streamed: its columns, valid during the call, which runs in a memory
 * context that is reset after each row.
 */
typedef void plan_row(const Datum *values, const bool *nulls, void *argument);

/*
 * Runs a plan read-only and hands over its rows one by one, without keeping them. None of the
 * parameters is null. SPI_tuptable and SPI_processed stay as they were.
 */
extern void stream_plan(SPIPlanPtr plan, int nargs, const Oid *types, const Datum *values,
                        plan_row *receive, void *argument);

/*
 * The same two for plans that read call_rollup_delta: tables are read through their indexes, entry by
 * entry, whatever their statistics say. Rows come there and go again all the time, and only such a
 * scan marks the entries of those that are gone, so that the next one passes over them. Any other
 * visits every row that went since the last VACUUM, each time anew.
 */
extern void run_plan_by_index(SPIPlanPtr plan, const Datum *values, bool read_only, int expected);
extern void stream_plan_by_index(SPIPlanPtr plan, int nargs, const Oid *types, const Datum *values,
                                 plan_row *receive, void *argument);

/* A column, from 1, of a row, from 0, of the last result; for columns that are never null. */
extern Datum result_value(uint64 row, int column);

#endif
