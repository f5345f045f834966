/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules and SAs as files have them. */
#include "sources.h"

#include <stdlib.h>
#include <string.h>

#include "ipsec/key_file.h"
#include "stream.h"

static void copy_address(struct spill_sa_address *to, const struct spill_option_address *from)
{
    to->family = from->family;
    memcpy(to->bytes, from->bytes, sizeof(to->bytes));
}

/* Everything of an SA but its key. What has no meaning for it stays zero, and so makes no
 * difference. */
static void describe(struct spill_sa_config *sa, const struct spill_option_sa *option)
{
    bool out = option->direction == SPILL_OPTION_SA_OUT;

    memcpy(sa->name, option->name, sizeof(sa->name));
    memcpy(sa->stands_for, option->stands_for, sizeof(sa->stands_for));
    sa->direction = out ? SPILL_SA_OUT : SPILL_SA_IN;
    sa->mode = option->mode == SPILL_OPTION_SA_TUNNEL ? SPILL_SA_TUNNEL : SPILL_SA_TRANSPORT;
    sa->spi = option->spi;
    copy_address(&sa->source, &option->source);
    copy_address(&sa->destination, &option->destination);
    sa->algorithm = option->algorithm;
    sa->esn = option->esn;
    sa->nat_traversal = option->nat_traversal;
    sa->replay_window = out ? 0 : option->replay_window;
    sa->packets_soft = option->lifetime_packets_soft;
    sa->packets_hard = option->lifetime_packets_hard;
    sa->bytes_soft = option->lifetime_bytes_soft;
    sa->bytes_hard = option->lifetime_bytes_hard;
    sa->dscp = option->dscp == SPILL_OPTION_DSCP_COPY ? SPILL_SA_DSCP_COPY : option->dscp;
    sa->df = (enum spill_sa_df)option->df;
    sa->ports = option->ports;
}

static int load_sas(const struct spill_options *options, struct spill_sources *sources,
                    struct spill_error *error)
{
    struct spill_error reason;
    uint32_t i;

    sources->sas = calloc(options->sa_count + 1u, sizeof(*sources->sas));
    if (sources->sas == NULL)
        return spill_error_set(error, "no memory for SAs");
    for (i = 0; i < options->sa_count; i++) {
        const struct spill_option_sa *option = &options->sas[i];

        describe(&sources->sas[i], option);
        sources->sa_count++;
        if (spill_ipsec_key_load(option->key_file, option->algorithm, sources->sas[i].key,
                                 &reason) != 0)
            return spill_error_set(error, "%s: %s", option->where[SPILL_OPTION_SA_KEY_FILE],
                                   reason.text);
    }
    return 0;
}

/*
 * No two SAs may have one key. Their sequence numbers, of which vectors are made, would be the
 * same: with GCM, CTR and ChaCha20 that gives the plaintext away (RFC 4106 2, RFC 8221 4).
 */
static int check_keys(const struct spill_options *options, const struct spill_sources *sources,
                      struct spill_error *error)
{
    uint32_t i, j;

    for (i = 0; i < sources->sa_count; i++) {
        for (j = 0; j < i; j++) {
            if (sources->sas[i].algorithm != sources->sas[j].algorithm ||
                memcmp(sources->sas[i].key, sources->sas[j].key, SPILL_IPSEC_KEY_MAX) != 0)
                continue;
            return spill_error_set(error,
                                   "%s: [sa %s] has the same key: expected one of its own, as "
                                   "`spillway keygen` makes it",
                                   options->sas[i].where[SPILL_OPTION_SA_KEY_FILE],
                                   sources->sas[j].name);
        }
    }
    return 0;
}

/* The line of the first rule that names an SA. */
static uint32_t line_of(const struct spill_ruleset *ruleset, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < ruleset->count; i++) {
        if (ruleset->rules[i].sa == index + 1)
            return ruleset->rules[i].line;
    }
    return 0;
}

static int check_names(const struct spill_options *options, const struct spill_sources *sources,
                       struct spill_error *error)
{
    const struct spill_ruleset *ruleset = sources->ruleset;
    uint32_t i, j;

    for (i = 0; i < ruleset->sa_count; i++) {
        for (j = 0; j < sources->sa_count; j++) {
            if (strcmp(ruleset->sas[i], sources->sas[j].name) == 0)
                break;
        }
        if (j == sources->sa_count)
            return spill_error_set(error,
                                   "%s:%u: protect '%s': there is no such SA: expected a section "
                                   "[sa %s] in the configuration file",
                                   options->rules, line_of(ruleset, i), ruleset->sas[i],
                                   ruleset->sas[i]);
        if (sources->sas[j].stands_for[0] != '\0')
            return spill_error_set(error,
                                   "%s:%u: protect '%s': it stands for another SA: expected the "
                                   "name of that one, %s",
                                   options->rules, line_of(ruleset, i), ruleset->sas[i],
                                   sources->sas[j].stands_for);
    }
    return 0;
}

/* The line of the first rule that names a port. */
static uint32_t line_of_input(const struct spill_ruleset *ruleset, uint32_t index)
{
    uint32_t i = 0;

    while (i < ruleset->count && (ruleset->rules[i].inputs >> index & 1) == 0)
        i++;
    return i < ruleset->count ? ruleset->rules[i].line : 0;
}

static int check_inputs(const struct spill_options *options, const struct spill_sources *sources,
                        struct spill_error *error)
{
    const struct spill_ruleset *ruleset = sources->ruleset;
    uint32_t i, j;

    for (i = 0; i < ruleset->input_count; i++) {
        for (j = 0; j < options->port_count; j++) {
            if (strcmp(options->ports[j].name, ruleset->inputs[i]) == 0)
                break;
        }
        if (j == options->port_count)
            return spill_error_set(error,
                                   "%s:%u: in '%s': there is no such port: expected one that "
                                   "--port or a section [port %s] makes",
                                   options->rules, line_of_input(ruleset, i), ruleset->inputs[i],
                                   ruleset->inputs[i]);
    }
    return 0;
}

static struct spill_ruleset *load_rules(const char *path, const struct spill_token *stop,
                                        struct spill_error *error)
{
    struct spill_ruleset *ruleset;
    struct spill_stream stream;

    if (spill_stream_open(path, stop, &stream, error) != 0)
        return NULL;
    ruleset = spill_rules_read(stream.file, path, error);
    spill_stream_close(&stream, error);
    return ruleset;
}

int spill_sources_load(const struct spill_options *options, const struct spill_token *stop,
                       struct spill_sources *sources, struct spill_error *error)
{
    *sources = (struct spill_sources){0};
    if (options->rules != NULL)
        sources->ruleset = load_rules(options->rules, stop, error);
    else
        sources->ruleset = calloc(1, sizeof(*sources->ruleset));
    if (sources->ruleset == NULL) {
        if (options->rules == NULL)
            spill_error_set(error, "no memory for the rules");
        return -1;
    }
    if (load_sas(options, sources, error) == 0 && check_keys(options, sources, error) == 0 &&
        check_names(options, sources, error) == 0 && check_inputs(options, sources, error) == 0)
        return 0;
    spill_sources_free(sources);
    return -1;
}

void spill_sources_free(struct spill_sources *sources)
{
    spill_rules_free(sources->ruleset);
    if (sources->sas != NULL)
        explicit_bzero(sources->sas, sources->sa_count * sizeof(*sources->sas));
    free(sources->sas);
    *sources = (struct spill_sources){0};
}
