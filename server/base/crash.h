/*
 * The last words of a process that dies by a fatal signal: which signal, when, and the backtrace of
 * the thread, to exceptions.log and standard error. Then it dies of that signal all the same, so
 * that the supervisor restarts it and a core is written where cores are wanted.
 * Frames of static functions are shown as binary(+0xoffset): addr2line -e build/frontdesk 0xoffset.
 */
#ifndef FRONTDESK_BASE_CRASH_H
#define FRONTDESK_BASE_CRASH_H

/* Installs the handlers, once. `fd` is where to write besides standard error, or -1. */
void crash_install(int fd);

/*
 * Gives the calling thread a stack to say its last words on, so that even one that overflowed its
 * own can. Taken by the first thread to crash only; freed with the process.
 */
void crash_prepare_thread(void);

#endif
