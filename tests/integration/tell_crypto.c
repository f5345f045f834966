/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded: says which thread it is that intel-ipsec-mb takes memory for, as DPDK's drivers have
 * it do at each thread's first call. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

void *alloc_mb_mgr(uint64_t flags);

/* The plugin that needs the library has it in a scope of its own. */
static void *library(void)
{
    static const char *const names[] = {"libIPSec_MB.so.1", "libIPSec_MB.so.2"};
    void *found = NULL;

    for (unsigned i = 0; i < 2 && found == NULL; i++)
        found = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
    return found;
}

void *alloc_mb_mgr(uint64_t flags)
{
    void *(*real)(uint64_t) = (void *(*)(uint64_t))dlsym(library(), "alloc_mb_mgr");
    char name[16];

    pthread_getname_np(pthread_self(), name, sizeof(name));
    dprintf(STDERR_FILENO, "crypto memory for thread %s\n", name);
    return real(flags);
}
