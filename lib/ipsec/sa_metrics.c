/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of security associations: what each is, and what it has used up. */
#include <rte_cycles.h>

#include "base/clock.h"
#include "ipsec/sa.h"

/* One at a moment. */
struct told {
    const struct spill_sa *sa;
    struct spill_sa_use use;
};

static const struct spill_sa *sa_of(const void *told)
{
    return ((const struct told *)told)->sa;
}

static bool is_out(const void *told)
{
    return sa_of(told)->config.direction == SPILL_SA_OUT;
}

static struct spill_metric_value name(const void *told)
{
    return spill_value_text(sa_of(told)->config.name);
}

static struct spill_metric_value direction(const void *told)
{
    return spill_value_text(is_out(told) ? "out" : "in");
}

static struct spill_metric_value spi(const void *told)
{
    return spill_value_unsigned(sa_of(told)->config.spi);
}

static struct spill_metric_value algorithm(const void *told)
{
    return spill_value_text(sa_of(told)->config.algorithm->name);
}

/* That of any lcore which works with it. */
static struct spill_metric_value driver(const void *told)
{
    uint32_t i;

    for (i = 0; sa_of(told)->lcores[i] == NULL; i++)
        ;
    return spill_value_text(spill_crypto_driver(&sa_of(told)->lcores[i]->crypto));
}

static struct spill_metric_value packets(const void *told)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = 0; i < RTE_MAX_LCORE; i++) {
        const struct spill_sa_lcore *lcore = sa_of(told)->lcores[i];

        sum += lcore != NULL ? __atomic_load_n(&lcore->packets, __ATOMIC_RELAXED) : 0;
    }
    return spill_value_unsigned(sum);
}

static struct spill_metric_value sequence(const void *told)
{
    const struct spill_sa_state *state = sa_of(told)->state;

    return spill_value_unsigned(is_out(told)
                                    ? atomic_load_explicit(&state->sequence, memory_order_relaxed)
                                    : __atomic_load_n(&state->replay.top, __ATOMIC_RELAXED));
}

static struct spill_metric_value path_mtu(const void *told)
{
    const uint16_t known =
        spill_path_mtu_get(&sa_of(told)->state->path, spill_clock(), rte_get_tsc_hz());

    return spill_value_unsigned(known == UINT16_MAX ? 0 : known);
}

const char *spill_sa_lifetime(const struct spill_sa_use *use)
{
    return use->hard ? "over" : use->soft ? "soft" : "within";
}

static struct spill_metric_value lifetime(const void *told)
{
    return spill_value_text(spill_sa_lifetime(&((const struct told *)told)->use));
}

static const struct spill_metric rows[] = {
    SPILL_METRIC_COMPUTED(TEXT, "direction", direction, "", "as in the configuration"),
    SPILL_METRIC_COMPUTED(GAUGE, "spi", spi, "", "as in the configuration"),
    SPILL_METRIC_COMPUTED(TEXT, "algorithm", algorithm, "", "as in the configuration"),
    SPILL_METRIC_COMPUTED(TEXT, "driver", driver, "", "DPDK's crypto driver that does it"),
    SPILL_METRIC_COMPUTED(COUNTER, "packets", packets, "packets",
                          "that came out of it: encrypted; or authentic, fresh and sound"),
    SPILL_METRIC(COUNTER, "bytes", struct told, use.bytes, "bytes",
                 "of the IP packets inside, counted for the lifetimes"),
    SPILL_METRIC_COMPUTED(GAUGE, "sequence", sequence, "",
                          "last number taken, or highest number that was authentic"),
    SPILL_METRIC_COMPUTED(GAUGE, "path_mtu", path_mtu, "bytes",
                          "that routers on its way have said they carry; 0: none has"),
    SPILL_METRIC_COMPUTED(
        TEXT, "lifetime", lifetime, "",
        "within; soft: a soft lifetime is over; over: a hard one, or the numbers"),
};
static const struct spill_metrics metrics = SPILL_METRICS(rows);

static const struct spill_metric use_rows[] = {
    SPILL_METRIC_COMPUTED(TEXT, "name", name, "", "as in the configuration"),
    SPILL_METRIC_COMPUTED(TEXT, "direction", direction, "", "as in the configuration"),
    SPILL_METRIC_COMPUTED(TEXT, "lifetime", lifetime, "", "within, soft or over"),
    SPILL_METRIC_COMPUTED(GAUGE, "spi", spi, "", "as in the configuration"),
    SPILL_METRIC(COUNTER, "packets", struct told, use.packets, "packets",
                 "counted for the lifetimes"),
    SPILL_METRIC(COUNTER, "bytes", struct told, use.bytes, "bytes",
                 "of the IP packets inside, counted for the lifetimes"),
};
static const struct spill_metrics use_metrics = SPILL_METRICS(use_rows);

static void write_as(const struct spill_metrics *as, const struct spill_sa *sa,
                     struct spill_metric_writer *writer)
{
    const struct told told = {.sa = sa, .use = spill_sa_use(sa)};

    spill_metrics_write(as, &told, writer);
}

void spill_sa_write_use(const struct spill_sa *sa, struct spill_metric_writer *writer)
{
    write_as(&use_metrics, sa, writer);
}

void spill_sa_write_metrics(const struct spill_sa *sa, struct spill_metric_writer *writer)
{
    write_as(&metrics, sa, writer);
}
