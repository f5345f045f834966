/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_LCORES_H
#define SPILLWAY_TEST_LCORES_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

/**
 * @file
 * A real EAL for tests: lcores 0 (main) and up, which go round the CPUs that the process may use.
 */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/** A number of rounds, made smaller where a sanitizer slows the test down. */
#define TEST_ROUNDS(rounds) (TEST_SANITIZED ? (rounds) / 4 : (rounds))

/** CPUs that the process may use, filled by test_eal_start(). */
static int test_cpus[CPU_SETSIZE];
static unsigned test_cpu_count;

/** Learns which CPUs the process may use. Before test_eal_start(), which narrows it. */
static inline void test_read_cpus(void)
{
    cpu_set_t set;
    int cpu;

    sched_getaffinity(0, sizeof(set), &set);
    for (test_cpu_count = 0, cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set))
            test_cpus[test_cpu_count++] = cpu;
    }
}

/**
 * Starts the EAL without hugepages, files and sockets. Exits when it can't.
 *
 * @param lcores  with the main one
 * @param mib     memory
 * @param extra   further arguments (`--vdev=...`), NULL at the end; may be NULL
 */
static inline void test_eal_start(unsigned lcores, unsigned mib, const char *const *extra)
{
    char memory[16], map[1024] = "--lcores=", *arguments[40], *given[40];
    unsigned i, used = (unsigned)strlen(map);
    int count = 0;

    test_read_cpus();
    for (i = 0; i < lcores; i++)
        used += (unsigned)snprintf(map + used, sizeof(map) - used, "%s%u@%d", i > 0 ? "," : "", i,
                                   test_cpus[i % test_cpu_count]);
    snprintf(memory, sizeof(memory), "%u", mib);
    arguments[count++] = strdup("test");
    arguments[count++] = strdup("--no-huge");
    arguments[count++] = strdup("--no-shconf");
    arguments[count++] = strdup("--no-telemetry");
    arguments[count++] = strdup("--no-pci");
    arguments[count++] = strdup("--log-level=error");
    arguments[count++] = strdup("-m");
    arguments[count++] = strdup(memory);
    arguments[count++] = strdup(map);
    for (; extra != NULL && *extra != NULL; extra++)
        arguments[count++] = strdup(*extra);
    memcpy(given, arguments, sizeof(given));
    if (rte_eal_init(count, arguments) < 0) {
        fprintf(stderr, "the EAL doesn't start\n");
        exit(1);
    }
    /* The EAL has moved them. */
    for (i = 0; i < (unsigned)count; i++)
        free(given[i]);
}

/** A seed: that of the environment variable SEED, else a new one; printed, to run it again. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : rte_rdtsc() ^ (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/** A random number (xorshift64*, Vigna 2016). @param state  not 0 */
static inline uint32_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

/** A random number below a limit. */
static inline uint32_t test_random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((uint64_t)test_random(state) * limit >> 32);
}

/** Passes so many cycles. */
static inline void test_spin(uint64_t cycles)
{
    uint64_t end = rte_rdtsc() + cycles;

    while (rte_rdtsc() < end)
        ;
}

/** Bytes that are allocated from the EAL's heaps, of all nodes. */
static inline size_t test_heap_bytes(void)
{
    struct rte_malloc_socket_stats stats;
    size_t bytes = 0;
    unsigned i;

    for (i = 0; i < rte_socket_count(); i++) {
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
            bytes += stats.heap_allocsz_bytes;
    }
    return bytes;
}

#endif
