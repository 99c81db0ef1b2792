/* The document of the API, compiled in from openapi.json. */
#ifndef FRONTDESK_API_OPENAPI_H
#define FRONTDESK_API_OPENAPI_H

#include <stddef.h>

extern const char openapi_document[];
extern const size_t openapi_document_len;

#endif
