#include "auth/role.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [ROLE_USER] = "USER", [ROLE_ADMIN] = "ADMIN", [ROLE_SUPERADMIN] = "SUPERADMIN"};

const char *role_name(enum role role)
{
    return names[role];
}

bool role_parse(const char *name, enum role *role)
{
    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *role = (enum role)i;
            return true;
        }
    }
    return false;
}
