/* When to send a request again, and after how long: as Retell's own client does (RFC 9110, 10.2.3). */
#ifndef FRONTDESK_RETELL_RETRY_H
#define FRONTDESK_RETELL_RETRY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* Neither the answer nor its absence says that it would go the same way next time. */
bool retry_may_pass(CURLcode result, long status);

/*
 * How long to wait, in ms, before the retry after `retries` others: what the answer in `easy` asks
 * for (retry-after-ms, Retry-After in seconds or as a date), else 0.5 s doubled each time up to 8 s,
 * less up to a quarter by chance, so that many who failed together do not come back together.
 */
int64_t retry_pause_ms(CURL *easy, unsigned retries);

#endif
