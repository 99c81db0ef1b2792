/* The library's magic and its version: what is left when every concept has a file of its own. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"

FRONTDESK_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(frontdesk_extension_version);

Datum frontdesk_extension_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(FRONTDESK_EXTENSION_VERSION));
}
