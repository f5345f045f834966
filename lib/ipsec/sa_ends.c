/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipsec/sa_ends.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>

struct end {
    uint16_t port; /* network order */
    struct spill_sa_address address;
};

struct spill_sa_ends {
    uint64_t ports[(UINT16_MAX + 1) / 64]; /* network order: what most packets are held against */
    uint32_t count;
    struct end list[]; /* in order, each once */
};

static int compare(const void *left, const void *right)
{
    const struct end *one = left, *other = right;

    if (one->port != other->port)
        return one->port < other->port ? -1 : 1;
    if (one->address.family != other->address.family)
        return one->address.family < other->address.family ? -1 : 1;
    return memcmp(one->address.bytes, other->address.bytes, sizeof(one->address.bytes));
}

static bool is_unusual(const struct spill_sa_config *config)
{
    return config->direction == SPILL_SA_IN && config->nat_traversal &&
           config->destination.family != 0 && spill_sa_own_port(config) != SPILL_SA_NAT_PORT;
}

/* Leaves one of those that are alike. */
static void keep_one_each(struct spill_sa_ends *ends)
{
    uint32_t kept = 0, i;

    qsort(ends->list, ends->count, sizeof(ends->list[0]), compare);
    for (i = 0; i < ends->count; i++) {
        if (kept == 0 || compare(&ends->list[kept - 1], &ends->list[i]) != 0)
            ends->list[kept++] = ends->list[i];
    }
    ends->count = kept;
}

int spill_sa_ends_create(struct spill_sa *const *list, uint32_t count, struct spill_sa_ends **ends)
{
    uint32_t unusual = 0, i;

    *ends = NULL;
    for (i = 0; i < count; i++)
        unusual += is_unusual(&list[i]->config);
    if (unusual == 0)
        return 0;
    *ends = calloc(1, sizeof(**ends) + unusual * sizeof((*ends)->list[0]));
    if (*ends == NULL)
        return -1;
    for (i = 0; i < count; i++) {
        const struct spill_sa_config *config = &list[i]->config;
        const uint16_t port = rte_cpu_to_be_16(spill_sa_own_port(config));

        if (!is_unusual(config))
            continue;
        (*ends)->list[(*ends)->count++] = (struct end){port, config->destination};
        (*ends)->ports[port / 64] |= UINT64_C(1) << port % 64;
    }
    keep_one_each(*ends);
    return 0;
}

void spill_sa_ends_free(struct spill_sa_ends *ends)
{
    free(ends);
}

bool spill_sa_ends_has(const struct spill_sa_ends *ends, const struct spill_packet *packet,
                       unsigned end)
{
    const bool ipv6 = packet->kind == SPILL_PACKET_IPV6;
    const uint16_t port = ipv6 ? packet->key.v6.port[end] : packet->key.v4.port[end];
    struct end wanted = {.port = port, .address.family = ipv6 ? 6 : 4};

    if (likely(ends == NULL || (ends->ports[port / 64] >> port % 64 & 1) == 0))
        return false;
    if (ipv6)
        memcpy(wanted.address.bytes, packet->key.v6.address[end], 16);
    else
        memcpy(wanted.address.bytes, &packet->key.v4.address[end], 4);
    return bsearch(&wanted, ends->list, ends->count, sizeof(wanted), compare) != NULL;
}

void spill_sa_ends_mark(const struct spill_sa_ends *ends, struct spill_packet *packets,
                        uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (packets[i].kind <= SPILL_PACKET_IPV6 && packets[i].has_ports &&
            spill_packet_protocol(&packets[i]) == IPPROTO_UDP &&
            spill_sa_ends_has(ends, &packets[i], !packets[i].direction))
            packets[i].esp = SPILL_ESP_UDP;
    }
}
