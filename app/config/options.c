/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line and the configuration file, read in this order, as one set of options. */
#include "config/options.h"

#include <rte_version.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/grow.h"
#include "config/option_table.h"
#include "config/option_value.h"
#include "config/options_check.h"
#include "config/settings.h"
#include "pipeline/classes.h"

/* The options being made, and which of their ports and wires a flag gave. */
struct parse {
    struct spill_options *options;
    struct spill_error *error;
    bool by_flag; /* the settings that are being applied are flags */
    bool port_by_flag[SPILL_PORTS_MAX];
    bool wire_by_flag[SPILL_WIRES_MAX];
};

/* Sets the fields of one scope's struct to the table's defaults; they are known to be good. */
static void set_presets(enum spill_option_scope scope, void *target)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);
    struct spill_error problem;

    for (size_t i = 0; i < count; i++) {
        if (table[i].scope == scope && table[i].preset != NULL &&
            spill_option_set(&table[i], target, table[i].preset, NULL, &problem) != 0)
            abort();
    }
}

struct spill_option_port *spill_options_find_port(struct spill_options *options, const char *name)
{
    for (unsigned int i = 0; i < options->port_count; i++) {
        if (strcmp(options->ports[i].name, name) == 0)
            return &options->ports[i];
    }
    return NULL;
}

const struct spill_option_sa *spill_options_find_sa(const struct spill_options *options,
                                                    const char *name)
{
    for (unsigned int i = 0; i < options->sa_count; i++) {
        if (strcmp(options->sas[i].config.name, name) == 0)
            return &options->sas[i];
    }
    return NULL;
}

static int replace_where(char **where, const char *text, struct spill_error *error)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return spill_error_set(error, "%s: out of memory", text);
    free(*where);
    *where = copy;
    return 0;
}

static int set_value(struct parse *parse, const struct spill_setting *setting, void *target)
{
    struct spill_error problem;

    if (spill_option_set(setting->option, target, setting->value, setting->directory, &problem) ==
        0)
        return 0;
    return spill_error_set(parse->error, "%s: %s", setting->where, problem.text);
}

static int make_port(struct parse *parse, const struct spill_setting *setting)
{
    struct spill_options *options = parse->options;
    struct spill_option_port *port = spill_options_find_port(options, setting->subject);

    if (port != NULL && parse->port_by_flag[port - options->ports] == parse->by_flag)
        return spill_error_set(parse->error, "%s: given already: %s", setting->where, port->where);
    if (port == NULL) {
        if (options->port_count == SPILL_PORTS_MAX)
            return spill_error_set(parse->error, "%s: expected at most %d ports", setting->where,
                                   SPILL_PORTS_MAX);
        port = &options->ports[options->port_count++];
        snprintf(port->name, sizeof(port->name), "%s", setting->subject);
        set_presets(SPILL_OPTION_PER_PORT, port);
    }
    parse->port_by_flag[port - options->ports] = parse->by_flag;
    if (set_value(parse, setting, port) != 0)
        return -1;
    return replace_where(&port->where, setting->where, parse->error);
}

static bool same_wire(const struct spill_option_wire *left, const struct spill_option_wire *right)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        if (strcmp(left->port_names[0], right->port_names[swapped]) == 0 &&
            strcmp(left->port_names[1], right->port_names[!swapped]) == 0)
            return true;
    }
    return strcmp(left->name, right->name) == 0;
}

