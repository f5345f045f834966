/* SPDX-License-Identifier: BSD-3-Clause */
/* The security policy in force: the first version, those that replace it, and what SAs use up. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy_join.h"
#include "control/log.h"
#include "control/steps.h"
#include "control/wiring.h"
#include "pipeline/generation.h"
#include "pipeline/ways.h"
#include "program.h"
#include "start/steps.h"

/* Between two looks at whether readers are done with what was replaced, and at lifetimes. */
#define UPKEEP_NS    UINT64_C(10000000)
#define LIFETIMES_NS UINT64_C(100000000)

const struct spill_generation *spill_program_hold_generation(struct spill_program *program)
{
    pthread_mutex_lock(&program->holding);
    return program->rules != NULL ? spill_snapshot_get(program->rules) : NULL;
}

void spill_program_release_generation(struct spill_program *program)
{
    pthread_mutex_unlock(&program->holding);
}

/* ------------------------------------------------------------------------------ one version */

/* For each node, where the memory of its lcores that read the policy is; -1: there are none. */
static void reading_nodes(const struct spill_plan *plan, int nodes[SPILL_NODES_MAX])
{
    uint32_t i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = -1;
    for (i = 1; i < plan->lcore_count; i++) {
        if (plan->lcores[i].role == SPILL_ROLE_FAST || plan->lcores[i].role == SPILL_ROLE_POOL)
            nodes[plan->lcores[i].node] = plan->lcores[i].memory_node;
    }
}

static int missing_input(const char *name, struct spill_error *error)
{
    return spill_error_set(error,
                           "rules: in '%s': the program was started without that port: expected a "
                           "restart, which makes it",
                           name);
}

/* At the start all are there that the options have. */
static bool has_input(const struct spill_program *program, const struct spill_options *options,
                      const char *name)
{
    struct spill_rule_input input;

    return spill_options_find_input(options, name, &input) &&
           (options == &program->options || spill_wiring_has(program, options, name));
}

/* The ports and sub-ports that rules name, of those that are there or come. */
static int find_inputs(const struct spill_program *program, const struct spill_options *options,
                       const struct spill_ruleset *ruleset, struct spill_rule_input *inputs,
                       struct spill_error *error)
{
    for (uint32_t i = 0; i < ruleset->input_count; i++) {
        const int port = spill_options_find_input(options, ruleset->inputs[i], &inputs[i])
                             ? spill_wiring_find(program, options->ports[inputs[i].port].name)
                             : -1;

        if (port < 0)
            return missing_input(ruleset->inputs[i], error);
        inputs[i].port = program->ports[port].id;
    }
    return 0;
}

/* What a version of the rules is made of. */
struct making {
    struct spill_program *program;
    const struct spill_generation *previous; /* NULL: nothing of it goes on */
    const struct spill_ruleset *ruleset;
    const struct spill_sa_set *sas;
    uint16_t *ids; /* of the SAs that the rules name */
    struct spill_rule_input inputs[SPILL_INPUTS_NAMED_MAX];
    int nodes[SPILL_NODES_MAX];
    bool follows;
};

/* Rules for what goes one way alone. @param name  the policy's, of at most 6 letters */
static struct spill_ways_input ways_input(const struct making *making,
                                          const struct spill_policy *previous, const char *name,
                                          char whole_name[17])
{
    snprintf(whole_name, 17, "%s%u", name, (unsigned)making->program->versions);
    return (struct spill_ways_input){
        .name = whole_name,
        .previous = previous,
        .follows = making->follows,
        .ruleset = making->ruleset,
        .sas = making->sas,
        .ids = making->ids,
        .inputs = making->inputs,
        .memory_nodes = making->nodes,
    };
}

static int make_ways(const struct making *making, struct spill_generation *generation,
                     struct spill_error *error)
{
    static const struct spill_generation none;
    const struct spill_generation *previous = making->previous != NULL ? making->previous : &none;
    char name[17];
    struct spill_ways_input input = ways_input(making, previous->onward, "onward", name);

    if (spill_ways_create(&input, SPILL_WAY_OUT, &generation->onward, error) != 0)
        return -1;
    input = ways_input(making, previous->inward, "inward", name);
    return spill_ways_create(&input, SPILL_WAY_IN, &generation->inward, error);
}

