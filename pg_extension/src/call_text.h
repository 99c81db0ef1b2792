/*
 * The text index: which words a call's transcript and summary have, and which characters follow one
 * another in its identifiers. It is a table of its own, frontdesk.call_text, filled after the fact.
 * The functions of SQL are in call_text.c; here is what filters ask.
 */
#ifndef FRONTDESK_CALL_TEXT_H
#define FRONTDESK_CALL_TEXT_H

#include "fmgr.h"

/* What to look for in call_text.words, a tsquery, for a text as web searches are written. */
extern Datum call_text_words_query(Datum words);

/* What to look for in call_text.parts, a tsquery, for a part of an identifier, in any case. */
extern Datum call_text_parts_query(Datum part);

/* The caller's number of the table alias `c`: the expression of calls_caller_idx. Needs kept_plan.h. */
#define SQL_CALLER                                                                                 \
    "(CASE WHEN c.direction" SQL_EQ "'inbound' THEN c.from_number"                                 \
    " WHEN c.direction" SQL_EQ "'outbound' THEN c.to_number END COLLATE \"C\")"

#endif
