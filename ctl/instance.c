/* SPDX-License-Identifier: BSD-3-Clause */
#include "instance.h"

#include <stdlib.h>
#include <unistd.h>

/* DPDK's order, in eal_create_runtime_dir(). */
static const char *runtime_folder(void)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");

    if (folder == NULL && getuid() == 0)
        return "/var/run";
    if (folder == NULL)
        folder = getenv("XDG_RUNTIME_DIR");
    return folder != NULL ? folder : "/tmp";
}

int spill_ctl_instance_path(const struct spill_ctl_request *request, const char *file,
                            char path[PATH_MAX], struct spill_error *error)
{
    const char *socket = request->values[SPILL_CTL_SOCKET];
    const char *name = request->values[SPILL_CTL_NAME];
    const int size = socket != NULL ? snprintf(path, PATH_MAX, "%s", socket)
                                    : snprintf(path, PATH_MAX, "%s/dpdk/%s/%s", runtime_folder(),
                                               name != NULL ? name : "spillway", file);

    return size < PATH_MAX ? 0 : spill_error_set(error, "'%s' is too long for a path", path);
}
