/*
 * The least and the greatest duration or cost of an agent's calls in a range of time, exactly. The
 * statistics know its histogram cell, the sort's index knows the value.
 */
#ifndef FRONTDESK_EXTREMES_H
#define FRONTDESK_EXTREMES_H

#include "stats_acc.h"

/*
 * The least value, or the greatest, of the calls that started from `since` up to `until`, ms since
 * epoch; `acc` holds the statistics of exactly these calls. False when none has a value. SPI must be
 * connected.
 */
extern bool extremes_find(Datum agent_id, int64 since, int64 until, const struct stats_acc *acc,
                          enum stats_measure_id measure, bool greatest, int64 *value);

#endif
