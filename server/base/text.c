#include "base/text.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool text_is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = choices; p;) {
        const char *bar = strchr(p, '|');
        if ((bar ? (size_t)(bar - p) : strlen(p)) == len && memcmp(p, value, len) == 0)
            return true;
        p = bar ? bar + 1 : NULL;
    }
    return false;
}

bool text_number(const char *digits, int64_t lo, int64_t hi, int64_t *out)
{
    size_t len = strlen(digits);
    if (!len || len > 18 || strspn(digits, "0123456789") != len)
        return false;
    *out = strtoll(digits, NULL, 10);
    return *out >= lo && *out <= hi;
}

bool text_is_utf8(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t len = strlen(s);
    for (size_t i = 0, n; i < len; i += n)
        if (!(n = utf8_sequence(p + i, len - i)))
            return false;
    return true;
}

bool text_fits(const char *s, int64_t lo, int64_t hi)
{
    int64_t characters = 0;
    if (!text_is_utf8(s))
        return false;
    for (const char *p = s; *p; p++)
        characters += ((unsigned char)*p & 0xc0) != 0x80;
    return characters >= lo && characters <= hi;
}

bool text_is_blank(const char *s)
{
    static const char *const spaces[] = {"\xc2\xa0", "\xc2\x85", "\xe2\x80\x83", "\xe3\x80\x80"};
    while (*s) {
        size_t step = strchr(" \t\n\v\f\r", *s) ? 1 : 0;
        for (size_t i = 0; !step && i < sizeof spaces / sizeof spaces[0]; i++)
            if (strncmp(s, spaces[i], strlen(spaces[i])) == 0)
                step = strlen(spaces[i]);
        if (!step)
            return false;
        s += step;
    }
    return true;
}

bool text_is_uuid(const char *s)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return !s[36];
}

bool text_is_email(const char *s)
{
    static const char local[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~";
    static const char domain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t name = strspn(s, local);
    if (strlen(s) > 254 || name < 1 || name > 64 || s[name] != '@' || s[0] == '.' ||
        s[name - 1] == '.' || strstr(s, ".."))
        return false;
    const char *host = s + name + 1;
    size_t len = strspn(host, domain);
    if (!len || host[len] || strchr(".-", host[0]) || strchr(".-", host[len - 1]))
        return false;
    return !strstr(host, ".-") && !strstr(host, "-.");
}
