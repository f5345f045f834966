/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: rows of options as spillway's own are. */
#include "options.h"

#include <ctype.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_version.h>

#include "base/name.h"
#include "config/option_value.h"
#include "plan/topology.h"

#define CPU_LAST  (SPILL_CPUS_MAX - 1)
#define MPPS_LAST 1000.0

/* A decimal number within limits, with nothing behind it but `unit`. */
static int read_decimal(const char *text, const char *unit, double first, double last,
                        double *number)
{
    char *end;

    /* Neither sign nor blank nor hexadecimal, which strtod() would take. */
    if (!isdigit((unsigned char)text[0]) || strpbrk(text, "xXeE") != NULL)
        return -1;
    *number = strtod(text, &end);
    if (unit[0] != '\0' && strcmp(end, unit) == 0)
        end += strlen(unit);
    return *end == '\0' && isfinite(*number) && *number >= first && *number <= last ? 0 : -1;
}

static int read_port(void *field, const char *value, struct spill_error *error)
{
    struct spill_load_options *options = field;
    struct spill_load_port *port = &options->ports[options->port_count];
    const char *equals = strchrnul(value, '=');
    size_t length = (size_t)(equals - value);

    if (options->port_count == SPILL_LOAD_PORTS_MAX)
        return spill_error_set(error, "expected at most %d: the first sends, the second receives",
                               SPILL_LOAD_PORTS_MAX);
    if (length == 0 || length > SPILL_NAME_LENGTH || *equals == '\0' ||
        memchr(value, ',', length) != NULL)
        return spill_error_set(error, "expected NAME=DEVICE, such as out=net_memif0,role=server");
    memcpy(port->name, value, length);
    for (unsigned i = 0; i < options->port_count; i++) {
        if (strcmp(options->ports[i].name, port->name) == 0)
            return spill_error_set(error, "expected a name that no other port has");
    }
    if (spill_device_parse(equals + 1, &port->device, error) != 0)
        return -1;
    options->port_count++;
    return 0;
}

static int read_class(void *field, const char *value, struct spill_error *error)
{
    struct spill_load_options *options = field;

    if (options->class_count == SPILL_LOAD_CLASSES_MAX)
        return spill_error_set(error, "expected at most %d classes", SPILL_LOAD_CLASSES_MAX);
    if (spill_load_class_parse(value, &options->classes[options->class_count], error) != 0)
        return -1;
    options->class_count++;
    return 0;
}

static int read_cpu(void *field, const char *value, struct spill_error *error)
{
    int *cpu = field;
    double number;

    if (value[strspn(value, "0123456789")] != '\0' ||
        read_decimal(value, "", 0, CPU_LAST, &number) != 0)
        return spill_error_set(error, "expected a CPU from 0 to %d", CPU_LAST);
    *cpu = (int)number;
    return 0;
}

static int read_report(void *field, const char *value, struct spill_error *error)
{
    const char **report = field;

    if (value[0] == '\0')
        return spill_error_set(error, "expected the name of a file");
    *report = value;
    return 0;
}

static int read_rate(void *field, const char *value, struct spill_error *error)
{
    double *rate = field;
    double mpps = 0;

    if (strcmp(value, "max") != 0 && read_decimal(value, "", 1e-6, MPPS_LAST, &mpps) != 0)
        return spill_error_set(error, "expected millions of packets a second, such as 2.5, or max");
    *rate = mpps * 1e6;
    return 0;
}

static int read_most(void *field, const char *value, struct spill_error *error)
{
    double *most = field;
    double mpps;

    if (read_decimal(value, "", 1e-6, MPPS_LAST, &mpps) != 0)
        return spill_error_set(error, "expected millions of packets a second, such as 2.5");
    *most = mpps * 1e6;
    return 0;
}

