#include "http/fields.h"

const char fields_bad_time[] = "must be a time as ISO 8601 with a zone, such as "
                               "2024-01-01T09:30:00Z, a date, or milliseconds since 1970";

void fields_add(struct field_errors *errors, const char *field, const char *message)
{
    if (errors->count < FIELDS_MAX_ERRORS)
        errors->items[errors->count++] =
            (struct field_error){field ? field : "?", message ? message : "is not valid"};
}
