/*
 * What changes of calls do to their rollups: collected by agent and hour, then written as rows of
 * call_rollup_delta. The triggers on calls do so for each statement.
 *
 * A writer of many calls, one statement each, may collect all of them first:
 *
 *     rollup_batch_begin();
 *     … statements on calls …
 *     rollup_batch_end();
 *
 * Until the end, the rollups that this session sees lag behind the calls that it sees; nobody else
 * sees either before it commits. SPI must be connected at the end. An error in between forgets the
 * batch with the statements that it is about: so no exception may be caught in between.
 */
#ifndef FRONTDESK_ROLLUP_DELTA_H
#define FRONTDESK_ROLLUP_DELTA_H

extern void rollup_batch_begin(void);
extern void rollup_batch_end(void);

#endif
