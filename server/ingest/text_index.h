/* The text index: makes calls searchable a second or so after they have changed. */
#ifndef FRONTDESK_INGEST_TEXT_INDEX_H
#define FRONTDESK_INGEST_TEXT_INDEX_H

#include "ingest/jobs.h"

/* One batch of changed calls; of several servers, one indexes at a time. */
enum job_result text_index_update(struct job *job);

#endif