static int read_loss(void *field, const char *value, struct spill_error *error)
{
    double *loss = field;
    double per_cent;

    if (read_decimal(value, "%", 0, 100, &per_cent) != 0)
        return spill_error_set(error, "expected per cent from 0 to 100, such as 0.001%%");
    *loss = per_cent / 100;
    return 0;
}

static int read_latency_at(void *field, const char *value, struct spill_error *error)
{
    struct spill_load_options *options = field;

    options->latency_count = 0;
    for (;;) {
        char number[16] = "";
        size_t length = strcspn(value, ",");
        double per_cent;

        if (length < sizeof(number))
            memcpy(number, value, length);
        if (read_decimal(number, "", 0.1, 100, &per_cent) != 0 ||
            options->latency_count == SPILL_LOAD_LATENCIES_MAX)
            return spill_error_set(error, "expected 1 to %d numbers of per cent, such as 10,50,90",
                                   SPILL_LOAD_LATENCIES_MAX);
        options->latency_at[options->latency_count++] = per_cent / 100;
        if (value[length] == '\0')
            return 0;
        value += length + 1;
    }
}

enum group { GROUP_TRAFFIC, GROUP_LOAD, GROUP_SEARCH, GROUP_PROGRAM };

static const struct spill_option_group groups[] = {
    [GROUP_TRAFFIC] = {"Traffic", NULL},
    [GROUP_LOAD] = {"Load", NULL},
    [GROUP_SEARCH] = {"Search", ": with --rfc2544, without those of a load"},
    [GROUP_PROGRAM] = {"Program", NULL},
};

#define FIELD(name)                                                                                \
    .offset = offsetof(struct spill_load_options, name),                                           \
    .size = sizeof(((struct spill_load_options *)NULL)->name)
#define READ(function) .kind = SPILL_OPTION_READ, .read = (function)
#define ANY_TIME       .kind = SPILL_OPTION_TIME, .most = UINT64_MAX

/* clang-format off */
static const struct spill_option rows[] = {
    {.name = "port", .argument = "NAME=DEVICE", .group = GROUP_TRAFFIC,
     .help = "the first sends, the second receives; only one: both",
     READ(read_port)},
    {.name = "class", .argument = "NAME:KEY=VALUE,...", .group = GROUP_TRAFFIC,
     .help = "traffic: share, size, flows, family, vlan, from, to, new",
     READ(read_class)},
    {.name = "warm-up", .group = GROUP_TRAFFIC,
     .help = "of load before each trial, not counted",
     FIELD(warm_up_ns), ANY_TIME, .preset = "1s"},

    {.name = "rate", .argument = "MPPS|max", .group = GROUP_LOAD,
     .help = "millions of packets a second",
     FIELD(rate), READ(read_rate), .preset = "max"},
    {.name = "duration", .group = GROUP_LOAD,
     .help = "of the load",
     FIELD(duration_ns), ANY_TIME, .preset = "5s"},

    {.name = "rfc2544", .group = GROUP_SEARCH,
     .help = "search the highest rate with --loss at most",
     FIELD(rfc2544), .kind = SPILL_OPTION_SWITCH},
    {.name = "loss", .argument = "PERCENT", .group = GROUP_SEARCH,
     .help = "that is allowed",
     FIELD(loss), READ(read_loss), .preset = "0"},
    {.name = "trial", .group = GROUP_SEARCH,
     .help = "of each trial of the search",
     FIELD(trial_ns), ANY_TIME, .preset = "2s"},
    {.name = "max", .argument = "MPPS", .group = GROUP_SEARCH,
     .help = "where the search begins", .absent = "what can be sent",
     FIELD(most), READ(read_most)},
    {.name = "latency-at", .argument = "PERCENT,...", .group = GROUP_SEARCH,
     .help = "of the rate found: a trial each",
     READ(read_latency_at)},

    {.name = "wait", .group = GROUP_PROGRAM,
     .help = "for the links to come up",
     FIELD(wait_ns), ANY_TIME, .preset = "10s"},
    {.name = "cpu", .argument = "N", .group = GROUP_PROGRAM,
     .help = "that sends and receives", .absent = "the highest",
     FIELD(cpu), READ(read_cpu)},
    {.name = "control", .argument = "N", .group = GROUP_PROGRAM,
     .help = "that waits and prints", .absent = "the lowest",
     FIELD(control), READ(read_cpu)},
    {.name = "no-huge", .group = GROUP_PROGRAM,
     .help = "do without hugepages",
     FIELD(no_huge), .kind = SPILL_OPTION_SWITCH},
    {.name = "name", .argument = "NAME", .group = GROUP_PROGRAM,
     .help = "of this instance, another for each",
     FIELD(name), .kind = SPILL_OPTION_NAME, .preset = "spillway-load"},
    {.name = "report", .argument = "FILE", .group = GROUP_PROGRAM,
     .help = "write all of it as JSON",
     FIELD(report), READ(read_report)},
};
/* clang-format on */

