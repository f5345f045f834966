/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether programs of DPDK run here: each holds a lock in its own folder below DPDK's. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor/doctor.h"

/* DPDK's order, in eal_create_runtime_dir(). */
const char *spill_doctor_runtime_folder(void)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");

    if (folder == NULL && getuid() == 0)
        return "/var/run";
    if (folder == NULL)
        folder = getenv("XDG_RUNTIME_DIR");
    return folder != NULL ? folder : "/tmp";
}

/* What can't be opened may be locked. */
static bool is_locked(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    bool locked;

    if (descriptor < 0)
        return errno != ENOENT;
    locked = fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(descriptor);
    return locked;
}

bool spill_doctor_dpdk_runs(const char *folder)
{
    char pattern[PATH_MAX];
    glob_t found;
    bool runs;
    int status;

    snprintf(pattern, sizeof(pattern), "%s/dpdk/*/config", folder);
    status = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &found);
    runs = status != 0 && status != GLOB_NOMATCH;
    for (size_t i = 0; status == 0 && !runs && i < found.gl_pathc; i++)
        runs = is_locked(found.gl_pathv[i]);
    globfree(&found);
    return runs;
}
