/*
 * Random numbers that can be had again: the same seed gives the same sequence, on every machine.
 * The generator is splitmix64, by Sebastiano Vigna after Steele, Lea and Flood, in the public domain
 * (https://prng.di.unimi.it/splitmix64.c). For sample data; never for secrets.
 */
#ifndef FRONTDESK_RETELL_PRNG_H
#define FRONTDESK_RETELL_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state; /* any value is a good seed */
};

/* The next 64 bits. */
uint64_t prng_next(struct prng *prng);

/* A number from lo to hi, both included; lo <= hi. */
int64_t prng_between(struct prng *prng, int64_t lo, int64_t hi);

/* True in `percent` of 100 cases. */
bool prng_chance(struct prng *prng, unsigned percent);

/* A seed that depends on all of `seed` and `more`: gives every part of a whole its own sequence. */
uint64_t prng_mix(uint64_t seed, uint64_t more);

#endif
