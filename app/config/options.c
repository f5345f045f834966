/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/options.h"

#include <stdlib.h>
#include <string.h>

#include "config/option_row.h"

struct spill_option_port *spill_options_find_port(struct spill_options *options, const char *name)
{
    for (unsigned int i = 0; i < options->port_count; i++) {
        if (strcmp(options->ports[i].name, name) == 0)
            return &options->ports[i];
    }
    return NULL;
}

struct spill_option_interface *spill_options_find_interface(const struct spill_options *options,
                                                            const char *name)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        if (strcmp(options->interfaces[i].name, name) == 0)
            return &options->interfaces[i];
    }
    return NULL;
}

bool spill_options_find_input(const struct spill_options *options, const char *name,
                              struct spill_rule_input *input)
{
    const struct spill_option_interface *interface = spill_options_find_interface(options, name);

    for (uint16_t i = 0; i < options->port_count; i++) {
        *input = (struct spill_rule_input){.port = i};
        if (strcmp(options->ports[i].name, name) == 0)
            return true;
    }
    if (interface != NULL)
        *input = (struct spill_rule_input){interface->port, interface->vlan};
    return interface != NULL;
}

bool spill_options_have_twins(const struct spill_options *options)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].twin[0] != '\0')
            return true;
    }
    return false;
}

bool spill_options_protect(const struct spill_options *options)
{
    return options->sa_count > 0 || options->ike.xfrm != NULL;
}

bool spill_options_route(const struct spill_options *options)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].routed)
            return true;
    }
    return false;
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

const char *spill_option_where(const struct spill_option_wheres *wheres, const char *key)
{
    for (unsigned int i = 0; i < wheres->count; i++) {
        if (strcmp(wheres->list[i].option->name, key) == 0)
            return wheres->list[i].text;
    }
    return NULL;
}

const char *spill_option_sa_where(const struct spill_option_sa *sa, const char *key)
{
    return spill_option_where(&sa->where, key);
}

static void free_wheres(struct spill_option_wheres *wheres)
{
    for (unsigned int i = 0; i < wheres->count; i++)
        free(wheres->list[i].text);
    free(wheres->list);
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
        free_wheres(&options->sas[i].where);
        free(options->sas[i].key_file);
    }
    for (unsigned int i = 0; i < options->interface_count; i++)
        free_wheres(&options->interfaces[i].where);
    free_wheres(&options->roles);
    for (unsigned int i = 0; i < options->route_count; i++)
        free(options->routes[i].where);
    for (unsigned int i = 0; i < options->neighbor_count; i++)
        free(options->neighbors[i].where);
    free(options->interfaces);
    free(options->router.name_space);
    free(options->ike.xfrm);
    free_wheres(&options->ike.where);
    free(options->routes);
    free(options->neighbors);
    free(options->sas);
    free(options->crypto);
    free(options->on_drain);
    free(options->config);
    free(options->rules);
    free(options->report);
    free(options->control_socket);
    free(options->rule_log);
    free(options->explain);
    *options = (struct spill_options){0};
}
