/* SPDX-License-Identifier: BSD-3-Clause */
/* Key files: what is taken, what is refused and why, and that no error tells any of the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipsec/key_file.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* 20 bytes, for aes-128-gcm. */
#define KEY "00112233445566778899aabbccddeeff01234567"

static char folder[64], path[128], other[128];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/spillway-key-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/a.key", folder);
    snprintf(other, sizeof(other), "%s/b.key", folder);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_key(const char *text, size_t length, mode_t mode)
{
    int descriptor;

    unlink(path);
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, length), length);
    assert_int_equal(fchmod(descriptor, mode), 0);
    assert_int_equal(close(descriptor), 0);
}

static const struct spill_ipsec_algorithm *algorithm_of(const char *name)
{
    const struct spill_ipsec_algorithm *algorithm = spill_ipsec_algorithm_find(name);

    assert_non_null(algorithm);
    return algorithm;
}

static void assert_loads(const char *file)
{
    uint8_t key[SPILL_IPSEC_KEY_MAX], expected[20];
    struct spill_error error = {.text = ""};

    for (unsigned int i = 0; i < sizeof(expected); i++)
        expected[i] = (uint8_t)(i < 16 ? 0x11 * i : 0x01 + 0x22 * (i - 16));
    memset(key, 0x5a, sizeof(key));
    if (spill_ipsec_key_load(file, algorithm_of("aes-128-gcm"), key, &error) != 0)
        fail_msg("unexpected: %s", error.text);
    assert_memory_equal(key, expected, sizeof(expected));
    /* Nothing behind it is touched. */
    for (size_t i = sizeof(expected); i < sizeof(key); i++)
        assert_int_equal(key[i], 0x5a);
}

/* An error that begins with the file, has the part, and none of the key; and no key. */
static void assert_refused(const char *file, const char *part)
{
    static const uint8_t zeros[SPILL_IPSEC_KEY_MAX];
    uint8_t key[SPILL_IPSEC_KEY_MAX];
    struct spill_error error = {.text = ""};

    memset(key, 0x5a, sizeof(key));
    assert_int_equal(spill_ipsec_key_load(file, algorithm_of("aes-128-gcm"), key, &error), -1);
    assert_int_equal(spill_ipsec_key_load(file, algorithm_of("aes-128-gcm"), key, NULL), -1);
    assert_memory_equal(key, zeros, sizeof(key));
    assert_memory_equal(error.text, file, strlen(file));
    if (strstr(error.text, part) == NULL)
        fail_msg("'%s' has not '%s'", error.text, part);
    for (size_t i = 0; i + 4 < sizeof(KEY); i++) {
        char piece[5] = "";

        memcpy(piece, &KEY[i], 4);
        if (strcasestr(error.text, piece) != NULL)
            fail_msg("'%s' has '%s' of the key", error.text, piece);
    }
    assert_null(strchr(error.text, '\n'));
}

static void test_good_forms(void **state)
{
    static const char *const texts[] = {
        KEY,
        KEY "\n",
        KEY "\r\n",
        KEY " \t \r\n",
        KEY "  ",
        "00112233445566778899AABBCCDDEEFF01234567\n",
        "00112233445566778899aaBBccDDeeFf01234567\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        write_key(texts[i], strlen(texts[i]), 0600);
        assert_loads(path);
    }
}

static void test_each_length(void **state)
{
    size_t count;
    const struct spill_ipsec_algorithm *table = spill_ipsec_algorithm_table(&count);
    uint8_t key[SPILL_IPSEC_KEY_MAX];
    struct spill_error error;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        size_t digits = 2 * spill_ipsec_algorithm_key_size(&table[i]);
        char text[2 * SPILL_IPSEC_KEY_MAX + 2];

        memset(text, 'e', sizeof(text));
        for (size_t length = digits - 2; length <= digits + 2; length++) {
            write_key(text, length, 0600);
            assert_int_equal(spill_ipsec_key_load(path, &table[i], key, &error),
                             length == digits ? 0 : -1);
            if (length == digits)
                assert_int_equal(key[digits / 2 - 1], 0xee);
            else
                assert_non_null(strstr(error.text, table[i].name));
        }
    }
}

