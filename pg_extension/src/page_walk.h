/*
 * How many calls there are, and where in a sort a given one of them lies, by what the rollups count
 * instead of by the calls themselves.
 */
#ifndef FRONTDESK_PAGE_WALK_H
#define FRONTDESK_PAGE_WALK_H

#include "page_agents.h"
#include "page_plan.h"

/* How many calls the cut's agents have that its filters let through. SPI must be connected. */
extern int64 page_total(const struct page_cut *cut);

/*
 * The same, and which of the agents have any: `some` has a place for each, in the cut's order. False
 * when the cut has no filters, or others than by status, success, sentiment or reason: those that
 * statistics tell apart.
 */
extern bool page_count(const struct page_cut *cut, bool *some, int64 *total);

/*
 * Narrows the cut to where its rows lie: sets its bounds and positions and lessens what is to be
 * skipped. May turn it round, so that its rows come the other way. Leaves it as it is when the rollups cannot tell or need not be
 * asked. SPI must be connected.
 *
 * What it says is as good as the rollups are: the caller must see whether as many rows come as there
 * should be, and the first from where it should be.
 */
extern void page_walk(struct page_cut *cut);

#endif
