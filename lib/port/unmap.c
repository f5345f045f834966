/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/unmap.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_interrupts.h>

/* Held while one waits, too: who sets another, or none, knows that the one before is not used. */
static pthread_mutex_t waiting = PTHREAD_MUTEX_INITIALIZER;
static void (*awaited)(void *context);
static void *awaited_context;

void spill_unmap_await(void (*await)(void *context), void *context)
{
    pthread_mutex_lock(&waiting);
    awaited = await;
    awaited_context = context;
    pthread_mutex_unlock(&waiting);
}

static void await_lcores(void)
{
    pthread_mutex_lock(&waiting);
    if (awaited != NULL)
        awaited(awaited_context);
    pthread_mutex_unlock(&waiting);
}

/* In place of the C library's, for drivers too: the program exports it. */
__attribute__((visibility("default"))) int munmap(void *address, size_t length)
{
    if (rte_thread_is_intr())
        await_lcores();
    return (int)syscall(SYS_munmap, address, length);
}
