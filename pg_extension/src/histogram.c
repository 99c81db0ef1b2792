/* See histogram.h; k = 6 throughout. */
#include "histogram.h"

enum { BITS = 6, EXACT = 1 << (BITS + 1) };

uint32_t histogram_cell(int64_t value)
{
    if (value < EXACT)
        return value < 0 ? 0 : (uint32_t)value;
    uint32_t e = 63 - (uint32_t)__builtin_clzll((uint64_t)value) - BITS;
    return (e << BITS) + (uint32_t)((uint64_t)value >> e);
}

int64_t histogram_low(uint32_t cell)
{
    if (cell >= HISTOGRAM_CELLS)
        cell = HISTOGRAM_CELLS - 1;
    if (cell < EXACT)
        return cell;
    uint32_t e = (cell >> BITS) - 1;
    return (int64_t)((uint64_t)(cell - (e << BITS)) << e);
}

int64_t histogram_high(uint32_t cell)
{
    return cell >= HISTOGRAM_CELLS - 1 ? INT64_MAX : histogram_low(cell + 1) - 1;
}

int64_t histogram_middle(uint32_t cell)
{
    int64_t low = histogram_low(cell);
    return low + (histogram_high(cell) - low) / 2;
}
