/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules and SAs as files have them. */
#include "config/policy_files.h"

#include <stdlib.h>
#include <string.h>

#include "config/stream.h"
#include "ipsec/key_file.h"

/* Everything of an SA but its key. What has no meaning for it is zero, and so makes no difference.
 */
static struct spill_sa_config describe(const struct spill_option_sa *option)
{
    struct spill_sa_config sa = option->config;

    if (sa.direction == SPILL_SA_OUT)
        sa.replay_window = 0;
    return sa;
}

static int load_sas(const struct spill_options *options, struct spill_policy_files *files,
                    struct spill_error *error)
{
    struct spill_error reason;
    uint32_t i;

    files->sas = calloc(options->sa_count + 1u, sizeof(*files->sas));
    if (files->sas == NULL)
        return spill_error_set(error, "no memory for SAs");
    for (i = 0; i < options->sa_count; i++) {
        const struct spill_option_sa *option = &options->sas[i];

        files->sas[i] = describe(option);
        files->sa_count++;
        if (spill_ipsec_key_load(option->key_file, option->config.algorithm, files->sas[i].key,
                                 &reason) != 0)
            return spill_error_set(error, "%s: %s", spill_option_sa_where(option, "key-file"),
                                   reason.text);
    }
    return 0;
}

/*
 * No two SAs may have one key. Their sequence numbers, of which vectors are made, would be the
 * same: with GCM, CTR and ChaCha20 that gives the plaintext away (RFC 4106 2, RFC 8221 4).
 */
static int check_keys(const struct spill_options *options, const struct spill_policy_files *files,
                      struct spill_error *error)
{
    uint32_t i, j;

    for (i = 0; i < files->sa_count; i++) {
        for (j = 0; j < i; j++) {
            if (files->sas[i].algorithm != files->sas[j].algorithm ||
                memcmp(files->sas[i].key, files->sas[j].key, SPILL_IPSEC_KEY_MAX) != 0)
                continue;
            return spill_error_set(error,
                                   "%s: [sa %s] has the same key: expected one of its own, as "
                                   "`spillway keygen` makes it",
                                   spill_option_sa_where(&options->sas[i], "key-file"),
                                   files->sas[j].name);
        }
    }
    return 0;
}

/* The first rule that names an SA, which is there. */
static const struct spill_rule *rule_of(const struct spill_ruleset *ruleset, uint32_t index)
{
    const struct spill_rule *rule = ruleset->rules;

    while (rule->sa != index + 1)
        rule++;
    return rule;
}

static int check_names(const struct spill_policy_files *files, struct spill_error *error)
{
    const struct spill_ruleset *ruleset = files->ruleset;
    uint32_t i, j;

    for (i = 0; i < ruleset->sa_count; i++) {
        for (j = 0; j < files->sa_count; j++) {
            if (strcmp(ruleset->sas[i], files->sas[j].name) == 0)
                break;
        }
        if (j == files->sa_count)
            return spill_error_set(error,
                                   "%s:%u: protect '%s': there is no such SA: expected a section "
                                   "[sa %s] in the configuration file",
                                   spill_rules_path(ruleset, rule_of(ruleset, i)),
                                   rule_of(ruleset, i)->line, ruleset->sas[i], ruleset->sas[i]);
        if (files->sas[j].stands_for[0] != '\0')
            return spill_error_set(error,
                                   "%s:%u: protect '%s': it stands for another SA: expected the "
                                   "name of that one, %s",
                                   spill_rules_path(ruleset, rule_of(ruleset, i)),
                                   rule_of(ruleset, i)->line, ruleset->sas[i],
                                   files->sas[j].stands_for);
    }
    return 0;
}

/* The first rule that names a port, which is there. */
static const struct spill_rule *rule_of_input(const struct spill_ruleset *ruleset, uint32_t index)
{
    const struct spill_rule *rule = ruleset->rules;

    while ((rule->inputs >> index & 1) == 0)
        rule++;
    return rule;
}

static int check_inputs(const struct spill_options *options, const struct spill_policy_files *files,
                        struct spill_error *error)
{
    const struct spill_ruleset *ruleset = files->ruleset;
    struct spill_rule_input input;
    uint32_t i;

    for (i = 0; i < ruleset->input_count; i++) {
        if (!spill_options_find_input(options, ruleset->inputs[i], &input))
            return spill_error_set(error,
                                   "%s:%u: in '%s': there is no such port: expected one that "
                                   "--port or a section [port %s] makes",
                                   spill_rules_path(ruleset, rule_of_input(ruleset, i)),
                                   rule_of_input(ruleset, i)->line, ruleset->inputs[i],
                                   ruleset->inputs[i]);
    }
    return 0;
}

/* The port at the other end of a port's wire. */
static unsigned other_end(const struct spill_options *options, unsigned port)
{
    unsigned i;

    for (i = 0; i < options->wire_count; i++) {
        const uint16_t *ends = options->wires[i].ports;

        if (ends[0] == port || ends[1] == port)
            return ends[ends[0] == port];
    }
    return port;
}