static const struct spill_option_table table = {
    .rows = rows, .count = RTE_DIM(rows), .groups = groups};

static void print_help(void)
{
    printf("spillway-load [EAL options --] --port NAME=DEVICE [--port NAME=DEVICE] [options]\n"
           "Sends UDP packets at a rate, and accounts for what comes back.\n");
    spill_option_print(&table);
}

static const struct spill_option *find_option(const char *text, size_t length)
{
    char name[32];

    if (length >= sizeof(name))
        return NULL;
    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    return spill_option_find_in(&table, name, false);
}

/* Reads the option at argv[*index], and moves the index to its value. */
static int take(struct spill_load_options *options, char **argv, int *index,
                const struct spill_option **taken, struct spill_error *error)
{
    const char *text = argv[*index], *name = text + 2, *value = NULL;
    const char *equals = strchrnul(text, '=');
    const struct spill_option *option = NULL;
    char argument[SPILL_OPTION_TEXT_SIZE];
    struct spill_error reason;
    bool is_switch;

    if (strncmp(text, "--", 2) == 0 && equals > name)
        *taken = option = find_option(name, (size_t)(equals - name));
    if (option == NULL)
        return spill_error_set(error, "'%s': is no option: expected one of --help", text);
    is_switch = option->kind == SPILL_OPTION_SWITCH;
    if (is_switch && *equals == '=')
        return spill_error_set(error, "%s: expected --%s without a value", text, option->name);
    if (is_switch) {
        value = "on";
    } else {
        value = *equals == '=' ? equals + 1 : argv[++*index];
        if (value == NULL || (*equals != '=' && strncmp(value, "--", 2) == 0))
            return spill_error_set(error, "--%s: a value is missing: expected --%s %s",
                                   option->name, option->name,
                                   spill_option_argument(option, argument, sizeof(argument)));
    }
    if (spill_option_set(option, options, value, NULL, &reason) != 0)
        return spill_error_set(error, "--%s '%.100s': %s", option->name, value, reason.text);
    return 0;
}

/* Puts the lowest or highest CPU that the process may use where none was asked for. */
static int choose_cpu(const char *name, int *cpu, bool highest, struct spill_error *error)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return spill_error_set(error, "the CPUs of this process can't be read");
    if (*cpu != SPILL_LOAD_CPU_ANY && !CPU_ISSET(*cpu, &set))
        return spill_error_set(error, "--%s '%d': expected a CPU that this process may use", name,
                               *cpu);
    for (int i = 0; *cpu == SPILL_LOAD_CPU_ANY && i < CPU_SETSIZE; i++) {
        const int candidate = highest ? CPU_SETSIZE - 1 - i : i;

        if (CPU_ISSET(candidate, &set))
            *cpu = candidate;
    }
    return 0;
}

