/* The roles of users and keys, lowest first, so that they compare. */
#ifndef FRONTDESK_AUTH_ROLE_H
#define FRONTDESK_AUTH_ROLE_H

#include <stdbool.h>

enum role { ROLE_USER, ROLE_ADMIN, ROLE_SUPERADMIN };

/* "USER", "ADMIN" or "SUPERADMIN". */
const char *role_name(enum role role);

/* The role of that name; false when there is none. NULL is no name. */
bool role_parse(const char *name, enum role *role);

#endif
