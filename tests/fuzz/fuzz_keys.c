/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Key files of any content, for each algorithm: read and refused as a second reader does, which
 * follows the manual; and no digit of a key in an error.
 *
 * Input: a byte that picks the algorithm, then the file.
 */
#include "fuzz.h"

#include <ctype.h>
#include <unistd.h>

#include "ipsec/key_file.h"

#define DESCRIPTOR 100

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* The key that a text has, of so many bytes. */
static bool read_text(const uint8_t *text, size_t size, uint8_t *key, size_t bytes)
{
    size_t at;

    if (size < 2 * bytes)
        return false;
    for (at = 0; at < 2 * bytes; at++) {
        char digit[2] = {(char)text[at], '\0'};

        if (!isxdigit(text[at]))
            return false;
        key[at / 2] = (uint8_t)(key[at / 2] << 4 | (uint8_t)strtoul(digit, NULL, 16));
    }
    while (at < size && strchr(" \t\r", text[at]) != NULL && text[at] != '\0')
        at++;
    at += at < size && text[at] == '\n';
    /* Some bytes more than a key's are never there. */
    return at == size && size < 2 * SPILL_IPSEC_KEY_MAX + 64;
}

/* No run of digits of the file, but a short one, may be told. */
static void check_secret(const uint8_t *text, size_t size, const char *error)
{
    char part[9] = "";

    for (size_t i = 0; i + 8 <= size; i++) {
        memcpy(part, text + i, 8);
        if (strspn(part, "0123456789abcdefABCDEF") == 8)
            FUZZ_CHECK(strstr(error, part) == NULL, "a key in an error: %s", error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t key[SPILL_IPSEC_KEY_MAX], expected[SPILL_IPSEC_KEY_MAX] = {0};
    const struct spill_ipsec_algorithm *algorithm;
    struct spill_error error = {.text = ""};
    size_t count, length;
    bool right;
    int status;

    if (size == 0)
        return 0;
    algorithm = spill_ipsec_algorithm_table(&count) + bytes[0] % count;
    bytes++, size--;
    length = spill_ipsec_algorithm_key_size(algorithm);
    right = read_text(bytes, size, expected, length);
    fuzz_file(DESCRIPTOR, bytes, size);
    memset(key, 0xa5, sizeof(key));
    status = spill_ipsec_key_read(DESCRIPTOR, "file", algorithm, key, &error);
    close(DESCRIPTOR);
    FUZZ_CHECK((status == 0) == right, "%s, %zu bytes: %s", algorithm->name, size, error.text);
    if (status == 0) {
        FUZZ_CHECK(memcmp(key, expected, length) == 0, "another key");
        return 0;
    }
    fuzz_check_line(error.text);
    check_secret(bytes, size, error.text);
    memset(expected, 0, sizeof(expected));
    FUZZ_CHECK(memcmp(key, expected, sizeof(key)) == 0, "a refused key stays behind");
    return 0;
}
