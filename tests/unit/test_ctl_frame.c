/* SPDX-License-Identifier: BSD-3-Clause */
/* A page of top, byte for byte, from two reports; and from what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"

#define REPORT(seconds, received, busy, bytes, denied, first, second)                              \
    "{\"version\": \"1\", \"state\": \"running\", \"seconds\": " #seconds                          \
    ", \"rules_version\": 3, \"tsc_hz\": 1000, \"packets\": {\"received\": " #received             \
    ", \"transmitted\": 0, \"delivered_to_host\": 0, \"dropped\": 0, \"in_flight\": 5},"           \
    "\"lcores\": [{\"role\": \"fast\", \"lcore\": 1, \"cpu\": 7, \"busy_cycles\": " #busy "}],"    \
    "\"ports\": [{\"name\": \"wan\", \"link\": \"up\", \"rx_packets\": " #received                 \
    ", \"rx_bytes\": " #bytes ", \"tx_packets\": 0, \"tx_bytes\": null, \"rx_missed\": 0}],"       \
    "\"pool\": {\"encrypt\": {\"inline_packets\": 4, \"wait_us\": {\"p99\": 1.25}}},"              \
    "\"drops\": {" denied "},"                                                                     \
    "\"rules\": [{\"file\": \"/etc/r\", \"line\": 1, \"packets\": " #first ", \"action\": "        \
    "\"deny\", \"name\": null}, {\"file\": \"/etc/r\", \"line\": 2, \"packets\": " #second ", "    \
    "\"action\": \"allow\", \"name\": \"web\"}, {\"file\": null, \"line\": null, \"packets\": "    \
    "0}]}"

static char *page(const char *before, const char *after, unsigned lines)
{
    json_t *one = json_loads(before, JSON_DECODE_ANY, NULL),
           *other = json_loads(after, JSON_DECODE_ANY, NULL);
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(one);
    assert_non_null(other);
    assert_int_equal(spill_ctl_frame_print(one, other, "wan", lines, out), 0);
    fclose(out);
    json_decref(one);
    json_decref(other);
    return text;
}

static void rates_of_two_reports(void **state)
{
    char *text = page(REPORT(10.0, 1000, 0, 0, "", 5, 0),
                      REPORT(12.0, 3000, 1500, 2000000, "\"denied\": 8, \"late\": 2", 7, 50), 100);

    (void)state;
    assert_string_equal(
        text, "wan: spillway 1, running, 12.0 s; rules version 3; 5 packets in flight\n"
              "PACKETS/s 1000 received, 0 transmitted, 0 to host, 0 dropped\n"
              "\n"
              "LCORE   CPU  BUSY %  PACKETS/s  CYCLES/PACKET  OVER BUDGET/s  LONGEST us\n"
              "fast 1    7    75.0          -              -              -           -\n"
              "\n"
              "PORT  LINK  RX PACKETS/s  RX Mbit/s  TX PACKETS/s  TX Mbit/s  MISSED/s\n"
              "wan   up            1000        8.0             0          -         0\n"
              "\n"
              "CLASS    INLINE/s  POOL/s  REFUSED/s  MOST OUT  OF  WAIT p99 us  SERVICE p99 us\n"
              "encrypt         0       -          -         -   -          1.2               -\n"
              "\n"
              "DROPPED  PACKETS/s  PACKETS\n"
              "denied           4        8\n"
              "late             1        2\n"
              "\n"
              "RULE  PACKETS/s  Mbit/s  CONNECTIONS/s  ACTION  NAME\n"
              "r:2          25       -              -  allow   web\n"
              "r:1           1       -              -  deny    -\n");
    free(text);
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

/* What is cut is rows of what has most; each part keeps one as long as there are lines. */
static void as_many_lines_as_there_are(void **state)
{
    const char *before = REPORT(10.0, 1000, 0, 0, "", 5, 0);
    const char *after = REPORT(12.0, 3000, 1500, 2000000, "\"denied\": 8, \"late\": 2", 7, 50);

    (void)state;
    for (unsigned lines = 2; lines < 30; lines++) {
        char *text = page(before, after, lines);

        assert_true(count_lines(text) <= lines);
        if (lines == 17)
            assert_non_null(strstr(text, "\nr:2 "));
        if (lines == 18)
            assert_non_null(strstr(text, "\nlate "));
        free(text);
    }
}

/* Of another run, of no time, or of another kind: nothing is told that is not so. */
static void what_is_no_report(void **state)
{
    const char *good = REPORT(10.0, 1000, 0, 0, "\"denied\": 8", 5, 0);
    const char *const bad[] = {
        "{}",
        "[]",
        "null",
        "{\"lcores\": 5, \"ports\": {\"a\": []}, \"pool\": [[], 7, {\"name\": 4}], \"drops\": [1]}",
        "{\"seconds\": \"x\", \"rules\": {\"a\": 1, \"b\": {\"line\": \"x\"}}, \"packets\": []}",
        "{\"ports\": [{\"name\": \"\\u001b[2J\", \"link\": {}}]}",
    };
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text = page(bad[i], good, 24);
        free(text);
        text = page(good, bad[i], 24);
        assert_null(strchr(text, '\x1b'));
        free(text);
    }
    text = page(good, good, 24);
    assert_non_null(strstr(text, "wan   up               -          -"));
    free(text);
    text = page(REPORT(10.0, 9000, 0, 0, "", 5, 0), REPORT(12.0, 1000, 0, 0, "", 5, 0), 24);
    assert_non_null(strstr(text, "wan   up               -        0.0"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_of_two_reports),
        cmocka_unit_test(as_many_lines_as_there_are),
        cmocka_unit_test(what_is_no_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