/* Those that judge what is the host's own. */
static int make_host_ways(const struct making *making, enum spill_verdict default_verdict,
                          struct spill_generation *generation, struct spill_error *error)
{
    static const struct spill_generation none;
    const struct spill_generation *previous = making->previous != NULL ? making->previous : &none;
    char name[17];
    struct spill_ways_input input = ways_input(making, previous->of_host, "ofhost", name);

    if (spill_ways_create_host(&input, SPILL_WAY_OUT, default_verdict, &generation->of_host,
                               error) != 0)
        return -1;
    input = ways_input(making, previous->to_host, "tohost", name);
    return spill_ways_create_host(&input, SPILL_WAY_IN, default_verdict, &generation->to_host,
                                  error);
}

static struct spill_policy *make_whole(const struct making *making,
                                       enum spill_verdict default_verdict,
                                       struct spill_error *error)
{
    char name[17];

    snprintf(name, sizeof(name), "rules%u", (unsigned)making->program->versions);
    if (making->follows)
        return spill_policy_follow(making->previous != NULL ? making->previous->policy : NULL, name,
                                   making->ruleset, making->ids, making->inputs, default_verdict,
                                   making->nodes, error);
    return spill_policy_create(name, making->ruleset, making->ids, making->inputs, default_verdict,
                               making->nodes, error);
}

/* Adds the rules to a version, with the ids of the SAs and ports that they name. What daemons have
 * agreed on changes often, and a version of it follows that before it. */
static int add_rules(struct making *making, const struct spill_options *options,
                     struct spill_generation *generation, struct spill_error *error)
{
    int status = -1;

    making->follows = making->program->agreement.files != NULL;
    if (find_inputs(making->program, options, making->ruleset, making->inputs, error) != 0)
        return -1;
    making->ids = calloc(making->ruleset->sa_count + 1u, sizeof(*making->ids));
    if (making->ids == NULL)
        return spill_error_set(error, "no memory for the rules");
    for (uint32_t i = 0; i < making->ruleset->sa_count; i++)
        making->ids[i] = spill_sa_set_find(making->sas, making->ruleset->sas[i])->id;
    reading_nodes(&making->program->plan, making->nodes);
    generation->policy = make_whole(making, options->default_verdict, error);
    if (generation->policy != NULL && make_ways(making, generation, error) == 0 &&
        (!making->program->options.pipeline.host_rules ||
         make_host_ways(making, options->default_verdict, generation, error) == 0))
        status = 0;
    free(making->ids);
    return status;
}

/* Gives the rules their tallies, and says what is told of them. */
static struct spill_rule_list *make_list(struct spill_program *program,
                                         const struct spill_options *options,
                                         struct spill_ruleset *ruleset, struct spill_error *error)
{
    const uint64_t settled =
        program->pipeline != NULL ? spill_pipeline_settled(program->pipeline) : 0;
    struct spill_rule_list *list;

    if (spill_rule_tallies_assign(program->tallies, ruleset, program->versions, settled, error) !=
        0)
        return NULL;
    list = spill_rule_list_create(ruleset, spill_rule_tallies_counts(program->tallies),
                                  options->default_verdict);
    if (list == NULL)
        spill_error_set(error, "no memory for the rules");
    return list;
}

/* Whether ports, by their indices among the options', are there, or come. */
static int check_ports(const struct spill_program *program, const struct spill_options *options,
                       uint64_t ports, const char *where, struct spill_error *error)
{
    for (uint64_t left = ports; left != 0; left &= left - 1) {
        const char *name = options->ports[__builtin_ctzll(left)].name;

        if (!spill_wiring_has(program, options, name))
            return spill_error_set(
                error, "%s: port %s was not there at the start: expected a restart", where, name);
    }
    return 0;
}

static int check_sa_ports(const struct spill_program *program, const struct spill_options *options,
                          const struct spill_policy_files *files, struct spill_error *error)
{
    for (uint32_t i = 0; i < files->sa_count; i++) {
        if (check_ports(program, options, files->sas[i].ports,
                        spill_option_sa_where(&options->sas[i], "port"), error) != 0)
            return -1;
    }
    return check_ports(program, options, options->ike.ports,
                       spill_option_where(&options->ike.where, "port"), error);
}

