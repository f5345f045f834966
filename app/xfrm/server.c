/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may speak to the XFRM socket, and how many at a time. */
#include "xfrm/server.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/log.h"
#include "xfrm/server_parts.h"

#define TICK_NS UINT64_C(100000000)

struct spill_events *spill_xfrm_events(struct spill_xfrm *server)
{
    return &server->program->events;
}

/* ------------------------------------------------------------------------------- accepting */

static void take_in(void *context, int descriptor, bool own)
{
    struct spill_xfrm *server = context;
    uint32_t i = 0;

    while (i < SPILL_XFRM_CLIENTS_MAX && server->clients[i].descriptor >= 0)
        i++;
    if (!own)
        SPILL_LOG(WARNING, "xfrm: a client that is neither root nor spillway's user is refused");
    else if (i == SPILL_XFRM_CLIENTS_MAX)
        SPILL_LOG(WARNING, "xfrm: more than %d clients: another is refused",
                  SPILL_XFRM_CLIENTS_MAX);
    else if (spill_xfrm_client_open(&server->clients[i], server, descriptor) == 0) {
        if (server->changing)
            spill_xfrm_client_listen(&server->clients[i], false);
        return;
    } else {
        return;
    }
    close(descriptor);
}

/* ------------------------------------------------------------------------ from when to when */

int spill_xfrm_open(struct spill_program *program, struct spill_error *error)
{
    const char *path = program->options.ike.xfrm;
    struct spill_xfrm *server;

    if (path == NULL)
        return 0;
    server = calloc(1, sizeof(*server));
    if (server == NULL)
        return spill_error_set(error, "[ike] xfrm '%s': no memory", path);
    program->xfrm = server;
    server->program = program;
    server->listener = (struct spill_listener){.what = "[ike] xfrm",
                                               .events = &program->events,
                                               .connected = take_in,
                                               .context = server,
                                               .descriptor = -1};
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++)
        server->clients[i].descriptor = -1;
    if (spill_listener_open(&server->listener, path, SOCK_SEQPACKET, SPILL_XFRM_CLIENTS_MAX,
                            error) != 0)
        return -1;
    if (spill_events_every(&program->events, &server->ticks, TICK_NS, spill_xfrm_tick, server) != 0)
        return spill_error_set(error, "[ike] xfrm '%s': no memory", path);
    return 0;
}

void spill_xfrm_close(struct spill_program *program)
{
    struct spill_xfrm *server = program->xfrm;

    if (server == NULL)
        return;
    program->xfrm = NULL;
    program->agreement.over = NULL;
    spill_listener_close(&server->listener);
    spill_event_remove(&server->ticks);
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        if (server->clients[i].descriptor >= 0)
            spill_xfrm_client_close(&server->clients[i]);
    }
    spill_xfrm_state_clear(&server->state);
    spill_xfrm_state_clear(&server->before);
    spill_xfrm_end_events(server, false);
    free(server->events);
    free(server->in_force);
    free(server);
}
