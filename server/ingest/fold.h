/* Folding: keeps call_rollup_delta short, by moving what changed into the rollups once a second. */
#ifndef FRONTDESK_INGEST_FOLD_H
#define FRONTDESK_INGEST_FOLD_H

#include "ingest/jobs.h"

/* One round of folding; of several servers, one folds at a time. */
enum job_result fold_rollups(struct job *job);

#endif
