/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a word takes from one core's cache to another's: two threads hand it to and fro. Of many
 * short rounds the best counts, as others may take the CPUs meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "doctor/doctor.h"

#define ROUNDS      640
#define TURNS       10 /* of a round: there and back */
#define PATIENCE_NS 20000000
#define LOOK_SPINS  1000 /* between two looks at the clock */
#define CACHE_LINE  128

struct game {
    _Alignas(CACHE_LINE) _Atomic unsigned ball; /* odd: the partner's turn */
    _Alignas(CACHE_LINE) _Atomic bool over;
    int cpu; /* of the partner */
};

/* No way is so long: others had the CPUs in every round. */
#define MOST_NS 5000

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static bool move_to(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

static void *partner(void *argument)
{
    struct game *game = argument;
    unsigned ball;

    if (!move_to(game->cpu))
        atomic_store(&game->over, true);
    while (!atomic_load_explicit(&game->over, memory_order_relaxed)) {
        ball = atomic_load_explicit(&game->ball, memory_order_acquire);
        if ((ball & 1) != 0)
            atomic_store_explicit(&game->ball, ball + 1, memory_order_release);
    }
    return NULL;
}

/* Throws, and waits for the answer. Returns false when that takes too long. */
static bool turn(struct game *game, unsigned *ball, double deadline)
{
    unsigned spins = 0;

    atomic_store_explicit(&game->ball, *ball + 1, memory_order_release);
    *ball += 2;
    while (atomic_load_explicit(&game->ball, memory_order_acquire) != *ball) {
        if (++spins % LOOK_SPINS == 0 &&
            (now_ns() > deadline || atomic_load_explicit(&game->over, memory_order_relaxed)))
            return false;
    }
    return true;
}

static double play(struct game *game)
{
    const double deadline = now_ns() + PATIENCE_NS;
    double best = -1, began;
    unsigned ball = 0;

    for (unsigned round = 0; round < ROUNDS && now_ns() < deadline; round++) {
        began = now_ns();
        for (unsigned i = 0; i < TURNS; i++) {
            if (!turn(game, &ball, deadline))
                return best;
        }
        began = (now_ns() - began) / (2 * TURNS);
        if (best < 0 || began < best)
            best = began;
    }
    return best;
}

double spill_doctor_core_to_core(int cpu, int other)
{
    struct game game = {.cpu = other};
    cpu_set_t home;
    pthread_t thread;
    double time = -1;

    if (cpu < 0 || cpu >= CPU_SETSIZE || other < 0 || other >= CPU_SETSIZE ||
        pthread_getaffinity_np(pthread_self(), sizeof(home), &home) != 0 ||
        pthread_create(&thread, NULL, partner, &game) != 0)
        return -1;
    if (move_to(cpu))
        time = play(&game);
    atomic_store(&game.over, true);
    pthread_join(thread, NULL);
    pthread_setaffinity_np(pthread_self(), sizeof(home), &home);
    return time <= MOST_NS ? time : -1;
}