/* What single options can't show. */
static int check(struct spill_load_options *options, bool search, bool load,
                 struct spill_error *error)
{
    if (options->port_count == 0)
        return spill_error_set(error, "--port is missing: expected one or two, such as --port "
                                      "out=net_memif0,role=server");
    if (options->rfc2544 && load)
        return spill_error_set(error, "--rate and --duration: expected --max and --trial with "
                                      "--rfc2544");
    if (!options->rfc2544 && search)
        return spill_error_set(error, "--loss, --trial, --max and --latency-at: expected with "
                                      "--rfc2544 only");
    if (options->duration_ns == 0 || options->trial_ns == 0)
        return spill_error_set(error, "--%s '0': expected a time such as 2s",
                               options->duration_ns == 0 ? "duration" : "trial");
    if (options->eal_given && (options->cpu != SPILL_LOAD_CPU_ANY ||
                               options->control != SPILL_LOAD_CPU_ANY || options->no_huge))
        return spill_error_set(error, "--cpu, --control and --no-huge: expected among the EAL "
                                      "options, as there are some");
    if (choose_cpu("cpu", &options->cpu, true, error) != 0 ||
        choose_cpu("control", &options->control, false, error) != 0)
        return -1;
    if (options->class_count == 0 && read_class(options, "all", error) != 0)
        return -1;
    return spill_load_classes_check(options->classes, options->class_count, error);
}

/* Finds `--`, and help or version behind it. @return the first argument of ours, 0: done */
static int begin(int argc, char **argv, struct spill_load_options *options)
{
    int first = 1;

    for (int i = 1; i < argc && !options->eal_given; i++) {
        options->eal_given = strcmp(argv[i], "--") == 0;
        if (options->eal_given) {
            options->eal_argc = i - 1;
            options->eal_argv = argv + 1;
            first = i + 1;
        }
    }
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("spillway-load %s (%s)\n", SPILL_VERSION, rte_version());
            return 0;
        }
    }
    return first;
}

enum spill_load_parsed spill_load_options_parse(int argc, char **argv,
                                                struct spill_load_options *options,
                                                struct spill_error *error)
{
    bool search = false, load = false;
    int first, status = 0;

    *options = (struct spill_load_options){
        .cpu = SPILL_LOAD_CPU_ANY,
        .control = SPILL_LOAD_CPU_ANY,
    };
    for (size_t i = 0; i < table.count; i++) {
        if (rows[i].preset != NULL &&
            spill_option_set(&rows[i], options, rows[i].preset, NULL, error) != 0)
            return SPILL_LOAD_ERROR;
    }
    first = begin(argc, argv, options);
    if (first == 0)
        return SPILL_LOAD_DONE;
    for (int i = first; status == 0 && i < argc; i++) {
        const struct spill_option *taken = NULL;

        status = take(options, argv, &i, &taken, error);
        search |=
            taken != NULL && taken->group == GROUP_SEARCH && taken->kind != SPILL_OPTION_SWITCH;
        load |= taken != NULL && taken->group == GROUP_LOAD;
    }
    if (status == 0)
        status = check(options, search, load, error);
    return status == 0 ? SPILL_LOAD_GO_ON : SPILL_LOAD_ERROR;
}

uint16_t spill_load_options_frame(const struct spill_load_options *options)
{
    unsigned most = 0;

    for (unsigned i = 0; i < options->class_count; i++)
        most = RTE_MAX(most, (unsigned)options->classes[i].most);
    return (uint16_t)(most - SPILL_LOAD_FCS);
}

uint16_t spill_load_options_mtu(const struct spill_load_options *options)
{
    unsigned most = 0;

    for (unsigned i = 0; i < options->class_count; i++) {
        const struct spill_load_class *class = &options->classes[i];
        const unsigned link = RTE_ETHER_HDR_LEN + (class->vlan != 0 ? RTE_VLAN_HLEN : 0);

        most = RTE_MAX(most, class->most - SPILL_LOAD_FCS - link);
    }
    return most > RTE_ETHER_MTU ? (uint16_t)most : 0;
}