static int make_wire(struct parse *parse, const struct spill_setting *setting)
{
    struct spill_options *options = parse->options;
    struct spill_option_wire made = {0};
    struct spill_option_wire *wire = options->wires;

    if (set_value(parse, setting, &made) != 0)
        return -1;
    if (setting->subject != NULL)
        snprintf(made.name, sizeof(made.name), "%s", setting->subject);
    else
        snprintf(made.name, sizeof(made.name), "%s-%s", made.port_names[0], made.port_names[1]);

    while (wire < options->wires + options->wire_count && !same_wire(wire, &made))
        wire++;
    if (wire == options->wires + SPILL_WIRES_MAX)
        return spill_error_set(parse->error, "%s: expected at most %d wires", setting->where,
                               SPILL_WIRES_MAX);
    if (wire == options->wires + options->wire_count)
        options->wire_count++;
    else if (parse->wire_by_flag[wire - options->wires] == parse->by_flag)
        return spill_error_set(parse->error, "%s: given already: %s", setting->where, wire->where);
    else
        memcpy(made.name, wire->name, sizeof(made.name)); /* of the file, which named it */
    parse->wire_by_flag[wire - options->wires] = parse->by_flag;
    made.where = wire->where;
    *wire = made;
    return replace_where(&wire->where, setting->where, parse->error);
}

/* Says which policies a class permits, and which classes the one that was given. */
static int refuse_overflow(const struct parse *parse, const struct spill_setting *setting,
                           uint32_t which)
{
    const struct spill_option_word *words = setting->option->words;
    struct spill_option_word right[SPILL_OVERFLOWS + 1] = {{NULL, 0}};
    struct spill_option_word others[SPILL_CLASSES + 1] = {{NULL, 0}};
    char expected[SPILL_OPTION_TEXT_SIZE], only[SPILL_OPTION_CLASS_LIST_SIZE];
    unsigned overflow = parse->options->pipeline.classes[which].overflow, count = 0;

    for (const struct spill_option_word *word = words; word->word != NULL; word++) {
        if (spill_class_permits(which, (enum spill_overflow)word->value))
            right[count++] = *word;
    }
    count = 0;
    for (uint32_t i = 0; i < SPILL_CLASSES; i++) {
        if (spill_class_permits(i, (enum spill_overflow)overflow))
            others[count++].word = spill_class_rows[i]->name;
    }
    spill_option_words(right, " or ", expected, sizeof(expected));
    spill_option_words(others, " and ", only, sizeof(only));
    return spill_error_set(parse->error, "%s: expected %s: only %s may let packets pass",
                           setting->where, expected, only);
}

static int set_class(struct parse *parse, const struct spill_setting *setting)
{
    int which = spill_option_find_class(setting->subject);
    struct spill_pipeline_class *class = &parse->options->pipeline.classes[which];

    if (set_value(parse, setting, class) != 0)
        return -1;
    if (!spill_class_permits((uint32_t)which, class->overflow))
        return refuse_overflow(parse, setting, (uint32_t)which);
    return 0;
}

/* The security association of a setting: the last one, or a new one, as each stands in a section of
 * its own. */
static struct spill_option_sa *take_sa(struct parse *parse, const struct spill_setting *setting)
{
    struct spill_options *options = parse->options;
    struct spill_option_sa *sa, *sas;

    if (options->sa_count > 0) {
        sa = &options->sas[options->sa_count - 1];
        if (strcmp(sa->config.name, setting->subject) == 0)
            return sa;
    }
    if (options->sa_count == SPILL_SAS_MAX) {
        spill_error_set(parse->error, "%s: expected at most %d sections [sa NAME]", setting->where,
                        SPILL_SAS_MAX);
        return NULL;
    }
    sas = spill_grow(options->sas, options->sa_count, sizeof(*sas));
    if (sas == NULL) {
        spill_error_set(parse->error, "%s: out of memory", setting->where);
        return NULL;
    }
    options->sas = sas;
    sa = &options->sas[options->sa_count++];
    *sa = (struct spill_option_sa){0};
    snprintf(sa->config.name, sizeof(sa->config.name), "%s", setting->subject);
    set_presets(SPILL_OPTION_PER_SA, sa);
    return sa;
}

/* No key stands twice in a section. */
static int add_where(struct spill_option_sa *sa, const struct spill_setting *setting,
                     struct spill_error *error)
{
    struct spill_option_where *list = spill_grow(sa->where, sa->where_count, sizeof(*list));
    char *text = strdup(setting->where);

