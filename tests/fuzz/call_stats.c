/* call_stats in its binary form: what is accepted encodes to the same bytes. */
#include "stats_codec.h"

#include "fuzz.h"

/* Memory is given back all at once, as in a memory context. */
enum { BLOCKS = 4096 };
static void *blocks[BLOCKS];
static size_t used;

void *stats_allocate(size_t size)
{
    MUST(used < BLOCKS);
    blocks[used] = malloc(size ? size : 1);
    MUST(blocks[used]);
    return blocks[used++];
}

void *stats_enlarge(void *memory, size_t size)
{
    for (size_t i = 0; i < used; i++) {
        if (blocks[i] == memory) {
            blocks[i] = realloc(memory, size ? size : 1);
            MUST(blocks[i]);
            return blocks[i];
        }
    }
    return stats_allocate(size);
}

void stats_release(void *memory)
{
    (void)memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stats_acc acc;
    stats_acc_init(&acc);
    enum stats_result result = stats_check(data, size, &acc);
    if (result == STATS_OK) {
        uint8_t *out = malloc(stats_encoded_max(&acc) + 1);
        MUST(out);
        MUST(stats_encode(&acc, out) == size);
        MUST(memcmp(out, data, size) == 0);
        free(out);
        (void)stats_acc_total(&acc);
        MUST(stats_decode(data, size, -1, &acc) == STATS_OK && stats_acc_is_empty(&acc));
    }
    while (used)
        free(blocks[--used]);
    return 0;
}
