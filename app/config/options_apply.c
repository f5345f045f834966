/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/options_apply.h"

#include <stdlib.h>
#include <string.h>

#include "config/grow.h"
#include "config/option_table.h"
#include "config/option_value.h"
#include "pipeline/classes.h"

/* The options being made, and which of their ports and wires a flag gave. */
struct draft {
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

void spill_options_preset(struct spill_options *options)
{
    *options = (struct spill_options){0};
    spill_plan_input_init(&options->plan, NULL);
    set_presets(SPILL_OPTION_PLAIN, options);
    set_presets(SPILL_OPTION_ROUTER, options);
    set_presets(SPILL_OPTION_IKE, options);
    for (int i = 0; i < SPILL_CLASSES; i++)
        set_presets(SPILL_OPTION_PER_CLASS, &options->pipeline.classes[i]);
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

/* A flag comes after the file, and says where its value is from in the file's place. */
static int add_where(struct spill_option_wheres *wheres, const struct spill_setting *setting,
                     struct spill_error *error)
{
    struct spill_option_where *list;
    char *text;

    for (unsigned int i = 0; i < wheres->count; i++) {
        if (wheres->list[i].option == setting->option)
            return replace_where(&wheres->list[i].text, setting->where, error);
    }
    list = spill_grow(wheres->list, wheres->count, sizeof(*list));
    text = strdup(setting->where);
    if (list != NULL)
        wheres->list = list;
    if (list == NULL || text == NULL) {
        free(text);
        return spill_error_set(error, "%s: out of memory", setting->where);
    }
    list[wheres->count++] = (struct spill_option_where){setting->option, text};
    return 0;
}

static int set_value(struct draft *draft, const struct spill_setting *setting, void *target)
{
    struct spill_error problem;

    if (spill_option_set(setting->option, target, setting->value, setting->directory, &problem) ==
        0)
        return 0;
    return spill_error_set(draft->error, "%s: %s", setting->where, problem.text);
}

static int make_port(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_port *port = spill_options_find_port(options, setting->instance);

    if (port != NULL && draft->port_by_flag[port - options->ports] == draft->by_flag)
        return spill_error_set(draft->error, "%s: given already: %s", setting->where, port->where);
    if (port == NULL) {
        if (options->port_count == SPILL_PORTS_MAX)
            return spill_error_set(draft->error, "%s: expected at most %d ports", setting->where,
                                   SPILL_PORTS_MAX);
        port = &options->ports[options->port_count++];
        snprintf(port->name, sizeof(port->name), "%s", setting->instance);
        set_presets(SPILL_OPTION_PER_PORT, port);
    }
    draft->port_by_flag[port - options->ports] = draft->by_flag;
    if (set_value(draft, setting, port) != 0)
        return -1;
    return replace_where(&port->where, setting->where, draft->error);
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

static int make_wire(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_wire made = {0};
    struct spill_option_wire *wire = options->wires;

    if (set_value(draft, setting, &made) != 0)
        return -1;
    if (setting->instance != NULL)
        snprintf(made.name, sizeof(made.name), "%s", setting->instance);
    else
        snprintf(made.name, sizeof(made.name), "%s-%s", made.port_names[0], made.port_names[1]);

    while (wire < options->wires + options->wire_count && !same_wire(wire, &made))
        wire++;
    if (wire == options->wires + SPILL_WIRES_MAX)
        return spill_error_set(draft->error, "%s: expected at most %d wires", setting->where,
                               SPILL_WIRES_MAX);
    if (wire == options->wires + options->wire_count)
        options->wire_count++;
    else if (draft->wire_by_flag[wire - options->wires] == draft->by_flag)
        return spill_error_set(draft->error, "%s: given already: %s", setting->where, wire->where);
    else
        memcpy(made.name, wire->name, sizeof(made.name)); /* of the file, which named it */
    draft->wire_by_flag[wire - options->wires] = draft->by_flag;
    made.where = wire->where;
    *wire = made;
    return replace_where(&wire->where, setting->where, draft->error);
}

/* Says which policies a class permits, and which classes the one that was given. */
static int refuse_overflow(const struct draft *draft, const struct spill_setting *setting,
                           uint32_t which)
{
    const struct spill_option_word *words = setting->option->words;
    struct spill_option_word right[SPILL_OVERFLOWS + 1] = {{NULL, 0}};
    struct spill_option_word others[SPILL_CLASSES + 1] = {{NULL, 0}};
    char expected[SPILL_OPTION_TEXT_SIZE], only[SPILL_OPTION_CLASS_LIST_SIZE];
    unsigned overflow = draft->options->pipeline.classes[which].overflow, count = 0;

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
    return spill_error_set(draft->error, "%s: expected %s: only %s may let packets pass",
                           setting->where, expected, only);
}

static int set_class(struct draft *draft, const struct spill_setting *setting)
{
    int which = spill_option_find_class(setting->instance);
    struct spill_pipeline_class *class = &draft->options->pipeline.classes[which];

    if (set_value(draft, setting, class) != 0)
        return -1;
    if (!spill_class_permits((uint32_t)which, class->overflow))
        return refuse_overflow(draft, setting, (uint32_t)which);
    return 0;
}

/* The security association of a setting: the last one, or a new one, as each stands in a section of
 * its own. */
static struct spill_option_sa *take_sa(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_sa *sa, *sas;

    if (options->sa_count > 0) {
        sa = &options->sas[options->sa_count - 1];
        if (strcmp(sa->config.name, setting->instance) == 0)
            return sa;
    }
    if (options->sa_count == SPILL_OPTION_SAS_MAX) {
        spill_error_set(draft->error, "%s: expected at most %d sections [sa NAME]", setting->where,
                        SPILL_OPTION_SAS_MAX);
        return NULL;
    }
    sas = spill_grow(options->sas, options->sa_count, sizeof(*sas));
    if (sas == NULL) {
        spill_error_set(draft->error, "%s: out of memory", setting->where);
        return NULL;
    }
    options->sas = sas;
    sa = &options->sas[options->sa_count++];
    *sa = (struct spill_option_sa){0};
    snprintf(sa->config.name, sizeof(sa->config.name), "%s", setting->instance);
    set_presets(SPILL_OPTION_PER_SA, sa);
    return sa;
}

static int set_sa(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_option_sa *sa = take_sa(draft, setting);

    if (sa == NULL || set_value(draft, setting, sa) != 0)
        return -1;
    return add_where(&sa->where, setting, draft->error);
}

/* A field of a list in the options, for one more of what a section is about. */
static void *grow_list(struct draft *draft, const struct spill_setting *setting, void *list,
                       uint16_t count, size_t size, uint16_t most)
{
    void *grown = count < most ? spill_grow(list, count, size) : NULL;

    if (count == most)
        spill_error_set(draft->error, "%s: expected at most %u of these sections", setting->where,
                        most);
    else if (grown == NULL)
        spill_error_set(draft->error, "%s: out of memory", setting->where);
    return grown;
}

static int set_interface(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_interface *interface =
        spill_options_find_interface(options, setting->instance);

    if (interface == NULL) {
        interface = grow_list(draft, setting, options->interfaces, options->interface_count,
                              sizeof(*interface), SPILL_ROUTER_INTERFACES_MAX);
        if (interface == NULL)
            return -1;
        options->interfaces = interface;
        interface = &options->interfaces[options->interface_count++];
        *interface = (struct spill_option_interface){.routed = false};
        set_presets(SPILL_OPTION_PER_INTERFACE, interface);
        snprintf(interface->name, sizeof(interface->name), "%s", setting->instance);
    }
    if (set_value(draft, setting, interface) != 0)
        return -1;
    return add_where(&interface->where, setting, draft->error);
}

/* The keys of a section stand together: it is the last one's, or a new one. */
static int set_route(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_route *route, *list;
    struct spill_ip_prefix prefix;

    spill_ip_prefix_read(setting->instance, &prefix);
    route = options->route_count > 0 ? &options->routes[options->route_count - 1] : NULL;
    if (route == NULL || route->prefix.length != prefix.length ||
        !spill_ip_equal(&route->prefix.address, &prefix.address)) {
        list = grow_list(draft, setting, options->routes, options->route_count, sizeof(*list),
                         SPILL_OPTION_ROUTES_MAX);
        if (list == NULL)
            return -1;
        options->routes = list;
        route = &options->routes[options->route_count++];
        *route = (struct spill_option_route){.prefix = prefix};
        if (replace_where(&route->where, setting->where, draft->error) != 0)
            return -1;
    }
    return set_value(draft, setting, route);
}

static int set_neighbor(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_neighbor *neighbor, *list;
    struct spill_ip address;

    spill_ip_read(setting->instance, &address);
    neighbor =
        options->neighbor_count > 0 ? &options->neighbors[options->neighbor_count - 1] : NULL;
    if (neighbor == NULL || !spill_ip_equal(&neighbor->address, &address)) {
        list = grow_list(draft, setting, options->neighbors, options->neighbor_count, sizeof(*list),
                         SPILL_OPTION_NEIGHBORS_MAX);
        if (list == NULL)
            return -1;
        options->neighbors = list;
        neighbor = &options->neighbors[options->neighbor_count++];
        *neighbor = (struct spill_option_neighbor){.address = address};
        if (replace_where(&neighbor->where, setting->where, draft->error) != 0)
            return -1;
    }
    return set_value(draft, setting, neighbor);
}

/* Whether a CPU may be had shows later, where the plan is made. */
static int set_plain(struct draft *draft, const struct spill_setting *setting)
{
    if (set_value(draft, setting, draft->options) != 0)
        return -1;
    return setting->option->kind == SPILL_OPTION_CPUS
               ? add_where(&draft->options->roles, setting, draft->error)
               : 0;
}

static int apply(struct draft *draft, const struct spill_setting *setting)
{
    struct spill_options *options = draft->options;
    struct spill_option_port *port;

    switch (setting->option->scope) {
    case SPILL_OPTION_PLAIN:
        return set_plain(draft, setting);
    case SPILL_OPTION_PER_CLASS:
        return set_class(draft, setting);
    case SPILL_OPTION_PER_PORT:
        port = spill_options_find_port(options, setting->instance);
        if (port == NULL)
            return spill_error_set(draft->error,
                                   "%s: there is no port '%s': expected --port %s=...; a "
                                   "sub-port has its parent's",
                                   setting->where, setting->instance, setting->instance);
        return set_value(draft, setting, port);
    case SPILL_OPTION_PORT:
        return make_port(draft, setting);
    case SPILL_OPTION_WIRE:
        return make_wire(draft, setting);
    case SPILL_OPTION_PER_SA:
        return set_sa(draft, setting);
    case SPILL_OPTION_PER_INTERFACE:
        return set_interface(draft, setting);
    case SPILL_OPTION_PER_ROUTE:
        return set_route(draft, setting);
    case SPILL_OPTION_PER_NEIGHBOR:
        return set_neighbor(draft, setting);
    case SPILL_OPTION_IKE:
        return set_value(draft, setting, options) == 0
                   ? add_where(&options->ike.where, setting, draft->error)
                   : -1;
    case SPILL_OPTION_ROUTER:
        return set_value(draft, setting, options);
    }
    return -1;
}

static int apply_some(struct draft *draft, const struct spill_settings *settings, bool ports)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct spill_setting *setting = &settings->list[i];

        if ((setting->option->scope == SPILL_OPTION_PORT) == ports && apply(draft, setting) != 0)
            return -1;
    }
    return 0;
}

/* Ports come first: what is said about one may stand before it, or in the file about one of the
 * flags. */
int spill_options_apply(struct spill_options *options, const struct spill_settings *file,
                        const struct spill_settings *flags, struct spill_error *error)
{
    const struct spill_settings *all[] = {file, flags};
    struct draft draft = {.options = options, .error = error};

    for (int ports = 1; ports >= 0; ports--) {
        for (int by_flag = 0; by_flag < 2; by_flag++) {
            draft.by_flag = by_flag;
            if (apply_some(&draft, all[by_flag], ports) != 0)
                return -1;
        }
    }
    return 0;
}
