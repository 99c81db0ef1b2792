/* Ctrl-C in a long command: it comes to an end in good order, and a second one ends it at once. */
#ifndef FRONTDESK_BASE_INTERRUPT_H
#define FRONTDESK_BASE_INTERRUPT_H

#include <stdatomic.h>

/* From now on SIGINT and SIGTERM turn the flag that is returned true, each once. */
const atomic_bool *interrupt_watch(void);

#endif
