/* SPDX-License-Identifier: BSD-3-Clause */
/* All that is counted, family by family: what the program knows beside what the pipeline tells. */
#include "config/ethertypes.h"
#include "control/steps.h"
#include "program.h"
#include "start/steps.h"

/* All zeros where the start did not come so far. */
static struct spill_ledger sum_of_ledgers(const struct spill_program *program)
{
    struct spill_ledger sum = {0};

    if (program->pipeline != NULL)
        spill_pipeline_ledger(program->pipeline, &sum);
    return sum;
}

static void write_packets(const void *source, const struct spill_metric_family *family,
                          struct spill_metric_writer *writer)
{
    const struct spill_ledger sum = sum_of_ledgers(source);

    (void)family;
    spill_metrics_write(&spill_ledger_metrics, &sum, writer);
}

static void write_drops(const void *source, const struct spill_metric_family *family,
                        struct spill_metric_writer *writer)
{
    const struct spill_ledger sum = sum_of_ledgers(source);

    (void)family;
    spill_ledger_write_drops(&sum, writer);
}

static void write_ports(const void *source, const struct spill_metric_family *family,
                        struct spill_metric_writer *writer)
{
    struct spill_program *program = (struct spill_program *)(uintptr_t)source;
    uint32_t i;

    pthread_mutex_lock(&program->holding); /* no port leaves meanwhile */
    for (i = 0; i < program->port_count; i++) {
        const struct spill_port *port = &program->ports[i];
        struct spill_port_stats stats = program->port_stats[i];

        if (program->port_states[i] < SPILL_PORT_THERE)
            continue;
        if (!program->settled && spill_program_has_port(program, i))
            spill_port_stats(port, &stats);
        writer->member_begin(writer, family, port->name);
        spill_metrics_write(&spill_port_metrics, port, writer);
        spill_pipeline_write_port(program->pipeline, i, writer);
        spill_metrics_write(&spill_port_stats_metrics, &stats, writer);
        spill_program_write_link(program, i, writer);
        writer->member_end(writer, family);
    }
    pthread_mutex_unlock(&program->holding);
}

static void write_sas(const void *source, const struct spill_metric_family *family,
                      struct spill_metric_writer *writer)
{
    struct spill_program *program = (struct spill_program *)(uintptr_t)source;
    const struct spill_generation *generation = spill_program_hold_generation(program);
    const struct spill_sa_set *sas = generation != NULL ? generation->sas : NULL;
    uint32_t i;

    for (i = 0; sas != NULL && i < sas->count; i++) {
        writer->member_begin(writer, family, sas->list[i]->config.name);
        spill_sa_write_metrics(sas->list[i], writer);
        writer->member_end(writer, family);
    }
    spill_program_release_generation(program);
}

static void write_rules(const void *source, const struct spill_metric_family *family,
                        struct spill_metric_writer *writer)
{
    spill_program_write_rules((struct spill_program *)(uintptr_t)source, family, writer);
}

/* Frames of one type that passed though they are not IP. */
struct passed {
    const char *type;
    uint64_t packets;
};

static const struct spill_metric passed_rows[] = {
    SPILL_METRIC(TEXT, "type", struct passed, type, "",
                 "a name or number; other: by pass; encapsulated"),
    SPILL_METRIC(COUNTER, "packets", struct passed, packets, "packets",
                 "that passed though they are not IP"),
};
static const struct spill_metrics passed_metrics = SPILL_METRICS(passed_rows);

static const char *type_name(const struct spill_non_ip *set, uint32_t counter, char *text,
                             size_t size)
{
    if (counter == SPILL_NON_IP_REST)
        return "other";
    if (counter == SPILL_NON_IP_ENCAPSULATED)
        return "encapsulated";
    return spill_ethertype_name(set->types[counter], text, size);
}

static void write_non_ip(const void *source, const struct spill_metric_family *family,
                         struct spill_metric_writer *writer)
{
    const struct spill_program *program = source;
    uint64_t sums[SPILL_NON_IP_COUNTERS];
    uint32_t i;

    spill_pipeline_non_ip(program->pipeline, sums);
    for (i = 0; i < SPILL_NON_IP_COUNTERS; i++) {
        struct passed passed = {.packets = sums[i]};
        char text[8];

        if (sums[i] == 0)
            continue;
        passed.type = type_name(&program->options.pipeline.non_ip, i, text, sizeof(text));
        writer->member_begin(writer, family, passed.type);
        spill_metrics_write(&passed_metrics, &passed, writer);
        writer->member_end(writer, family);
    }
}

static void write_routes(const void *source, const struct spill_metric_family *family,
                         struct spill_metric_writer *writer)
{
    (void)family;
    spill_program_write_routes(source, writer);
}

static void write_neighbors(const void *source, const struct spill_metric_family *family,
                            struct spill_metric_writer *writer)
{
    (void)family;
    spill_program_write_neighbors(source, writer);
}

static void write_kernel(const void *source, const struct spill_metric_family *family,
                         struct spill_metric_writer *writer)
{
    (void)family;
    spill_program_write_kernel(source, writer);
}

static const struct spill_metric_section balance[] = {
    {{"packets", NULL, SPILL_FAMILY_ONE}, write_packets},
    {{"drops", "reason", SPILL_FAMILY_ONE}, write_drops},
};
static const struct spill_metric_section sections[] = {
    {{"ports", "port", SPILL_FAMILY_LIST}, write_ports},
    {{"sas", "sa", SPILL_FAMILY_MAP}, write_sas},
    {{"rules", "rule", SPILL_FAMILY_LIST}, write_rules},
    {{"non_ip", "type", SPILL_FAMILY_LIST}, write_non_ip},
};

/* Where ports are routed. */
static const struct spill_metric_section router[] = {
    {{"routes", NULL, SPILL_FAMILY_ONE}, write_routes},
    {{"neighbors", NULL, SPILL_FAMILY_ONE}, write_neighbors},
    {{"kernel", NULL, SPILL_FAMILY_ONE}, write_kernel},
};

void spill_program_write_metrics(struct spill_program *program, const char *family,
                                 struct spill_metric_writer *writer)
{
    spill_metric_sections_write(balance, RTE_DIM(balance), program, family, writer);
    if (program->pipeline == NULL)
        return;
    spill_metric_sections_write(sections, RTE_DIM(sections), program, family, writer);
    if (program->router != NULL)
        spill_metric_sections_write(router, RTE_DIM(router), program, family, writer);
    spill_pipeline_write_metrics(program->pipeline, family, writer);
}
