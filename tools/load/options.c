/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: a table of options, each with the function that reads its value. */
#include "options.h"

#include <ctype.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_version.h>

#include "units.h"

#define SECOND_NS    UINT64_C(1000000000)
#define NAME_LONGEST 16
#define CPU_LAST     1023
#define MPPS_LAST    1000.0

struct option {
    const char *name;
    const char *argument; /* NULL: a switch */
    const char *help;
    int (*set)(struct spill_load_options *options, const char *value, struct spill_error *error);
    bool of_search; /* has a meaning with --rfc2544 only */
    bool of_load;   /* and only without */
};

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

static int set_port(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    struct spill_load_port *port = &options->ports[options->port_count];
    const char *equals = strchrnul(value, '=');
    size_t length = (size_t)(equals - value);

    if (options->port_count == SPILL_LOAD_PORTS_MAX)
        return spill_error_set(error, "expected at most %d: the first sends, the second receives",
                               SPILL_LOAD_PORTS_MAX);
    if (length == 0 || length > NAME_LONGEST || *equals == '\0' ||
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

static int set_class(struct spill_load_options *options, const char *value,
                     struct spill_error *error)
{
    if (options->class_count == SPILL_LOAD_CLASSES_MAX)
        return spill_error_set(error, "expected at most %d classes", SPILL_LOAD_CLASSES_MAX);
    if (spill_load_class_parse(value, &options->classes[options->class_count], error) != 0)
        return -1;
    options->class_count++;
    return 0;
}

static int read_cpu(const char *value, int *cpu, struct spill_error *error)
{
    double number;

    if (value[strspn(value, "0123456789")] != '\0' ||
        read_decimal(value, "", 0, CPU_LAST, &number) != 0)
        return spill_error_set(error, "expected a CPU from 0 to %d", CPU_LAST);
    *cpu = (int)number;
    return 0;
}

static int set_cpu(struct spill_load_options *options, const char *value, struct spill_error *error)
{
    return read_cpu(value, &options->cpu, error);
}

static int set_control(struct spill_load_options *options, const char *value,
                       struct spill_error *error)
{
    return read_cpu(value, &options->control, error);
}

static int set_no_huge(struct spill_load_options *options, const char *value,
                       struct spill_error *error)
{
    (void)value, (void)error;
    options->no_huge = true;
    return 0;
}

static int set_name(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    size_t length = strlen(value);

    for (const char *at = value; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            length = 0;
    }
    if (length == 0 || length > NAME_LONGEST)
        return spill_error_set(error, "expected 1 to %d letters, digits, '_' or '-'", NAME_LONGEST);
    options->name = value;
    return 0;
}

static int set_report(struct spill_load_options *options, const char *value,
                      struct spill_error *error)
{
    if (value[0] == '\0')
        return spill_error_set(error, "expected the name of a file");
    options->report = value;
    return 0;
}

static int set_rate(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    double mpps = 0;

    if (strcmp(value, "max") != 0 && read_decimal(value, "", 1e-6, MPPS_LAST, &mpps) != 0)
        return spill_error_set(error, "expected millions of packets a second, such as 2.5, or max");
    options->rate = mpps * 1e6;
    return 0;
}

static int set_most(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    double mpps;

    if (read_decimal(value, "", 1e-6, MPPS_LAST, &mpps) != 0)
        return spill_error_set(error, "expected millions of packets a second, such as 2.5");
    options->most = mpps * 1e6;
    return 0;
}

static int set_duration(struct spill_load_options *options, const char *value,
                        struct spill_error *error)
{
    return spill_units_parse_time(value, &options->duration_ns, error);
}

static int set_warm_up(struct spill_load_options *options, const char *value,
                       struct spill_error *error)
{
    return spill_units_parse_time(value, &options->warm_up_ns, error);
}

static int set_wait(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    return spill_units_parse_time(value, &options->wait_ns, error);
}

static int set_trial(struct spill_load_options *options, const char *value,
                     struct spill_error *error)
{
    return spill_units_parse_time(value, &options->trial_ns, error);
}

static int set_rfc2544(struct spill_load_options *options, const char *value,
                       struct spill_error *error)
{
    (void)value, (void)error;
    options->rfc2544 = true;
    return 0;
}

static int set_loss(struct spill_load_options *options, const char *value,
                    struct spill_error *error)
{
    double per_cent;

    if (read_decimal(value, "%", 0, 100, &per_cent) != 0)
        return spill_error_set(error, "expected per cent from 0 to 100, such as 0.001%%");
    options->loss = per_cent / 100;
    return 0;
}

static int set_latency_at(struct spill_load_options *options, const char *value,
                          struct spill_error *error)
{
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

/* clang-format off */
static const struct option table[] = {
    {"port", "NAME=DEVICE", "the first sends, the second receives; only one: both", set_port,
        false, false},
    {"class", "NAME:KEY=VALUE,...", "traffic: share, size, flows, family, vlan, from, to, new",
        set_class, false, false},
    {"rate", "MPPS|max", "millions of packets a second (max)", set_rate, false, true},
    {"duration", "TIME", "of the load (5s)", set_duration, false, true},
    {"warm-up", "TIME", "of load before each trial, not counted (1s)", set_warm_up, false, false},
    {"rfc2544", NULL, "search the highest rate with --loss at most", set_rfc2544, false, false},
    {"loss", "PERCENT", "that is allowed (0)", set_loss, true, false},
    {"trial", "TIME", "of each trial of the search (2s)", set_trial, true, false},
    {"max", "MPPS", "where the search begins (what can be sent)", set_most, true, false},
    {"latency-at", "PERCENT,...", "of the rate found: a trial each", set_latency_at, true, false},
    {"wait", "TIME", "for the links to come up (10s)", set_wait, false, false},
    {"cpu", "N", "that sends and receives (the highest)", set_cpu, false, false},
    {"control", "N", "that waits and prints (the lowest)", set_control, false, false},
    {"no-huge", NULL, "do without hugepages", set_no_huge, false, false},
    {"name", "NAME", "of this instance, another for each (spillway-load)", set_name, false, false},
    {"report", "FILE", "write all of it as JSON", set_report, false, false},
};
/* clang-format on */

static void print_help(void)
{
    char left[48];

    printf("spillway-load [EAL options --] --port NAME=DEVICE [--port NAME=DEVICE] [options]\n"
           "Sends UDP packets at a rate, and accounts for what comes back.\n\n");
    for (size_t i = 0; i < RTE_DIM(table); i++) {
        snprintf(left, sizeof(left), "--%s %s", table[i].name,
                 table[i].argument != NULL ? table[i].argument : "");
        printf("  %-28s %s\n", left, table[i].help);
    }
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < RTE_DIM(table); i++) {
        if (strlen(table[i].name) == length && strncmp(table[i].name, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

/* Reads the option at argv[*index], and moves the index to its value. */
static int take(struct spill_load_options *options, char **argv, int *index,
                const struct option **taken, struct spill_error *error)
{
    const char *text = argv[*index], *name = text + 2, *value = NULL;
    const char *equals = strchrnul(text, '=');
    const struct option *option = NULL;
    struct spill_error reason;

    if (strncmp(text, "--", 2) == 0 && equals > name)
        *taken = option = find_option(name, (size_t)(equals - name));
    if (option == NULL)
        return spill_error_set(error, "'%s': is no option: expected one of --help", text);
    if (option->argument == NULL && *equals == '=')
        return spill_error_set(error, "%s: expected --%s without a value", text, option->name);
    if (option->argument != NULL) {
        value = *equals == '=' ? equals + 1 : argv[++*index];
        if (value == NULL || (*equals != '=' && strncmp(value, "--", 2) == 0))
            return spill_error_set(error, "--%s: a value is missing: expected --%s %s",
                                   option->name, option->name, option->argument);
    }
    if (option->set(options, value, &reason) != 0)
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
    if (options->class_count == 0 && set_class(options, "all", error) != 0)
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
        .name = "spillway-load",
        .duration_ns = 5 * SECOND_NS,
        .warm_up_ns = SECOND_NS,
        .wait_ns = 10 * SECOND_NS,
        .trial_ns = 2 * SECOND_NS,
    };
    first = begin(argc, argv, options);
    if (first == 0)
        return SPILL_LOAD_DONE;
    for (int i = first; status == 0 && i < argc; i++) {
        const struct option *taken = NULL;

        status = take(options, argv, &i, &taken, error);
        search |= taken != NULL && taken->of_search;
        load |= taken != NULL && taken->of_load;
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
