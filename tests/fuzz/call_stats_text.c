/*
 * call_stats in its text form: what is accepted prints as text that is accepted again and stands for
 * the same bytes, and those bytes pass as binary input too. PostgreSQL's StringInfo is the one that
 * its frontend library has; memory is ours.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "call_stats.h"
#include "stats_codec.h"

#include "context.h"

void *palloc(Size size)
{
    return context_allocate(size);
}

void *repalloc(void *memory, Size size)
{
    return context_enlarge(memory, size);
}

void pfree(void *memory)
{
    (void)memory;
}

/* What `in` takes for a value, as the bytes that it stores. */
static uint8_t *read_text(const char *text, size_t size, size_t *len)
{
    struct stats_acc acc;
    stats_acc_init(&acc);
    const char *why = call_stats_parse(text, size, &acc);
    if (why || stats_acc_check(&acc) != STATS_OK) {
        MUST(!why || *why);
        return NULL;
    }
    uint8_t *bytes = context_allocate(stats_encoded_max(&acc));
    *len = stats_encode(&acc, bytes);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t len, again_len;
    uint8_t *bytes = read_text(text, size, &len);
    if (bytes) {
        struct stats_acc acc;
        stats_acc_init(&acc);
        MUST(stats_check(bytes, len, &acc) == STATS_OK);
        StringInfoData out;
        initStringInfo(&out);
        call_stats_print(&out, &acc);
        uint8_t *again = read_text(out.data, (size_t)out.len, &again_len);
        MUST(again && again_len == len && memcmp(again, bytes, len) == 0);
    }
    free(text);
    context_reset();
    return 0;
}
