/* SPDX-License-Identifier: BSD-3-Clause */
#include "route/left_right.h"

/* The front is given up after so many changes of the back, in a storm that never ends. */
#define CHANGES_AT_ONCE 65536
/* A side is not made anew again before so many changes: it may just be full. */
#define CHANGES_BETWEEN 4096

int spill_left_right_init(struct spill_left_right *table,
                          const struct spill_left_right_config *config, struct spill_error *error)
{
    uint8_t side;

    *table = (struct spill_left_right){.config = *config};
    if (spill_rib_init(&table->rib, config->capacity, config->seed) != 0)
        return spill_error_set(error, "routes: no memory for %u", config->capacity);
    for (side = 0; side < SPILL_SIDES; side++) {
        if (spill_fib_create(&table->sides[side], config->family, side, config->capacity,
                             config->memory_nodes, error) != 0)
            return -1;
    }
    config->publish(config->context, &table->sides[table->front]);
    return 0;
}

void spill_left_right_free(struct spill_left_right *table)
{
    unsigned side;

    for (side = 0; side < SPILL_SIDES; side++)
        spill_fib_free(&table->sides[side]);
    spill_rib_free(&table->rib);
}

static void note(struct spill_left_right *table, struct spill_rib_entry *entry, unsigned side,
                 uint16_t group)
{
    const uint16_t before = entry->applied[side];

    entry->applied[side] = group;
    table->ahead |= group != entry->applied[!side];
    table->config.changed(table->config.context, before, group);
}

/* Makes the back anew, empty, and lists all routes for it. False: there is no memory for it. */
static bool make_anew(struct spill_left_right *table)
{
    const struct spill_left_right_config *config = &table->config;
    const unsigned back = !table->front;
    struct spill_error error;
    uint32_t i;

    spill_fib_free(&table->sides[back]);
    if (spill_fib_create(&table->sides[back], config->family, (uint8_t)back, config->capacity,
                         config->memory_nodes, &error) != 0) {
        table->broken = true;
        return false;
    }
    for (i = 1; i < table->rib.fresh; i++) {
        if (table->rib.entries[i].applied[back] != 0)
            note(table, &table->rib.entries[i], back, 0);
    }
    spill_rib_relist(&table->rib, back);
    table->refills = true;
    table->since_new[back] = 0;
    table->made_anew++;
    return true;
}

/* One route of the back. */
static void apply(struct spill_left_right *table, struct spill_rib_entry *entry)
{
    const unsigned back = !table->front;
    struct spill_fib *fib = &table->sides[back];
    int status = 0;

    if (entry->wanted != entry->applied[back])
        status = entry->wanted != 0 ? spill_fib_add(fib, &entry->prefix, entry->wanted)
                                    : spill_fib_delete(fib, &entry->prefix);
    if (status == 0) {
        if (entry->wanted != entry->applied[back])
            note(table, entry, back, entry->wanted);
    } else if (table->refills || table->since_new[back] < CHANGES_BETWEEN || !make_anew(table)) {
        table->refused++;
    }
    table->since_new[back]++;
    spill_rib_release(&table->rib, entry);
}

static void swap(struct spill_left_right *table)
{
    table->front = !table->front;
    table->config.publish(table->config.context, &table->sides[table->front]);
    table->grace = rte_rcu_qsbr_start(table->config.readers);
    table->waits = true;
    table->ahead = false;
    table->refills = false;
    table->changes = 0;
}

bool spill_left_right_work(struct spill_left_right *table, uint32_t most)
{
    struct spill_rib_entry *entry;
    uint32_t done;

    if (table->broken)
        return false;
    if (table->waits && rte_rcu_qsbr_check(table->config.readers, table->grace, false) == 0)
        return true;
    table->waits = false;
    for (done = 0; done < most && !table->broken; done++) {
        entry = spill_rib_next(&table->rib, !table->front);
        if (entry == NULL)
            break;
        apply(table, entry);
    }
    table->changes += done;
    if (table->broken)
        return false;
    if (table->rib.first_listed[!table->front] == 0 ||
        (table->changes >= CHANGES_AT_ONCE && !table->refills)) {
        table->refills = false;
        /* What the back refused, or changed twice, is only on the front's list: it, too, is taken
         * from there as from a back. */
        if (table->ahead || table->rib.first_listed[table->front] != 0)
            swap(table);
    }
    return table->waits || table->rib.first_listed[0] != 0 || table->rib.first_listed[1] != 0;
}
