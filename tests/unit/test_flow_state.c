/* SPDX-License-Identifier: BSD-3-Clause */
/* The states of connections and their timeouts, against a naive model: what has passed since a
 * connection began is remembered, and its state found by reading all of it. */
#include <netinet/in.h>

#include "flow_tables.h"

#define CONNECTIONS 24
#define EVENTS      64
#define ROUNDS      400000

#define DENIED 7 /* in place of a step: the lookup has seen it, and it has changed nothing more */

#define CLIENT 0u
#define SERVER 1u

static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP,     IPPROTO_TCP,
                                    IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_GRE};

/* Units of time; the least is no state's that a packet keeps alive. */
static const uint32_t timeouts[SPILL_FLOW_TIMEOUTS] = {
    [SPILL_FLOW_TCP_OPENING] = 30, [SPILL_FLOW_TCP_ESTABLISHED] = 400,
    [SPILL_FLOW_TCP_CLOSING] = 10, [SPILL_FLOW_UDP_ONCE] = 25,
    [SPILL_FLOW_UDP] = 90,         [SPILL_FLOW_OTHER] = 50,
};

struct event {
    uint32_t at;
    uint8_t from, step;
    bool data;
};

struct connection {
    uint8_t protocol, kind;
    uint32_t count; /* 0: there is none */
    struct event events[EVENTS];
};

/* What a connection's events say. */
struct reading {
    bool opening, closing;
    bool spoke[2];  /* that side was heard, be it denied */
    bool passed[2]; /* while it opens: something of that side */
    uint32_t since; /* its time runs from */
};

static struct spill_flow_table *make(void)
{
    struct spill_flow_table_config config = {
        .name = "states", .capacity = 64, .socket = SOCKET_ID_ANY, .seed = SEED};
    struct spill_error error = {.text = ""};

    for (unsigned i = 0; i < SPILL_FLOW_TIMEOUTS; i++)
        config.timeouts[i] = timeouts[i] * (uint64_t)UNIT;
    flows_free(flows_left);
    flows_left = spill_flow_table_create(&config, &error);
    assert_non_null(flows_left);
    return flows_left;
}

/* ------------------------------------------------------------------------------- the model */

/* Whether what came from `first` on says that the connection goes on, though it had ended. */
static bool goes_on(const struct connection *connection, uint32_t first, uint32_t last, bool reset)
{
    bool from[2] = {false, false}, data = reset;

    for (uint32_t i = first; i <= last; i++) {
        if (connection->events[i].step != SPILL_STEP_NONE)
            continue;
        from[connection->events[i].from] = true;
        data |= connection->events[i].data;
    }
    return from[CLIENT] && from[SERVER] && data;
}

static struct reading read_all(const struct connection *connection)
{
    struct reading is = {.opening = false};
    bool finished[2] = {false, false}, reset = false;
    uint32_t ended = 0;

    for (uint32_t i = 0; i < connection->count; i++) {
        const struct event *event = &connection->events[i];
        const bool no_handshake =
            event->step == SPILL_STEP_NONE || event->step == SPILL_STEP_FINISH;

        if (event->step == SPILL_STEP_OPEN && (i == 0 || is.closing)) {
            is = (struct reading){.opening = true};
            finished[0] = finished[1] = false;
        }
        is.spoke[event->from] = true;
        is.passed[event->from] |= event->step != DENIED;
        if (!is.closing)
            is.since = event->at;
        if (is.closing && event->step == SPILL_STEP_NONE &&
            goes_on(connection, ended + 1, i, reset)) {
            is.closing = finished[0] = finished[1] = false;
            is.since = event->at;
        }
        if (is.closing)
            continue;
        if (is.passed[0] && is.passed[1] && no_handshake)
            is.opening = false;
        if (event->step == SPILL_STEP_FINISH && !is.opening)
            finished[event->from] = true;
        reset = event->step == SPILL_STEP_RESET;
        is.closing = reset || (finished[0] && finished[1]);
        is.opening &= !is.closing;
        ended = i;
    }
    return is;
}

static uint32_t lives_for(const struct connection *connection, const struct reading *is)
{
    const bool both = is->spoke[0] && is->spoke[1] && !is->opening;

    if (is->closing)
        return timeouts[SPILL_FLOW_TCP_CLOSING];
    if (connection->protocol == IPPROTO_TCP)
        return timeouts[both ? SPILL_FLOW_TCP_ESTABLISHED : SPILL_FLOW_TCP_OPENING];
    if (connection->protocol == IPPROTO_GRE)
        return timeouts[SPILL_FLOW_OTHER];
    return timeouts[both ? SPILL_FLOW_UDP : SPILL_FLOW_UDP_ONCE];
}

