/*
 * Requests share one libcurl multi handle. Each lane carries one request at a time to its end,
 * waiting out the pauses between tries. When Retell says that there are too many requests, all
 * lanes wait, not only the one that was told.
 */
#include "retell/client.h"

#include "base/clock.h"
#include "json_scan.h"
#include "retell/retry.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PARALLEL = 16,
    MAX_RETRIES = 3,
    CONNECT_MS = 5000,
    REQUEST_MS = 30000,
    MAX_PAUSE_MS = 30000, /* whoever asks for a longer one is asked again in the next interval */
    POLL_MS = 100,        /* how long a stop may go unnoticed */
    MAX_ANSWER = 32 * 1024 * 1024,
    SKEW_NOISE_MS = 2000, /* Date has seconds, and the answer took its time */
};

struct lane {
    CURL *easy;
    struct retell_request *request; /* NULL: idle */
    struct retell_client *client;
    unsigned retries;
    int64_t again_at; /* clock_mono_ms() of the next try; 0: under way */
    bool too_large;
};

struct retell_client {
    struct retell_client_options opt;
    size_t base_len; /* of the base URL, without slashes at its end */
    CURLM *multi;
    struct curl_slist *get_headers, *post_headers;
    struct lane lanes[MAX_PARALLEL];
    int64_t not_before; /* clock_mono_ms(): Retell asked all of us to wait */
    int64_t skew_ms;
};

/* ---- building ---- */

static size_t keep_answer(char *bytes, size_t size, size_t count, void *user)
{
    struct lane *lane = user;
    struct buf *answer = &lane->request->answer;
    size_t len = size * count;
    if (answer->len + len > MAX_ANSWER) {
        lane->too_large = true;
        return 0;
    }
    buf_add(answer, bytes, len);
    return answer->failed ? 0 : len;
}

