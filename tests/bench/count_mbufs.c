/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a DPDK program leaves behind at its end, where it doesn't tell: a library to be preloaded.
 * It stands before the calls by which a program ends, and appends to the file that COUNT_MBUFS
 * names: a port's statistics as it is closed, and the mbufs of each mempool that are not back in
 * it, as it is freed or the EAL is: port PORT RECEIVED TRANSMITTED pool NAME MISSING SIZE A program
 * that ends without these calls leaves no file.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

static FILE *open_counts(void)
{
    const char *path = getenv("COUNT_MBUFS");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;

    if (file == NULL) {
        fprintf(stderr, "COUNT_MBUFS: '%s' can't be written: name a file\n",
                path != NULL ? path : "");
        exit(2);
    }
    return file;
}

static void *next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL) {
        fprintf(stderr, "COUNT_MBUFS: no %s behind this library: preload it\n", name);
        exit(2);
    }
    return symbol;
}

/* Other pools, of crypto operations and sessions, hold no mbufs. */
static void look_for_mbuf(struct rte_mempool *pool, void *found, void *object, unsigned index)
{
    if (index == 0)
        *(bool *)found =
            pool->elt_size >= sizeof(struct rte_mbuf) && ((struct rte_mbuf *)object)->pool == pool;
}

static void count_pool(struct rte_mempool *pool, void *file)
{
    bool holds_mbufs = false;

    rte_mempool_obj_iter(pool, look_for_mbuf, &holds_mbufs);
    if (holds_mbufs)
        fprintf(file, "pool %s %u %" PRIu32 "\n", pool->name, rte_mempool_in_use_count(pool),
                pool->size);
}

int rte_eth_dev_close(uint16_t port)
{
    int (*next)(uint16_t) = (int (*)(uint16_t))next_symbol("rte_eth_dev_close");
    FILE *file = open_counts();
    struct rte_eth_stats stats;

    if (rte_eth_stats_get(port, &stats) == 0)
        fprintf(file, "port %" PRIu16 " %" PRIu64 " %" PRIu64 "\n", port, stats.ipackets,
                stats.opackets);
    fclose(file);
    return next(port);
}

void rte_mempool_free(struct rte_mempool *pool)
{
    void (*next)(struct rte_mempool *) =
        (void (*)(struct rte_mempool *))next_symbol("rte_mempool_free");
    FILE *file = open_counts();

    if (pool != NULL)
        count_pool(pool, file);
    fclose(file);
    next(pool);
}

int rte_eal_cleanup(void)
{
    int (*next)(void) = (int (*)(void))next_symbol("rte_eal_cleanup");
    FILE *file = open_counts();

    rte_mempool_walk(count_pool, file);
    fclose(file);
    return next();
}
