/* Cursors: what is accepted encodes to the same text. */
#include "cursor.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t raw[CURSOR_RAW_MAX];
    char text[CURSOR_TEXT_MAX];
    struct cursor cursor;
    if (!cursor_decode((const char *)data, size, raw, &cursor))
        return 0;
    MUST(cursor.id_len >= 1 && cursor.id_len <= CURSOR_ID_MAX);
    MUST(cursor_encode(&cursor, text) == size);
    MUST(memcmp(text, data, size) == 0);
    return 0;
}
