/*
 * Internet addresses and networks as values: parsing, containment, and the part of an address that
 * stands for one client. An IPv4 address and its IPv6 form ::ffff:a.b.c.d are the same address.
 */
#ifndef FRONTDESK_BASE_ADDRESS_H
#define FRONTDESK_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* In network order; IPv4 as ::ffff:a.b.c.d. All zero: not known. */
struct address {
    unsigned char bytes[16];
};

/* The addresses that share the first `bits` bits of `base`. */
struct network {
    struct address base;
    unsigned bits;
};

enum { ADDRESS_TEXT_SIZE = 46 };

/*
 * Parses `len` bytes of `text`: an address of either family, also as proxies write it into
 * X-Forwarded-For, with a port ("1.2.3.4:80", "[::1]:80") or in brackets. A zone ("%eth0") and
 * anything else is refused.
 */
bool address_parse(const char *text, size_t len, struct address *out);

/* Parses "10.0.0.0/8", "fd00::/8" or a lone address; bits beyond the prefix must be zero. */
bool network_parse(const char *text, struct network *out);

bool network_contains(const struct network *network, const struct address *address);

/* The address as text, IPv4 in its own form. */
void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

/*
 * The address with what one client may choose freely blotted out: all of an IPv4 address counts, of
 * an IPv6 one the first 56 bits, which is the smallest network that providers hand out.
 */
struct address address_client(const struct address *address);

#endif