static void forget_old(struct connection *connection, uint32_t now)
{
    const struct reading is = read_all(connection);

    if (connection->count > 0 && now - is.since > lives_for(connection, &is))
        connection->count = 0;
}

/* ------------------------------------------------------------------------------- the table */

static struct spill_packet packet_from(const struct connection *connection, uint32_t number,
                                       const struct event *event)
{
    struct spill_packet packet = flows_packet(connection->kind, number);

    packet.direction = event->from & 1u;
    packet.step = event->step & 7u;
    packet.inbound_sa = 0;
    if (packet.kind == SPILL_PACKET_IPV4)
        packet.key.v4.protocol = connection->protocol;
    else
        packet.key.v6.protocol = connection->protocol;
    return packet;
}

/* Asks the rules, by which only the client may begin, as the pipeline does. */
static enum spill_verdict ask(struct spill_flow_table *table, struct spill_packet *packet)
{
    struct spill_flow *flow = packet->flow;
    const bool alone = spill_flow_goes_alone(flow, packet);
    const bool other = spill_flow_begun_by_other(flow, packet->direction);
    const unsigned asked = packet->direction ^ (!alone && other);
    const enum spill_verdict said = asked == CLIENT ? SPILL_VERDICT_ALLOW : SPILL_VERDICT_DENY;
    enum spill_verdict known;

    if (!alone || !other || !spill_flow_table_is_older(table, flow))
        spill_flow_table_note(table, flow, asked, said, packet->step == SPILL_STEP_OPEN, 0, 0);
    known = spill_flow_packet_verdict(flow, packet);
    if (known == SPILL_VERDICT_UNKNOWN)
        known = spill_flow_packet_kept(flow, packet);
    return known != SPILL_VERDICT_UNKNOWN ? known : said;
}

/* What an lcore does with a packet that was looked up. Returns whether it passes. */
static bool go_on(struct spill_flow_table *table, struct spill_packet *packet, bool data,
                  uint64_t now)
{
    enum spill_verdict verdict;

    if (packet->flow == NULL && packet->direction == SERVER)
        return false;
    if (packet->flow == NULL)
        packet->flow = spill_flow_table_find_or_add(table, packet, now);
    verdict = spill_flow_packet_verdict(packet->flow, packet);
    if (verdict == SPILL_VERDICT_UNKNOWN)
        verdict = ask(table, packet);
    if (verdict != SPILL_VERDICT_ALLOW)
        return false;
    spill_flow_table_step(table, packet->flow, packet, data, now);
    return true;
}

static bool handle(struct spill_flow_table *table, struct spill_packet *packet, bool data,
                   uint64_t now)
{
    spill_flow_table_lookup(table, packet, 1, now);
    return go_on(table, packet, data, now);
}

static struct event random_event(const struct connection *connection, uint32_t now)
{
    static const uint8_t steps[] = {SPILL_STEP_NONE,   SPILL_STEP_NONE,   SPILL_STEP_NONE,
                                    SPILL_STEP_NONE,   SPILL_STEP_OPEN,   SPILL_STEP_ACCEPT,
                                    SPILL_STEP_FINISH, SPILL_STEP_FINISH, SPILL_STEP_RESET};

    return (struct event){
        .at = now,
        .from = (uint8_t)flows_below(2),
        .step = connection->protocol == IPPROTO_TCP ? steps[flows_below(sizeof(steps))]
                                                    : SPILL_STEP_NONE,
        .data = flows_below(2) == 0,
    };
}

