#include "retell/prng.h"

static const uint64_t golden_gamma = UINT64_C(0x9e3779b97f4a7c15);

uint64_t prng_next(struct prng *prng)
{
    uint64_t z = prng->state += golden_gamma;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The remainder favours small values by less than range / 2^64: nothing, for sample data. */
int64_t prng_between(struct prng *prng, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(prng_next(prng) % (uint64_t)(hi - lo + 1));
}

bool prng_chance(struct prng *prng, unsigned percent)
{
    return prng_next(prng) % 100 < percent;
}

uint64_t prng_mix(uint64_t seed, uint64_t more)
{
    struct prng prng = {.state = seed};
    prng.state = prng_next(&prng) ^ more;
    return prng_next(&prng);
}
