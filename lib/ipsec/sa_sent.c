/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipsec/sa_sent.h"

#include <stdlib.h>
#include <string.h>

struct spill_sa_sent {
    uint32_t count;
    struct spill_sa *list[]; /* by SPI */
};

static int compare(const void *left, const void *right)
{
    const struct spill_sa *one = *(struct spill_sa *const *)left;
    const struct spill_sa *other = *(struct spill_sa *const *)right;

    return (one->config.spi > other->config.spi) - (one->config.spi < other->config.spi);
}

struct spill_sa_sent *spill_sa_sent_create(struct spill_sa *const *list, uint32_t count)
{
    struct spill_sa_sent *sent = malloc(sizeof(*sent) + count * sizeof(sent->list[0]));
    uint32_t i;

    if (sent == NULL)
        return NULL;
    sent->count = 0;
    for (i = 0; i < count; i++) {
        if (list[i]->config.direction == SPILL_SA_OUT && list[i]->config.mode == SPILL_SA_TUNNEL)
            sent->list[sent->count++] = list[i];
    }
    qsort(sent->list, sent->count, sizeof(sent->list[0]), compare);
    return sent;
}

void spill_sa_sent_free(struct spill_sa_sent *sent)
{
    free(sent);
}

/* The first SA whose SPI is not below one. */
static uint32_t first_of(const struct spill_sa_sent *sent, uint32_t spi)
{
    uint32_t low = 0, high = sent->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (sent->list[middle]->config.spi < spi)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct spill_sa *spill_sa_sent_find(const struct spill_sa_sent *sent, uint32_t spi, bool ipv6,
                                    const uint8_t *source, const uint8_t *destination)
{
    const uint8_t family = ipv6 ? 6 : 4;
    const size_t size = ipv6 ? 16 : 4;
    uint32_t i;

    for (i = first_of(sent, spi); i < sent->count && sent->list[i]->config.spi == spi; i++) {
        const struct spill_sa_config *config = &sent->list[i]->config;

        if (config->source.family == family && memcmp(config->source.bytes, source, size) == 0 &&
            memcmp(config->destination.bytes, destination, size) == 0)
            return sent->list[i];
    }
    return NULL;
}
