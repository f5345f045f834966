/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of commands, and what each shows. */
#include <string.h>

#include "command.h"
#include "control/command_rows.h"
#include "instance.h"
#include "options.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define COLUMNS(...)                                                                               \
    .columns = (const struct spill_ctl_column[])                                                   \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* clang-format off */
static const struct spill_ctl_view
    status = {{
        {.name = "status", .path = "/spillway/status", .label = "PROGRAM", .heading = "VALUE", .elsewhere = "set"},
        {.name = "packets", .path = "/spillway/metrics,packets", .label = "PACKETS", .heading = "COUNT"},
        {.name = "set", .path = "/spillway/set", .list = true, .label = "SET UNTIL THE NEXT RELOAD"},
    }},
    ports = {{
        {.name = "ports", .path = "/spillway/metrics,ports", .members = true, .label = "PORT",
         COLUMNS({"driver", "DRIVER"}, {"link", "LINK"}, {"mtu", "MTU BYTES"},
                 {"rx_packets", "RX PACKETS"}, {"tx_packets", "TX PACKETS"},
                 {"rx_missed", "RX MISSED"}, {"rx_nombuf", "RX NO MBUF"},
                 {"tx_unsent", "TX UNSENT"})},
    }},
    lcores = {{
        {.name = "lcores", .path = "/spillway/metrics,lcores", .members = true, .label = "LCORE",
         COLUMNS({"state", "STATE"}, {"lcore", "EAL ID"}, {"cpu", "CPU"}, {"socket", "NODE"},
                 {"packets", "PACKETS"}, {"polls", "TURNS"}, {"empty_polls", "EMPTY"},
                 {"cycles_per_packet", "CYCLES/PACKET"}, {"over_budget", "OVER BUDGET"},
                 {"longest_burst_us", "LONGEST us"})},
    }},
    channels = {{
        {.name = "channels", .path = "/spillway/metrics,channels", .members = true,
         .label = "CHANNEL",
         COLUMNS({"capacity", "CAPACITY"}, {"high_water", "HIGH WATER"}, {"sent", "SENT"},
                 {"refused", "REFUSED"})},
    }},
    pool = {{
        {.name = "pool", .path = "/spillway/metrics,pool", .members = true, .label = "CLASS",
         COLUMNS({"inline_packets", "INLINE PACKETS"}, {"pool_packets", "POOL PACKETS"},
                 {"jobs", "JOBS"}, {"high_water", "MOST OUT"}, {"capacity", "CAPACITY"},
                 {"refused", "REFUSED"}, {"wait_us_p99", "WAIT p99 us"},
                 {"service_us_p99", "SERVICE p99 us"})},
    }},
    latency = {{
        {.name = "latency", .path = "/spillway/metrics,latency_us", .label = "LATENCY",
         .heading = "us"},
    }},
    flows = {{
        {.name = "flows", .path = "/spillway/metrics,flows", .label = "FLOWS", .heading = "COUNT"},
    }},
    rules = {{
        {.name = "rules", .path = "/spillway/metrics,rules", .members = true, .label = "RULE",
         COLUMNS({"name", "NAME"}, {"action", "ACTION"}, {"packets", "PACKETS"}, {"bytes", "BYTES"},
                 {"connections", "CONNECTIONS"},
                 {"beyond_limit", "BEYOND LIMIT"}, {"last", "LAST, UNIX s"})},
    }},
    drops = {{
        {.name = "drops", .path = "/spillway/metrics,drops", .label = "REASON",
         .heading = "PACKETS"},
    }},
    routes = {{
        {.name = "routes", .path = "/spillway/metrics,routes", .label = "ROUTES", .heading = "COUNT"},
    }},
    neighbors = {{
        {.name = "neighbors", .path = "/spillway/metrics,neighbors", .label = "NEIGHBORS",
         .heading = "COUNT"},
    }},
    kernel = {{
        {.name = "kernel", .path = "/spillway/metrics,kernel", .label = "KERNEL", .heading = "COUNT"},
    }},
    sas = {{
        {.name = "sas", .path = "/spillway/metrics,sas", .members = true, .label = "SA",
         COLUMNS({"direction", "DIRECTION"}, {"spi", "SPI"}, {"algorithm", "ALGORITHM"},
                 {"packets", "PACKETS"}, {"bytes", "BYTES"}, {"sequence", "SEQUENCE"},
                 {"lifetime", "LIFETIME"})},
    }};

#define SHOWS(view_)                                                                               \
    .run = spill_ctl_show, .view = &(view_),                                                       \
    .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON)

