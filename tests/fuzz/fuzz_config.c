/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command lines, configurations and rules of any text, up to the plan and its JSON: what is wrong
 * is told in a line; the plan names an owner for each queue and its JSON is JSON; and read once
 * more, as for a reload, it all says the same.
 *
 * Input: arguments, one a line; a line "---"; the configuration; "---"; the rules; "---"; a key.
 * They are open as /proc/self/fd/100 and on; 103 and 104 are keys for aes-128-gcm, 105 is one for
 * aes-256-gcm.
 */
#include "fuzz.h"

#include <ctype.h>
#include <unistd.h>

#include "base/json.h"
#include "config/command_line.h"
#include "plan_inputs.h"
#include "program.h"
#include "start/steps.h"

#define FIRST_FILE 100
#define PARTS      4
#define ARGUMENTS  64

static struct spill_program program;
static struct spill_topology machine;

static void make_keys(void)
{
    char digits[73];

    memset(digits, '1', sizeof(digits));
    digits[40] = '\n';
    fuzz_file(FIRST_FILE + 3, digits, 41);
    digits[0] = '2';
    fuzz_file(FIRST_FILE + 4, digits, 41);
    digits[40] = '1';
    digits[72] = '\n';
    fuzz_file(FIRST_FILE + 5, digits, 73);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fixture_machine(&machine, 2, 4, 2);
    make_keys();
    /* What options print is none of this target's. */
    if (freopen("/dev/null", "w", stdout) == NULL)
        return 1;
    return 0;
}

/* Every input has the same machine. */
int __wrap_spill_topology_read(struct spill_topology *topology, const char *root,
                               struct spill_error *error);
int __wrap_spill_topology_read(struct spill_topology *topology, const char *root,
                               struct spill_error *error)
{
    (void)root;
    (void)error;
    *topology = machine;
    return 0;
}

int __wrap_spill_topology_pci_node(const char *root, const char *address);
int __wrap_spill_topology_pci_node(const char *root, const char *address)
{
    (void)root;
    return address[0] % 2;
}

/* ------------------------------------------------------------------------------- the input */

/* Cuts the input into its parts, and puts all but the arguments into files. */
static size_t take_parts(const uint8_t *bytes, size_t size)
{
    static const char divider[] = "\n---\n";
    size_t arguments = size;

    for (unsigned i = 0; i < PARTS; i++) {
        const uint8_t *end = size == 0 ? NULL : memmem(bytes, size, divider, 5);
        size_t length = end == NULL ? size : (size_t)(end - bytes);

        if (i == 0)
            arguments = length;
        else
            fuzz_file(FIRST_FILE + (int)i - 1, bytes, length);
        length += end == NULL ? 0 : sizeof(divider) - 1;
        bytes += length;
        size -= length;
    }
    return arguments;
}

/* Arguments, one a line. Returns how many; each is the caller's to free. */
static int take_arguments(const uint8_t *bytes, size_t size, char **arguments)
{
    int count = 0;

    arguments[count++] = strdup("spillway");
    while (size > 0 && count < ARGUMENTS) {
        const uint8_t *end = memchr(bytes, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - bytes);

        arguments[count++] = strndup((const char *)bytes, length);
        length += end != NULL;
        bytes += length;
        size -= length;
    }
    arguments[count] = NULL;
    return count;
}

/* ---------------------------------------------------------------------------------- JSON */

static const char *skip(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t')
        at++;
    return at;
}

static const char *value(const char *at, unsigned depth);

/* A string; NULL when it is none. */
static const char *string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < ' ')
            return NULL;
        if (*at == '\\' && (*++at == '\0' || strchr("\"\\/bfnrtu", *at) == NULL))
            return NULL;
    }
    return at + 1;
}

/* Members up to a closing bracket. */
static const char *members(const char *at, char close, unsigned depth)
{
    if (*(at = skip(at)) == close)
        return at + 1;
    for (;; at = skip(at + 1)) {
        if (close == '}') {
            if ((at = string(at)) == NULL || *(at = skip(at)) != ':')
                return NULL;
            at = skip(at + 1);
        }
        if ((at = value(at, depth)) == NULL)
            return NULL;
        at = skip(at);
        if (*at == close)
            return at + 1;
        if (*at != ',')
            return NULL;
    }
}

static const char *value(const char *at, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null"};
    char *end;

    if (depth > 32)
        return NULL;
    if (*at == '{' || *at == '[')
        return members(at + 1, *at == '{' ? '}' : ']', depth + 1);
    if (*at == '"')
        return string(at);
    for (unsigned i = 0; i < 3; i++) {
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    }
    if (*at != '-' && !isdigit((unsigned char)*at))
        return NULL;
    strtod(at, &end);
    return end;
}