/* @param reloads  the rules are replaced by the same ones in between: nothing changes by that */
static void sequences(bool reloads)
{
    static struct connection all[CONNECTIONS];
    struct spill_flow_table *table = make();
    uint32_t now = UINT32_MAX - ROUNDS / 8; /* `seen` wraps round on the way */

    memset(all, 0, sizeof(all));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t number = flows_below(CONNECTIONS);
        struct connection *connection = &all[number];
        struct event event;
        struct spill_packet packet;
        struct reading is;
        bool passes;

        connection->kind = number % 2 == 0 ? SPILL_PACKET_IPV4 : SPILL_PACKET_IPV6;
        connection->protocol = protocols[number / 2 % sizeof(protocols)];
        now += flows_below(64) == 0 ? flows_below(150) : flows_below(2);
        event = random_event(connection, now);
        forget_old(connection, now);
        is = read_all(connection);
        if (connection->count == EVENTS ||
            (connection->count == 0 &&
             (event.step == SPILL_STEP_ACCEPT || event.step == SPILL_STEP_RESET)))
            continue; /* those begin nothing: that is said elsewhere */
        passes = event.from == CLIENT ||
                 (connection->count > 0 && (event.step != SPILL_STEP_OPEN || is.opening));
        packet = packet_from(connection, number, &event);
        if (handle(table, &packet, event.data, now * (uint64_t)UNIT) != passes)
            fail_msg("%u: step %u of %u does not %s", round, event.step, event.from,
                     passes ? "pass" : "stop");
        if (!passes)
            event.step = DENIED;
        if (passes || connection->count > 0)
            connection->events[connection->count++] = event;
        if (connection->count == 0)
            continue;
        is = read_all(connection);
        assert_int_equal(spill_flow_is_established(packet.flow),
                         is.spoke[0] && is.spoke[1] && !is.opening && !is.closing);
        if (!spill_flow_table_is_older(table, packet.flow))
            assert_int_equal(spill_flow_passes(packet.flow), !is.opening && !is.closing);
        if (flows_below(4) == 0)
            spill_flow_table_expire(table, now * (uint64_t)UNIT, 40);
        if (reloads && flows_below(100) == 0)
            spill_flow_table_renew(table, now * (uint64_t)UNIT, false);
    }
}

static void sequences_by_chance(void **state)
{
    (void)state;
    sequences(false);
}

static void sequences_beside_reloads(void **state)
{
    (void)state;
    sequences(true);
}

/* --------------------------------------------------------------------------- one at a time */

static struct connection tcp = {.protocol = IPPROTO_TCP, .kind = SPILL_PACKET_IPV4};

static bool pass(struct spill_flow_table *table, unsigned from, enum spill_step step, bool data,
                 uint32_t now)
{
    const struct event event = {.from = (uint8_t)from, .step = (uint8_t)step};
    struct spill_packet packet = packet_from(&tcp, 1, &event);

    return handle(table, &packet, data, now * (uint64_t)UNIT);
}

static bool stands(struct spill_flow_table *table, uint32_t now)
{
    const struct event event = {.from = CLIENT, .step = SPILL_STEP_NONE};
    const struct spill_packet packet = packet_from(&tcp, 1, &event);

    return spill_flow_table_find(table, &packet, now * (uint64_t)UNIT) != NULL;
}

static void shake_hands(struct spill_flow_table *table)
{
    assert_true(pass(table, CLIENT, SPILL_STEP_OPEN, false, 0));
    assert_true(pass(table, SERVER, SPILL_STEP_ACCEPT, false, 0));
    assert_true(pass(table, CLIENT, SPILL_STEP_NONE, false, 0));
}

static void each_state_has_its_time(void **state)
{
    struct spill_flow_table *table = make();

    (void)state;
    assert_true(pass(table, CLIENT, SPILL_STEP_OPEN, false, 0));
    assert_true(stands(table, 30));
    assert_false(stands(table, 31));
    shake_hands(table);
    assert_true(stands(table, 400));
    assert_false(stands(table, 401));
    assert_true(pass(table, SERVER, SPILL_STEP_FINISH, false, 0));
    assert_true(stands(table, 400)); /* half closed, it may go on for as long */
    assert_true(pass(table, CLIENT, SPILL_STEP_FINISH, false, 100));
    assert_true(pass(table, SERVER, SPILL_STEP_NONE, false, 109));
    assert_true(stands(table, 110));
    assert_false(stands(table, 111));
}

/* What is sent to a closed connection keeps it no longer, and who serves can't open it again. */
static void the_end_is_the_end(void **state)
{
    struct spill_flow_table *table = make();

    (void)state;
    shake_hands(table);
    assert_true(pass(table, CLIENT, SPILL_STEP_RESET, false, 100));
    assert_false(pass(table, SERVER, SPILL_STEP_OPEN, false, 101));
    for (uint32_t at = 101; at <= 110; at++)
        assert_true(
            pass(table, SERVER, at % 2 == 0 ? SPILL_STEP_ACCEPT : SPILL_STEP_NONE, true, at));
    assert_false(pass(table, SERVER, SPILL_STEP_NONE, true, 111));
    assert_true(pass(table, CLIENT, SPILL_STEP_OPEN, false, 111));
}