/* The ids of devices in place of the ports' indices among the options'. */
static uint64_t ids_of(const struct spill_program *program, const struct spill_options *options,
                       uint64_t ports)
{
    uint64_t ids = 0;

    for (uint64_t left = ports; left != 0; left &= left - 1) {
        const int port = spill_wiring_find(program, options->ports[__builtin_ctzll(left)].name);

        if (port >= 0)
            ids |= UINT64_C(1) << program->ports[port].id;
    }
    return ids;
}

/* SAs with such ids. The caller's to free; NULL: no memory. */
static struct spill_sa_config *with_ids(const struct spill_program *program,
                                        const struct spill_options *options,
                                        const struct spill_policy_files *files)
{
    struct spill_sa_config *sas = calloc(files->sa_count + 1u, sizeof(*sas));

    for (uint32_t i = 0; sas != NULL && i < files->sa_count; i++) {
        sas[i] = files->sas[i];
        sas[i].ports = ids_of(program, options, sas[i].ports);
    }
    return sas;
}

int spill_program_check_version(const struct spill_program *program,
                                const struct spill_options *options,
                                const struct spill_policy_files *files, struct spill_error *error)
{
    if (files->sa_count > 0 && program->sas == NULL &&
        spill_program_check_room(program, error) != 0)
        return -1;
    if (spill_program_check_classes(program, options, error) != 0 ||
        check_sa_ports(program, options, files, error) != 0)
        return -1;
    for (uint32_t i = 0; i < files->ruleset->input_count; i++) {
        if (!has_input(program, options, files->ruleset->inputs[i]))
            return missing_input(files->ruleset->inputs[i], error);
    }
    return 0;
}

static struct spill_generation *make_generation(struct spill_program *program,
                                                const struct spill_options *options,
                                                const struct spill_generation *previous,
                                                struct spill_policy_files *files,
                                                struct spill_error *error)
{
    struct making making = {.program = program, .previous = previous, .ruleset = files->ruleset};
    struct spill_generation *generation;
    struct spill_sa_set *sas = NULL;
    struct spill_rule_list *list;

    program->versions++;
    if (program->sas != NULL) {
        sas = previous != NULL && !program->agreement.changes_sas
                  ? spill_sa_set_share(previous->sas)
                  : spill_sa_set_create(program->sas, files->sas, files->sa_count, error);
        if (sas == NULL)
            return NULL;
    }
    if (spill_token_cancelled(&program->stop)) {
        spill_error_set(error, "the program ends");
        spill_error_cancelled(error);
        spill_sa_set_free(sas);
        return NULL;
    }
    if (files->ruleset->count == 0 && options->default_verdict == SPILL_VERDICT_DENY &&
        program->agreement.files == NULL)
        SPILL_LOG(WARNING, "no rule, and --default is deny: no IP packet will pass");
    list = make_list(program, options, files->ruleset, error);
    generation = list != NULL ? spill_generation_create(program->versions, NULL, sas, list) : NULL;
    if (generation == NULL) {
        if (list != NULL)
            spill_error_set(error, "no memory for the rules");
        spill_rule_list_free(list);
        spill_sa_set_free(sas);
        return NULL;
    }
    making.sas = sas;
    if (add_rules(&making, options, generation, error) == 0)
        return generation;
    spill_generation_free(generation);
    return NULL;
}

/* ------------------------------------------------------------------------------------- IPsec */

/* Fast lcores and workers, with their memory's nodes. */
static uint32_t crypto_users(const struct spill_plan *plan, struct spill_crypto_user *users)
{
    uint32_t count = 0, i;

    for (i = 1; i < plan->lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];

        if (lcore->role == SPILL_ROLE_FAST || lcore->role == SPILL_ROLE_POOL)
            users[count++] =
                (struct spill_crypto_user){.id = lcore->id, .node = lcore->memory_node};
    }
    return count;
}

static int open_crypto(struct spill_program *program, struct spill_error *error)
{
    struct spill_crypto_user users[SPILL_LCORES_MAX];
    struct spill_sa_store_config config = {.lcores = users};

    config.lcore_count = crypto_users(&program->plan, users);
    reading_nodes(&program->plan, config.memory_nodes);
    if (program->crypto == NULL)
        program->crypto =
            spill_crypto_create(users, config.lcore_count, program->options.crypto, error);
    if (program->crypto == NULL)
        return -1;
    config.crypto = program->crypto;
    program->sas = spill_sa_store_create(&config, error);
    return program->sas != NULL ? 0 : -1;
}

