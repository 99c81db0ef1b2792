#include "retell/retry.h"

#include "base/crypto.h"

#include <stdlib.h>

enum { FIRST_PAUSE_MS = 500, MAX_PAUSE_MS = 8000, MAX_DOUBLINGS = 4 };

bool retry_may_pass(CURLcode result, long status)
{
    if (result != CURLE_OK)
        return result != CURLE_PEER_FAILED_VERIFICATION && result != CURLE_SSL_CACERT_BADFILE &&
               result != CURLE_URL_MALFORMAT && result != CURLE_UNSUPPORTED_PROTOCOL;
    return status >= 500 || status == 408 || status == 409 || status == 429;
}

/* What the answer asks for; -1 when it does not. */
static int64_t asked_ms(CURL *easy)
{
    struct curl_header *header = NULL;
    curl_off_t seconds = 0;
    if (curl_easy_header(easy, "retry-after-ms", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        char *end = NULL;
        double ms = strtod(header->value, &end);
        if (end != header->value && ms >= 0 && ms < 1e9)
            return (int64_t)ms;
    }
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
        return seconds < 1000000 ? (int64_t)seconds * 1000 : INT64_C(1000000000);
    return -1;
}

int64_t retry_pause_ms(CURL *easy, unsigned retries)
{
    int64_t asked = asked_ms(easy);
    if (asked >= 0)
        return asked;
    int64_t pause = (int64_t)FIRST_PAUSE_MS << (retries < MAX_DOUBLINGS ? retries : MAX_DOUBLINGS);
    unsigned char chance = 0;
    if (pause > MAX_PAUSE_MS)
        pause = MAX_PAUSE_MS;
    if (crypto_random(&chance, sizeof chance))
        chance = 0;
    return pause - pause * chance / 1024; /* at most 255/1024: a quarter */
}
