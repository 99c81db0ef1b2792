/* What a page may be: the checks that lists of calls and of agents share. */
#ifndef FRONTDESK_PAGE_H
#define FRONTDESK_PAGE_H

#include "fmgr.h"

#define PAGE_ROWS_DEFAULT 20
#define PAGE_ROWS_MAX 100

/* The argument as a count of rows to show or to skip; null gives the default. 22023 if outside. */
extern int64 page_rows_argument(FunctionCallInfo fcinfo, int argument);
extern int64 page_skip_argument(FunctionCallInfo fcinfo, int argument);

#endif