/* For a program that was started without any SA; where it fails, it is tried again. */
static int add_ipsec(struct spill_program *program, struct spill_error *error)
{
    if (open_crypto(program, error) != 0)
        return -1;
    if (spill_pipeline_add_ipsec(program->pipeline, program->crypto, error) != 0) {
        spill_sa_store_free(program->sas);
        program->sas = NULL;
        return -1;
    }
    SPILL_LOG(NOTICE, "reload: IPsec is there; the ports' buffers were planned without it");
    return 0;
}

struct spill_generation *spill_program_make_version(struct spill_program *program,
                                                    const struct spill_options *options,
                                                    struct spill_policy_files *files,
                                                    bool same_files, struct spill_error *error)
{
    const struct spill_generation *previous =
        same_files ? spill_snapshot_get(program->rules) : NULL;
    struct spill_generation *generation = NULL;
    struct spill_policy_files found = *files, joined;

    if (files->sa_count > 0 && program->sas == NULL && add_ipsec(program, error) != 0)
        return NULL;
    found.sas = with_ids(program, options, files);
    if (found.sas == NULL) {
        spill_error_set(error, "no memory for associations");
    } else if (program->agreement.files == NULL) {
        generation = make_generation(program, options, NULL, &found, error);
    } else if (spill_policy_join(program->agreement.files,
                                 ids_of(program, options, options->ike.ports), &found, &joined,
                                 error) == 0) {
        generation = make_generation(program, options, previous, &joined, error);
        spill_policy_join_free(&joined);
    }
    if (found.sas != NULL)
        explicit_bzero(found.sas, files->sa_count * sizeof(*found.sas)); /* keys */
    free(found.sas);
    return generation;
}

/* --------------------------------------------------------------------------- the first version */

static int open_tallies(struct spill_program *program, struct spill_error *error)
{
    const struct spill_plan *plan = &program->plan;
    int sockets[SPILL_LCORES_MAX];
    uint32_t i;

    for (i = 1; i < plan->lcore_count; i++) {
        if (plan->lcores[i].role == SPILL_ROLE_FAST)
            sockets[plan->lcores[i].index] = plan->lcores[i].memory_node;
    }
    program->tallies = spill_rule_tallies_create(sockets, plan->count[SPILL_ROLE_FAST]);
    return program->tallies != NULL ? 0
                                    : spill_error_set(error, "no memory for the rules' counters");
}

/* Makes the snapshot, with a version. */
static int put_in_force(struct spill_program *program, struct spill_generation *generation)
{
    struct spill_snapshot *rules = spill_snapshot_create(SOCKET_ID_ANY, SPILL_LCORES_MAX);

    if (rules == NULL || spill_snapshot_publish(rules, generation, spill_generation_free) != 0) {
        spill_snapshot_destroy(rules);
        return -1;
    }
    pthread_mutex_lock(&program->holding);
    program->rules = rules;
    pthread_mutex_unlock(&program->holding);
    return 0;
}

/* ------------------------------------------------------------------------------ replacements */

/* Tells the ports that traffic has shown to be an SA's. */
static void tell_ports(const struct spill_program *program, struct spill_sa *sa)
{
    uint64_t ports = atomic_load_explicit(&sa->state->ports, memory_order_relaxed);
    uint32_t i;

    for (i = 0; i < program->port_count && ports != sa->told_ports; i++) {
        uint64_t port = UINT64_C(1) << program->ports[i].id;

        if (!spill_program_has_port(program, i))
            continue;

        if ((ports & ~sa->told_ports & port) != 0)
            SPILL_LOG(NOTICE, "sa %s: its ESP is at port %s", sa->config.name,
                      program->ports[i].name);
    }
    sa->told_ports = ports;
}

/* Says once when an SA's lifetime, or its numbers, come to their end. */
static void tell_use(const struct spill_program *program, struct spill_sa *sa)
{
    struct spill_sa_use use = spill_sa_use(sa);

    tell_ports(program, sa);
    if (use.soft && sa->told < 1) {
        sa->told = 1;
        SPILL_LOG(WARNING, "sa %s: its soft lifetime is over: replace it soon", sa->config.name);
    }
    if (use.hard && sa->told < 2) {
        sa->told = 2;
        SPILL_LOG(ERR, "sa %s: its hard lifetime is over; nothing passes it any more",
                  sa->config.name);
    }
}

