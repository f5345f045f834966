/* SPDX-License-Identifier: BSD-3-Clause */
/* The command that makes the keys of security associations. */
#include "start/keygen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipsec/key_file.h"
#include "program.h"

static int complain(const struct spill_error *error, enum spill_status status)
{
    fprintf(stderr, "spillway: keygen: %s\n", error->text);
    return (int)status;
}

static const struct spill_ipsec_algorithm *read_arguments(int argc, char **argv,
                                                          struct spill_error *error)
{
    const struct spill_ipsec_algorithm *algorithm = NULL;
    char list[SPILL_IPSEC_ALGORITHM_LIST_SIZE];

    if (argc >= 1)
        algorithm = spill_ipsec_algorithm_find(argv[0]);
    if (algorithm == NULL)
        spill_error_set(error, "%s%.40s%sexpected ALGORITHM [FILE], ALGORITHM one of: %s",
                        argc >= 1 ? "'" : "", argc >= 1 ? argv[0] : "", argc >= 1 ? "': " : "",
                        spill_ipsec_algorithm_list(list, sizeof(list)));
    if (algorithm == NULL || argc == 1)
        return algorithm;
    /* What looks like a flag is hardly meant as a file's name. */
    if (argc > 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
        spill_error_set(error,
                        "'%.100s': expected %s [FILE], FILE the name of a new file; without it "
                        "the key goes to standard output",
                        argv[argc - 1], algorithm->name);
        return NULL;
    }
    return algorithm;
}

/* A file with a part of a key is no use to anybody. */
static int write_file(const struct spill_ipsec_algorithm *algorithm, const char *path,
                      int descriptor, struct spill_error *error)
{
    int status = spill_ipsec_key_generate(algorithm, descriptor, path, error);

    if (close(descriptor) != 0 && status == 0)
        status = spill_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
    if (status != 0)
        unlink(path);
    return status;
}

int spill_keygen(int argc, char **argv)
{
    struct spill_error error;
    const struct spill_ipsec_algorithm *algorithm = read_arguments(argc, argv, &error);
    int descriptor, status;

    if (algorithm == NULL)
        return complain(&error, SPILL_STATUS_USAGE);
    if (argc == 1) {
        status = spill_ipsec_key_generate(algorithm, STDOUT_FILENO, "standard output", &error);
    } else {
        descriptor = spill_ipsec_key_create(argv[1], &error);
        if (descriptor < 0)
            return complain(&error, SPILL_STATUS_USAGE);
        status = write_file(algorithm, argv[1], descriptor, &error);
    }
    return status == 0 ? (int)SPILL_STATUS_DRAINED : complain(&error, SPILL_STATUS_FAILED);
}