    if (list != NULL)
        sa->where = list;
    if (list == NULL || text == NULL) {
        free(text);
        return spill_error_set(error, "%s: out of memory", setting->where);
    }
    list[sa->where_count++] = (struct spill_option_where){setting->option, text};
    return 0;
}

const char *spill_option_sa_where(const struct spill_option_sa *sa, const char *key)
{
    for (unsigned int i = 0; i < sa->where_count; i++) {
        if (strcmp(sa->where[i].option->name, key) == 0)
            return sa->where[i].text;
    }
    return NULL;
}

static int set_sa(struct parse *parse, const struct spill_setting *setting)
{
    struct spill_option_sa *sa = take_sa(parse, setting);

    if (sa == NULL || set_value(parse, setting, sa) != 0)
        return -1;
    return add_where(sa, setting, parse->error);
}

static int apply(struct parse *parse, const struct spill_setting *setting)
{
    struct spill_options *options = parse->options;
    struct spill_option_port *port;

    switch (setting->option->scope) {
    case SPILL_OPTION_PLAIN:
        return set_value(parse, setting, options);
    case SPILL_OPTION_PER_CLASS:
        return set_class(parse, setting);
    case SPILL_OPTION_PER_PORT:
        port = spill_options_find_port(options, setting->subject);
        if (port == NULL)
            return spill_error_set(parse->error,
                                   "%s: there is no port '%s': expected --port %s=...",
                                   setting->where, setting->subject, setting->subject);
        return set_value(parse, setting, port);
    case SPILL_OPTION_PORT:
        return make_port(parse, setting);
    case SPILL_OPTION_WIRE:
        return make_wire(parse, setting);
    case SPILL_OPTION_PER_SA:
        return set_sa(parse, setting);
    }
    return -1;
}

/* Ports come first: what is said about a port may stand before it. */
static int apply_all(struct parse *parse, const struct spill_settings *settings)
{
    for (int ports = 1; ports >= 0; ports--) {
        for (size_t i = 0; i < settings->count; i++) {
            const struct spill_setting *setting = &settings->list[i];

            if ((setting->option->scope == SPILL_OPTION_PORT) == ports &&
                apply(parse, setting) != 0)
                return -1;
        }
    }
    return 0;
}

/* Copies what stands between the dashes and a '='; false without dashes. A longer name is cut: the
 * table has none of that length. */
static bool read_name(const char *argument, char *name, size_t size)
{
    if (argument[0] != '-' || argument[1] != '-')
        return false;
    snprintf(name, size, "%s", argument + 2);
    name[strcspn(name, "=")] = '\0';
    return true;
}

static int refuse_argument(const struct spill_options *options, const char *argument,
                           struct spill_error *error)
{
    char name[64];
    const char *nearest;

    if (read_name(argument, name, sizeof(name))) {
        if (spill_option_find(name, true) != NULL)
            return spill_error_set(
                error, "--%s: expected as a key of [sa NAME] in the configuration file", name);
        nearest = spill_option_nearest(name, false);
        if (nearest != NULL)
            return spill_error_set(error, "--%s: unknown option: did you mean --%s?", name,
                                   nearest);
        return spill_error_set(error, "--%s: unknown option: see --help", name);
    }
    if (argument[0] == '-' && !options->eal_given)
        return spill_error_set(error,
                               "'%.60s': expected an option as in --help; options of the EAL stand "
                               "before a '--' of their own: spillway %.60s ... -- --port ...",
                               argument, argument);
    return spill_error_set(error, "'%.60s': expected an option as in --help", argument);
}

/* Takes the flag at argv[*index] with its value, and moves *index to its last argument. */
static int take_flag(const struct spill_options *options, char **argv, int *index,
                     struct spill_settings *settings, struct spill_error *error)
{
    const char *argument = argv[*index];
    const char *equals = strchr(argument, '=');
    const char *value = equals == NULL ? argv[*index + 1] : equals + 1;
    const struct spill_option *option = NULL;
    char name[64], form[SPILL_OPTION_TEXT_SIZE], *where;
    int status;

