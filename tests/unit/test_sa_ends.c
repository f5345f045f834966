/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends of ours with ESP in UDP at an unusual port: which packets go there. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_common.h>

#include "ipsec/sa_ends.h"

static struct spill_sa sas[8];
static struct spill_sa *list[8];

/* An SA whose end of ours is 10.0.0.`last`, or 0a00:00…:`last`. */
static void set_sa(unsigned i, enum spill_sa_direction direction, uint8_t family, uint8_t last,
                   uint16_t port)
{
    struct spill_sa_config *config = &sas[i].config;

    *config = (struct spill_sa_config){
        .direction = direction, .nat_traversal = port != 0, .own_port = port};
    config->destination = (struct spill_sa_address){.family = family, .bytes = {10}};
    config->destination.bytes[family == 4 ? 3 : 15] = last;
    list[i] = &sas[i];
}

static struct spill_packet packet_to(uint8_t family, uint8_t protocol, uint8_t last, uint16_t port,
                                     unsigned direction)
{
    struct spill_packet packet = {.direction = direction & 1, .has_ports = port != 0};
    const unsigned to = !packet.direction;

    if (family == 4) {
        packet.kind = SPILL_PACKET_IPV4;
        packet.key.v4.protocol = protocol;
        packet.key.v4.address[to] = RTE_BE32(10u << 24) | rte_cpu_to_be_32(last);
        packet.key.v4.port[to] = rte_cpu_to_be_16(port);
        packet.key.v4.port[!to] = RTE_BE16(4501);
    } else {
        packet.kind = SPILL_PACKET_IPV6;
        packet.key.v6.protocol = protocol;
        packet.key.v6.address[to][0] = 10;
        packet.key.v6.address[to][15] = last;
        packet.key.v6.port[to] = rte_cpu_to_be_16(port);
        packet.key.v6.port[!to] = RTE_BE16(4501);
    }
    return packet;
}

static void what_goes_there_is_esp(void **state)
{
    static const struct {
        uint8_t family, protocol, last;
        uint16_t port;
        bool is_esp;
    } cases[] = {{4, IPPROTO_UDP, 1, 4501, true},  {4, IPPROTO_UDP, 2, 4501, true},
                 {4, IPPROTO_UDP, 1, 4502, false}, {4, IPPROTO_UDP, 2, 4502, true},
                 {4, IPPROTO_UDP, 3, 4501, false}, /* that SA's is outbound */
                 {4, IPPROTO_UDP, 4, 4500, false}, /* the parser's to say */
                 {4, IPPROTO_UDP, 5, 0, false},    {4, IPPROTO_TCP, 1, 4501, false},
                 {6, IPPROTO_UDP, 1, 4501, false}, {6, IPPROTO_UDP, 1, 65535, true},
                 {6, IPPROTO_UDP, 2, 65535, false}};
    struct spill_packet packets[2 * RTE_DIM(cases) + 1];
    struct spill_sa_ends *ends;
    unsigned i;

    (void)state;
    set_sa(0, SPILL_SA_IN, 4, 1, 4501);
    set_sa(1, SPILL_SA_IN, 4, 2, 4502);
    set_sa(2, SPILL_SA_OUT, 4, 3, 4501);
    set_sa(3, SPILL_SA_IN, 4, 4, 4500);
    set_sa(4, SPILL_SA_IN, 4, 5, 0);
    set_sa(5, SPILL_SA_IN, 4, 2, 4501);
    set_sa(6, SPILL_SA_IN, 4, 1, 4501);
    set_sa(7, SPILL_SA_IN, 6, 1, 65535);
    assert_int_equal(spill_sa_ends_create(list, 8, &ends), 0);
    assert_non_null(ends);
    for (i = 0; i < 2 * RTE_DIM(cases); i++)
        packets[i] = packet_to(cases[i / 2].family, cases[i / 2].protocol, cases[i / 2].last,
                               cases[i / 2].port, i % 2);
    packets[i] = (struct spill_packet){.kind = SPILL_PACKET_MALFORMED};
    spill_sa_ends_mark(ends, packets, RTE_DIM(packets));
    for (i = 0; i < 2 * RTE_DIM(cases); i++)
        assert_int_equal(packets[i].esp, cases[i / 2].is_esp ? SPILL_ESP_UDP : SPILL_ESP_NONE);
    assert_int_equal(packets[i].esp, SPILL_ESP_NONE);
    spill_sa_ends_free(ends);
}

static void the_usual_port_needs_none(void **state)
{
    const struct spill_packet packet = packet_to(4, IPPROTO_UDP, 1, 4500, 0);
    struct spill_sa_ends *ends;

    (void)state;
    set_sa(0, SPILL_SA_IN, 4, 1, 4500);
    set_sa(1, SPILL_SA_OUT, 4, 1, 4501);
    assert_int_equal(spill_sa_ends_create(list, 2, &ends), 0);
    assert_null(ends);
    assert_false(spill_sa_ends_has(ends, &packet, 1));
    spill_sa_ends_free(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_there_is_esp),
        cmocka_unit_test(the_usual_port_needs_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
