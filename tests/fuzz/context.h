/*
 * Memory that is given back all at once, as in one of PostgreSQL's memory contexts, and with it what
 * stats_acc.h asks of whoever links it.
 */
#ifndef FRONTDESK_TESTS_FUZZ_CONTEXT_H
#define FRONTDESK_TESTS_FUZZ_CONTEXT_H

#include "stats_acc.h"

#include "fuzz.h"

static void **context_blocks;
static size_t context_used, context_room;

static inline void *context_allocate(size_t size)
{
    if (context_used == context_room) {
        context_room = context_room ? 2 * context_room : 1024;
        context_blocks = realloc(context_blocks, context_room * sizeof *context_blocks);
        MUST(context_blocks);
    }
    void *memory = malloc(size ? size : 1);
    MUST(memory);
    return context_blocks[context_used++] = memory;
}

/* The newest blocks are the ones that grow. */
static inline void *context_enlarge(void *memory, size_t size)
{
    for (size_t i = context_used; memory && i-- > 0;) {
        if (context_blocks[i] == memory) {
            context_blocks[i] = realloc(memory, size ? size : 1);
            MUST(context_blocks[i]);
            return context_blocks[i];
        }
    }
    MUST(!memory);
    return context_allocate(size);
}

static inline void context_reset(void)
{
    while (context_used)
        free(context_blocks[--context_used]);
}

void *stats_allocate(size_t size)
{
    return context_allocate(size);
}

void *stats_enlarge(void *memory, size_t size)
{
    return context_enlarge(memory, size);
}

void stats_release(void *memory)
{
    (void)memory;
}

#endif
