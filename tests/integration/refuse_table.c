/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded: devices that spread in a way of their own. They refuse a redirection table, and when
 * they are asked for theirs, all of it goes to the first queue. */
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

int rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *table, uint16_t size)
{
    (void)id;
    (void)table;
    (void)size;
    return -ENOTSUP;
}

int rte_eth_dev_rss_reta_query(uint16_t id, struct rte_eth_rss_reta_entry64 *table, uint16_t size)
{
    uint16_t i;

    (void)id;
    for (i = 0; i < size / RTE_ETH_RETA_GROUP_SIZE; i++)
        memset(table[i].reta, 0, sizeof(table[i].reta));
    return 0;
}
