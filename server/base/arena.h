/*
 * Memory of one request: allocate freely, free once. A chain of blocks that grow as needed up to a
 * cap, so that no request can take the process down. Not thread-safe: one arena, one thread.
 */
#ifndef FRONTDESK_BASE_ARENA_H
#define FRONTDESK_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* A new arena that hands out at most `cap` bytes in all; NULL when memory is short. */
struct arena *arena_new(size_t cap);

/* Frees the arena and all that it handed out. NULL is fine. */
void arena_free(struct arena *arena);

/* `size` bytes, zeroed, aligned for any type; NULL over the cap or when memory is short. */
void *arena_alloc(struct arena *arena, size_t size);

/* A NUL-terminated copy of `len` bytes of `s`; NULL as arena_alloc. */
char *arena_strndup(struct arena *arena, const char *s, size_t len);

/* printf into the arena; NULL as arena_alloc. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