static bool set_up(struct retell_client *client, struct lane *lane)
{
    lane->client = client;
    lane->easy = curl_easy_init();
    if (!lane->easy)
        return false;
    curl_easy_setopt(lane->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(lane->easy, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    curl_easy_setopt(lane->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(lane->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
    curl_easy_setopt(lane->easy, CURLOPT_USERAGENT, "frontdesk/" FRONTDESK_VERSION);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
    return curl_easy_setopt(lane->easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool make_headers(struct retell_client *client)
{
    struct buf line = {0};
    buf_puts(&line, "Authorization: Bearer ");
    buf_puts(&line, client->opt.key);
    bool good = !line.failed && add_header(&client->get_headers, line.data) &&
                add_header(&client->post_headers, line.data) &&
                add_header(&client->post_headers, "Content-Type: application/json") &&
                add_header(&client->post_headers, "Expect:");
    buf_free(&line);
    return good;
}

struct retell_client *retell_client_new(const struct retell_client_options *options)
{
    struct retell_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->opt = *options;
    client->base_len = strlen(options->base_url);
    while (client->base_len && options->base_url[client->base_len - 1] == '/')
        client->base_len--;
    client->multi = curl_multi_init();
    bool good = client->multi && make_headers(client);
    for (unsigned i = 0; good && i < options->parallel; i++)
        good = set_up(client, &client->lanes[i]);
    if (good)
        return client;
    retell_client_free(client);
    return NULL;
}

void retell_client_free(struct retell_client *client)
{
    if (!client)
        return;
    for (unsigned i = 0; i < MAX_PARALLEL; i++)
        if (client->lanes[i].easy)
            curl_easy_cleanup(client->lanes[i].easy);
    curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->get_headers);
    curl_slist_free_all(client->post_headers);
    free(client);
}

/* ---- clocks ---- */

int64_t retell_client_skew_ms(const struct retell_client *client)
{
    return client->skew_ms;
}

int64_t retell_client_now_ms(const struct retell_client *client)
{
    return clock_wall_ms() - client->skew_ms;
}

/* Compares the clocks by the answer's Date, which is when Retell sent it, cut to the second. */
static void note_date(struct retell_client *client, CURL *easy)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return;
    time_t date = curl_getdate(header->value, NULL);
    if (date <= 0)
        return;
    int64_t ahead = clock_wall_ms() - ((int64_t)date * 1000 + 500);
    client->skew_ms = ahead > SKEW_NOISE_MS || ahead < -SKEW_NOISE_MS ? ahead : 0;
}

/* ---- running ---- */

static bool stopped(const struct retell_client *client)
{
    return client->opt.stop && atomic_load(client->opt.stop);
}

/* Copies a text into the request's detail: one line, nothing that a terminal obeys. */
static void set_detail(struct retell_request *request, const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n < sizeof request->detail - 1; i++)
        request->detail[n++] = text[i];
    request->detail[n] = '\0';
    for (char *c = request->detail; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

static void start_try(struct lane *lane)
{
    struct retell_client *client = lane->client;
    struct retell_request *request = lane->request;
    struct buf url = {0};

    lane->again_at = 0;
    lane->too_large = false;
    request->answer.len = 0;
    request->status = 0;
    request->detail[0] = '\0';
    buf_add(&url, client->opt.base_url, client->base_len);
    buf_puts(&url, request->path);
    bool post = request->body != NULL;
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER,
                     post ? client->post_headers : client->get_headers);
    if (post) {
        curl_easy_setopt(lane->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(request->body));
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, request->body);
    } else {
        curl_easy_setopt(lane->easy, CURLOPT_HTTPGET, 1L);
    }
    request->asked_ms = retell_client_now_ms(client);
    if (url.failed || curl_easy_setopt(lane->easy, CURLOPT_URL, url.data) != CURLE_OK ||
        curl_multi_add_handle(client->multi, lane->easy) != CURLM_OK) {
        request->error = RETELL_NOMEM;
        lane->request = NULL;
    }
    buf_free(&url);
}

static enum retell_error error_of_status(long status)
{
    static const struct {
        long status;
        enum retell_error error;
    } known[] = {
        {401, RETELL_UNAUTHORIZED}, {402, RETELL_NO_CREDIT},    {403, RETELL_UNAUTHORIZED},
        {404, RETELL_NOT_FOUND},    {408, RETELL_FAILED},       {409, RETELL_FAILED},
        {422, RETELL_NOT_FOUND},    {429, RETELL_RATE_LIMITED},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].error;
    if (status >= 500)
        return RETELL_FAILED;
    return status >= 400 ? RETELL_BAD_REQUEST : RETELL_MALFORMED;
}

/* The `message` of an error's body, if that is what it is. */
static void keep_message(struct retell_request *request)
{
    const struct buf *answer = &request->answer;
    struct json_scan scan = {0};
    const char *message = NULL;
    size_t len = 0;
    char text[JSON_TEXT_MAX(RETELL_DETAIL_SIZE)] = "";
    if (answer->len && json_scan(answer->data, answer->len, &scan) &&
        json_member(answer->data, answer->len, "message", &message, &len) &&
        len <= RETELL_DETAIL_SIZE)
        set_detail(request, text, json_string_decode(message, len, text));
}

/* What a try that has ended says; whether another may go better is in `*again`. */
static enum retell_error judge(struct lane *lane, CURLcode result, bool *again)
{
    struct retell_request *request = lane->request;
    struct buf *answer = &request->answer;
    struct json_scan scan = {0};

    *again = retry_may_pass(result, request->status) && !lane->too_large && !answer->failed;
    if (answer->failed)
        return RETELL_NOMEM;
    if (lane->too_large) {
        (void)snprintf(request->detail, sizeof request->detail, "the answer is larger than %d MB",
                       MAX_ANSWER / 1024 / 1024);
        return RETELL_MALFORMED;
    }
    if (result != CURLE_OK) {
        const char *text = curl_easy_strerror(result);
        set_detail(request, text, strlen(text));
        return result == CURLE_OPERATION_TIMEDOUT ? RETELL_TIMEOUT : RETELL_UNREACHABLE;
    }
    if (request->status < 200 || request->status > 299) {
        keep_message(request);
        return error_of_status(request->status);
    }
    if (answer->len && json_scan(answer->data, answer->len, &scan) &&
        json_kind(answer->data, answer->len) == JSON_OBJECT)
        return RETELL_OK;
    *again = true; /* cut off on its way, perhaps */
    (void)snprintf(request->detail, sizeof request->detail,
                   "the answer to %.60s is not a JSON object", request->path);
    return RETELL_MALFORMED;
}

static void finish_try(struct lane *lane, CURLcode result)
{
    struct retell_client *client = lane->client;
    bool again = false;
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &lane->request->status);
    if (result == CURLE_OK)
        note_date(client, lane->easy);
    lane->request->error = judge(lane, result, &again);
    if (lane->request->error != RETELL_OK && again && lane->retries < MAX_RETRIES) {
        int64_t pause = retry_pause_ms(lane->easy, lane->retries);
        if (pause <= MAX_PAUSE_MS) {
            lane->retries++;
            lane->again_at = clock_mono_ms() + pause;
            if (lane->request->status == 429 && lane->again_at > client->not_before)
                client->not_before = lane->again_at;
        }
    }
    curl_multi_remove_handle(client->multi, lane->easy);
    if (!lane->again_at)
        lane->request = NULL;
}

static void finish_tries(struct retell_client *client)
{
    int left = 0;
    for (CURLMsg *msg; (msg = curl_multi_info_read(client->multi, &left)) != NULL;) {
        void *lane = NULL;
        CURLcode result = msg->data.result; /* gone once the handle is removed */
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&lane);
        finish_try(lane, result);
    }
}

/* Gives idle lanes work and starts what has waited long enough. False when all is done. */
static bool start_tries(struct retell_client *client, struct retell_request *requests, size_t count,
                        size_t *next)
{
    bool busy = false;
    int64_t now = clock_mono_ms();
    for (unsigned i = 0; i < client->opt.parallel; i++) {
        struct lane *lane = &client->lanes[i];
        if (!lane->request && *next < count) {
            lane->request = &requests[(*next)++];
            lane->retries = 0;
            lane->again_at = now;
        }
        if (lane->request && lane->again_at && lane->again_at <= now && client->not_before <= now)
            start_try(lane);
        busy |= lane->request != NULL;
    }
    return busy || *next < count;
}

static void cancel_all(struct retell_client *client, struct retell_request *requests, size_t count,
                       size_t next)
{
    for (unsigned i = 0; i < client->opt.parallel; i++) {
        struct lane *lane = &client->lanes[i];
        if (!lane->request)
            continue;
        curl_multi_remove_handle(client->multi, lane->easy);
        lane->request->error = RETELL_CANCELLED;
        lane->request = NULL;
    }
    for (; next < count; next++)
        requests[next].error = RETELL_CANCELLED;
}

void retell_client_run(struct retell_client *client, struct retell_request *requests, size_t count)
{
    size_t next = 0;
    while (start_tries(client, requests, count, &next)) {
        int running = 0;
        if (stopped(client) || curl_multi_perform(client->multi, &running) != CURLM_OK ||
            curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            cancel_all(client, requests, count, next);
            return;
        }
        finish_tries(client);
    }
}

/* ---- telling people ---- */

void retell_explain(const struct retell_client *client, const struct retell_request *request,
                    struct buf *out)
{
    static const struct {
        const char *what, *advice;
    } texts[] = {
        [RETELL_OK] = {"Retell answered", ""},
        [RETELL_BAD_REQUEST] = {"Retell does not accept this program's request",
                                "its API may have changed: look for a newer Frontdesk"},
        [RETELL_UNAUTHORIZED] = {"Retell refuses the key",
                                 "set RETELL_API_KEY to a key from Retell's dashboard, API Keys"},
        [RETELL_NO_CREDIT] = {"the Retell account is out of credit",
                              "add credit in Retell's dashboard, Billing"},
        [RETELL_NOT_FOUND] = {"Retell knows nothing at this address",
                              "check RETELL_BASE_URL, or leave it out"},
        [RETELL_RATE_LIMITED] = {"Retell says that there are too many requests",
                                 "it is asked again later; raise POLL_INTERVAL_SECONDS if this "
                                 "goes on"},
        [RETELL_FAILED] = {"Retell has a failure of its own", "it is asked again later"},
        [RETELL_UNREACHABLE] = {"Retell cannot be reached",
                                "check RETELL_BASE_URL, the network and its firewall"},
        [RETELL_TIMEOUT] = {"Retell does not answer in time",
                            "check the network; it is asked again later"},
        [RETELL_MALFORMED] = {"the answer is not Retell's",
                              "check RETELL_BASE_URL, or leave it out"},
        [RETELL_CANCELLED] = {"the request was cancelled", "this program is stopping"},
        [RETELL_NOMEM] = {"out of memory", "give this program more"},
    };
    buf_printf(out, "%s", texts[request->error].what);
    if (request->status)
        buf_printf(out, " (%ld%s%s)", request->status, request->detail[0] ? ": " : "",
                   request->detail);
    else if (request->detail[0])
        buf_printf(out, " (%s)", request->detail);
    if (request->error != RETELL_CANCELLED)
        buf_printf(out, " at %s", client->opt.base_url);
    if (texts[request->error].advice[0])
        buf_printf(out, ": %s", texts[request->error].advice);
}
