#include "api/openapi.h"

#include "api/handlers.h"
#include "http/params.h"

void openapi(struct app *app, const struct request *req, struct response *res)
{
    (void)app;
    if (params_read(req, res, NULL, 0, NULL))
        response_json(res, 200, openapi_document, openapi_document_len);
}
