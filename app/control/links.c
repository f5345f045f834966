/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports' links: watched while the lcores run, told, and passed on to those who send by them. */
#include <inttypes.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/log.h"
#include "control/steps.h"
#include "control/wiring.h"
#include "program.h"
#include "start/steps.h"

/* Between two looks at devices that are no interfaces of the kernel's, which tells of those. */
#define LOOK_NS UINT64_C(1000000000)

static const char *state_name(enum spill_link_state state)
{
    static const char *const names[] = {
        [SPILL_LINK_UP] = "up",
        [SPILL_LINK_DOWN] = "down",
        [SPILL_LINK_GONE] = "gone",
    };

    return names[state];
}

static void tell_state(const struct spill_port *port, enum spill_link_state state)
{
    if (state == SPILL_LINK_UP)
        SPILL_LOG(NOTICE, "port %s: link up", port->name);
    else if (state == SPILL_LINK_DOWN)
        SPILL_LOG(WARNING, "port %s: link down", port->name);
    else
        SPILL_LOG(WARNING,
                  "port %s: the interface of %s is gone: it can't come back before a restart, or "
                  "two reloads, the first without the port",
                  port->name, port->device.name);
}

static void tell_mtu(const struct spill_port *port, uint16_t mtu)
{
    if (mtu < port->mtu)
        SPILL_LOG(WARNING,
                  "port %s: its interface has MTU %u now, instead of %u: what is larger "
                  "does not leave by it",
                  port->name, mtu, port->mtu);
    else if (mtu > port->mtu)
        SPILL_LOG(WARNING,
                  "port %s: its interface has MTU %u now: more than %u leaves by it only "
                  "after a restart",
                  port->name, mtu, port->mtu);
    else
        SPILL_LOG(NOTICE, "port %s: its interface has MTU %u again", port->name, mtu);
}

void spill_program_init_links(struct spill_program *program)
{
    uint32_t i;

    for (i = 0; i < program->port_count; i++)
        program->links[i] = (struct spill_port_link){.mtu = program->ports[i].mtu};
}

/* The twins of a port have the carrier that it has. */
static void tell_twins(struct spill_program *program, uint32_t index, bool up)
{
    uint32_t i;

    for (i = 0; program->host != NULL && i < program->interface_count; i++) {
        if (spill_program_has_interface(program, i) && program->interfaces[i].port == index)
            spill_twin_set_carrier(&program->host->twins[i].twin, up);
    }
}

static void note(struct spill_program *program, uint32_t index, struct spill_port_link now)
{
    const struct spill_port *port = &program->ports[index];
    struct spill_port_link *before = &program->links[index];
    struct spill_link link;

    if (now.state == before->state && now.mtu == before->mtu)
        return;
    if (now.state != before->state) {
        tell_state(port, now.state);
        tell_twins(program, index, now.state == SPILL_LINK_UP);
    }
    if (before->state != SPILL_LINK_UP && now.state == SPILL_LINK_UP)
        spill_port_recover(port);
    if (now.mtu != before->mtu && now.state != SPILL_LINK_GONE) {
        tell_mtu(port, now.mtu);
        spill_program_twins_follow_mtu(program, index, RTE_MIN(before->mtu, port->mtu),
                                       RTE_MIN(now.mtu, port->mtu));
    }
    /* Other devices refuse what they can't send, or keep it until the link is up again. */
    link = (struct spill_link){
        .mtu = port->interface != 0 ? now.mtu : 0,
        .lost =
            now.state == SPILL_LINK_GONE || (port->interface != 0 && now.state != SPILL_LINK_UP),
    };
    spill_links_set(&program->pipeline->links, port->id, link);
    spill_program_route_link(program, index, now.state == SPILL_LINK_UP);
    *before = now;
}

/* To a driver one that is gone does not come back, though one of its number may: it went to another
 * network namespace, and is here again. */
static void look(struct spill_program *program, uint32_t index)
{
    struct spill_port_link now;

    if (program->links[index].state == SPILL_LINK_GONE)
        return;
    spill_port_look(&program->ports[index], &now);
    note(program, index, now);
}

static void look_at_all(void *context)
{
    struct spill_program *program = context;
    uint32_t i;

    if (program->reload == NULL)
        spill_wiring_settle(program);
    for (i = 0; i < program->port_count; i++) {
        if (spill_program_has_port(program, i))
            look(program, i);
    }
}

/* Of an interface that is back by now, too: sockets on it are none any more. */
static void note_gone(struct spill_program *program, unsigned interface)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        const struct spill_port_link gone = {.state = SPILL_LINK_GONE,
                                             .mtu = program->links[i].mtu};

        if (spill_program_has_port(program, i) && program->ports[i].interface == interface)
            note(program, i, gone);
    }
}

