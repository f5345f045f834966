/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a word takes from one core's cache to another's: two threads hand it to and fro. Of many
 * short rounds the best counts, as others may take the CPUs meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "doctor/doctor.h"

#define ROUNDS      640
#define TURNS       10 /* of a round: there and back */
#define PATIENCE_NS 20000000
#define LOOK_SPINS  1000 /* between two looks at the clock */
#define CACHE_LINE  128
#define WAIT_NS     100000000 /* for threads: real-time work there lets none on */

struct game {
    _Alignas(CACHE_LINE) _Atomic unsigned ball; /* odd: the partner's turn */
    _Alignas(CACHE_LINE) _Atomic bool over;
    _Atomic unsigned users; /* the last one frees it */
    double time;            /* that was found, or < 0 */
    int cpu, other;
};

/* No way is so long: others had the CPUs in every round. */
#define MOST_NS 5000

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Other work there is preferred. */
static bool move_to(int cpu)
{
    const struct sched_param none = {.sched_priority = 0};
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    return pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) == 0 &&
           pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

static void leave(struct game *game)
{
    if (atomic_fetch_sub(&game->users, 1) == 1)
        free(game);
}

static void *partner(void *argument)
{
    struct game *game = argument;
    unsigned ball;

    if (!move_to(game->other))
        atomic_store(&game->over, true);
    while (!atomic_load_explicit(&game->over, memory_order_relaxed)) {
        ball = atomic_load_explicit(&game->ball, memory_order_acquire);
        if ((ball & 1) != 0)
            atomic_store_explicit(&game->ball, ball + 1, memory_order_release);
    }
    leave(game);
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

static void *thrower(void *argument)
{
    struct game *game = argument;

    if (move_to(game->cpu))
        game->time = play(game);
    atomic_store(&game->over, true);
    leave(game);
    return NULL;
}

/* Begins a thread for each end. @return how many there are */
static unsigned begin(struct game *game, pthread_t threads[2])
{
    game->users = 3;
    if (pthread_create(&threads[0], NULL, partner, game) != 0) {
        game->users = 1;
        return 0;
    }
    if (pthread_create(&threads[1], NULL, thrower, game) == 0)
        return 2;
    atomic_fetch_sub(&game->users, 1);
    atomic_store(&game->over, true);
    return 1;
}

double spill_doctor_core_to_core(int cpu, int other)
{
    struct game *game;
    struct timespec until;
    pthread_t threads[2];
    unsigned count;
    double time = -1;
    bool ended = true;

    if (cpu < 0 || cpu >= CPU_SETSIZE || other < 0 || other >= CPU_SETSIZE ||
        (game = aligned_alloc(CACHE_LINE, sizeof(*game))) == NULL)
        return -1;
    *game = (struct game){.cpu = cpu, .other = other, .time = -1};
    count = begin(game, threads);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    for (unsigned i = count; i-- > 0;) {
        if (pthread_timedjoin_np(threads[i], NULL, &until) != 0) {
            ended = false;
            atomic_store(&game->over, true);
            pthread_detach(threads[i]);
        }
    }
    if (ended)
        time = game->time;
    leave(game);
    return time <= MOST_NS ? time : -1;
}
