/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/lines.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Takes back the last bytes of a file, if nobody has written behind them. */
static bool take_back(int descriptor, off_t size)
{
    const off_t end = lseek(descriptor, 0, SEEK_CUR);
    struct stat status;

    return end >= size && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_size == end && ftruncate(descriptor, end - size) == 0 &&
           lseek(descriptor, end - size, SEEK_SET) >= 0;
}

bool spill_lines_put(struct spill_lines *lines, const char *line, size_t size)
{
    const struct iovec parts[] = {{.iov_base = (char[]){'\n'}, .iov_len = lines->cut ? 1 : 0},
                                  {.iov_base = (void *)(uintptr_t)line, .iov_len = size}};
    const ssize_t done = writev(lines->descriptor, parts, 2);

    if (done <= 0)
        return false;
    if ((size_t)done == parts[0].iov_len + size) {
        lines->cut = false;
        return true;
    }
    if (!take_back(lines->descriptor, done))
        lines->cut = true;
    return false;
}
