/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzz targets have in common. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/clock.h"
#include "base/secret.h"

uint64_t fuzz_clock, fuzz_seed;

/* A look at the clock takes some cycles: what waits for a time sees it come. */
#define LOOK_CYCLES 40

uint64_t spill_clock_by_hand(void)
{
    return fuzz_clock += LOOK_CYCLES;
}

int __wrap_spill_secret(void *bytes, size_t size);

/* Splitmix64 (Steele et al. 2014). */
int __wrap_spill_secret(void *bytes, size_t size)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < size; i++) {
        uint64_t mixed = fuzz_seed += UINT64_C(0x9e3779b97f4a7c15);

        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        to[i] = (uint8_t)(mixed ^ mixed >> 31);
    }
    return 0;
}

void fuzz_eal_start(unsigned mib)
{
    char memory[16];
    char *arguments[] = {"fuzz", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci",
                         "-l",   "0",         "-m",          memory,           "--log-level=error"};

    snprintf(memory, sizeof(memory), "%u", mib);
    if (rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])), arguments) < 0) {
        fprintf(stderr, "the EAL doesn't start\n");
        exit(1);
    }
}

void fuzz_file(int descriptor, const void *bytes, size_t size)
{
    int file = memfd_create("fuzz", MFD_CLOEXEC);

    if (file < 0 || fchmod(file, S_IRUSR | S_IWUSR) != 0 ||
        write(file, bytes, size) != (ssize_t)size || lseek(file, 0, SEEK_SET) != 0 ||
        dup3(file, descriptor, O_CLOEXEC) < 0) {
        perror("a file in memory");
        exit(1);
    }
    close(file);
}

void fuzz_check_line(const char *text)
{
    FUZZ_CHECK(text[0] != '\0', "an error without a word");
    for (const char *at = text; *at != '\0'; at++)
        FUZZ_CHECK(*at != '\n', "an error of several lines: %s", text);
}