#define ANY_PORT UINT64_MAX

/* For each SA that rules name, the ports, a bit for each index, by which its packets come: where
 * all of its rules say it. */
static void find_inputs(const struct spill_options *options, const struct spill_ruleset *ruleset,
                        uint64_t *come)
{
    uint64_t bits[SPILL_INPUTS_NAMED_MAX];
    struct spill_rule_input input;
    uint32_t i, j;

    for (i = 0; i < ruleset->input_count; i++)
        bits[i] = spill_options_find_input(options, ruleset->inputs[i], &input)
                      ? UINT64_C(1) << input.port
                      : 0;
    for (i = 0; i < ruleset->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        if (rule->sa == 0)
            continue;
        if (rule->inputs == 0)
            come[rule->sa - 1] = ANY_PORT;
        for (j = 0; j < ruleset->input_count; j++) {
            if ((rule->inputs >> j & 1) != 0)
                come[rule->sa - 1] |= bits[j];
        }
    }
}

/* The ports by which an SA's ESP is, when its packets come by these; 0: it can't be told. */
static uint64_t side_of(const struct spill_options *options, const struct spill_sa_config *sa,
                        uint64_t come)
{
    uint64_t other = 0, left;

    if (come == ANY_PORT)
        return 0;
    for (left = come; left != 0; left &= left - 1)
        other |= UINT64_C(1) << other_end(options, (unsigned)__builtin_ctzll(left));
    if ((come & other) != 0)
        return 0;
    return sa->direction == SPILL_SA_IN ? come : other;
}

/* Where [sa NAME] does not say by which ports its ESP is, rules may. */
static int find_sides(const struct spill_options *options, struct spill_policy_files *files,
                      struct spill_error *error)
{
    const struct spill_ruleset *ruleset = files->ruleset;
    uint64_t *come = calloc(ruleset->sa_count + 1u, sizeof(*come));
    uint32_t i, j;

    if (come == NULL)
        return spill_error_set(error, "no memory for SAs");
    if (ruleset->input_count > 0)
        find_inputs(options, ruleset, come);
    for (i = 0; i < files->sa_count; i++) {
        struct spill_sa_config *sa = &files->sas[i];
        const char *name = sa->stands_for[0] != '\0' ? sa->stands_for : sa->name;

        for (j = 0; j < ruleset->sa_count && sa->ports == 0; j++) {
            if (come[j] != 0 && strcmp(ruleset->sas[j], name) == 0)
                sa->ports = side_of(options, sa, come[j]);
        }
    }
    free(come);
    return 0;
}

static int open_named(void *context, const char *path, struct spill_rule_file *file,
                      struct spill_error *error)
{
    struct spill_stream *stream = malloc(sizeof(*stream));

    if (stream == NULL)
        return spill_error_set(error, "%s: no memory", path);
    if (spill_stream_open(path, context, stream, error) != 0) {
        free(stream);
        return -1;
    }
    *file = (struct spill_rule_file){.stream = stream->file, .handle = stream};
    return 0;
}

static void close_named(void *context, struct spill_rule_file *file, struct spill_error *error)
{
    (void)context;
    spill_stream_close(file->handle, error);
    free(file->handle);
}

static struct spill_ruleset *load_rules(const char *path, const struct spill_token *stop,
                                        struct spill_error *error)
{
    /* The token is only looked at. */
    const struct spill_rule_files files = {open_named, close_named, (void *)(uintptr_t)stop};
    struct spill_ruleset *ruleset;
    struct spill_stream stream;

    if (spill_stream_open(path, stop, &stream, error) != 0)
        return NULL;
    ruleset = spill_rules_read(stream.file, path, &files, error);
    spill_stream_close(&stream, error);
    return ruleset;
}

int spill_policy_files_load(const struct spill_options *options, const struct spill_token *stop,
                            struct spill_policy_files *files, struct spill_error *error)
{
    *files = (struct spill_policy_files){0};
    if (options->rules != NULL)
        files->ruleset = load_rules(options->rules, stop, error);
    else
        files->ruleset = calloc(1, sizeof(*files->ruleset));
    if (files->ruleset == NULL) {
        if (options->rules == NULL)
            spill_error_set(error, "no memory for the rules");
        return -1;
    }
    if (load_sas(options, files, error) == 0 && check_keys(options, files, error) == 0 &&
        check_names(files, error) == 0 && check_inputs(options, files, error) == 0 &&
        find_sides(options, files, error) == 0)
        return 0;
    spill_policy_files_free(files);
    return -1;
}

void spill_policy_files_free(struct spill_policy_files *files)
{
    spill_rules_free(files->ruleset);
    if (files->sas != NULL)
        explicit_bzero(files->sas, files->sa_count * sizeof(*files->sas));
    free(files->sas);
    *files = (struct spill_policy_files){0};
}
