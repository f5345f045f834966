/* SPDX-License-Identifier: BSD-3-Clause */
/* Key files: read with care, written with care, and never left behind in memory. */
#include "ipsec/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

/* Room for the longest key's digits and for what may follow them. */
#define TEXT_SIZE (2 * SPILL_IPSEC_KEY_MAX + 64)

#define FOR_OTHERS (S_IRWXG | S_IRWXO)

static int check_file(int descriptor, const char *path, struct spill_error *error)
{
    struct stat status;

    if (fstat(descriptor, &status) != 0)
        return spill_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return spill_error_set(error, "%s: expected a regular file with a key", path);
    if ((status.st_mode & FOR_OTHERS) != 0)
        return spill_error_set(error,
                               "%s: mode 0%o: expected a key that only its owner may use, as after "
                               "chmod 600",
                               path, status.st_mode & ALLPERMS);
    return 0;
}

/* The file's bytes, at most TEXT_SIZE. */
static ssize_t read_text(int descriptor, char *text)
{
    size_t length = 0;

    while (length < TEXT_SIZE) {
        ssize_t got = read(descriptor, text + length, TEXT_SIZE - length);

        if (got == 0)
            break;
        if (got > 0)
            length += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)length;
}

static int digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

/* Whether nothing but blanks and one end of the line is there. */
static bool is_end(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'))
        at++;
    if (at < length && text[at] == '\n')
        at++;
    return at == length;
}

static int read_key(const char *path, const struct spill_ipsec_algorithm *algorithm,
                    const char *text, size_t length, uint8_t *key, struct spill_error *error)
{
    size_t expected = 2 * spill_ipsec_algorithm_key_size(algorithm);
    size_t digits = 0;

    while (digits < length && digit_of(text[digits]) >= 0)
        digits++;
    if (!is_end(text + digits, length - digits))
        return spill_error_set(error,
                               "%s: byte %zu is no hex digit: expected one line of %zu for %s, and "
                               "nothing else",
                               path, digits + 1, expected, algorithm->name);
    if (digits != expected)
        return spill_error_set(error,
                               "%s: %zu hex digits: expected %zu for %s, as spillway keygen %s "
                               "writes them",
                               path, digits, expected, algorithm->name, algorithm->name);
    for (size_t i = 0; i < digits; i += 2)
        key[i / 2] = (uint8_t)(digit_of(text[i]) << 4 | digit_of(text[i + 1]));
    return 0;
}

static int read_checked(int descriptor, const char *path,
                        const struct spill_ipsec_algorithm *algorithm, uint8_t *key,
                        struct spill_error *error)
{
    char text[TEXT_SIZE];
    ssize_t length;
    int status = -1;

    if (check_file(descriptor, path, error) != 0)
        return -1;
    length = read_text(descriptor, text);
    if (length < 0)
        spill_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
    else if (length == TEXT_SIZE)
        spill_error_set(error, "%s: too long: expected one line of %zu hex digits for %s", path,
                        2 * spill_ipsec_algorithm_key_size(algorithm), algorithm->name);
    else
        status = read_key(path, algorithm, text, (size_t)length, key, error);
    explicit_bzero(text, sizeof(text));
    return status;
}

int spill_ipsec_key_read(int descriptor, const char *name,
                         const struct spill_ipsec_algorithm *algorithm, uint8_t *key,
                         struct spill_error *error)
{
    int status = read_checked(descriptor, name, algorithm, key, error);

    if (status != 0)
        explicit_bzero(key, SPILL_IPSEC_KEY_MAX);
    return status;
}

int spill_ipsec_key_load(const char *path, const struct spill_ipsec_algorithm *algorithm,
                         uint8_t *key, struct spill_error *error)
{
    /* Without O_NONBLOCK a FIFO would hold the caller before it can be refused. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int status;

    if (descriptor < 0) {
        explicit_bzero(key, SPILL_IPSEC_KEY_MAX);
        return spill_error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
    }
    status = spill_ipsec_key_read(descriptor, path, algorithm, key, error);
    close(descriptor);
    return status;
}

int spill_ipsec_key_create(const char *path, struct spill_error *error)
{
    int descriptor =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);

    if (descriptor < 0 && errno == EEXIST)
        return spill_error_set(error, "%s: is there already: expected the name of a new file",
                               path);
    if (descriptor < 0)
        return spill_error_set(error, "%s: cannot be created: %s", path, strerror(errno));
    return descriptor;
}

static int write_text(int descriptor, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t done = write(descriptor, text, length);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            text += done;
            length -= (size_t)done;
        }
    }
    return 0;
}

int spill_ipsec_key_generate(const struct spill_ipsec_algorithm *algorithm, int descriptor,
                             const char *name, struct spill_error *error)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = spill_ipsec_algorithm_key_size(algorithm);
    uint8_t key[SPILL_IPSEC_KEY_MAX];
    char text[2 * SPILL_IPSEC_KEY_MAX + 1];
    int status = spill_secret(key, length);

    if (status != 0) {
        spill_error_set(error, "%s: no random numbers: %s", name, strerror(errno));
    } else {
        for (size_t i = 0; i < length; i++) {
            text[2 * i] = digits[key[i] >> 4];
            text[2 * i + 1] = digits[key[i] & 0xf];
        }
        text[2 * length] = '\n';
        status = write_text(descriptor, text, 2 * length + 1);
        if (status != 0)
            spill_error_set(error, "%s: cannot be written: %s", name, strerror(errno));
    }
    explicit_bzero(key, sizeof(key));
    explicit_bzero(text, sizeof(text));
    return status;
}
