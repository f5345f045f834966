/* SPDX-License-Identifier: BSD-3-Clause */
#include "unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_within(int descriptor, const struct sockaddr_un *address, int seconds)
{
    const struct timeval time = {.tv_sec = seconds};

    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) != 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0)
        return -1;
    return connect(descriptor, (const struct sockaddr *)address, sizeof(*address));
}

int spill_ctl_unix_connect(const char *path, int type, int seconds, struct spill_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor, cause;

    if (strlen(path) >= sizeof(address.sun_path))
        return spill_error_set(error, "%s: a path of at most %zu bytes is expected", path,
                               sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path));
    descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && connect_within(descriptor, &address, seconds) == 0)
        return descriptor;
    cause = errno;
    if (descriptor >= 0)
        close(descriptor);
    return spill_error_set(
        error, "%s: %s: expected the socket of a running spillway, by --name or --socket", path,
        cause == EAGAIN ? "nobody answers" : strerror(cause));
}
