/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole pipeline, polled by hand in one thread (world.h): frames of all sorts, from both sides,
 * in the clear and in ESP, new versions of rules and keys, time, and ports that take nothing.
 *
 * - The books balance, and every mbuf comes home.
 * - What is to be protected does not leave in the clear, and nothing leaves that nobody sent, or
 *   that no rule and nobody who began allows. What a gateway protects its other end can read, and
 * no number comes twice with a key (leaving.h).
 * - What memory held before changes nothing: the same input leaves the same bytes in the same
 * order.
 * - Nor do bytes behind packets change what becomes of them.
 *
 * Input: the options, then steps.
 */
#include "leaving.h"

#define STEPS 400

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    world_start();
    return 0;
}

static void take_options(struct fuzz_input *input, struct world_options *options)
{
    static const uint16_t mtus[] = {1500, 9000, 68, 576, 1280, 1400};
    uint8_t shape = fuzz_byte(input), ways = fuzz_byte(input), sizes = fuzz_byte(input);

    *options = (struct world_options){.shape = shape & 7,
                                      .overflow = (shape & 8) != 0,
                                      .non_ip_pass = (shape & 0x10) != 0,
                                      .source_waits = (shape & 0x20) != 0,
                                      .capacity = (sizes & 3) == 0 ? 1 : 8,
                                      .lanes = 1u << (sizes >> 2 & 3),
                                      .budget_ns = sizes >> 4 == 0 ? 0 : (sizes >> 4) * 1500u,
                                      .tcp_pickup = (ways & 0x80) == 0,
                                      .by_state = (ways & 0x40) != 0};
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        options->dispatch[i] = (ways >> 2 * i & 3) % 3;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t which = fuzz_byte(input);

        options->limits[i] = (struct spill_port_limits){
            .packet = which < 128 ? mtus[which % 6]
                                  : (uint16_t)(68 + (which * 256u + fuzz_byte(input)) % 8933),
            .frame = which % 8 == 7 ? 2048 : UINT16_MAX,
            .least = which % 4 == 3 ? 60 : 0,
            .segments = (shape & 0x40) != 0 ? 1 : UINT16_MAX,
            .kernel_tag = which % 16 == 5,
        };
    }
}

static void step(struct fuzz_input *input, uint32_t padding)
{
    uint8_t what = fuzz_byte(input);

    switch (what % 16) {
    case 0 ... 3:
        traffic_clear(input, padding);
        break;
    case 4 ... 6:
        traffic_esp(input, padding);
        break;
    case 7:
        traffic_raw(input);
        break;
    case 8:
        traffic_again(input);
        break;
    case 9 ... 11:
        for (uint32_t i = 1; i <= world_lcore_count(); i++)
            world_poll(i, -1);
        break;
    case 12:
        world_poll(1 + what / 16 % world_lcore_count(), (what & 0x80) != 0 ? fuzz_byte(input) : -1);
        break;
    case 13:
        leaving_take();
        break;
    case 14:
        world_block(what / 16 & 1, what / 32 % 4 == 0);
        break;
    case 15:
        if (what / 16 % 2 == 0)
            world_reload(fuzz_byte(input));
        else
            fuzz_clock += UINT64_C(1) << fuzz_byte(input) % 36;
        break;
    }
}

/* What came of an input. */
struct outcome {
    struct leaving leaving;
    uint64_t originated, transmitted;
    uint64_t dropped[SPILL_DROP_REASONS_MAX];
};

static void run(const uint8_t *bytes, size_t size, uint8_t before, uint32_t padding,
                struct outcome *outcome)
{
    struct fuzz_input input = {bytes, size};
    struct world_options options;
    struct spill_ledger ledger;

    take_options(&input, &options);
    options.before = before;
    world_open(&options);
    traffic_begin();
    leaving_begin();
    for (unsigned i = 0; i < STEPS && input.left > 0; i++)
        step(&input, padding);
    world_drain(leaving_take);
    memset(&ledger, 0, sizeof(ledger));
    world_close(&ledger);
    FUZZ_CHECK(ledger.received == traffic.fed, "%llu received, %llu fed",
               (unsigned long long)ledger.received, (unsigned long long)traffic.fed);
    FUZZ_CHECK(ledger.transmitted == leaving.frames[0] + leaving.frames[1],
               "%llu transmitted, %llu came", (unsigned long long)ledger.transmitted,
               (unsigned long long)(leaving.frames[0] + leaving.frames[1]));
    FUZZ_CHECK(spill_ledger_in_flight(&ledger) == 0, "%lld in flight",
               (long long)spill_ledger_in_flight(&ledger));
    *outcome = (struct outcome){
        .leaving = leaving, .originated = ledger.originated, .transmitted = ledger.transmitted};
    memcpy(outcome->dropped, ledger.dropped, sizeof(ledger.dropped));
}

/* For who looks at an input: what became of it. */
static void tell(const struct outcome *outcome)
{
    fprintf(stderr, "%llu fed, %llu by lan, %llu by wan, %llu originated\n",
            (unsigned long long)traffic.fed, (unsigned long long)outcome->leaving.frames[0],
            (unsigned long long)outcome->leaving.frames[1],
            (unsigned long long)outcome->originated);
    for (unsigned i = 0; i < spill_drop_reason_count(); i++) {
        if (outcome->dropped[i] > 0)
            fprintf(stderr, "%llu %s\n", (unsigned long long)outcome->dropped[i],
                    spill_drop_reason_get((uint8_t)i)->name);
    }
}

static void check_drops(const struct outcome *one, const struct outcome *other, const char *why)
{
    if (memcmp(one->dropped, other->dropped, sizeof(one->dropped)) == 0)
        return;
    tell(one);
    tell(other);
    FUZZ_CHECK(false, "%s changes what is dropped", why);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct outcome first, second;

    if (size < 5)
        return 0;
    run(bytes, size, 0x45, 0, &first);
    if (getenv("FUZZ_TELL") != NULL)
        tell(&first);
    /* One of the two, as each takes its time. */
    if ((bytes[0] & 0x80) != 0) {
        run(bytes, size, 0xa5, 1 + bytes[0] % 40, &second);
        check_drops(&first, &second, "bytes behind packets");
        return 0;
    }
    run(bytes, size, 0xa5, 0, &second);
    check_drops(&first, &second, "what memory held");
    FUZZ_CHECK(memcmp(&first.leaving, &second.leaving, sizeof(first.leaving)) == 0,
               "what memory held is in what left");
    return 0;
}
