/* The signature header: nothing but what was signed is ever good. A line of header, then the body. */
#include "retell/signature.h"

#include "fuzz.h"

#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const list[] = {"key_of_the_fuzzer_0123456789", "another_key_0123456789"};
    static struct signature_keys *keys;
    const int64_t now = INT64_C(1700000000000);
    const uint8_t *end = memchr(data, '\n', size);
    size_t header_len = end ? (size_t)(end - data) : size;
    const uint8_t *body = end ? end + 1 : data + size;
    size_t body_len = (size_t)(data + size - body);
    char *header = malloc(header_len + 1);
    char good[SIGNATURE_SIZE];
    int64_t sent = -1;

    if (!keys)
        keys = signature_keys_new(list, 2);
    MUST(header && keys);
    memcpy(header, data, header_len);
    header[header_len] = '\0';
    enum signature_result result =
        signature_verify(header, header_len, body, body_len, keys, now, &sent);
    MUST((result == SIGNATURE_OK) == (sent != -1));
    if (result == SIGNATURE_OK) {
        MUST(sent >= now - SIGNATURE_WINDOW_MS && sent <= now + SIGNATURE_WINDOW_MS);
        bool ours = false;
        for (size_t i = 0; i < 2; i++) {
            MUST(signature_sign(list[i], body, body_len, sent, good) == ERR_OK);
            ours = ours || strncasecmp(good, header, sizeof good) == 0;
        }
        MUST(ours);
    }
    MUST(signature_sign(list[1], body, body_len, now, good) == ERR_OK);
    MUST(signature_verify(good, strlen(good), body, body_len, keys, now, &sent) == SIGNATURE_OK);
    free(header);
    return 0;
}
