/* SPDX-License-Identifier: MIT */
/* Repeats one operation for some seconds and prints a line of JSON: bytes, seconds of CPU, seconds, implementation.
 *
 * Speeds are by the process's CPU time, user and system, as OpenSSL's and GnuTLS's own benches count by default: what
 * else runs on the machine takes no part of it.
 */
#ifndef TIMED_H
#define TIMED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS 1000000000LL
#define WARM_UP (NS / 20)        /* caches, page faults, the processor's clock */
#define BETWEEN_LOOKS (NS / 500)

typedef void operation(void *what);

struct took {
    int64_t wall, cpu;
};

static int64_t read_clock(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return t.tv_sec * NS + t.tv_nsec;
}

/* Repeats until `limit` ns have passed, looking at the clock every 2 ms or so. Returns the repetitions. */
static uint64_t repeat(operation *op, void *what, int64_t limit, struct took *took)
{
    const int64_t begun = read_clock(CLOCK_MONOTONIC), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t done = 0, batch = 1;
    int64_t before;

    took->wall = 0;
    do {
        before = took->wall;
        for (uint64_t i = 0; i < batch; i++)
            op(what);
        done += batch;
        took->wall = read_clock(CLOCK_MONOTONIC) - begun;
        if (took->wall - before < BETWEEN_LOOKS)
            batch *= 2;
    } while (took->wall < limit);
    took->cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return done;
}

static void timed(operation *op, void *what, size_t size, double seconds, const char *implementation)
{
    struct took took;

    repeat(op, what, WARM_UP, &took);
    const uint64_t done = repeat(op, what, (int64_t)(seconds * (double)NS), &took);
    printf("{\"bytes\": %llu, \"cpu\": %.9f, \"wall\": %.9f, \"implementation\": \"%s\"}\n",
           (unsigned long long)(done * size), (double)took.cpu / (double)NS, (double)took.wall / (double)NS,
           implementation);
}

/* What the library does not have is said with 127, as an image's `up` does; all else that goes wrong with 1. */
_Noreturn static void refuse(int status, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(status);
}

#endif
