/* The route tables: every endpoint of the main port and of the admin port is one row. */
#ifndef FRONTDESK_API_ROUTES_H
#define FRONTDESK_API_ROUTES_H

#include "api/app.h"
#include "base/metrics.h"
#include "http/router.h"

#include <stdio.h>

/*
 * Metrics whose label `route` names the main table's rows, in their order. To be called once, before
 * there are threads. NULL: memory is short.
 */
struct metrics *routes_metrics(void);

/* Routers over `app`, which must outlive them. */
struct router routes_main(struct app *app);
struct router routes_admin(struct app *app);

/* The main port's table as a JSON array: method, pattern, access, limit. */
void routes_print(FILE *out);

#endif
