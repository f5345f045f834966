/* SPDX-License-Identifier: BSD-3-Clause */
/* The one EAL of a process. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "port/eal.h"

/* The EAL keeps pointers to the strings until its end, but moves them about in the array that it is
 * given. Each is from malloc(), as getopt may write into them. */
static struct {
    char **values;
    int count;
    bool lost; /* there was no memory for one */
} kept;

static bool started;

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    char **values = reallocarray(kept.values, (size_t)kept.count + 1, sizeof(*values));
    char *text = NULL;
    va_list arguments;

    if (values != NULL)
        kept.values = values;
    va_start(arguments, format);
    if (values != NULL && vasprintf(&text, format, arguments) >= 0)
        kept.values[kept.count++] = text;
    else
        kept.lost = true;
    va_end(arguments);
}

static void add_devices(const struct spill_eal_config *config)
{
    char **list;
    int count = spill_device_eal_arguments(config->devices, config->device_count, &list);

    kept.lost |= count < 0;
    for (int i = 0; i < count; i++)
        add("%s", list[i]);
    if (count >= 0)
        spill_device_eal_arguments_free(list);
}

static void add_own(const struct spill_eal_config *config)
{
    add("--lcores=%s", config->lcores);
    add("--main-lcore=%u", config->main_lcore);
    add("--file-prefix=%s", config->name);
    add("%s", config->log_level);
    if (!config->telemetry)
        add("--no-telemetry");
    if (config->memory_mib != 0) {
        add("--no-huge");
        add("-m");
        add("%lu", (unsigned long)config->memory_mib);
    }
    add_devices(config);
}

/* A copy of the array, which the EAL may disorder; NULL without memory. */
static char **copy(void)
{
    char **given = kept.lost ? NULL : calloc((size_t)kept.count + 1, sizeof(*given));

    for (int i = 0; given != NULL && i < kept.count; i++)
        given[i] = kept.values[i];
    return given;
}

int spill_eal_start(const struct spill_eal_config *config, struct spill_error *error)
{
    char **given;

    add("%s", config->program);
    for (int i = 0; config->user != NULL && i < config->user_count; i++)
        add("%s", config->user[i]);
    if (config->user == NULL)
        add_own(config);
    for (int i = 1; config->tell != NULL && i < kept.count; i++)
        config->tell(kept.values[i]);
    given = copy();
    if (given == NULL)
        return spill_error_set(error, "no memory for the EAL's arguments");
    started = rte_eal_init(kept.count, given) >= 0;
    free(given);
    if (!started)
        return spill_error_set(
            error, "the EAL does not start%s%s; %s, and another instance needs another --name",
            rte_errno != 0 ? ": " : "", rte_errno != 0 ? rte_strerror(rte_errno) : "",
            config->hint);
    return 0;
}

int spill_eal_plug_in(const struct spill_device *device)
{
    char text[SPILL_DEVICE_NAME_MAX + SPILL_DEVICE_ARGUMENTS_MAX + 2];
    uint16_t id;

    if (rte_eth_dev_get_port_by_name(device->name, &id) == 0)
        return 0;
    snprintf(text, sizeof(text), "%s%s%s", device->name, device->arguments[0] != '\0' ? "," : "",
             device->arguments);
    return rte_dev_probe(text) == 0 ? 0 : -1;
}

void spill_eal_unplug(const struct spill_device *device)
{
    rte_eal_hotplug_remove(device->pci ? "pci" : "vdev", device->name);
}

void spill_eal_end(void)
{
    if (started)
        rte_eal_cleanup();
    started = false;
    while (kept.count > 0)
        free(kept.values[--kept.count]);
    free(kept.values);
    kept.values = NULL;
}
