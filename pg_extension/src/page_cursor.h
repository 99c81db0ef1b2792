/* Cursors in terms of pages: what binds one to a question, and the errors of one that does not fit. */
#ifndef FRONTDESK_PAGE_CURSOR_H
#define FRONTDESK_PAGE_CURSOR_H

#include "lib/stringinfo.h"

#include "cursor.h"
#include "page_plan.h"

/*
 * What a page was asked for, as bytes: sort, order, filters, and whose calls (the datum of an agent
 * or of a list, null for all). Two questions with equal bytes may share cursors.
 */
extern void page_question(StringInfo out, const struct page_cut *cut, NullableDatum whose);

/* Appends the cursor of a place on a page that answers `question`, as a JSON string. */
extern void page_cursor_append(StringInfo out, StringInfo question, const struct page_place *place);

/*
 * The place in a cursor, a text; raises 22023, with "cursor" as the error's column, for anything
 * that page_cursor_append() has not made for this question.
 */
extern void page_cursor_read(Datum value, StringInfo question, struct page_place *place);

#endif
