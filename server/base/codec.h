/*
 * Bytes as text: hexadecimal, and base64url (RFC 4648, section 5) without padding, strict: every
 * text stands for its own bytes.
 */
#ifndef FRONTDESK_BASE_CODEC_H
#define FRONTDESK_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

/* What a hexadecimal digit of either case stands for; -1: it is none. */
int codec_hex_digit(char c);

/* Writes two lower-case digits a byte and a NUL. */
void codec_hex(const unsigned char *bytes, size_t len, char *out);

/* Writes the `len` bytes that 2 * `len` digits stand for; false when some of them are none. */
bool codec_hex_decode(const char *text, size_t len, unsigned char *out);

/* Characters that `len` bytes take, without a NUL; bytes that `len` characters take at most. */
#define CODEC_BASE64URL_LEN(len) (((len)*4 + 2) / 3)
#define CODEC_BYTES_LEN(len) ((len)*3 / 4)

/* Writes CODEC_BASE64URL_LEN(len) characters and a NUL. */
void codec_base64url(const unsigned char *bytes, size_t len, char *out);

/*
 * Writes the bytes that `len` characters stand for, at most CODEC_BYTES_LEN(len), and how many.
 * false, when the text is not what codec_base64url would have written for any bytes.
 */
bool codec_base64url_decode(const char *text, size_t len, unsigned char *out, size_t *out_len);

#endif
