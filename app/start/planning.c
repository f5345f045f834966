/* SPDX-License-Identifier: BSD-3-Clause */
/* From options, rules and topology to the plan. */
#include <stdio.h>

#include <rte_eal.h>
#include <rte_lcore.h>

#include "base/json.h"
#include "config/options_check.h"
#include "control/log.h"
#include "control/steps.h"
#include "control/wiring.h"
#include "ipsec/esp.h"
#include "pipeline/classes.h"
#include "pipeline/rule_log.h"
#include "pipeline/too_big.h"
#include "pipeline/waiting.h"
#include "program.h"
#include "start/steps.h"

#define DESCRIPTORS 1024
/* A packet in one piece, its fragments, and those of packets before it that are sent with them. */
#define SPLIT_MBUFS  (1 + SPILL_FRAGMENTS_MAX + SPILL_BURST + SPILL_FRAGMENTS_MAX)
#define LINK_HEADERS 22 /* Ethernet and two tags */
/* What each lcore has for crypto: operations, a part of the sessions' pools; and for each SA: its
 * session with key schedules, rte_ipsec's structures. */
#define CRYPTO_BYTES (UINT64_C(2) << 20)
#define SA_BYTES     UINT64_C(4096)
#define IKE_SAS      256 /* of a daemon's, that memory is planned for */

/*
 * Bytes that an mbuf of a port must have: with SAs a frame has to be in one piece, with room for
 * ESP behind it, as crypto drivers take no chains.
 */
static uint32_t whole_room(uint32_t mtu)
{
    return RTE_MIN(RTE_PKTMBUF_HEADROOM + mtu + LINK_HEADERS + SPILL_ESP_TAIL,
                   (uint32_t)UINT16_MAX);
}

static uint32_t data_room(const struct spill_program *program, uint32_t device_room, uint32_t mtu)
{
    if (!spill_options_protect(&program->options) && program->sas == NULL && !program->comes_ipsec)
        return device_room;
    return RTE_MAX(device_room, whole_room(mtu));
}

int spill_program_check_room(const struct spill_program *program, struct spill_error *error)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        if (spill_program_has_port(program, i) &&
            program->plan.ports[i].mempool.data_room < whole_room(program->ports[i].mtu))
            return spill_error_set(
                error,
                "port %s: its buffers hold no frame of MTU %u in one piece, with "
                "room for ESP: expected a restart, which makes them so",
                program->ports[i].name, program->ports[i].mtu);
    }
    return 0;
}

void spill_program_plan_port(const struct spill_program *program, uint32_t index,
                             struct spill_plan_port_input *port)
{
    const struct spill_option_port *option = &program->port_options[index];
    const struct spill_device *device = &program->devices[index];

    *port = option->plan;
    snprintf(port->name, sizeof(port->name), "%s", option->name);
    port->node = device->pci ? spill_topology_pci_node(SPILL_SYSFS, device->name) : -1;
    port->rx_queues_max = device->rx_queues_max;
    port->tx_queues_max = device->tx_queues_max;
    port->rx_queues = option->config.rx_queues;
    port->tx_queues = option->config.tx_queues;
    if (device->fixed_rx_queues)
        port->rx_queues = device->rx_queues_max;
    if (device->equal_queues && port->rx_queues == 0)
        port->rx_queues = port->tx_queues != 0 ? port->tx_queues : 1;
    if (device->equal_queues && port->tx_queues == 0)
        port->tx_queues = port->rx_queues;
    port->rx_descriptors =
        option->config.rx_descriptors != 0 ? option->config.rx_descriptors : DESCRIPTORS;
    port->tx_descriptors =
        option->config.tx_descriptors != 0 ? option->config.tx_descriptors : DESCRIPTORS;
    port->mtu = device->mtu;
    port->no_mtu = device->no_link && option->config.mtu == 0;
    port->data_room = data_room(program, spill_device_data_room(device, 0, true), port->mtu);
    port->symmetric_rss = device->spread == SPILL_DEVICE_SPREAD_ASK;
}

int spill_program_parse_device(const struct spill_option_port *port, struct spill_device *device,
                               struct spill_error *error)
{
    struct spill_error reason;

    if (spill_device_parse(port->device, device, &reason) != 0 ||
        spill_device_complete(device, port->config.rx_queues, port->config.tx_queues,
                              port->config.mtu, &reason) != 0 ||
        spill_device_check_capture(device, &reason) != 0)
        return spill_error_set(error, "%s: %s", port->where, reason.text);
    return 0;
}

