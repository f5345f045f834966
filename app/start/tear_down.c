/* SPDX-License-Identifier: BSD-3-Clause */
/* The end: ports stop, accounts are balanced, mempools counted, memory freed. */
#include <pthread.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/stalls.h"
#include "control/steps.h"
#include "control/wiring.h"
#include "port/eal.h"
#include "port/unmap.h"
#include "program.h"
#include "start/steps.h"
#include "xfrm/server.h"

/* Drivers get a tenth of a second to finish what was given to them. */
#define FLUSH_SHARE 10
/* What they get to close beside --drain-timeout, which may be 0. */
#define CLOSE_LEAST_NS UINT64_C(2000000000)

static void tell_left(const char *place, uint64_t packets)
{
    SPILL_LOG(ERR, "left in %s: %" PRIu64 " packets", place, packets);
}

/* The lcores have ended: nothing else touches what they held. */
static void settle_lcores(struct spill_program *program)
{
    if (spill_pipeline_forced(program->pipeline))
        spill_program_end_as(program, SPILL_OUTCOME_FORCED);
    spill_program_end_host(program);
    if (program->hanging)
        return;
    spill_pipeline_abandon(program->pipeline, tell_left);
    spill_program_drain_rule_log(program);
    if (program->pipeline->abandoned_mbufs == 0)
        return;
    SPILL_LOG(ERR,
              "the crypto device still holds %" PRIu64 " mbufs, and may write into them: nothing "
              "is freed",
              program->pipeline->abandoned_mbufs);
    program->hanging = true;
    spill_program_end_as(program, SPILL_OUTCOME_FORCED);
}

/* Mbufs that are missing, without those that the crypto device is known to keep. */
static uint64_t count_leaked(const struct spill_program *program)
{
    uint64_t kept = program->pipeline != NULL ? program->pipeline->abandoned_mbufs : 0;
    uint64_t leaked = spill_port_leaked(program->ports, program->port_count) +
                      (program->host != NULL ? rte_mempool_in_use_count(program->host->pool) : 0);

    return leaked > kept ? leaked - kept : 0;
}

/* Stops and closes all ports; in a thread of its own, since a driver may wait for its peer. */
static void *close_ports(void *argument)
{
    struct spill_program *program = argument;
    uint32_t i;

    if (program->ports_abandoned) {
        program->uncounted = true;
        return NULL;
    }
    spill_port_flush_tx(program->ports, program->port_count,
                        spill_clock() + rte_get_tsc_hz() / FLUSH_SHARE);
    for (i = 0; i < program->port_count; i++) {
        if (program->ports[i].open)
            spill_port_stats(&program->ports[i], &program->port_stats[i]);
    }
    for (i = 0; i < program->port_count; i++)
        spill_port_close(&program->ports[i]);
    program->leaked = count_leaked(program);
    return NULL;
}

static void settle_ports(struct spill_program *program)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, close_ports, program) != 0) {
        close_ports(program);
        return;
    }
    /* After a forced end, too: what the drivers still hold is counted once they have closed. */
    if (spill_control_join(program, thread, program->options.drain_timeout_ns + CLOSE_LEAST_NS))
        return;
    SPILL_LOG(ERR, "a port does not stop within --drain-timeout; ending without it");
    program->hanging = true;
    program->uncounted = true;
    spill_program_end_as(program, SPILL_OUTCOME_FORCED);
}

void spill_program_settle(struct spill_program *program)
{
    spill_program_close_commands(program);
    spill_program_close_stalls(program);
    spill_xfrm_close(program);
    spill_program_end_telemetry();
    program->settled = true;
    spill_program_leave_kernel(program);
    if (program->hanging) {
        program->uncounted = true;
        spill_program_end_as(program, SPILL_OUTCOME_FORCED);
        return;
    }
    if (program->started != 0)
        settle_lcores(program);
    if (program->port_count > 0)
        settle_ports(program);
    if (program->started != 0 && !program->hanging)
        spill_program_tell_unsent(program);
}

void spill_program_tear_down(struct spill_program *program)
{
    uint32_t i;

    /* An lcore that hangs, or a reload, may still use all of it. */
    if (program->hanging || program->abandoned)
        return;
    spill_program_close_rule_log(program);
    spill_unmap_await(NULL, NULL);
    spill_pipeline_free(program->pipeline);
    for (i = 0; i < program->port_count; i++) {
        spill_port_close(&program->ports[i]);
        rte_mempool_free(program->mempools[i]);
    }
    spill_host_free(program->host);
    spill_router_free(program->router);
    spill_program_close_reload(program);
    spill_program_close_agreement(program);
    spill_program_close_generation(program);
    spill_eal_end();
    spill_event_remove(&program->signals.heard);
    spill_event_remove(&program->routing);
    spill_event_remove(&program->needs);
    free(program->kernel); /* left; until here for what it counted */
    spill_service_close(&program->service);
    spill_events_close(&program->events);
    spill_token_destroy(&program->stop);
    spill_token_destroy(&program->force);
    spill_wiring_free(program);
    spill_options_free(&program->options);
}
