// Preloaded into a service: its wall clock is off by as many nanoseconds as the file JUMPING_CLOCK holds at that
// moment.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset;

__attribute__((constructor)) static void look_at_the_offset(void) {
    const int file = open(getenv("JUMPING_CLOCK"), O_RDONLY | O_CLOEXEC);
    void* const seen = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (seen == MAP_FAILED) abort();
    offset = (const volatile int64_t*)seen;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
    const long status = syscall(SYS_clock_gettime, clock, now);
    if (status != 0 || clock != CLOCK_REALTIME || offset == NULL) return (int)status;
    const int64_t second = 1000000000;
    const int64_t moved = now->tv_sec * second + now->tv_nsec + *offset;
    now->tv_sec = moved / second;
    now->tv_nsec = moved % second;
    return 0;
}
