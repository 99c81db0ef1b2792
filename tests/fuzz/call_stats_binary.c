/* call_stats in its binary form: what is accepted encodes to the same bytes. */
#include "stats_codec.h"

#include "context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stats_acc acc;
    stats_acc_init(&acc);
    enum stats_result result = stats_check(data, size, &acc);
    if (result == STATS_OK) {
        uint8_t *out = context_allocate(stats_encoded_max(&acc));
        MUST(stats_encode(&acc, out) == size);
        MUST(memcmp(out, data, size) == 0);
        (void)stats_acc_total(&acc);
        MUST(stats_decode(data, size, -1, &acc) == STATS_OK && stats_acc_is_empty(&acc));
    }
    context_reset();
    return 0;
}
