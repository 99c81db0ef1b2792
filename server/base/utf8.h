/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef FRONTDESK_BASE_UTF8_H
#define FRONTDESK_BASE_UTF8_H

#include <stddef.h>

/* Length (1 to 4) of the well-formed sequence at `s` of which `len` ≥ 1 bytes remain; 0 if none. */
size_t utf8_sequence(const unsigned char *s, size_t len);

#endif
