#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 960, GROWTH = 4 };

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

/* With its first block, about a kilobyte: most requests need no more, and malloc has that at hand. */
struct arena {
    struct block *blocks; /* newest first; the last one is `first` */
    size_t taken, cap;    /* bytes of all blocks, and the most they may be */
    struct block first;
};

struct arena *arena_new(size_t cap)
{
    size_t size = cap < FIRST_BLOCK ? cap : FIRST_BLOCK;
    struct arena *arena = malloc(sizeof *arena + size);
    if (!arena)
        return NULL;
    arena->blocks = &arena->first;
    arena->taken = size;
    arena->cap = cap;
    arena->first.next = NULL;
    arena->first.used = 0;
    arena->first.size = size;
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *b = arena->blocks, *next; b != &arena->first; b = next) {
        next = b->next;
        free(b);
    }
    free(arena);
}

static struct block *add_block(struct arena *arena, size_t need)
{
    size_t size = arena->blocks->size * GROWTH;
    if (size < need)
        size = need;
    if (size > arena->cap - arena->taken)
        size = need;
    if (size > arena->cap - arena->taken)
        return NULL;
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->used = 0;
    b->size = size;
    b->next = arena->blocks;
    arena->blocks = b;
    arena->taken += size;
    return b;
}

/* As arena_alloc, but not zeroed. */
static void *take(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - align)
        return NULL;
    size = (size + align - 1) & ~(align - 1);

    struct block *b = arena->blocks;
    if (b->size - b->used < size)
        b = add_block(arena, size);
    if (!b)
        return NULL;
    void *p = b->bytes + b->used;
    b->used += size;
    return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *p = take(arena, size);
    return p ? memset(p, 0, size) : NULL;
}

char *arena_strndup(struct arena *arena, const char *s, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = take(arena, len + 1);
    if (copy && len)
        memcpy(copy, s, len);
    if (copy)
        copy[len] = '\0';
    return copy;
}

/* Nearly always the newest block has room, and the text is made once, where it stays. */
char *arena_printf(struct arena *arena, const char *format, ...)
{
    struct block *b = arena->blocks;
    char *at = (char *)b->bytes + b->used;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(at, b->size - b->used, format, args);
    va_end(args);
    if (len < 0)
        return NULL;

    char *text = take(arena, (size_t)len + 1);
    if (!text || text == at)
        return text;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}