int spill_program_check_device(const struct spill_option_port *port, struct spill_device *device,
                               struct spill_error *error)
{
    struct spill_error reason;

    if (spill_program_parse_device(port, device, error) != 0)
        return -1;
    return spill_device_check(device, &reason) == 0
               ? 0
               : spill_error_set(error, "%s: %s", port->where, reason.text);
}

static void warn(void *context, const char *warning)
{
    (void)context;
    SPILL_LOG(WARNING, "%s", warning);
}

static int parse_devices(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    struct spill_error reason;
    uint32_t i;

    for (i = 0; i < options->port_count; i++) {
        const struct spill_option_port *port = &options->ports[i];

        if (spill_program_parse_device(port, &program->devices[i], error) != 0)
            return -1;
        if (spill_wiring_note(program, i, port, error) != 0)
            return -1;
        program->port_states[i] = SPILL_PORT_THERE;
        program->port_after[i] = SPILL_PORT_GONE;
        /* A plan may be made before its devices are there, so it is no error yet. */
        if (options->check && spill_device_check(&program->devices[i], &reason) != 0)
            SPILL_LOG(WARNING, "%s: %s", port->where, reason.text);
    }
    return 0;
}

/* Without SAs there is nothing to decrypt or encrypt. */
static unsigned configured(const struct spill_options *options)
{
    return spill_options_protect(options) ? SPILL_NEED_IPSEC : 0;
}

/* How many SAs there is memory for: those of the files, and so many of a daemon's. */
static uint32_t sas_expected(const struct spill_options *options)
{
    return options->sa_count + (options->ike.xfrm != NULL ? IKE_SAS : 0);
}

static void plan_classes(struct spill_plan_input *input, const struct spill_options *options)
{
    uint32_t i;

    for (i = 0; i < SPILL_CLASSES; i++) {
        const struct spill_pipeline_class *set = &options->pipeline.classes[i];
        struct spill_plan_class *class = &input->classes[input->class_count];

        if (!spill_class_is_there(i, configured(options)))
            continue;
        snprintf(class->name, sizeof(class->name), "%s", spill_class_rows[i]->name);
        class->capacity = set->capacity != 0 ? set->capacity : SPILL_CLASS_CAPACITY;
        input->class_count++;
    }
}

static void plan_input(struct spill_program *program)
{
    const struct spill_options *options = &program->options;
    struct spill_plan_input *input = &program->plan_input;
    uint32_t flows = options->pipeline.flow_capacity, i, j;

    *input = options->plan;
    input->topology = &program->topology;
    input->port_count = options->port_count;
    for (i = 0; i < options->port_count; i++)
        spill_program_plan_port(program, i, &input->ports[i]);
    input->wire_count = options->wire_count;
    for (i = 0; i < options->wire_count; i++) {
        for (j = 0; j < 2; j++)
            snprintf(input->wires[i].ports[j], sizeof(input->wires[i].ports[j]), "%s",
                     options->wires[i].port_names[j]);
    }
    for (i = 0; i < SPILL_ROLES; i++)
        input->where[i] = spill_option_where(&options->roles, spill_role_name(i));
    plan_classes(input, options);
    input->burst = SPILL_BURST;
    input->tx_backlog = SPILL_BACKLOG;
    input->split_mbufs = SPLIT_MBUFS;
    input->flow_capacity = flows;
    input->flow_bytes = (spill_flow_table_bytes(flows) + flows - 1) / flows;
    input->private_size = SPILL_PACKET_PRIVATE_SIZE;
    input->fragments = SPILL_DATAGRAMS_WAITING;
    input->lcore_bytes =
        spill_datagrams_bytes() + sizeof(struct spill_fast) + sizeof(struct spill_spread) +
        sizeof(struct spill_submitter) + input->class_count * sizeof(struct spill_account) +
        sizeof(struct spill_loop) + options->port_count * sizeof(struct spill_output);
    input->lcore_bytes += 2 * SPILL_RULE_LOG_RECORDS * sizeof(struct spill_rule_record);
    input->lcore_bytes += 2 * spill_rule_tallies_bytes(program->files.ruleset->count);
    if (spill_options_protect(options))
        input->lcore_bytes +=
            CRYPTO_BYTES + 2 * sas_expected(options) * SA_BYTES + sizeof(struct spill_reassembly);
    input->held_mbufs = spill_options_protect(options) ? SPILL_REASSEMBLY_MBUFS : 0;
    if (options->ike.xfrm != NULL) {
        input->lcore_bytes += SPILL_ACQUISITION_TRAPS * sizeof(struct spill_acquisition_place) +
                              SPILL_ACQUISITION_NEEDS * sizeof(struct spill_acquisition_need);
        input->fragments += SPILL_ACQUISITION_ALL;
    }
    /* Twice: a reload makes the next version beside the one in force. */
    input->extra_bytes = 2 * spill_acl_memory(program->files.ruleset);
    if (options->sa_count > 0) /* those for one way (ways.h), once: they share the rules */
        input->extra_bytes += 2 * spill_acl_memory(program->files.ruleset);
    if (spill_options_route(options)) {
        input->extra_bytes += spill_router_memory(options->router.routes4, options->router.routes6);
        input->lcore_bytes += sizeof(struct spill_route_lcore) + sizeof(struct spill_waiting);
        input->fragments += SPILL_WAITING_ALL;
    }
    input->memory_mode = options->no_huge ? SPILL_MEMORY_NO_HUGE : SPILL_MEMORY_HUGEPAGES;
}

