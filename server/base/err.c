#include "base/err.h"

#include <stddef.h>

static const char *const names[] = {
    [ERR_OK] = "ok",
    [ERR_NOMEM] = "out of memory",
    [ERR_INVALID] = "invalid",
    [ERR_TOO_LARGE] = "too large",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_TIMEOUT] = "timeout",
    [ERR_BUSY] = "busy",
    [ERR_DATA] = "data",
    [ERR_CLOSED] = "closed",
    [ERR_INTERNAL] = "internal",
};

const char *err_name(enum err err)
{
    size_t i = (size_t)err;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}
