/* Tokens: no text but one of ours is good, and reading any takes little stack and no harm. */
#include "auth/token.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[] = {"a secret of the fuzzer, thirty-two bytes long"};
    static const struct token_keys keys = {.secrets = secrets, .count = 1, .lifetime_s = 3600};
    struct token_claims claims,
        mine = {.subject = "00000000-0000-4000-8000-000000000000", .issued_at = 1700000000};
    char token[TOKEN_MAX + 1];
    char *text = malloc(size + 1);

    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    MUST(!token_verify(&keys, text, size, 1700000100, &claims)); /* nobody knows the secret */
    MUST(token_sign(&keys, &mine, token) == ERR_OK);
    size_t len = strlen(token);
    MUST(token_verify(&keys, token, len, 1700000100, &claims));
    if (size >= 2) { /* one character of a good one changed */
        size_t at = (size_t)(data[0] | data[1] << 8) % len;
        char now = (char)data[size - 1];
        if (now != token[at]) {
            token[at] = now;
            MUST(!token_verify(&keys, token, len, 1700000100, &claims));
        }
    }
    free(text);
    return 0;
}