static void what_goes_on_has_not_ended(void **state)
{
    static const struct {
        enum spill_step ends[2];
        bool data, lives;
    } cases[] = {
        {{SPILL_STEP_RESET, SPILL_STEP_NONE}, false, true},
        {{SPILL_STEP_FINISH, SPILL_STEP_FINISH}, true, true},
        {{SPILL_STEP_FINISH, SPILL_STEP_FINISH}, false, false}, /* both closed at one time */
    };

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(cases); i++) {
        struct spill_flow_table *table = make();

        shake_hands(table);
        assert_true(pass(table, SERVER, cases[i].ends[0], false, 1));
        if (cases[i].ends[1] != SPILL_STEP_NONE)
            assert_true(pass(table, CLIENT, cases[i].ends[1], false, 1));
        assert_true(pass(table, CLIENT, SPILL_STEP_NONE, false, 2));
        assert_true(pass(table, SERVER, SPILL_STEP_NONE, cases[i].data, 3));
        assert_int_equal(stands(table, 200), cases[i].lives);
    }
}

/* Both send a SYN, and each answers it. */
static void both_may_open(void **state)
{
    struct spill_flow_table *table = make();

    (void)state;
    assert_true(pass(table, CLIENT, SPILL_STEP_OPEN, false, 0));
    assert_true(pass(table, SERVER, SPILL_STEP_OPEN, false, 0));
    assert_true(pass(table, SERVER, SPILL_STEP_ACCEPT, false, 0));
    assert_true(pass(table, CLIENT, SPILL_STEP_ACCEPT, false, 0));
    assert_true(pass(table, SERVER, SPILL_STEP_NONE, true, 0));
    assert_true(stands(table, 400));
    assert_false(pass(table, SERVER, SPILL_STEP_OPEN, false, 1));
}

/* A connection that was taken up under way is none that opens, though a SYN of the same side comes
 * in the same burst: the server's is no answer to it. */
static void a_burst_is_packet_after_packet(void **state)
{
    struct spill_flow_table *table = make();
    const struct event denied = {.from = SERVER, .step = SPILL_STEP_NONE};
    const struct event events[] = {{.from = CLIENT, .step = SPILL_STEP_NONE},
                                   {.from = CLIENT, .step = SPILL_STEP_OPEN}};
    struct spill_packet first = packet_from(&tcp, 1, &denied);
    struct spill_packet burst[RTE_DIM(events)];

    (void)state;
    spill_flow_table_note(table, spill_flow_table_find_or_add(table, &first, 0), SERVER,
                          SPILL_VERDICT_DENY, false, 0, 0);
    for (uint32_t i = 0; i < RTE_DIM(events); i++)
        burst[i] = packet_from(&tcp, 1, &events[i]);
    spill_flow_table_lookup(table, burst, RTE_DIM(events), 0);
    for (uint32_t i = 0; i < RTE_DIM(events); i++)
        assert_true(go_on(table, &burst[i], false, 0));
    assert_false(pass(table, SERVER, SPILL_STEP_OPEN, false, 1));
    assert_true(stands(table, 400));
}

/* What opens or has ended takes the place of no established connection, which takes theirs. */
static void only_the_established_displace_their_like(void **state)
{
    static const enum spill_step steps[] = {SPILL_STEP_OPEN, SPILL_STEP_ACCEPT, SPILL_STEP_NONE,
                                            SPILL_STEP_RESET};
    struct spill_flow_table *table = make();
    uint32_t ended = 0;

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        const struct connection one = {.protocol = IPPROTO_TCP, .kind = SPILL_PACKET_IPV4};
        /* 40 are established, 16 have ended, and the rest have the SYN and its answer. */
        const unsigned count = i < 40 ? 3 : i < 56 ? 4 : 2;

        for (unsigned j = 0; j < count; j++) {
            const struct event event = {.from = j % 2, .step = (uint8_t)steps[j]};
            struct spill_packet packet = packet_from(&one, i, &event);

            handle(table, &packet, false, 1);
        }
    }
    for (uint32_t i = 0; i < 56; i++) {
        const struct event event = {.from = CLIENT, .step = SPILL_STEP_NONE};
        const struct spill_packet packet = packet_from(&tcp, i, &event);
        const bool found = spill_flow_table_find(table, &packet, 1) != NULL;

        assert_true(i >= 40 || found);
        ended += i >= 40 && found;
    }
    assert_int_equal(ended, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_time),
        cmocka_unit_test(the_end_is_the_end),
        cmocka_unit_test(what_goes_on_has_not_ended),
        cmocka_unit_test(both_may_open),
        cmocka_unit_test(a_burst_is_packet_after_packet),
        cmocka_unit_test(only_the_established_displace_their_like),
        cmocka_unit_test(sequences_by_chance),
        cmocka_unit_test(sequences_beside_reloads),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
