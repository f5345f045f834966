/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"

/* Taken in one go, before others that wait for the control thread have their turn. */
#define ACCEPTS_MAX 16
/* Without descriptors nobody is accepted, and the socket stays readable. */
#define PAUSE_NS UINT64_C(1000000000)

/* ------------------------------------------------------------------------------- accepting */

static bool is_own(int descriptor)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void accept_all(void *context);

static void resume(void *context)
{
    struct spill_listener *listener = context;

    if (spill_events_read(listener->events, &listener->connects, listener->descriptor, accept_all,
                          listener) != 0)
        SPILL_LOG(ERR, "%s: no memory: nobody is heard any more", listener->what);
}

static void accept_all(void *context)
{
    struct spill_listener *listener = context;
    unsigned i;

    for (i = 0; i < ACCEPTS_MAX; i++) {
        const int descriptor =
            accept4(listener->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (descriptor >= 0) {
            listener->connected(listener->context, descriptor, is_own(descriptor));
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            if (spill_events_after(listener->events, &listener->connects, PAUSE_NS, resume,
                                   listener) != 0)
                SPILL_LOG(ERR, "%s: no memory: nobody is heard any more", listener->what);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ------------------------------------------------------------------------ from when to when */

/* What a program that is no more has left there goes; nothing else does. */
static void remove_stale(const struct sockaddr_un *address, int type)
{
    struct stat found;
    int descriptor;

    if (lstat(address->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return;
    if (connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(descriptor);
}

/* The mode is that of the socket before it has a name: at no moment anybody else may connect. */
static int bind_and_listen(struct spill_listener *listener, int backlog)
{
    const struct sockaddr *address = (const struct sockaddr *)&listener->address;
    int failure;

    if (fchmod(listener->descriptor, S_IRUSR | S_IWUSR) != 0 ||
        bind(listener->descriptor, address, sizeof(listener->address)) != 0)
        return -1;
    if (listen(listener->descriptor, backlog) == 0 &&
        spill_events_read(listener->events, &listener->connects, listener->descriptor, accept_all,
                          listener) == 0)
        return 0;
    failure = errno;
    unlink(listener->address.sun_path);
    errno = failure;
    return -1;
}

int spill_listener_open(struct spill_listener *listener, const char *path, int type, int backlog,
                        struct spill_error *error)
{
    listener->descriptor = -1;
    listener->address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(listener->address.sun_path))
        return spill_error_set(error, "%s '%s': expected a path of at most %zu bytes",
                               listener->what, path, sizeof(listener->address.sun_path) - 1);
    strcpy(listener->address.sun_path, path);
    remove_stale(&listener->address, type);
    listener->descriptor = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->descriptor >= 0 && bind_and_listen(listener, backlog) == 0)
        return 0;
    spill_error_set(error, "%s '%s': %s%s", listener->what, path, strerror(errno),
                    errno == EADDRINUSE ? ": somebody listens there, or it is no socket" : "");
    if (listener->descriptor >= 0)
        close(listener->descriptor);
    listener->descriptor = -1;
    return -1;
}

void spill_listener_close(struct spill_listener *listener)
{
    if (listener->descriptor < 0)
        return;
    unlink(listener->address.sun_path);
    spill_event_remove(&listener->connects);
    close(listener->descriptor);
    listener->descriptor = -1;
}