    if (read_name(argument, name, sizeof(name)))
        option = spill_option_find(name, false);
    if (option == NULL)
        return refuse_argument(options, argument, error);
    if (option->kind == SPILL_OPTION_SWITCH && equals == NULL) {
        value = "on";
    } else if (equals == NULL) {
        if (value == NULL || strncmp(value, "--", 2) == 0)
            return spill_error_set(error, "--%s: a value is missing: expected --%s %s", name, name,
                                   spill_option_argument(option, form, sizeof(form)));
        (*index)++;
    }
    if (asprintf(&where, "--%s '%.100s'", name, value) < 0)
        return spill_error_set(error, "--%s: out of memory", name);
    status = spill_settings_add(settings, option, NULL, value, where, NULL, error);
    free(where);
    return status;
}

static bool print_information(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            spill_option_print_help();
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("spillway %s (%s)\n", SPILL_VERSION, rte_version());
            return true;
        }
    }
    return false;
}

/* Moves what stands before the first `--` into the options; returns the first argument of ours. */
static int split_arguments(int argc, char **argv, struct spill_options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            options->eal_given = true;
            options->eal_argc = i - 1;
            options->eal_argv = argv + 1;
            return i + 1;
        }
    }
    return 1;
}

static int load_config(const struct spill_settings *flags, const struct spill_token *stop,
                       struct spill_settings *settings, struct spill_error *error)
{
    const char *path = NULL;

    for (size_t i = 0; i < flags->count; i++) {
        if (strcmp(flags->list[i].option->name, "config") == 0)
            path = flags->list[i].value;
    }
    return path == NULL ? 0 : spill_config_load(path, stop, settings, error);
}

enum spill_options_result spill_options_parse(int argc, char **argv, const struct spill_token *stop,
                                              struct spill_options *options,
                                              struct spill_error *error)
{
    struct parse parse = {.options = options, .error = error};
    struct spill_settings flags = {0}, file = {0};
    int first, status = 0;

    *options = (struct spill_options){0};
    spill_plan_input_init(&options->plan, NULL);
    set_presets(SPILL_OPTION_PLAIN, options);
    for (int i = 0; i < SPILL_CLASSES; i++)
        set_presets(SPILL_OPTION_PER_CLASS, &options->pipeline.classes[i]);

    first = split_arguments(argc, argv, options);
    if (print_information(argc - first, argv + first))
        return SPILL_OPTIONS_DONE;
    for (int i = first; status == 0 && i < argc; i++)
        status = take_flag(options, argv, &i, &flags, error);
    if (status == 0)
        status = load_config(&flags, stop, &file, error);
    if (status == 0)
        status = apply_all(&parse, &file);
    parse.by_flag = true;
    if (status == 0)
        status = apply_all(&parse, &flags);
    if (status == 0)
        status = spill_options_check(options, error);
    spill_settings_free(&file);
    spill_settings_free(&flags);
    return status == 0 ? SPILL_OPTIONS_GO_ON : SPILL_OPTIONS_ERROR;
}

void spill_options_free(struct spill_options *options)
{
    for (unsigned int i = 0; i < options->port_count; i++) {
        free(options->ports[i].device);
        free(options->ports[i].where);
    }
    for (unsigned int i = 0; i < options->wire_count; i++)
        free(options->wires[i].where);
    for (unsigned int i = 0; i < options->sa_count; i++) {
        for (unsigned int j = 0; j < options->sas[i].where_count; j++)
            free(options->sas[i].where[j].text);
        free(options->sas[i].where);
        free(options->sas[i].key_file);
    }
    free(options->sas);
    free(options->crypto);
    free(options->config);
    free(options->rules);
    free(options->report);
    *options = (struct spill_options){0};
}
