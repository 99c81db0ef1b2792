/* Only what POSIX allows in a signal handler is called from it, and glibc's backtrace functions,
 * which are safe once libgcc has been loaded: crash_install sees to that. */
#include "base/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 64, WORDS_STACK = 32 * 1024 };

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

static int exceptions_fd = -1; /* a handler has no other way to know; set before any thread */

static void say(int fd, const char *text, size_t len)
{
    ssize_t ignored = write(fd, text, len);
    (void)ignored;
}

/* `value` in decimal at the end of `out`; returns where it starts. */
static const char *decimal(unsigned long long value, char *out, size_t size)
{
    char *at = out + size - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value && at > out);
    return at;
}

static void last_words(int fd, int signal_number, void *const *frames, int count)
{
    static const char start[] = "{\"level\":\"fatal\",\"msg\":\"killed by a signal\",\"signal\":";
    static const char time_key[] = ",\"time_s\":", pid_key[] = ",\"pid\":", end[] = "}\n";
    char digits[24];
    struct timespec now = {0};
    const char *text;

    clock_gettime(CLOCK_REALTIME, &now);
    say(fd, start, sizeof start - 1);
    text = decimal((unsigned long long)signal_number, digits, sizeof digits);
    say(fd, text, strlen(text));
    say(fd, time_key, sizeof time_key - 1);
    text = decimal((unsigned long long)now.tv_sec, digits, sizeof digits);
    say(fd, text, strlen(text));
    say(fd, pid_key, sizeof pid_key - 1);
    text = decimal((unsigned long long)getpid(), digits, sizeof digits);
    say(fd, text, strlen(text));
    say(fd, end, sizeof end - 1);
    backtrace_symbols_fd(frames, count, fd);
}

/* SA_RESETHAND has put the default action back: the signal kills when this returns. */
static void handle(int signal_number)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    if (exceptions_fd >= 0)
        last_words(exceptions_fd, signal_number, frames, count);
    last_words(STDERR_FILENO, signal_number, frames, count);
    (void)raise(signal_number);
}

void crash_prepare_thread(void)
{
    stack_t stack = {.ss_size = WORDS_STACK};
    stack.ss_sp = mmap(NULL, WORDS_STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack.ss_sp != MAP_FAILED)
        (void)sigaltstack(&stack, NULL);
}

void crash_install(int fd)
{
    void *frame[1];
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESETHAND | SA_ONSTACK};
    (void)backtrace(frame, 1); /* loads libgcc, which allocates */
    exceptions_fd = fd;
    sigemptyset(&action.sa_mask);
    crash_prepare_thread();
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)sigaction(fatal[i], &action, NULL);
}