/* A device's work is under way while its worker goes on: no fast lcore can do it in one go. */
static int check_device(const char *crypto, const struct spill_options *options,
                        struct spill_error *error)
{
    uint32_t i;

    if (crypto == NULL)
        return 0;
    for (i = 0; i < SPILL_CLASSES; i++) {
        const struct spill_pipeline_class *set = &options->pipeline.classes[i];
        const char *name = spill_class_rows[i]->name;

        if ((spill_class_rows[i]->needs & SPILL_NEED_IPSEC) == 0)
            continue;
        if (set->dispatch == SPILL_DISPATCH_INLINE || set->overflow == SPILL_OVERFLOW_INLINE)
            return spill_error_set(error,
                                   "--crypto '%s': a device's work can't be done inline: expected "
                                   "--dispatch %s=auto or pool, and --on-pool-full %s=drop",
                                   crypto, name, name);
    }
    return 0;
}

int spill_program_check_classes(const struct spill_program *program,
                                const struct spill_options *options, struct spill_error *error)
{
    const struct spill_options *started = &program->options;
    const struct spill_options *with = options->sa_count > 0 ? options : started;

    if ((spill_options_protect(options) || spill_options_protect(started) ||
         program->sas != NULL) &&
        options->pipeline.classes[SPILL_CLASS_CLASSIFY].overflow == SPILL_OVERFLOW_ALLOW)
        return spill_error_set(error,
                               "--on-pool-full 'classify=allow': packets that an SA is to protect "
                               "would pass in the clear: expected drop or inline beside [%s%s]",
                               with->sa_count > 0            ? "sa "
                               : spill_options_protect(with) ? "ike"
                                                             : "sa NAME",
                               with->sa_count > 0 ? with->sas[0].config.name : "");
    return check_device(started->crypto, options, error);
}

/* The plan, and what only it can tell of the options. */
static int compute_plan(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    uint32_t i;

    if (spill_plan_compute(&program->plan_input, &program->plan, error) != 0)
        return -1;
    for (i = 1; i < program->plan.lcore_count && options->crypto != NULL; i++) {
        if (program->plan.lcores[i].role == SPILL_ROLE_FAST && program->plan.lcores[i].pool < 0)
            return spill_error_set(error,
                                   "--crypto '%s': lcore %s has no pool, whose lcores work with a "
                                   "device: expected --pool LIST",
                                   options->crypto, program->plan.lcores[i].name);
    }
    return 0;
}

/* Rules, SAs and keys: what is wrong with them is told before anything starts. */
static int load_policy_files(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;

    if (spill_program_check_classes(program, options, error) != 0)
        return -1;
    return spill_policy_files_load(options, &program->stop, &program->files, error);
}

int spill_program_plan(struct spill_program *program, struct spill_error *error)
{
    if (parse_devices(program, error) != 0 || load_policy_files(program, error) != 0)
        return -1;
    spill_options_tell_overlaps(&program->options, warn, NULL);
    if (spill_topology_read(&program->topology, SPILL_SYSFS, error) != 0)
        return -1;
    plan_input(program);
    /* With EAL arguments of the user's the lcores are known only once the EAL runs. */
    if (program->options.eal_given)
        return 0;
    return compute_plan(program, error);
}

