/*
 * What the fuzz targets share. Each is one file with libFuzzer's entry point and a small corpus in
 * corpus/NAME/; a broken promise aborts. Inputs once found to break something stay in the corpus.
 */
#ifndef FRONTDESK_TESTS_FUZZ_H
#define FRONTDESK_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run, and says which promise was broken. */
#define MUST(promise)                                                                              \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            (void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A copy with a NUL behind it, to be freed; NULs inside become spaces. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    MUST(text);
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] ? (char)data[i] : ' ';
    text[size] = '\0';
    return text;
}

#endif
