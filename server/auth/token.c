#include "auth/token.h"

#include "base/codec.h"
#include "json_scan.h"

#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_SIZE = 32, MAC_TEXT = CODEC_BASE64URL_LEN(MAC_SIZE), MAX_DIGITS = 15 };

/*
 * The only headers that count, as they stand in a token. There is no room in them for another
 * algorithm, another spelling of this one, or a kid, jku, x5c or crit.
 */
static const char *const headers[] = {
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", /* {"alg":"HS256","typ":"JWT"} */
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", /* {"typ":"JWT","alg":"HS256"} */
    "eyJhbGciOiJIUzI1NiJ9",                 /* {"alg":"HS256"} */
};

/* The claims that are looked at; others may be there. */
enum { SUBJECT, ROLE, ISSUER, ISSUED_AT, EXPIRES_AT, NOT_BEFORE, CLAIMS };
static const struct {
    const char *name;
    enum json_kind kind;
    bool required;
} claim_rules[CLAIMS] = {
    [SUBJECT] = {"sub", JSON_STRING, true},    [ROLE] = {"role", JSON_STRING, true},
    [ISSUER] = {"iss", JSON_STRING, true},     [ISSUED_AT] = {"iat", JSON_NUMBER, true},
    [EXPIRES_AT] = {"exp", JSON_NUMBER, true}, [NOT_BEFORE] = {"nbf", JSON_NUMBER, false},
};

/* A token taken apart; the pieces point into it. */
struct pieces {
    const char *header, *payload, *mac;
    size_t header_len, payload_len, mac_len;
};

static bool take_apart(const char *token, size_t len, struct pieces *p)
{
    const char *first = memchr(token, '.', len);
    const char *second = first ? memchr(first + 1, '.', len - (size_t)(first + 1 - token)) : NULL;
    if (!second)
        return false;
    *p = (struct pieces){.header = token,
                         .payload = first + 1,
                         .mac = second + 1,
                         .header_len = (size_t)(first - token),
                         .payload_len = (size_t)(second - first - 1),
                         .mac_len = len - (size_t)(second + 1 - token)};
    return p->mac_len == MAC_TEXT;
}

static bool good_header(const struct pieces *p)
{
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (strlen(headers[i]) == p->header_len &&
            memcmp(headers[i], p->header, p->header_len) == 0)
            return true;
    return false;
}

/* The secret that signed it, or NULL. The text of the MAC is compared, so only one spelling fits. */
static const char *find_secret(const struct token_keys *keys, const struct pieces *p)
{
    const char *found = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned char mac[MAC_SIZE];
        char text[MAC_TEXT + 1];
        const char *secret = keys->secrets[i];
        if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)p->header,
                  p->header_len + 1 + p->payload_len, mac, NULL))
            return NULL;
        codec_base64url(mac, sizeof mac, text);
        if (CRYPTO_memcmp(text, p->mac, MAC_TEXT) == 0)
            found = secret;
    }
    return found;
}

static bool plain_integer(const struct json_text *value)
{
    if (value->len > MAX_DIGITS)
        return false;
    for (size_t i = 0; i < value->len; i++)
        if (value->s[i] < '0' || value->s[i] > '9')
            return false;
    return true;
}

/* Does the payload hold every claim that must be there, each once and of its type? */
static bool good_payload(const struct pieces *p)
{
    unsigned char json[CODEC_BYTES_LEN(TOKEN_MAX) + 1];
    size_t len = 0;
    struct json_scan scan;
    struct json_members members;
    struct json_text key;
    struct json_text value;
    unsigned seen = 0;

    if (!codec_base64url_decode(p->payload, p->payload_len, json, &len) ||
        !json_scan((char *)json, len, &scan) || scan.dirty ||
        json_kind((char *)json, len) != JSON_OBJECT)
        return false;
    json_members_begin(&members, (char *)json, len);
    while (json_members_next(&members, &key, &value)) {
        for (unsigned i = 0; i < CLAIMS; i++) {
            if (!json_string_equals(key.s, key.len, claim_rules[i].name))
                continue;
            enum json_kind kind = json_kind(value.s, value.len);
            if (seen & 1U << i || kind != claim_rules[i].kind ||
                (kind == JSON_NUMBER && !plain_integer(&value)))
                return false;
            seen |= 1U << i;
        }
    }
    for (unsigned i = 0; i < CLAIMS; i++)
        if (claim_rules[i].required && !(seen & 1U << i))
            return false;
    return true;
}

/* A uuid as PostgreSQL writes it. */
static bool is_subject(const char *s)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (!s || strlen(s) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
            return false;
    return true;
}

static bool read_claims(jwt_t *jwt, int64_t now_s, struct token_claims *claims)
{
    const char *subject = jwt_get_grant(jwt, "sub");
    const char *issuer = jwt_get_grant(jwt, "iss");
    claims->issued_at = jwt_get_grant_int(jwt, "iat");
    claims->expires_at = jwt_get_grant_int(jwt, "exp");
    int64_t not_before = jwt_get_grant_int(jwt, "nbf"); /* 0 when absent */
    if (!is_subject(subject) || !issuer || strcmp(issuer, TOKEN_ISSUER) != 0 ||
        !role_parse(jwt_get_grant(jwt, "role"), &claims->role))
        return false;
    memcpy(claims->subject, subject, sizeof claims->subject);
    return claims->issued_at <= now_s + TOKEN_SKEW_S && not_before <= now_s + TOKEN_SKEW_S &&
           claims->expires_at > now_s - TOKEN_SKEW_S;
}

bool token_verify(const struct token_keys *keys, const char *token, size_t len, int64_t now_s,
                  struct token_claims *claims)
{
    struct pieces p;
    if (len > TOKEN_MAX || !take_apart(token, len, &p) || !good_header(&p))
        return false;
    const char *secret = find_secret(keys, &p);
    if (!secret || !good_payload(&p))
        return false;

    char text[TOKEN_MAX + 1];
    jwt_t *jwt = NULL;
    memcpy(text, token, len);
    text[len] = '\0';
    bool good = jwt_decode(&jwt, text, (const unsigned char *)secret, (int)strlen(secret)) == 0 &&
                jwt_get_alg(jwt) == JWT_ALG_HS256 && read_claims(jwt, now_s, claims);
    jwt_free(jwt);
    return good;
}

enum err token_sign(const struct token_keys *keys, struct token_claims *claims,
                    char out[TOKEN_MAX + 1])
{
    const char *secret = keys->secrets[0];
    jwt_t *jwt = NULL;
    char *text = NULL;
    claims->expires_at = claims->issued_at + keys->lifetime_s;
    if (jwt_new(&jwt) == 0 && jwt_add_grant(jwt, "sub", claims->subject) == 0 &&
        jwt_add_grant(jwt, "role", role_name(claims->role)) == 0 &&
        jwt_add_grant(jwt, "iss", TOKEN_ISSUER) == 0 &&
        jwt_add_grant_int(jwt, "iat", claims->issued_at) == 0 &&
        jwt_add_grant_int(jwt, "exp", claims->expires_at) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret, (int)strlen(secret)) == 0)
        text = jwt_encode_str(jwt);
    bool good = text && strlen(text) <= TOKEN_MAX;
    if (good)
        memcpy(out, text, strlen(text) + 1);
    free(text);
    jwt_free(jwt);
    return good ? ERR_OK : ERR_NOMEM;
}
