/* SPDX-License-Identifier: BSD-3-Clause */
/* Codepoints in headers of both families: what else they have stays, and checksums are right. */
#include "ip_frames.h"
#include "packet/dscp.h"

static void check(const struct frame *before, const struct frame *after, bool v4,
                  unsigned codepoint)
{
    struct frame expected = *before;
    uint8_t *ip = expected.bytes + expected.ip;

    if (v4) {
        ip[1] = (uint8_t)(codepoint << 2 | (ip[1] & 3));
        memcpy(ip + 10, after->bytes + after->ip + 10, 2);
        assert_int_equal(
            frames_sum(after->bytes + after->ip, 4 * (after->bytes[after->ip] & 15U), 0), 0xffff);
    } else {
        frames_write16(ip, (frames_read16(ip) & 0xf03f) | codepoint << 6);
    }
    assert_memory_equal(after->bytes, expected.bytes, expected.length);
}

static void the_codepoint_alone_is_another(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        const bool v4 = frames_one_in(2);
        const uint8_t codepoint = (uint8_t)frames_below(SPILL_DSCP_MAX + 1);
        static struct frame before, after;
        struct spill_packet packet;
        struct rte_mbuf *mbuf;

        if (v4) {
            frames_build4(&before, frames_below(3), frames_below(3), 17, 40);
            frames_write16(
                before.bytes + before.ip + 10,
                ~frames_sum(before.bytes + before.ip, 4 * (before.bytes[before.ip] & 15U), 0));
        } else {
            frames_build6(&before, frames_below(3), frames_below(2), 17, 40);
            before.bytes[before.ip] = (uint8_t)(0x60 | frames_below(16));
            before.bytes[before.ip + 1] = (uint8_t)frames_below(256);
        }
        frames_make_udp(&before);
        after.ip = before.ip;
        mbuf = frames_lay(&before, 0);
        packet = frames_parse(mbuf);
        spill_dscp_set(mbuf, &packet, codepoint);
        frames_unlay(mbuf, &after);
        rte_pktmbuf_free(mbuf);
        check(&before, &after, v4, codepoint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_codepoint_alone_is_another, frames_seed),
    };

    return cmocka_run_group_tests(tests, frames_start, frames_stop);
}