static void test_bad_texts(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "0 hex digits: expected 40 for aes-128-gcm, as spillway keygen aes-128-gcm writes"},
        {"\n", "0 hex digits"},
        {KEY "89\n", "42 hex digits: expected 40"},
        {"00112233445566778899aabbccddeeff0123456", "39 hex digits"},
        {"0x" KEY, "byte 2 is no hex digit: expected one line of 40 for aes-128-gcm"},
        {" " KEY, "byte 1 is no hex digit"},
        {KEY "g", "byte 41 is no hex digit"},
        {KEY "\n\n", "byte 41 is no hex digit"},
        {KEY "\n" KEY, "byte 41 is no hex digit"},
        {KEY " ; comment", "byte 41 is no hex digit"},
        {"00112233445566778899aabbccddeeff 01234567", "byte 33 is no hex digit"},
        {"# key\n" KEY, "byte 1 is no hex digit"},
        {"00112233445566778899aabbccddeefF:01234567", "byte 33 is no hex digit"},
    };
    char long_text[4096];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_key(cases[i].text, strlen(cases[i].text), 0600);
        assert_refused(path, cases[i].part);
    }
    write_key(KEY "\0", sizeof(KEY), 0600);
    assert_refused(path, "byte 41 is no hex digit");
    memset(long_text, 'e', sizeof(long_text));
    write_key(long_text, sizeof(long_text), 0600);
    assert_refused(path, "too long: expected one line of 40 hex digits for aes-128-gcm");
    memset(long_text, ' ', sizeof(long_text));
    memcpy(long_text, KEY, sizeof(KEY) - 1);
    write_key(long_text, sizeof(long_text), 0600);
    assert_refused(path, "too long");
}

static void test_permissions(void **state)
{
    static const mode_t good[] = {0600, 0400, 0700};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        write_key(KEY, strlen(KEY), good[i]);
        assert_loads(path);
    }
    for (unsigned int bit = 0; bit < 6; bit++) {
        char part[64];
        mode_t mode = 0600 | 1u << bit;

        write_key(KEY, strlen(KEY), mode);
        snprintf(part, sizeof(part), "mode 0%o: expected a key that only its owner", mode);
        assert_refused(path, part);
    }
}

static void test_kinds_of_files(void **state)
{
    (void)state;
    write_key(KEY, strlen(KEY), 0600);
    assert_int_equal(symlink(path, other), 0);
    assert_loads(other);
    /* The file's mode counts, not the link's. */
    assert_int_equal(chmod(path, 0640), 0);
    assert_refused(other, "mode 0640");
    assert_int_equal(unlink(path), 0);
    assert_refused(other, "cannot be opened: No such file");
    assert_refused(folder, "expected a regular file");
    assert_refused("/dev/null", "expected a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, "expected a regular file"); /* and does not wait for a writer */
}

static void test_generated_keys_load(void **state)
{
    size_t count;
    const struct spill_ipsec_algorithm *table = spill_ipsec_algorithm_table(&count);
    uint8_t key[SPILL_IPSEC_KEY_MAX], before[SPILL_IPSEC_KEY_MAX] = {0};
    struct spill_error error;
    struct stat status;
    int descriptor;

    (void)state;
    umask(0);
    for (size_t i = 0; i < count; i++) {
        size_t length = spill_ipsec_algorithm_key_size(&table[i]);

        unlink(path);
        descriptor = spill_ipsec_key_create(path, &error);
        assert_true(descriptor >= 0);
        assert_int_equal(spill_ipsec_key_generate(&table[i], descriptor, path, &error), 0);
        assert_int_equal(close(descriptor), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(status.st_size, 2 * length + 1);
        assert_int_equal(spill_ipsec_key_load(path, &table[i], key, &error), 0);
        /* Eight bytes at either end that are the same twice are no chance. */
        assert_memory_not_equal(key, before, 8);
        assert_memory_not_equal(key + length - 8, before, 8);
        memcpy(before, key, 8);
    }
    assert_int_equal(spill_ipsec_key_create(path, &error), -1);
    assert_non_null(strstr(error.text, "a.key: is there already: expected the name of a new"));
    assert_int_equal(spill_ipsec_key_create("/nonexistent/a.key", &error), -1);
    assert_non_null(strstr(error.text, "/nonexistent/a.key: cannot be created: No such file"));
}

static void test_write_errors(void **state)
{
    int descriptor = open("/dev/full", O_WRONLY);
    struct spill_error error;

    (void)state;
    assert_true(descriptor >= 0);
    assert_int_equal(
        spill_ipsec_key_generate(algorithm_of("aes-128-gcm"), descriptor, "full", &error), -1);
    assert_string_equal(error.text, "full: cannot be written: No space left on device");
    close(descriptor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_good_forms, remove_files),
        cmocka_unit_test_teardown(test_each_length, remove_files),
        cmocka_unit_test_teardown(test_bad_texts, remove_files),
        cmocka_unit_test_teardown(test_permissions, remove_files),
        cmocka_unit_test_teardown(test_kinds_of_files, remove_files),
        cmocka_unit_test_teardown(test_generated_keys_load, remove_files),
        cmocka_unit_test_teardown(test_write_errors, remove_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
