/* SPDX-License-Identifier: BSD-3-Clause */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>

struct spill_thread {
    pthread_t thread;
    unsigned lcore;          /* written by the thread before it says so */
    int error;               /* likewise: why it is no lcore; 0: it is one */
    sem_t made, wanted;      /* it has said so; there is something to do */
    int (*function)(void *); /* written before `wanted`; NULL: it ends */
    void *argument;
    int status;
    atomic_bool runs;
};

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

static void *run(void *argument)
{
    struct spill_thread *thread = argument;

    if (rte_thread_register() != 0)
        thread->error = rte_errno;
    thread->lcore = rte_lcore_id();
    sem_post(&thread->made);
    if (thread->error != 0)
        return NULL;
    for (;;) {
        await(&thread->wanted);
        if (thread->function == NULL)
            break;
        thread->status = thread->function(thread->argument);
        atomic_store_explicit(&thread->runs, false, memory_order_release);
    }
    rte_thread_unregister();
    return NULL;
}

static int begin(struct spill_thread *thread, int cpu)
{
    pthread_attr_t attributes;
    cpu_set_t cpus;
    int status;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (pthread_attr_init(&attributes) != 0)
        return ENOMEM;
    status = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
    if (status == 0)
        status = pthread_create(&thread->thread, &attributes, run, thread);
    pthread_attr_destroy(&attributes);
    return status;
}

struct spill_thread *spill_thread_create(const char *name, int cpu, struct spill_error *error)
{
    struct spill_thread *thread = calloc(1, sizeof(*thread));
    int status;

    if (thread == NULL) {
        spill_error_set(error, "no memory for a thread");
        return NULL;
    }
    sem_init(&thread->made, 0, 0);
    sem_init(&thread->wanted, 0, 0);
    status = begin(thread, cpu);
    if (status != 0) {
        spill_error_set(error, "no thread on CPU %d: %s", cpu, strerror(status));
        free(thread);
        return NULL;
    }
    pthread_setname_np(thread->thread, name);
    await(&thread->made);
    if (thread->error == 0)
        return thread;
    spill_error_set(error, "DPDK makes no lcore of a thread now: %s", rte_strerror(thread->error));
    pthread_join(thread->thread, NULL);
    free(thread);
    return NULL;
}

void spill_thread_free(struct spill_thread *thread)
{
    if (thread == NULL)
        return;
    thread->function = NULL;
    sem_post(&thread->wanted);
    pthread_join(thread->thread, NULL);
    sem_destroy(&thread->made);
    sem_destroy(&thread->wanted);
    free(thread);
}

unsigned spill_thread_lcore(const struct spill_thread *thread)
{
    return thread->lcore;
}

void spill_thread_launch(struct spill_thread *thread, int (*function)(void *), void *argument)
{
    thread->function = function;
    thread->argument = argument;
    atomic_store_explicit(&thread->runs, true, memory_order_relaxed);
    sem_post(&thread->wanted);
}

bool spill_thread_runs(const struct spill_thread *thread)
{
    return atomic_load_explicit(&thread->runs, memory_order_acquire);
}

int spill_thread_status(const struct spill_thread *thread)
{
    return thread->status;
}
