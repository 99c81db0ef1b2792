/*
 * Cells for counting non-negative 64-bit integers: exact below 128, from there on 64 cells for each
 * doubling, so that a cell is at most 1.57 % wide and its middle at most 0.79 % away from any value
 * in it. Integer arithmetic only: where a cell begins must be the same on every machine and for as
 * long as counts lie on disk, because ranges of b-trees are cut at the same places. Pure C.
 *
 *   v < 128:  cell v
 *   else:     e = floor(log2 v) - 6, cell (e << 6) + (v >> e)
 */
#ifndef FRONTDESK_HISTOGRAM_H
#define FRONTDESK_HISTOGRAM_H

#include <stdint.h>

/* Cells 0 to 3711 hold every value from 0 to INT64_MAX. */
#define HISTOGRAM_CELLS 3712

/* The cell of a value. A negative value is counted as 0: callers refuse those. */
uint32_t histogram_cell(int64_t value);

/* The least value of a cell. Cells above the last are taken for the last. */
int64_t histogram_low(uint32_t cell);

/* The greatest value of a cell. */
int64_t histogram_high(uint32_t cell);

/* The value that stands for all values of a cell: its middle, rounded down. */
int64_t histogram_middle(uint32_t cell);

#endif