/* Tells when all flows go by the rules in force: until then some go by those before. */
static void tell_renewed(struct spill_program *program)
{
    if (program->renewing == 0 || spill_pipeline_renewed(program->pipeline) < program->renewing)
        return;
    SPILL_LOG(NOTICE, "reloaded: all flows go by version %u now", (unsigned)program->renewing);
    program->renewing = 0;
}

static void watch_lifetimes(void *context)
{
    const struct spill_program *program = context;
    const struct spill_generation *generation = spill_snapshot_get(program->rules);
    uint32_t i;

    for (i = 0; generation->sas != NULL && i < generation->sas->count; i++)
        tell_use(program, generation->sas->list[i]);
}

/* From the first version with associations on. */
static void watch(struct spill_program *program)
{
    if (program->sas == NULL || program->watches_lifetimes)
        return;
    program->watches_lifetimes = spill_events_every(&program->events, &program->lifetimes,
                                                    LIFETIMES_NS, watch_lifetimes, program) == 0;
    if (!program->watches_lifetimes)
        SPILL_LOG(ERR, "no memory for a timer: lifetimes of associations are not told");
}

/* Drivers take memory for each thread at its first call. */
static void warm_up(struct spill_program *program)
{
    const uint32_t devices =
        program->crypto != NULL ? spill_crypto_device_count(program->crypto) : 0;

    if (devices != program->crypto_devices)
        spill_pipeline_warm_up(program->pipeline);
    program->crypto_devices = devices;
}

int spill_program_replace_generation(struct spill_program *program,
                                     struct spill_generation *generation)
{
    int status;

    /* An lcore may not have seen the one before. */
    if (generation->at_once == 0)
        generation->at_once =
            ((const struct spill_generation *)spill_snapshot_get(program->rules))->at_once;
    pthread_mutex_lock(&program->holding);
    status = spill_snapshot_publish(program->rules, generation, spill_generation_free);
    pthread_mutex_unlock(&program->holding);
    if (status != 0)
        return status;
    program->renewing = generation->number;
    warm_up(program);
    watch(program);
    return 0;
}

/* Until all is freed and all flows go by the version in force. */
static void keep_up(void *context)
{
    struct spill_program *program = context;
    uint32_t left;

    tell_renewed(program);
    /* Who makes a version has the store of SAs, to which versions that are freed give theirs; and
     * who reads one may take his time. */
    if (program->making || pthread_mutex_trylock(&program->holding) != 0)
        return;
    left = spill_snapshot_reclaim(program->rules);
    if (program->sas != NULL)
        left += spill_sa_store_reclaim(program->sas);
    pthread_mutex_unlock(&program->holding);
    if (left == 0 && program->renewing == 0)
        spill_event_remove(&program->upkeep);
}

void spill_program_free_replaced(struct spill_program *program)
{
    if (spill_events_every(&program->events, &program->upkeep, UPKEEP_NS, keep_up, program) != 0)
        SPILL_LOG(ERR, "no memory for a timer: what was replaced stays until the next reload");
}

int spill_program_open_generation(struct spill_program *program, struct spill_error *error)
{
    struct spill_generation *generation;

    if (spill_options_protect(&program->options) && open_crypto(program, error) != 0)
        return -1;
    if (open_tallies(program, error) != 0)
        return -1;
    if (spill_program_check_version(program, &program->options, &program->files, error) != 0)
        return -1;
    generation =
        spill_program_make_version(program, &program->options, &program->files, false, error);
    if (generation == NULL)
        return -1;
    if (put_in_force(program, generation) != 0) {
        spill_generation_free(generation);
        return spill_error_set(error, "rules: no memory; give more by --memory or hugepages");
    }
    if (program->crypto != NULL)
        program->crypto_devices = spill_crypto_device_count(program->crypto);
    watch(program);
    return 0;
}

void spill_program_close_generation(struct spill_program *program)
{
    spill_event_remove(&program->lifetimes);
    spill_event_remove(&program->upkeep);
    pthread_mutex_lock(&program->holding);
    spill_snapshot_destroy(program->rules);
    program->rules = NULL;
    pthread_mutex_unlock(&program->holding);
    spill_rule_tallies_free(program->tallies);
    spill_sa_store_free(program->sas);
    spill_crypto_free(program->crypto);
    spill_policy_files_free(&program->files);
}