/* A command of the control socket. */
#define REMOTE(name_, argument_, help_, function_, reads_)                                                 \
    {name_, argument_, help_,                                                                      \
     SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON), spill_ctl_remote, NULL, false},

#define DOCTOR(name_, argument_, help_, function_, reads_)                                                 \
    {name_, argument_, help_,                                                                      \
     SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON), spill_ctl_doctor, NULL, false},

#define SET(name_, argument_, help_, function_, reads_)                                                    \
    {name_, argument_, help_,                                                                      \
     SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON), spill_ctl_set, NULL, true},

static const struct spill_ctl_command rows[] = {
    {"top", .help = "what happens this second: lcores, ports, pool, drops, busiest rules; q ends it",
     .run = spill_ctl_top,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(ONCE)},
    {"status", .help = "version, uptime, configuration in force, packets", SHOWS(status)},
    {"ports", .help = "links and packets of ports", SHOWS(ports)},
    {"lcores", .help = "what each lcore did, and took for it; --slow: turns that took too long",
     .run = spill_ctl_lcores, .view = &lcores,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON) | SPILL_CTL_TAKES(SLOW)},
    {"channels", .help = "queues between lcores", SHOWS(channels)},
    {"pool", .help = "expensive work by class", SHOWS(pool)},
    {"latency", .help = "receive to transmit, of the fast way and the pool's", SHOWS(latency)},
    {"flows", .help = "the flow tables", SHOWS(flows)},
    {"rules", .help = "the first 512 rules, and what each has decided", SHOWS(rules)},
    {"drops", .help = "dropped packets by reason", SHOWS(drops)},
    {"sa", .help = "security associations", SHOWS(sas)},
    {"routes", .help = "routes of routed ports", SHOWS(routes)},
    {"neighbors", .help = "neighbours of routed ports", SHOWS(neighbors)},
    {"kernel", .help = "what was heard from the kernel, and asked of it", SHOWS(kernel)},
    {"trace", "N [where 'FILTER']", "the way of the next N packets that a pcap filter means, through the stages",
     .sentence = true, .run = spill_ctl_trace,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON) | SPILL_CTL_TAKES(SECONDS)},
    {"capture", "FILE WHAT...", "packets to a pcapng file: where-dropped REASON|any, port NAME, where FILTER, count N, bytes N",
     .sentence = true, .run = spill_ctl_capture,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(SECONDS)},
    {"diff", .help = "what a reload would change, and what the next start: exit status 0 nothing, 1 something, 2 an error",
     .run = spill_ctl_diff,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(JSON)},
    SPILL_COMMAND_ROWS(REMOTE)
    SPILL_COMMAND_SET(SET)
    SPILL_COMMAND_DOCTOR(DOCTOR)
    {"exporter", .help = "serve /metrics over HTTP for Prometheus, until SIGINT or SIGTERM",
     .run = spill_ctl_export,
     .options = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET) | SPILL_CTL_TAKES(LISTEN)},
};
/* clang-format on */

const struct spill_ctl_command *spill_ctl_command_find(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

void spill_ctl_commands_help(FILE *out)
{
    size_t i;

    fputs("usage: spillwayctl [OPTION...] COMMAND\n\n"
          "Shows and changes a running spillway.\n\nCommands:\n",
          out);
    for (i = 0; i < COUNT_OF(rows); i++)
        fprintf(out, "  %s %-*s%s\n", rows[i].name, (int)(25 - strlen(rows[i].name)),
                rows[i].argument != NULL ? rows[i].argument : "", rows[i].help);
    fputs("\nOptions:\n", out);
    spill_ctl_options_help(out);
    fputs("\nExit status: 0 done; 1 failed, or no such spillway runs; 2 a wrong command line. That "
          "of diff is its own.\n",
          out);
}

enum spill_ctl_status spill_ctl_show(const struct spill_ctl_request *request, FILE *out,
                                     struct spill_error *error)
{
    struct spill_ctl_telemetry telemetry;
    char path[PATH_MAX];
    int result;

    if (spill_ctl_instance_path(request, "dpdk_telemetry.v2", path, error) != 0 ||
        spill_ctl_telemetry_open(&telemetry, path, error) != 0)
        return SPILL_CTL_FAILED;
    result = spill_ctl_view_show(request->command->view, &telemetry,
                                 (request->given & SPILL_CTL_TAKES(JSON)) != 0, out, error);
    spill_ctl_telemetry_close(&telemetry);
    return result == 0 ? SPILL_CTL_DONE : SPILL_CTL_FAILED;
}
