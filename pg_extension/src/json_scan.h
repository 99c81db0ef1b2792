/*
 * Strict JSON (RFC 8259) without recursion and without memory: one pass says whether a text is
 * JSON, and the same text is then read where it lies. Pure C: the extension and the server both
 * build it.
 *
 * Everything but json_scan() and json_scrub() expects text that json_scan() has accepted. A "value"
 * is the exact text of one JSON value, without the white space around it.
 *
 * Text that is JSON by its grammar but cannot be stored as text (invalid UTF-8, the escape for NUL,
 * half of a surrogate pair) is accepted and marked dirty; json_scrub() makes it storable.
 */
#ifndef FRONTDESK_JSON_SCAN_H
#define FRONTDESK_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Arrays and objects inside one another; a deeper text is refused. */
#define JSON_MAX_DEPTH 64

/* Bytes that json_scrub() and json_string_decode() may write for `len` bytes read. */
#define JSON_TEXT_MAX(len) ((len)*3)

struct json_scan {
    const char *error;   /* why it is not JSON, a static text; NULL when it is */
    size_t error_offset; /* the byte where that was seen */
    bool dirty;          /* some string cannot be stored as it stands: see json_scrub() */
    bool far_number;     /* some number is beyond ±1e308 or below 1e-308 */
    size_t far_offset;   /* where the first such number starts */
};

/* A piece of somebody else's text, not NUL-terminated. */
struct json_text {
    const char *s;
    size_t len;
};

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Where an iteration over an object's members stands. */
struct json_members {
    const char *at, *end;
};

/*
 * Is `s` one JSON value, of any kind, with nothing but white space around it? Fills `out` always.
 */
bool json_scan(const char *s, size_t len, struct json_scan *out)
    __attribute__((warn_unused_result));

/* The deepest members that json_scan_members() tells of. */
#define JSON_MEMBERS_DEPTH 2

/*
 * Told of a member: 1, a member of the outermost object; 2, of an object that is such a member's
 * value, and told before it. The key is with its quotes.
 */
typedef void json_member_fn(void *context, int depth, struct json_text key, struct json_text value);

/*
 * As json_scan(), and tells `told` of the members of the outermost object and of the objects in it,
 * in the same pass, each when its end is reached. What was told counts only when the text turns out
 * to be JSON: what follows a member may still be wrong.
 */
bool json_scan_members(const char *s, size_t len, struct json_scan *out, json_member_fn *told,
                       void *context) __attribute__((warn_unused_result));

/*
 * Copies the text with everything that made it dirty replaced by U+FFFD (an escape stays an
 * escape). `out` holds JSON_TEXT_MAX(len) bytes; returns how many were written. No NUL is added.
 */
size_t json_scrub(const char *s, size_t len, char *out);

/* The kind of a value; white space before it is skipped. */
enum json_kind json_kind(const char *s, size_t len);

/* Starts an iteration over the members of an object; a value of another kind has none. */
void json_members_begin(struct json_members *members, const char *s, size_t len);

/* The next member: its key, quotes included, and its value. False after the last. */
bool json_members_next(struct json_members *members, struct json_text *key,
                       struct json_text *value);

/* Starts an iteration over the elements of an array; a value of another kind has none. */
void json_elements_begin(struct json_members *elements, const char *s, size_t len);

bool json_elements_next(struct json_members *elements, struct json_text *value);

/*
 * The value of the object's member named `key` (plain text, NUL-terminated). When the object has
 * several of that name the last wins. False, and the outputs untouched, when it has none or `s` is
 * not an object.
 */
bool json_member(const char *s, size_t len, const char *key, const char **value, size_t *value_len);

/*
 * The text that a string value stands for, as valid UTF-8 without NUL bytes (U+FFFD in their
 * place). `out` holds JSON_TEXT_MAX(len) bytes, or only len when the text was not dirty; returns
 * how many were written. No NUL is added. A value that is not a string gives nothing.
 */
size_t json_string_decode(const char *s, size_t len, char *out);

/* Is this string value, decoded, exactly `text`? */
bool json_string_equals(const char *s, size_t len, const char *text);

#endif
