/* SPDX-License-Identifier: BSD-3-Clause */
/* Random bytes from the kernel. */
#include "secret.h"

#include <errno.h>
#include <sys/random.h>

/* Short reads happen to requests of more than 256 bytes only. */
int spill_secret(void *bytes, size_t size)
{
    ssize_t got;

    do
        got = getrandom(bytes, size, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)size ? 0 : -1;
}
