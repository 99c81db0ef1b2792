#include "retell/url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

const char *url_problem(const char *url)
{
    char *scheme = NULL, *host = NULL;
    const char *problem = NULL;
    CURLU *parts = curl_url();
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        problem = "is not a URL";
    else if (strcmp(scheme, "http") == 0 && !is_loopback(host))
        problem = "needs https: plain http is for this machine only";
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        problem = "needs http or https";
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return problem;
}

const char *url_base_problem(const char *url)
{
    static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                         CURLUPART_FRAGMENT};
    const char *problem = url_problem(url);
    CURLU *parts = problem ? NULL : curl_url();
    if (!problem && (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK))
        problem = "is not a URL";
    for (size_t i = 0; !problem && i < sizeof unwanted / sizeof unwanted[0]; i++) {
        char *found = NULL;
        if (curl_url_get(parts, unwanted[i], &found, 0) == CURLUE_OK)
            problem =
                "holds more than scheme, host, port and path, and is shown to people: the key "
                "goes into RETELL_API_KEY";
        curl_free(found);
    }
    curl_url_cleanup(parts);
    return problem;
}
