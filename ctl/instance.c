/* SPDX-License-Identifier: BSD-3-Clause */
#include "instance.h"

#include "doctor/doctor.h"

int spill_ctl_instance_path(const struct spill_ctl_request *request, const char *file,
                            char path[PATH_MAX], struct spill_error *error)
{
    const char *socket = request->values[SPILL_CTL_SOCKET];
    const char *name = request->values[SPILL_CTL_NAME];
    const int size = socket != NULL
                         ? snprintf(path, PATH_MAX, "%s", socket)
                         : snprintf(path, PATH_MAX, "%s/dpdk/%s/%s", spill_doctor_runtime_folder(),
                                    name != NULL ? name : "spillway", file);

    return size < PATH_MAX ? 0 : spill_error_set(error, "'%s' is too long for a path", path);
}