/* The CPU of an lcore, of several the first. (rte_lcore_to_cpu_id() is the number of a core within
 * its socket.) */
static int first_cpu(unsigned lcore)
{
    rte_cpuset_t set = rte_lcore_cpuset(lcore);
    int cpu = 0;

    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
        cpu++;
    return cpu;
}

/* The lcores of an EAL that the user set up. */
static void given_lcores(struct spill_plan_input *input)
{
    unsigned id;

    input->given_main = rte_get_main_lcore();
    input->given_count = 0;
    for (id = 0; id < RTE_MAX_LCORE; id++) {
        if (rte_lcore_has_role(id, ROLE_RTE) == 1)
            input->given[input->given_count++] =
                (struct spill_plan_given){.id = id, .cpu = first_cpu(id)};
    }
}

void spill_program_plan_found(const struct spill_program *program, uint32_t index,
                              struct spill_plan_port_input *port)
{
    const struct spill_port *found = &program->ports[index];
    const struct spill_port_capabilities *can = &found->capabilities;
    const uint16_t mtu = program->port_options[index].config.mtu;

    /* What is known of a virtual device is truer than what its driver claims. */
    if (program->devices[index].rx_queues_max == 0)
        port->rx_queues_max = can->rx_queues_max;
    if (program->devices[index].tx_queues_max == 0)
        port->tx_queues_max = can->tx_queues_max;
    port->symmetric_rss = can->rss_symmetric;
    port->rss_fields = can->rss_fields;
    port->rss_table = can->rss_table;
    port->data_room =
        data_room(program, spill_port_data_room(found, mtu), mtu != 0 ? mtu : can->mtu);
    if (found->socket >= 0 && program->devices[index].pci)
        port->node = found->socket;
}

int spill_program_plan_again(struct spill_program *program, struct spill_error *error)
{
    struct spill_plan_input *input = &program->plan_input;
    uint32_t i;

    for (i = 0; i < program->port_count; i++)
        spill_program_plan_found(program, i, &input->ports[i]);
    if (program->options.eal_given)
        given_lcores(input);
    else
        spill_plan_keep_lcores(input, &program->plan);
    return compute_plan(program, error);
}

/* How many associations there may be, and what crypto sessions they take. */
static void print_associations(const struct spill_program *program)
{
    const struct spill_plan *plan = &program->plan;
    uint32_t count = program->options.sa_count;
    uint32_t lcores = plan->count[SPILL_ROLE_FAST] + plan->count[SPILL_ROLE_POOL];

    if (count == 0)
        return;
    printf("associations: %u of at most %u; %u crypto sessions on %u lcores, twice as many while a "
           "reload\n  replaces them; memory is for these: a reload that brings more may be "
           "refused\n\n",
           count, SPILL_OPTION_SAS_MAX, count * lcores, lcores);
}

/* How many routes there may be, and what memory that takes. */
static void print_routes(const struct spill_program *program)
{
    const struct spill_option_router *router = &program->options.router;

    if (spill_options_route(&program->options))
        printf(
            "routes: at most %u of IPv4 and %u of IPv6; %.1f MiB for them on each node with fast "
            "lcores\n\n",
            router->routes4, router->routes6,
            (double)spill_router_memory(router->routes4, router->routes6) / (1 << 20));
}

static void print_text(const struct spill_program *program, const struct spill_doctor_lines *lines)
{
    print_associations(program);
    print_routes(program);
    spill_plan_print(&program->plan, stdout);
    puts("\nmachine: what costs, what is broken, and what mends it");
    spill_doctor_print(lines, stdout);
}

static int print_json(const struct spill_program *program, const struct spill_doctor_lines *lines)
{
    struct spill_json json;

    spill_json_begin(&json, stdout);
    spill_json_object_begin(&json, NULL);
    spill_plan_print_members(&program->plan, &json);
    spill_doctor_print_json(lines, &json, "doctor");
    spill_json_object_end(&json);
    return spill_json_end(&json);
}

int spill_program_print_plan(const struct spill_program *program, struct spill_error *error)
{
    struct spill_doctor_lines *lines = spill_program_look(program, program->options.eal_given);
    int status = 0;

    if (lines == NULL)
        return spill_error_set(error, "no memory");
    if (program->options.json)
        status = print_json(program, lines);
    else
        print_text(program, lines);
    free(lines);
    if (status != 0 || fflush(stdout) != 0 || ferror(stdout))
        return spill_error_set(error, "standard output can't be written");
    return 0;
}
