/* SPDX-License-Identifier: BSD-3-Clause */
/* The end: ports stop, accounts are balanced, mempools counted, memory freed. */
#include <pthread.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "log.h"
#include "program.h"
#include "runtime/clock.h"

/* Drivers get a tenth of a second to finish what was given to them. */
#define FLUSH_SHARE 10

static void tell_left(const char *place, uint64_t packets)
{
    SPILL_LOG(ERR, "left in %s: %" PRIu64 " packets", place, packets);
}

/* The lcores have ended: nothing else touches what they held. */
static void settle_lcores(struct spill_program *program)
{
    if (spill_pipeline_forced(program->pipeline) && program->outcome == SPILL_OUTCOME_DRAINED)
        program->outcome = SPILL_OUTCOME_FORCED;
    spill_pipeline_abandon(program->pipeline, tell_left);
}

/* Stops and closes all ports; in a thread of its own, since a driver may wait for its peer. */
static void *close_ports(void *argument)
{
    struct spill_program *program = argument;
    uint32_t i;

    spill_port_flush_tx(program->ports, program->port_count,
                        spill_clock() + rte_get_tsc_hz() / FLUSH_SHARE);
    for (i = 0; i < program->port_count; i++)
        spill_port_stats(&program->ports[i], &program->port_stats[i]);
    for (i = 0; i < program->port_count; i++)
        spill_port_close(&program->ports[i]);
    program->leaked = spill_port_leaked(program->ports, program->port_count);
    return NULL;
}

static void settle_ports(struct spill_program *program)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, close_ports, program) != 0) {
        close_ports(program);
        return;
    }
    if (spill_control_join(program, thread))
        return;
    SPILL_LOG(ERR, "a port does not stop within --drain-timeout; ending without it");
    program->hanging = true;
    program->outcome = SPILL_OUTCOME_FORCED;
}

void spill_program_settle(struct spill_program *program)
{
    if (program->hanging) {
        program->outcome = SPILL_OUTCOME_FORCED;
        return;
    }
    if (program->started != 0)
        settle_lcores(program);
    if (program->port_count > 0)
        settle_ports(program);
}

bool spill_program_balanced(const struct spill_program *program)
{
    struct spill_ledger sum;

    if (program->pipeline == NULL)
        return program->leaked == 0;
    spill_pipeline_ledger(program->pipeline, &sum);
    return spill_ledger_in_flight(&sum) == 0 && program->leaked == 0;
}

void spill_program_tear_down(struct spill_program *program)
{
    uint32_t i;

    /* An lcore that hangs may still use all of it. */
    if (program->hanging)
        return;
    spill_pipeline_free(program->pipeline);
    for (i = 0; i < program->port_count; i++) {
        spill_port_close(&program->ports[i]);
        rte_mempool_free(program->mempools[i]);
    }
    spill_program_close_security(program);
    if (program->eal)
        rte_eal_cleanup();
    spill_token_destroy(&program->stop);
    spill_token_destroy(&program->force);
    spill_options_free(&program->options);
}
