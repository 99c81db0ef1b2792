/*
 * Tokens: what is ours is taken, and everything that tries to look like it is not (P20). The attacks
 * over HTTP are in tests/http/tokens_test.js; here are those that need a secret's holder, and the
 * edges of time. Each token is handed over in a buffer of its exact size, so that ASan sees a read
 * past its end.
 */
#include "auth/api_key.h"
#include "auth/token.h"
#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SUB "0f8fad5b-d9cb-469f-a165-70867728950e"
#define HEADER "eyJhbGciOiJIUzI1NiJ9"
#define NOW 1700000000

static const char *const secrets[] = {"the-first-secret-of-the-tests-0123456789",
                                      "the-second-secret-of-the-tests-012345678"};
static const struct token_keys keys = {secrets, 2, 3600};

static bool verify_at(const char *token, int64_t now, struct token_claims *claims)
{
    size_t len = strlen(token);
    char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, token, len);
    bool good = token_verify(&keys, exact, len, now, claims);
    free(exact);
    return good;
}

static bool verify(const char *token)
{
    struct token_claims claims;
    return verify_at(token, NOW, &claims);
}

/* A token over `payload`, signed with `secret`. */
static const char *mint(const char *header, const char *payload, const char *secret)
{
    static char token[4096];
    unsigned char mac[32];
    char mac_text[44];
    int n = snprintf(token, sizeof token, "%s.", header);
    codec_base64url((const unsigned char *)payload, strlen(payload), token + n);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)token, strlen(token), mac,
         NULL);
    codec_base64url(mac, sizeof mac, mac_text);
    size_t len = strlen(token);
    (void)snprintf(token + len, sizeof token - len, ".%s", mac_text);
    return token;
}

static bool takes(const char *payload)
{
    return verify(mint(HEADER, payload, secrets[0]));
}

static struct token_claims someone(int64_t issued_at)
{
    struct token_claims claims = {.role = ROLE_ADMIN, .issued_at = issued_at};
    strcpy(claims.subject, SUB);
    return claims;
}

static void a_signed_token_verifies_until_it_expires(void **state)
{
    (void)state;
    char token[TOKEN_MAX + 1];
    struct token_claims claims = someone(NOW);
    struct token_claims read = {0};
    assert_int_equal(token_sign(&keys, &claims, token), ERR_OK);
    assert_int_equal(claims.expires_at, NOW + 3600);
    assert_true(verify_at(token, NOW, &read));
    assert_string_equal(read.subject, SUB);
    assert_int_equal(read.role, ROLE_ADMIN);
    assert_int_equal(read.issued_at, NOW);
    assert_int_equal(read.expires_at, NOW + 3600);
    assert_true(verify_at(token, NOW + 3600 + 29, &read));
    assert_false(verify_at(token, NOW + 3600 + 30, &read));
    assert_true(verify_at(token, NOW - 30, &read));
    assert_false(verify_at(token, NOW - 31, &read));
}

static void every_secret_verifies_and_no_other(void **state)
{
    (void)state;
    static const char payload[] =
        "{\"sub\":\"" SUB
        "\",\"role\":\"USER\",\"iss\":\"frontdesk\",\"iat\":1700000000,\"exp\":1700000100}";
    assert_true(verify(mint(HEADER, payload, secrets[0])));
    assert_true(verify(mint(HEADER, payload, secrets[1])));
    assert_false(verify(mint(HEADER, payload, "the-third-secret-of-the-tests-0123456789")));
    assert_false(verify(mint(HEADER, payload, "")));
}

