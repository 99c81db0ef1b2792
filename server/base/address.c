#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4_BITS = 96, CLIENT_BITS = 56 }; /* where IPv4 begins; what stands for an IPv6 client */

static const unsigned char ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const struct address *address)
{
    return memcmp(address->bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

/* Zeroes all but the first `bits` bits. */
static struct address masked(const struct address *address, unsigned bits)
{
    struct address out = *address;
    for (unsigned i = 0; i < sizeof out.bytes; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        if (kept < 8)
            out.bytes[i] &= (unsigned char)(0xff00 >> kept);
    }
    return out;
}

static bool same(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool parse_text(const char *text, struct address *out)
{
    struct address address = {{0}};
    memcpy(address.bytes, ipv4_prefix, sizeof ipv4_prefix);
    if (inet_pton(AF_INET, text, address.bytes + sizeof ipv4_prefix) != 1 &&
        inet_pton(AF_INET6, text, address.bytes) != 1)
        return false;
    *out = address;
    return true;
}

/* ":80", or nothing. */
static bool is_port(const char *text)
{
    size_t len = *text == ':' ? strlen(text + 1) : 0;
    return !*text || (len >= 1 && len <= 5 && strspn(text + 1, "0123456789") == len);
}

bool address_parse(const char *text, size_t len, struct address *out)
{
    char copy[ADDRESS_TEXT_SIZE + sizeof "[]:65535"];
    if (!len || len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';

    if (copy[0] == '[') {
        char *bracket = strchr(copy, ']');
        if (!bracket || !is_port(bracket + 1))
            return false;
        *bracket = '\0';
        return strchr(copy, ':') && parse_text(copy + 1, out);
    }
    char *colon = strchr(copy, ':');
    if (colon && !strchr(colon + 1, ':')) { /* one alone: IPv4 with a port */
        if (!is_port(colon))
            return false;
        *colon = '\0';
    }
    return parse_text(copy, out);
}

bool network_parse(const char *text, struct network *out)
{
    struct network network = {.bits = 128};
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char copy[ADDRESS_TEXT_SIZE];
    if (!len || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!parse_text(copy, &network.base))
        return false;
    if (slash) {
        unsigned skipped = strchr(copy, ':') ? 0 : IPV4_BITS;
        size_t digits = strlen(slash + 1);
        if (!digits || digits > 3 || strspn(slash + 1, "0123456789") != digits)
            return false;
        network.bits = (unsigned)strtoul(slash + 1, NULL, 10) + skipped;
    }
    struct address base = masked(&network.base, network.bits);
    if (network.bits > 128 || !same(&base, &network.base))
        return false;
    *out = network;
    return true;
}

bool network_contains(const struct network *network, const struct address *address)
{
    struct address base = masked(address, network->bits);
    return same(&base, &network->base);
}

/* By hand, because every request has one: libc's inet_ntop goes through printf. */
static void format_ipv4(const unsigned char bytes[4], char *out)
{
    for (int i = 0; i < 4; i++) {
        unsigned n = bytes[i];
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
    if (is_ipv4(address))
        format_ipv4(address->bytes + sizeof ipv4_prefix, out);
    else if (!inet_ntop(AF_INET6, address->bytes, out, ADDRESS_TEXT_SIZE))
        out[0] = '\0';
}

struct address address_client(const struct address *address)
{
    return is_ipv4(address) ? *address : masked(address, CLIENT_BITS);
}