/* The plan as JSON, for the caller to free. */
static char *plan_text(void)
{
    struct spill_json json;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *end;

    spill_json_begin(&json, out);
    spill_plan_print_json(&program.plan, &json, NULL);
    FUZZ_CHECK(spill_json_end(&json) == 0, "not written");
    spill_plan_print(&program.plan, out);
    fclose(out);
    end = value(skip(text), 0);
    FUZZ_CHECK(end != NULL, "no JSON: %.1000s", text);
    return text;
}

/* ---------------------------------------------------------------------------------- plan */

static enum spill_role role_of(int lcore)
{
    FUZZ_CHECK(lcore > 0 && lcore < (int)program.plan.lcore_count, "owner %d", lcore);
    return program.plan.lcores[lcore].role;
}

static void check_port(const struct spill_plan_port *port)
{
    const struct spill_plan *plan = &program.plan;
    uint64_t mbufs = 0;

    for (unsigned i = 0; i < port->rx_queues; i++) {
        enum spill_role role = role_of(port->rx[i].owner);

        FUZZ_CHECK(role == (plan->count[SPILL_ROLE_RX] > 0 ? SPILL_ROLE_RX : SPILL_ROLE_FAST),
                   "port %s: rx queue %u", port->name, i);
    }
    for (unsigned i = 0; i < port->tx_queues; i++) {
        enum spill_role role = role_of(port->tx[i].owner);

        FUZZ_CHECK(role == SPILL_ROLE_FAST || role == SPILL_ROLE_TX, "port %s: tx queue %u",
                   port->name, i);
    }
    for (unsigned i = 0; i < plan->count[SPILL_ROLE_FAST]; i++) {
        unsigned lcore = plan->first[SPILL_ROLE_FAST] + i, queue = port->tx_queue_of[i];
        const struct spill_plan_queue *tx = &port->tx[queue];

        FUZZ_CHECK(queue < port->tx_queues, "port %s: no queue for fast %u", port->name, i);
        FUZZ_CHECK(
            tx->owner == (int)lcore ||
                (tx->channel >= 0 && spill_plan_channel_sends(&plan->channels[tx->channel], lcore)),
            "port %s: fast %u has no way to queue %u", port->name, i, queue);
    }
    FUZZ_CHECK(port->peer >= 0 && plan->ports[port->peer].peer == port - plan->ports,
               "port %s: peer", port->name);
    for (unsigned i = 0; i < port->mempool.term_count; i++)
        mbufs += port->mempool.terms[i].count;
    FUZZ_CHECK(port->mempool.mbufs >= mbufs, "port %s: %llu mbufs", port->name,
               (unsigned long long)mbufs);
}

static void check_plan(void)
{
    const struct spill_plan *plan = &program.plan;
    uint64_t total = 0;

    FUZZ_CHECK(plan->lcore_count >= 2 && plan->count[SPILL_ROLE_FAST] >= 1, "no fast lcore");
    for (unsigned i = 0; i < plan->lcore_count; i++) {
        for (unsigned j = 0; j < i; j++)
            FUZZ_CHECK(plan->lcores[i].id != plan->lcores[j].id, "lcore %u twice",
                       plan->lcores[i].id);
    }
    for (unsigned i = 0; i < plan->port_count; i++)
        check_port(&plan->ports[i]);
    for (unsigned i = 0; i < plan->node_limit; i++)
        total += plan->nodes[i].total;
    FUZZ_CHECK(plan->memory_mib << 20 >= total, "%llu MiB", (unsigned long long)plan->memory_mib);
}

/* --------------------------------------------------------------------------------- program */

/* Everything up to the plan. NULL: it was refused, or there is none. */
static char *run(int count, char *const *given, struct spill_error *error)
{
    char *arguments[ARGUMENTS + 1];
    enum spill_options_result result;
    char *text = NULL;

    memset(&program, 0, sizeof(program));
    memcpy(arguments, given, sizeof(arguments));
    error->text[0] = '\0';
    result = spill_options_parse(count, arguments, NULL, &program.options, error);
    if (result == SPILL_OPTIONS_ERROR)
        fuzz_check_line(error->text);
    if (result == SPILL_OPTIONS_GO_ON) {
        if (spill_program_plan(&program, error) != 0) {
            fuzz_check_line(error->text);
        } else if (!program.options.eal_given) {
            check_plan();
            text = plan_text();
        }
    }
    spill_policy_files_free(&program.files);
    spill_options_free(&program.options);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t length = take_parts(bytes, size);
    char *arguments[ARGUMENTS + 1] = {NULL};
    int count = take_arguments(bytes, length, arguments);
    struct spill_error first, second;
    char *one = run(count, arguments, &first), *other = run(count, arguments, &second);

    FUZZ_CHECK(strcmp(first.text, second.text) == 0, "%s, then %s", first.text, second.text);
    FUZZ_CHECK((one == NULL) == (other == NULL) && (one == NULL || strcmp(one, other) == 0),
               "two plans");
    free(one);
    free(other);
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    close(FIRST_FILE);
    close(FIRST_FILE + 1);
    close(FIRST_FILE + 2);
    return 0;
}
