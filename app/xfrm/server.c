/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may speak to the XFRM socket, and how many at a time. */
#include "xfrm/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/log.h"
#include "xfrm/server_parts.h"

#define ACCEPTS_AT_ONCE 16
#define TICK_NS         UINT64_C(100000000)
#define PAUSE_NS        UINT64_C(1000000000)

struct spill_events *spill_xfrm_events(struct spill_xfrm *server)
{
    return &server->program->events;
}

/* ------------------------------------------------------------------------------- accepting */

static bool is_trusted(int descriptor)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void take_in(struct spill_xfrm *server, int descriptor)
{
    uint32_t i = 0;

    while (i < SPILL_XFRM_CLIENTS_MAX && server->clients[i].descriptor >= 0)
        i++;
    if (!is_trusted(descriptor))
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

static void accept_clients(void *context);

static void resume(void *context)
{
    struct spill_xfrm *server = context;

    if (spill_events_read(spill_xfrm_events(server), &server->connects, server->descriptor,
                          accept_clients, server) != 0)
        SPILL_LOG(ERR, "xfrm: no memory: no client is heard any more");
}

/* Without descriptors nobody is accepted, and the socket stays readable: later again. */
static void accept_clients(void *context)
{
    struct spill_xfrm *server = context;

    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        const int descriptor =
            accept4(server->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (descriptor >= 0) {
            take_in(server, descriptor);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            if (spill_events_after(spill_xfrm_events(server), &server->connects, PAUSE_NS, resume,
                                   server) != 0)
                SPILL_LOG(ERR, "xfrm: no memory: no client is heard any more");
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ------------------------------------------------------------------------ from when to when */

/* What a program that is no more has left there goes; nothing else does. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat found;
    int descriptor;

    if (lstat(address->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return;
    if (connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(descriptor);
}

/* The mode is that of the socket before it has a name: at no moment anybody else may connect. */
static int listen_at(struct spill_xfrm *server)
{
    const struct sockaddr *address = (const struct sockaddr *)&server->address;

    server->descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->descriptor < 0)
        return -1;
    remove_stale(&server->address);
    if (fchmod(server->descriptor, S_IRUSR | S_IWUSR) != 0 ||
        bind(server->descriptor, address, sizeof(server->address)) != 0)
        return -1;
    server->bound = true;
    if (listen(server->descriptor, SPILL_XFRM_CLIENTS_MAX) == 0 &&
        spill_events_read(spill_xfrm_events(server), &server->connects, server->descriptor,
                          accept_clients, server) == 0 &&
        spill_events_every(spill_xfrm_events(server), &server->ticks, TICK_NS, spill_xfrm_tick,
                           server) == 0)
        return 0;
    return -1;
}

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
    server->descriptor = -1;
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++)
        server->clients[i].descriptor = -1;
    server->address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(server->address.sun_path))
        return spill_error_set(error, "[ike] xfrm '%s': expected a path of at most %zu bytes", path,
                               sizeof(server->address.sun_path) - 1);
    strcpy(server->address.sun_path, path);
    if (listen_at(server) != 0)
        return spill_error_set(error, "[ike] xfrm '%s': %s", path, strerror(errno));
    return 0;
}

void spill_xfrm_close(struct spill_program *program)
{
    struct spill_xfrm *server = program->xfrm;

    if (server == NULL)
        return;
    program->xfrm = NULL;
    program->agreement.over = NULL;
    spill_event_remove(&server->connects);
    spill_event_remove(&server->ticks);
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        if (server->clients[i].descriptor >= 0)
            spill_xfrm_client_close(&server->clients[i]);
    }
    if (server->bound)
        unlink(server->address.sun_path);
    if (server->descriptor >= 0)
        close(server->descriptor);
    spill_xfrm_state_clear(&server->state);
    spill_xfrm_state_clear(&server->before);
    spill_xfrm_end_events(server, false);
    free(server->events);
    free(server->in_force);
    free(server);
}
