/*
 * Expiry: events older than JOURNAL_RETENTION_DAYS leave the journal, but for the dead ones, which
 * stay until somebody replays or deletes them. What they said of their calls stays with the calls.
 */
#ifndef FRONTDESK_INGEST_EXPIRY_H
#define FRONTDESK_INGEST_EXPIRY_H

#include "ingest/jobs.h"

/* Deletes a few old rows, oldest first, in a transaction that is over in milliseconds. */
enum job_result expire_journal(struct job *job);

#endif