static void only_three_headers_count(void **state)
{
    (void)state;
    static const char payload[] =
        "{\"sub\":\"" SUB
        "\",\"role\":\"USER\",\"iss\":\"frontdesk\",\"iat\":1700000000,\"exp\":1700000100}";
    static const char *const good[] = {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                       "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
                                       "{\"alg\":\"HS256\"}"};
    static const char *const bad[] = {"{\"alg\":\"none\"}",
                                      "{\"alg\":\"hs256\"}",
                                      "{\"alg\":\"HS512\"}",
                                      "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}",
                                      "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
                                      "{\"alg\":\"HS256\",\"alg\":\"none\"}",
                                      "{ \"alg\":\"HS256\"}",
                                      ""};
    char header[128];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        codec_base64url((const unsigned char *)good[i], strlen(good[i]), header);
        assert_true(verify(mint(header, payload, secrets[0])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        codec_base64url((const unsigned char *)bad[i], strlen(bad[i]), header);
        assert_false(verify(mint(header, payload, secrets[0])));
    }
}

#define CLAIMS(sub, role, iss, iat, exp)                                                           \
    "{\"sub\":" sub ",\"role\":" role ",\"iss\":" iss ",\"iat\":" iat ",\"exp\":" exp "}"
#define GOOD(more)                                                                                 \
    "{\"sub\":\"" SUB "\",\"role\":\"USER\",\"iss\":\"frontdesk\",\"iat\":1700000000,"             \
    "\"exp\":1700000100" more "}"

static void claims_are_checked_even_when_the_signature_is_good(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "\"" SUB "\"",
        "{}",
        "[" GOOD("") "]",
        GOOD("") " x",
        CLAIMS("\"\"", "\"USER\"", "\"frontdesk\"", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "x\"", "\"USER\"", "\"frontdesk\"", "1700000000", "1700000100"),
        CLAIMS("1", "\"USER\"", "\"frontdesk\"", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"ROOT\"", "\"frontdesk\"", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "\"", "2", "\"frontdesk\"", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"other\"", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "[\"frontdesk\"]", "1700000000", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000031", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000", "1699999970"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000", "\"1700000100\""),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "\"1700000000\"", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000", "1.7e18"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "-1", "1700000100"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000",
               "99999999999999999999999999"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000", "null"),
        CLAIMS("\"" SUB "\"", "\"USER\"", "\"frontdesk\"", "1700000000", "true"),
        GOOD(",\"role\":\"ADMIN\""),
        GOOD(",\"r\\u006fle\":\"ADMIN\""),
        GOOD(",\"exp\":1800000000"),
        GOOD(",\"nbf\":1700000031"),
        GOOD(",\"nbf\":\"1700000000\""),
        GOOD(",\"x\":\"\\u0000\""),
        "{\"role\":\"USER\",\"iss\":\"frontdesk\",\"iat\":1700000000,\"exp\":1700000100}",
        "{\"sub\":\"" SUB "\",\"role\":\"USER\",\"iss\":\"frontdesk\",\"iat\":1700000000}",
        "{\"sub\":\"" SUB "\",\"role\":\"USER\",\"iss\":\"frontdesk\",\"exp\":1700000100}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (takes(bad[i]))
            fail_msg("taken: %s", bad[i]);
    assert_true(takes(GOOD("")));
    assert_true(takes(GOOD(",\"nbf\":1700000030")));
    assert_true(takes(GOOD(",\"jti\":\"x\",\"more\":{\"of\":[1,2]}")));
    assert_true(takes(" " GOOD("") "\n"));
}

static void a_nested_payload_of_a_secrets_holder_reaches_no_parser(void **state)
{
    (void)state;
    char payload[600] = "{\"x\":";
    memset(payload + 5, '[', 500);
    assert_false(takes(payload));
}

static void a_token_has_one_spelling(void **state)
{
    (void)state;
    char token[TOKEN_MAX + 1];
    char other[TOKEN_MAX + 8];
    struct token_claims claims = someone(NOW);
    assert_int_equal(token_sign(&keys, &claims, token), ERR_OK);
    size_t len = strlen(token);
    static const char *const suffixes[] = {"=", "==", ".", "..", " ", "\n", "A"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(other, sizeof other, "%s%s", token, suffixes[i]);
        assert_false(verify(other));
        (void)snprintf(other, sizeof other, "%s%s", suffixes[i], token);
        assert_false(verify(other));
    }
    for (size_t i = 0; i < len; i++) { /* any character changed, or left out */
        memcpy(other, token, len + 1);
        other[i] = other[i] == 'A' ? 'B' : 'A';
        assert_false(verify(other));
        memmove(other + i, token + i + 1, len - i);
        assert_false(verify(other));
    }
    for (size_t cut = 0; cut < len; cut++) {
        memcpy(other, token, cut);
        other[cut] = '\0';
        assert_false(verify(other));
    }
    /* The last character of the MAC holds two bits that count for nothing: only one setting fits. */
    memcpy(other, token, len + 1);
    other[len - 1]++;
    assert_false(verify(other));
}

static void hexadecimal_goes_there_and_back_and_takes_both_cases(void **state)
{
    (void)state;
    unsigned char bytes[256];
    unsigned char back[256];
    char text[2 * sizeof bytes + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    codec_hex(bytes, sizeof bytes, text);
    assert_int_equal(strlen(text), 512);
    assert_int_equal(strspn(text, "0123456789abcdef"), 512);
    assert_memory_equal(text, "000102", 6);
    assert_true(codec_hex_decode(text, sizeof back, back));
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_true(codec_hex_decode("FfAa09", 3, back));
    assert_memory_equal(back, "\xff\xaa\x09", 3);
    for (int c = 0; c < 256; c++) { /* at each place of a byte */
        const char high[] = {(char)c, '0'}, low[] = {'f', (char)c};
        bool digit = c && strchr("0123456789abcdefABCDEF", c);
        assert_int_equal(codec_hex_digit((char)c) >= 0, digit);
        assert_int_equal(codec_hex_decode(high, 1, back), digit);
        assert_int_equal(codec_hex_decode(low, 1, back), digit);
    }
}

static void base64url_goes_there_and_back_and_takes_one_spelling(void **state)
{
    (void)state;
    unsigned char bytes[64];
    unsigned char back[64];
    char text[CODEC_BASE64URL_LEN(64) + 1];
    size_t len = 0;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)(i * 37 + n * 11);
        codec_base64url(bytes, n, text);
        assert_int_equal(strlen(text), CODEC_BASE64URL_LEN(n));
        assert_true(codec_base64url_decode(text, strlen(text), back, &len));
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
    }
    static const char *const bad[] = {"A", "AB=", "AB==", "A+", "A/", "AB", "AAB", "A B", "AAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(codec_base64url_decode(bad[i], strlen(bad[i]), back, &len));
    assert_false(codec_base64url_decode("\0\0", 2, back, &len));
}

static void a_key_is_recognised_by_its_form(void **state)
{
    (void)state;
    char key[API_KEY_LEN + 1];
    char second[API_KEY_LEN + 1];
    unsigned char digest[API_KEY_DIGEST_SIZE];
    unsigned char again[API_KEY_DIGEST_SIZE];
    assert_int_equal(api_key_make(key, digest), ERR_OK);
    assert_int_equal(strlen(key), API_KEY_LEN);
    assert_memory_equal(key, API_KEY_PREFIX, 3);
    assert_true(api_key_digest(key, API_KEY_LEN, again));
    assert_memory_equal(digest, again, sizeof digest);
    assert_int_equal(api_key_make(second, again), ERR_OK);
    assert_string_not_equal(key, second);
    assert_false(api_key_digest(key, API_KEY_LEN - 1, again));
    key[0] = 'F';
    assert_false(api_key_digest(key, API_KEY_LEN, again));
    key[0] = 'f';
    key[20] = '+';
    assert_false(api_key_digest(key, API_KEY_LEN, again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_token_verifies_until_it_expires),
        cmocka_unit_test(every_secret_verifies_and_no_other),
        cmocka_unit_test(only_three_headers_count),
        cmocka_unit_test(claims_are_checked_even_when_the_signature_is_good),
        cmocka_unit_test(a_nested_payload_of_a_secrets_holder_reaches_no_parser),
        cmocka_unit_test(a_token_has_one_spelling),
        cmocka_unit_test(hexadecimal_goes_there_and_back_and_takes_both_cases),
        cmocka_unit_test(base64url_goes_there_and_back_and_takes_one_spelling),
        cmocka_unit_test(a_key_is_recognised_by_its_form),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
