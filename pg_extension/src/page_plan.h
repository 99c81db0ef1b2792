/*
 * The plans that pages are cut with. There is one text for each form, sort, direction and set of
 * filters; a text is planned when it is first needed and kept for the session, a bounded number of
 * them.
 */
#ifndef FRONTDESK_PAGE_PLAN_H
#define FRONTDESK_PAGE_PLAN_H

#include "executor/spi.h"

#include "call_filter.h"
#include "kept_plan.h"

enum page_sort { SORT_DATE, SORT_DURATION, SORT_COST, SORT_COUNT };

/* What a plan returns, and of whom. */
enum page_form {
    PAGE_ROWS,   /* rows of one agent, or of everyone by date, read along the index */
    PAGE_PICKED, /* the same, read once the index has said which */
    PAGE_MERGED, /* several agents' rows, each agent's first `each` along its own stretch of index */
    PAGE_SORTED, /* several agents' rows, all that there are between the bounds, sorted */
    PAGE_HEADS,  /* several agents' first `each` positions: struct page_place's columns */
    PAGE_TALLY   /* how many calls there are, of one agent or of several: one bigint */
};

/* A position in a sort. Keys are ms by date and duration, 1/10000 cent by cost; -1: not known. */
struct page_place {
    int64 key;
    int64 started_at;
    Datum call_id; /* text */
};

/* A stretch of a sort: low <= key < high; the widest int64s are no bound. */
struct page_bounds {
    int64 low, high;
};

extern const struct page_bounds page_unbounded;

/* How many calls of all agents of a cut there are in each month that has any, in ascending order. */
struct page_months {
    int count, room;
    int64 *starts, *calls;
};

struct page_cut {
    enum page_form form;
    enum page_sort sort;
    bool descending;
    int columns;    /* of each call: see call_json.h */
    bool one_agent; /* whose is a text; else a text[] without repetitions */
    bool everyone;  /* whose is all agents there are: nothing need be said of them */
    Datum whose;
    const struct call_filters *filters;
    const struct page_place *after; /* only what comes after this one, or NULL */
    const struct page_place *up_to; /* only what comes no later than this one, or NULL */
    struct page_bounds bounds;
    struct page_months *months; /* page_walk()'s own; NULL */
    struct page_bounds first;   /* where the first row must be, if the rollups are right */
    int64 each;                 /* see PAGE_MERGED and PAGE_HEADS */
    int64 rows;
    int64 skip;
};

/*
 * Runs the plan of a cut: its rows are in SPI_tuptable, their columns those of call_select_list(),
 * then started_at; of PAGE_HEADS: sort key, started_at, call_id, agent_id. SPI must be connected.
 */
extern void page_plan_run(const struct page_cut *cut);

/* Hands the rows over one by one instead, without keeping them. */
extern void page_plan_stream(const struct page_cut *cut, plan_row *receive, void *argument);

/* How many calls are in a cut, whatever its form, rows and skip: counted one by one. */
extern int64 page_tally(const struct page_cut *cut);

/* A sort's key as the int64 of struct page_place: from the datum of its column or of a plan. */
extern int64 page_key_of_datum(enum page_sort sort, Datum value, bool null);

#endif
