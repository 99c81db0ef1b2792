/* The route tables: every endpoint of the main port and of the admin port is one row. */
#ifndef FRONTDESK_API_ROUTES_H
#define FRONTDESK_API_ROUTES_H

#include "api/app.h"
#include "http/router.h"

/* Routers over `app`, which must outlive them. */
struct router routes_main(struct app *app);
struct router routes_admin(struct app *app);

#endif