static void take_messages(struct spill_program *program, const struct nlmsghdr *message, int size)
{
    for (; size > 0 && NLMSG_OK(message, (unsigned)size); message = NLMSG_NEXT(message, size)) {
        const struct ifinfomsg *of = NLMSG_DATA(message);

        /* A bridge that an interface leaves says so as well, as AF_BRIDGE. */
        if (message->nlmsg_type == RTM_DELLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(*of)) &&
            of->ifi_family == AF_UNSPEC)
            note_gone(program, (unsigned)of->ifi_index);
    }
}

/* The kernel has told of a change at some interface: what it is now is asked for itself. */
static void hear_kernel(void *context)
{
    struct spill_program *program = context;
    union {
        struct nlmsghdr first;
        char bytes[16384];
    } messages;
    ssize_t size;

    while ((size = recv(program->links_told, &messages, sizeof(messages), 0)) > 0)
        take_messages(program, &messages.first, (int)size);
    look_at_all(program);
}

/* A socket on which the kernel tells of changes; -1: it does not, and they are seen later. */
static int open_kernel(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (descriptor >= 0 &&
        bind(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
}

int spill_program_watch_links(struct spill_program *program)
{
    int status = 0;

    program->links_told = open_kernel(); /* of ports that come, too */
    if (program->links_told >= 0)
        status = spill_events_read(&program->events, &program->hearing, program->links_told,
                                   hear_kernel, program);
    look_at_all(program);
    return status |
           spill_events_every(&program->events, &program->looking, LOOK_NS, look_at_all, program);
}

void spill_program_leave_links(struct spill_program *program)
{
    spill_event_remove(&program->looking);
    spill_event_remove(&program->hearing);
    if (program->links_told >= 0)
        close(program->links_told);
}

/* -------------------------------------------------------------------------------- telling */

/* A port's link, and what it did with what it was given. */
struct told {
    struct spill_port_link link;
    uint64_t taken, sent; /* packets, by spillway's count and the device's */
    bool counted;         /* the latter is known */
};

static struct spill_metric_value link_state(const void *told)
{
    return spill_value_text(state_name(((const struct told *)told)->link.state));
}

static struct spill_metric_value mtu(const void *told)
{
    return spill_value_unsigned(((const struct told *)told)->link.mtu);
}

static uint64_t unsent(const struct told *told)
{
    return told->taken > told->sent ? told->taken - told->sent : 0;
}

static struct spill_metric_value tx_unsent(const void *told)
{
    const struct told *of = told;

    return of->counted ? spill_value_unsigned(unsent(of))
                       : (struct spill_metric_value){.type = SPILL_VALUE_NONE};
}

static const struct spill_metric rows[] = {
    SPILL_METRIC_COMPUTED(TEXT, "link", link_state, "", "up, down, or gone with its interface"),
    SPILL_METRIC_COMPUTED(GAUGE, "mtu", mtu, "bytes",
                          "of the kernel's interface at this moment, else as configured"),
    SPILL_METRIC_COMPUTED(GAUGE, "tx_unsent", tx_unsent, "packets",
                          "of tx_packets, those that the device has not sent by its own count"),
};
static const struct spill_metrics metrics = SPILL_METRICS(rows);

static struct told told_of(const struct spill_program *program, uint32_t index)
{
    struct told told = {.link = program->links[index]};
    struct spill_port_stats stats = program->port_stats[index];

    /* First what was given to it: so it can't have sent more than that, but by others. */
    told.taken = spill_pipeline_transmitted(program->pipeline, index);
    if (!program->settled && spill_program_has_port(program, index))
        spill_port_stats(&program->ports[index], &stats);
    told.sent = stats.tx_packets;
    /* memif forgets what it counted when its peer has left. */
    told.counted = stats.counted && (told.taken == 0 || stats.tx_packets + stats.tx_errors > 0);
    return told;
}

void spill_program_write_link(const struct spill_program *program, uint32_t index,
                              struct spill_metric_writer *writer)
{
    const struct told told = told_of(program, index);

    spill_metrics_write(&metrics, &told, writer);
}

void spill_program_tell_unsent(const struct spill_program *program)
{
    uint32_t i;

    for (i = 0; i < program->port_count; i++) {
        const struct told told = told_of(program, i);

        if (told.counted && unsent(&told) > 0)
            SPILL_LOG(WARNING,
                      "port %s: %" PRIu64 " of %" PRIu64 " packets that its device took were not "
                      "sent, by its own count",
                      program->ports[i].name, unsent(&told), told.taken);
    }
}
