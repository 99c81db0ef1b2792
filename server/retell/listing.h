/*
 * What list-calls and list-agents are asked, and how their answers are taken apart. Items stay bytes
 * of the answer: what a call is, is for the database to say.
 */
#ifndef FRONTDESK_RETELL_LISTING_H
#define FRONTDESK_RETELL_LISTING_H

#include "base/buf.h"
#include "json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Filters of list-calls; all that are set must hold. Times are ms since epoch, -1: not asked for. */
struct listing_query {
    int64_t started_from, started_before;
    int64_t ended_from;
    const char *agent_id;        /* NULL or empty: all */
    bool unconnected;            /* only calls that ended without having connected */
    const char *const *call_ids; /* only these, when `call_id_count` is not 0 */
    size_t call_id_count;
    bool ascending; /* by start */
    unsigned limit; /* 1 to 1000 */
    bool total;     /* how many there are on all pages */
};

/* All times unset, ascending, pages of `limit`. */
struct listing_query listing_query(unsigned limit);

/* The body of a request; `key` is the last page's pagination key, empty for the first. */
void listing_write(const struct listing_query *query, const char *key, struct buf *out);

/* One page, pointing into the answer. */
struct listing_page {
    struct json_members items; /* for json_elements_next() */
    size_t count;
    bool has_more;
    struct json_text key; /* the pagination key, a JSON string; len 0: none */
    int64_t total;        /* -1: not said */
};

/*
 * Takes apart an answer that is a JSON object. NULL, or how it is not what Retell documents: then
 * nobody can tell what is missing, and the list must not be taken for read.
 */
const char *listing_read(const char *answer, size_t len, struct listing_page *page);

/* Where one is in a list. All zero: before its first page. */
struct listing_place {
    struct buf key;  /* of the page to come, as text; empty for the first, and after the last */
    struct buf mark; /* the key at a page before, to see that the list goes in a circle */
    unsigned pages, next_mark; /* turned so far; when the mark moves up */
};

/*
 * Goes on to the page after this one. NULL, or why the list cannot be gone on with: what comes next
 * is not told, or is where it was before, be it many pages ago: every list ends. Memory that is
 * short is `failed` of the place's key.
 */
const char *listing_next(const struct listing_page *page, struct listing_place *place);

/* Frees what the place holds; it is before the first page again. */
void listing_place_free(struct listing_place *place);

/* A time of an item, ms since epoch; -1 when it has none. */
int64_t listing_time(struct json_text item, const char *name);

/* The path of GET get-call for that call. */
void listing_call_path(const char *call_id, struct buf *out);

/* The path of POST list-agents after the page with that key; the empty key: the first. */
void listing_agents_path(const char *key, struct buf *out);

#endif
