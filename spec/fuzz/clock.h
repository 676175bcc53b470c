/*
 * clock.h: virtual time for programs that run under a fuzzer.
 *
 * The fuzzer is linked with --wrap for clock_gettime and epoll_wait: whoever reads the monotonic
 * or the real clock reads one of ours, which goes on a little at each reading, and by what the
 * loop would wait when it has nothing to do. So no time passes, and it always passes in the
 * same way.
 */
#ifndef SPEC_FUZZ_CLOCK_H
#define SPEC_FUZZ_CLOCK_H

/* Begin anew; time is the machine's own until the first call. */
void fuzz_clock_start(void);

/* The time that has passed since then, in seconds. */
double fuzz_clock_seconds(void);

#endif
