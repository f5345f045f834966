/* SPDX-License-Identifier: BSD-3-Clause */
/* SAs, their versions and how inbound ones are found. */
#include <pthread.h>

#include "ipsec_bench.h"

static struct spill_sa_store *store;

static int open_crypto(void **state)
{
    (void)state;
    ipsec_open(NULL);
    return 0;
}

static int close_crypto(void **state)
{
    (void)state;
    ipsec_close();
    return 0;
}

/* ------------------------------------------------------------------------------- the room */

/* Bytes of IP of a packet of so many bytes of IP, once it is encrypted. */
static uint32_t encrypted_size(struct spill_sa *sa, bool ipv6, uint32_t size)
{
    struct ipsec_frame frame;
    struct spill_job job;
    uint32_t result;

    ipsec_job(&job, sa);
    ipsec_add(&job, ipsec_packet(&frame, ipv6, size - (ipv6 ? 40 : 20), 0, false));
    ipsec_encrypt(&job);
    assert_string_equal(ipsec_failure(job.mbufs[0]), "");
    result = job.mbufs[0]->pkt_len - 14;
    ipsec_free(&job);
    return result;
}

static void room_is_what_encryption_leaves(void **state)
{
    static const uint32_t mtus[] = {576, 577, 583, 1280, 1491, 1500, 9000};
    struct ipsec_case kind;
    struct spill_sa *pair[2];
    uint32_t n, i, ipv6;

    (void)state;
    for (n = 0; ipsec_case_get(n, &kind); n++) {
        ipsec_need_pair(&kind, pair);
        for (i = 0; i < RTE_DIM(mtus); i++) {
            for (ipv6 = 0; ipv6 < 2; ipv6++) {
                uint32_t room = spill_sa_room(pair[0], mtus[i], ipv6 != 0 ? 40 : 20);

                if (encrypted_size(pair[0], ipv6 != 0, room) > mtus[i] ||
                    encrypted_size(pair[0], ipv6 != 0, room + 1) <= mtus[i])
                    fail_msg("%s: %u bytes of room in %u", ipsec_name(&kind), room, mtus[i]);
            }
        }
        for (i = 0; i < 60; i++) /* no MTU at all */
            assert_in_range(spill_sa_room(pair[0], i, 20), 0, i);
        ipsec_free_pair(pair);
    }
}

/* ------------------------------------------------------------------------------- versions */

static struct spill_sa_config configs[8];

static void make_configs(void)
{
    static const struct {
        const char *algorithm;
        uint8_t outer;
        enum spill_sa_direction direction;
    } given[] = {{"aes-128-gcm", 4, SPILL_SA_OUT},
                 {"aes-128-gcm", 4, SPILL_SA_IN},
                 {"aes-256-cbc+sha256", 6, SPILL_SA_IN},
                 {"null+sha1", 0, SPILL_SA_IN},
                 {"aes-128-gcm", 6, SPILL_SA_OUT}};
    struct ipsec_case kind;
    uint32_t i;

    for (i = 0; i < RTE_DIM(given); i++) {
        kind = ipsec_case_of(given[i].algorithm, given[i].outer, false);
        ipsec_config(&configs[i], &kind, given[i].direction, 1000 + i);
    }
}

static int open_store(void **state)
{
    struct spill_sa_store_config config = {.lcores = ipsec_users};
    uint32_t i;

    (void)state;
    ipsec_open(NULL);
    config.crypto = ipsec_crypto;
    config.lcore_count = rte_lcore_count();
    for (i = 0; i < SPILL_NODES_MAX; i++)
        config.memory_nodes[i] = i == 0 ? 0 : -1;
    store = spill_sa_store_create(&config, &ipsec_error);
    assert_non_null(store);
    make_configs();
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    spill_sa_store_free(store);
    store = NULL;
    ipsec_close();
    return 0;
}

static struct spill_sa_set *make_set(uint32_t count)
{
    struct spill_sa_set *set = spill_sa_set_create(store, configs, count, &ipsec_error);

    if (set == NULL)
        fail_msg("%s", ipsec_error.text);
    return set;
}

static void versions_share_what_is_unchanged(void **state)
{
    struct spill_sa_set *first = make_set(4), *second, *third;
    uint16_t id = first->list[0]->id, changed = first->list[1]->id;
    uint32_t i;

    (void)state;
    assert_int_equal(first->count, 4);
    assert_true(first->has_inbound);
    for (i = 0; i < 4; i++) {
        assert_int_not_equal(first->list[i]->id, 0);
        assert_ptr_equal(spill_sa_set_get(first, first->list[i]->id), first->list[i]);
        assert_ptr_equal(spill_sa_set_find(first, configs[i].name), first->list[i]);
    }
    assert_null(spill_sa_set_find(first, "none"));
    assert_null(spill_sa_set_get(first, 0));
    assert_null(spill_sa_set_get(first, UINT16_MAX));
    first->list[0]->state->sequence = 77;
    first->list[1]->state->replay.top = 88;

    /* One changed with its key, one gone, one added, one with a new key; one as it was. */
    configs[1].packets_hard = 1000;
    configs[2].key[0] ^= 1;
    memcpy(&configs[3], &configs[4], sizeof(configs[3]));
    second = make_set(4);
    assert_ptr_equal(second->list[0], first->list[0]);
    assert_int_equal(second->list[0]->id, id);
    assert_int_equal(second->list[0]->state->sequence, 77);
    assert_ptr_not_equal(second->list[1], first->list[1]);
    assert_int_not_equal(second->list[1]->id, changed);
    assert_ptr_equal(second->list[1]->state, first->list[1]->state);
    assert_int_equal(second->list[1]->config.packets_hard, 1000);
    assert_ptr_not_equal(second->list[2]->state, first->list[2]->state);
    assert_null(spill_sa_set_find(second, "in-1003"));
    /* What a replaced one decided goes on with that in its place, in its lane. */
    assert_ptr_equal(spill_sa_set_get(second, changed), second->list[1]);
    assert_ptr_equal(spill_sa_set_get(second, second->list[1]->id), second->list[1]);
    assert_ptr_equal(spill_sa_set_get(second, first->list[2]->id), second->list[2]);
    assert_null(spill_sa_set_get(second, first->list[3]->id)); /* nothing is in its place */
    assert_null(spill_sa_set_get(first, second->list[1]->id));
    assert_int_equal(second->list[1]->lane, first->list[1]->lane);
    assert_int_equal(second->list[2]->lane, first->list[2]->lane);

    /* The old version is still whole; it goes, and what only it had. */
    assert_int_equal(spill_sa_store_reclaim(store), 0);
    assert_int_equal(first->list[1]->config.packets_hard, 0);
    spill_sa_set_free(first);
    assert_int_equal(spill_sa_store_reclaim(store), 0);
    assert_int_equal(second->list[1]->state->replay.top, 88);
    assert_int_equal(second->list[1]->state->users, 1);

    /* Back again: the key's numbers go on, whatever the settings. */
    configs[1].packets_hard = 0;
    third = make_set(4);
    spill_sa_set_free(second);
    spill_sa_store_reclaim(store);
    assert_int_equal(third->list[0]->state->sequence, 77);
    assert_int_equal(third->list[1]->state->replay.top, 88);
    spill_sa_set_free(third);
    assert_int_equal(spill_sa_store_reclaim(store), 0);
}

/* Makes a version of one SA with a key of that number, and frees it again. Returns the number that
 * the SA began with; `used`: the one that it came to, 0: it was not used. */
static uint64_t come_and_go(uint32_t key, uint64_t used)
{
    struct spill_sa_set *set;
    uint64_t began;

    make_configs();
    memcpy(configs[0].key, &key, sizeof(key));
    set = make_set(1);
    began = set->list[0]->state->sequence;
    if (used != 0)
        set->list[0]->state->sequence = used;
    spill_sa_set_free(set);
    spill_sa_store_reclaim(store);
    return began;
}

/* Reloads that come to nothing make SAs that are never used, and the same ones over and over. */
static void unused_keys_push_no_spent_one_out(void **state)
{
    enum { MORE_THAN_ARE_KEPT = 4097 };

    (void)state;
    come_and_go(1, 55);
    come_and_go(2, 66);
    for (uint32_t i = 0; i < MORE_THAN_ARE_KEPT; i++)
        come_and_go(100 + i, 0);
    assert_int_equal(come_and_go(2, 0), 66);
    for (uint32_t i = 0; i < MORE_THAN_ARE_KEPT; i++)
        come_and_go(2, 0);
    assert_int_equal(come_and_go(1, 0), 55);
}

static void removed_sas_stay_until_their_jobs_are_home(void **state)
{
    struct spill_sa_set *first = make_set(2), *second;
    struct spill_sa *sa = first->list[0];
    uint16_t id = sa->id;

    (void)state;
    sa->lcores[1]->subject.jobs = 2; /* in a lane */
    sa->state->sequence = 99;
    memmove(&configs[0], &configs[1], sizeof(configs[0]));
    second = make_set(1);
    spill_sa_set_free(first);
    assert_int_equal(spill_sa_store_reclaim(store), 1);
    assert_false(spill_sa_idle(sa));
    assert_int_equal(sa->id, id);
    sa->lcores[1]->subject.jobs = 1;
    assert_int_equal(spill_sa_store_reclaim(store), 1);

    /* It comes back meanwhile: as it was. */
    make_configs();
    first = make_set(2);
    assert_ptr_equal(first->list[0], sa);
    assert_int_equal(sa->state->sequence, 99);
    spill_sa_set_free(first);
    sa->lcores[1]->subject.jobs = 0;
    assert_int_equal(spill_sa_store_reclaim(store), 0);
    first = make_set(2);
    assert_int_not_equal(first->list[0]->id, id);          /* that one is gone, and its id rests, */
    assert_int_equal(first->list[0]->state->sequence, 99); /* but not the numbers of its key */
    spill_sa_set_free(second);
    spill_sa_set_free(first);
}

/* While keys change: two are known by one name, in one lane, whichever was there first. */
static void one_stands_for_another(void **state)
{
    struct spill_sa_set *first, *second, *third;
    const struct spill_sa *named, *stands, *other;

    (void)state;
    snprintf(configs[1].stands_for, sizeof(configs[1].stands_for), "%s", configs[3].name);
    first = make_set(4);
    stands = first->list[1];
    named = first->list[3];
    other = first->list[2];
    assert_int_equal(stands->config.direction, SPILL_SA_IN);
    assert_int_equal(named->config.direction, SPILL_SA_IN);
    assert_true(spill_sa_set_same_name(first, named->id, stands->id));
    assert_true(spill_sa_set_same_name(first, stands->id, named->id));
    assert_true(spill_sa_set_same_name(first, stands->id, stands->id));
    assert_false(spill_sa_set_same_name(first, other->id, stands->id));
    assert_false(spill_sa_set_same_name(first, 0, 0));
    assert_false(spill_sa_set_same_name(first, UINT16_MAX, UINT16_MAX));
    assert_ptr_equal(spill_sa_set_get(first, stands->id), stands);
    assert_int_equal(named->lane, stands->lane);
    assert_int_not_equal(other->lane, stands->lane);

    /* Each may get a new key; and what was decided in older versions stays right. */
    configs[3].key[0] ^= 1;
    second = make_set(4);
    assert_int_equal(second->list[3]->lane, stands->lane);
    assert_true(spill_sa_set_same_name(second, second->list[3]->id, stands->id));
    assert_true(spill_sa_set_same_name(second, named->id, stands->id));

    /* It stands for itself again: with the window it had. */
    configs[1].stands_for[0] = '\0';
    third = make_set(4);
    assert_ptr_equal(third->list[1]->state, stands->state);
    assert_false(spill_sa_set_same_name(third, third->list[3]->id, third->list[1]->id));
    assert_false(spill_sa_set_same_name(third, named->id, stands->id));
    spill_sa_set_free(first);
    spill_sa_set_free(second);
    spill_sa_set_free(third);
    assert_int_equal(spill_sa_store_reclaim(store), 0);
}

static void versions_go_in_any_order(void **state)
{
    struct spill_sa_set *sets[8];
    size_t before;
    uint32_t round, i;

    (void)state;
    before = test_heap_bytes();
    for (round = 0; round < 20; round++) {
        for (i = 0; i < RTE_DIM(sets); i++) {
            make_configs();
            if (test_random_below(&ipsec_seed, 2) == 0)
                configs[test_random_below(&ipsec_seed, 5)].packets_hard = 1 + i;
            if (test_random_below(&ipsec_seed, 2) == 0)
                configs[test_random_below(&ipsec_seed, 5)].key[0] = (uint8_t)i;
            sets[i] = make_set(1 + test_random_below(&ipsec_seed, 5));
        }
        for (i = RTE_DIM(sets); i > 0; i--) {
            uint32_t which = test_random_below(&ipsec_seed, i);

            spill_sa_set_free(sets[which]);
            sets[which] = sets[i - 1];
            if (test_random_below(&ipsec_seed, 2) == 0)
                assert_int_equal(spill_sa_store_reclaim(store), 0);
        }
        assert_int_equal(spill_sa_store_reclaim(store), 0);
        if (round == 0)
            before = test_heap_bytes(); /* devices and pools of sessions are made once */
        assert_int_equal(test_heap_bytes(), before);
    }
    spill_sa_set_free(NULL);
    spill_sa_store_free(NULL);
    spill_sa_free(NULL);
}

static void make_packet(struct spill_packet *packet, uint8_t family, const void *source,
                        const void *destination, unsigned direction)
{
    memset(packet, 0, sizeof(*packet));
    packet->kind = family == 4 ? SPILL_PACKET_IPV4 : SPILL_PACKET_IPV6;
    packet->direction = direction & 1;
    if (family == 4) {
        memcpy(&packet->key.v4.address[direction], source, 4);
        memcpy(&packet->key.v4.address[!direction], destination, 4);
    } else {
        memcpy(packet->key.v6.address[direction], source, 16);
        memcpy(packet->key.v6.address[!direction], destination, 16);
    }
}

static struct spill_sa *found(const struct spill_sa_set *set, struct spill_packet *packet,
                              uint32_t spi)
{
    struct spill_sa *sa;
    rte_be32_t wire = rte_cpu_to_be_32(spi);

    spill_sa_set_lookup(set, &packet, &wire, &sa, 1);
    return sa;
}

static void inbound_sas_are_found(void **state)
{
    static const char one4[] = "\xc0\x00\x02\x01", two4[] = "\xc6\x33\x64\x01";
    struct spill_sa_set *set = make_set(5);
    struct spill_packet packet, burst[SPILL_BURST], *pointers[SPILL_BURST];
    struct spill_sa *sas[SPILL_BURST];
    rte_be32_t spis[SPILL_BURST];
    unsigned direction;
    uint32_t i;

    (void)state;
    for (direction = 0; direction < 2; direction++) {
        /* By SPI and both addresses. */
        make_packet(&packet, 4, one4, two4, direction);
        assert_ptr_equal(found(set, &packet, 1001), set->list[1]);
        assert_null(found(set, &packet, 1000)); /* outbound */
        assert_null(found(set, &packet, 1002)); /* the other family's */
        assert_null(found(set, &packet, 5));
        assert_ptr_equal(found(set, &packet, 1003), set->list[3]); /* by SPI alone */
        assert_non_null(found(set, &packet, 0));                   /* our address */
        make_packet(&packet, 4, two4, one4, direction);
        assert_null(found(set, &packet, 1001)); /* the wrong way */
        assert_null(found(set, &packet, 0));    /* not ours: it is the sender's */
        assert_ptr_equal(found(set, &packet, 1003), set->list[3]);
        make_packet(&packet, 4, "\xc0\x00\x02\x02", two4, direction);
        assert_null(found(set, &packet, 1001)); /* another sender */
        assert_non_null(found(set, &packet, 0));
        make_packet(&packet, 6, configs[2].source.bytes, configs[2].destination.bytes, direction);
        assert_ptr_equal(found(set, &packet, 1002), set->list[2]);
        assert_ptr_equal(found(set, &packet, 1003), set->list[3]);
        assert_null(found(set, &packet, 1001));
        assert_non_null(found(set, &packet, 0));
    }
    /* A burst of both families, each its own. */
    for (i = 0; i < SPILL_BURST; i++) {
        pointers[i] = &burst[i];
        if (i % 3 == 0)
            make_packet(&burst[i], 6, configs[2].source.bytes, configs[2].destination.bytes, i % 2);
        else
            make_packet(&burst[i], 4, one4, two4, i % 2);
        spis[i] = rte_cpu_to_be_32(i % 3 == 2 ? 1003 : i % 3 == 1 ? 1001 : 1002);
    }
    spill_sa_set_lookup(set, pointers, spis, sas, SPILL_BURST);
    for (i = 0; i < SPILL_BURST; i++)
        assert_ptr_equal(sas[i], set->list[i % 3 == 2 ? 3 : i % 3 == 1 ? 1 : 2]);
    spill_sa_set_free(set);
}

/* In a burst of runs, each of one sender, direction and SPI: whatever changes from one to the next,
 * each packet has what it has alone. */
static void neighbours_in_a_burst_may_differ_in_anything(void **state)
{
    static const char *const ends4[] = {"\xc0\x00\x02\x01", "\xc6\x33\x64\x01", "\xc0\x00\x02\x02"};
    static const uint32_t known[] = {0, 1001, 1002, 1003};
    struct spill_sa_set *set = make_set(5);
    struct spill_packet burst[SPILL_BURST], *pointers[SPILL_BURST];
    struct spill_sa *sas[SPILL_BURST];
    rte_be32_t spis[SPILL_BURST];
    uint32_t round, i;

    (void)state;
    for (round = 0; round < 2000; round++) {
        uint32_t spi = 0, direction = 0, source = 0, destination = 1, family = 4;

        for (i = 0; i < SPILL_BURST; i++) {
            const uint8_t *ends6[] = {configs[2].source.bytes, configs[2].destination.bytes,
                                      configs[2].source.bytes};

            switch (test_random_below(&ipsec_seed, 12)) {
            case 0:
                spi = test_random_below(&ipsec_seed, RTE_DIM(known));
                break;
            case 1: /* what the other end says */
                direction = !direction;
                RTE_SWAP(source, destination);
                break;
            case 2:
                source = test_random_below(&ipsec_seed, 3);
                break;
            case 3:
                destination = test_random_below(&ipsec_seed, 3);
                break;
            case 4:
                family = family == 4 ? 6 : 4;
                break;
            default:
                break;
            }
            if (family == 4)
                make_packet(&burst[i], 4, ends4[source], ends4[destination], direction);
            else
                make_packet(&burst[i], 6, ends6[source], ends6[destination], direction);
            pointers[i] = &burst[i];
            spis[i] = rte_cpu_to_be_32(known[spi]);
        }
        spill_sa_set_lookup(set, pointers, spis, sas, SPILL_BURST);
        for (i = 0; i < SPILL_BURST; i++)
            assert_ptr_equal(sas[i], found(set, pointers[i], rte_be_to_cpu_32(spis[i])));
    }
    spill_sa_set_free(set);
}

static void many_sas_find_their_place(void **state)
{
    static struct spill_sa_config many[200];
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_packet packet;
    struct spill_sa_set *set;
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(many); i++) {
        ipsec_config(&many[i], &kind, SPILL_SA_IN, 256 + i);
        many[i].source.bytes[3] = (uint8_t)i;
        many[i].destination.bytes[2] = (uint8_t)i;
    }
    set = spill_sa_set_create(store, many, RTE_DIM(many), &ipsec_error);
    if (set == NULL)
        fail_msg("%s", ipsec_error.text);
    for (i = 0; i < RTE_DIM(many); i++) {
        make_packet(&packet, 4, many[i].source.bytes, many[i].destination.bytes, i % 2);
        assert_ptr_equal(found(set, &packet, 256 + i), set->list[i]);
        assert_null(found(set, &packet, 256 + i + 1));
        assert_non_null(found(set, &packet, 0));
    }
    spill_sa_set_free(set);
}

/* What a thread finds that the EAL knows no node of. */
struct elsewhere {
    struct spill_sa_set *set;
    struct spill_packet packet;
    struct spill_sa *sa;
    int socket;
};

static void *look_up(void *argument)
{
    struct elsewhere *here = argument;
    struct spill_packet *packet = &here->packet;
    rte_be32_t spi = rte_cpu_to_be_32(1001);

    here->socket = (int)rte_socket_id();
    spill_sa_set_lookup(here->set, &packet, &spi, &here->sa, 1);
    return NULL;
}

/* As an lcore that the user lets run on CPUs of two nodes. */
static void lcores_of_no_one_node_find_them_too(void **state)
{
    struct elsewhere here = {.set = make_set(5), .sa = NULL};
    pthread_t thread;

    (void)state;
    make_packet(&here.packet, 4, configs[1].source.bytes, configs[1].destination.bytes, 0);
    assert_int_equal(pthread_create(&thread, NULL, look_up, &here), 0);
    pthread_join(thread, NULL);
    assert_int_equal(here.socket, SOCKET_ID_ANY);
    assert_ptr_equal(here.sa, here.set->list[1]);
    spill_sa_set_free(here.set);
}

/* An SA with the key of one that is gone takes nothing again that that one took or sent. */
static void resumed_sas_go_on_behind_their_last_number(void **state)
{
    static const uint64_t lasts[] = {1, 63, 64, 65, 1000, UINT64_C(1) << 33};
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, true);
    struct spill_replay *replay;
    struct spill_sa *pair[2];
    uint64_t number;
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(lasts); i++) {
        ipsec_need_pair(&kind, pair);
        spill_sa_resume(pair[0], lasts[i]);
        assert_true(spill_sa_use(pair[0]).packets == lasts[i]);
        spill_sa_resume(pair[1], lasts[i]);
        replay = &pair[1]->state->replay;
        for (number = lasts[i]; number > 0 && number + 2000 > lasts[i]; number--)
            assert_int_not_equal(spill_replay_check(replay, number), SPILL_REPLAY_FRESH);
        for (number = lasts[i] + 1; number < lasts[i] + 2000; number++)
            assert_int_equal(spill_replay_note(replay, number), SPILL_REPLAY_FRESH);
        ipsec_free_pair(pair);
    }
}

/* ---------------------------------------------------------------------------------- errors */

static void what_a_driver_cannot_do_is_told(void **state)
{
    struct ipsec_case kind = ipsec_case_of("chacha20-poly1305", 4, false);
    struct spill_sa_config config;
    size_t before;

    (void)state;
    ipsec_open("crypto_openssl7");
    ipsec_config(&config, &kind, SPILL_SA_OUT, 4096);
    assert_null(ipsec_sa(&config, 1));
    before = test_heap_bytes();
    assert_null(ipsec_sa(&config, 1));
    assert_string_equal(ipsec_error.text, "sa out-4096: chacha20-poly1305: crypto device "
                                          "crypto_openssl7 can't do it");
    assert_int_equal(test_heap_bytes(), before);
    ipsec_close();

    ipsec_open("crypto_nothing0");
    assert_null(ipsec_sa(&config, 1));
    assert_non_null(strstr(ipsec_error.text, "--crypto 'crypto_nothing0': there is no such"));
    ipsec_close();
}

static void a_version_that_fails_changes_nothing(void **state)
{
    struct spill_sa_set *first, *second;
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);

    (void)state;
    first = make_set(2);
    first->list[0]->state->sequence = 5;
    /* An algorithm that no driver has. */
    ipsec_config(&configs[2], &kind, SPILL_SA_IN, 3000);
    configs[2].algorithm = &(struct spill_ipsec_algorithm){.name = "broken",
                                                           .type = RTE_CRYPTO_SYM_XFORM_AEAD,
                                                           .aead = RTE_CRYPTO_AEAD_AES_GCM,
                                                           .key_size = 15,
                                                           .salt_size = 4,
                                                           .wire_iv_size = 8,
                                                           .op_iv_size = 12,
                                                           .icv_size = 16,
                                                           .alignment = 4};
    assert_null(spill_sa_set_create(store, configs, 3, &ipsec_error));
    assert_non_null(strstr(ipsec_error.text, "sa in-3000: broken: none of DPDK's"));
    assert_int_equal(spill_sa_store_reclaim(store), 0);
    assert_int_equal(first->list[0]->users, 1);
    second = make_set(2);
    assert_ptr_equal(second->list[0], first->list[0]);
    assert_int_equal(second->list[0]->state->sequence, 5);
    spill_sa_set_free(first);
    spill_sa_set_free(second);
}

static void use_tells_of_lifetimes(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_sa_config config;
    struct spill_sa_use use;
    struct spill_sa *sa;
    uint32_t in;

    (void)state;
    for (in = 0; in < 2; in++) {
        ipsec_config(&config, &kind, in != 0 ? SPILL_SA_IN : SPILL_SA_OUT, 4096);
        config.packets_soft = 10;
        config.packets_hard = 20;
        config.bytes_soft = 1000;
        config.bytes_hard = 2000;
        sa = ipsec_sa(&config, 1);
        *(in != 0 ? &sa->state->packets : &sa->state->sequence) = 9;
        sa->state->bytes = 999;
        use = spill_sa_use(sa);
        assert_true(use.packets == 9 && use.bytes == 999 && !use.soft && !use.hard);
        sa->state->bytes = 1000;
        assert_true(spill_sa_use(sa).soft && !spill_sa_use(sa).hard);
        sa->state->bytes = 2000;
        assert_true(spill_sa_use(sa).hard);
        sa->state->bytes = 0;
        *(in != 0 ? &sa->state->packets : &sa->state->sequence) = 10;
        assert_true(spill_sa_use(sa).soft && !spill_sa_use(sa).hard);
        *(in != 0 ? &sa->state->packets : &sa->state->sequence) = 20;
        assert_true(spill_sa_use(sa).hard);
        spill_sa_free(sa);
    }
}

#define WITH_CRYPTO(name) cmocka_unit_test_setup_teardown(name, open_crypto, close_crypto)
#define WITH_STORE(name)  cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CRYPTO(room_is_what_encryption_leaves),
        WITH_STORE(versions_share_what_is_unchanged),
        WITH_STORE(unused_keys_push_no_spent_one_out),
        WITH_STORE(removed_sas_stay_until_their_jobs_are_home),
        WITH_STORE(one_stands_for_another),
        WITH_STORE(versions_go_in_any_order),
        WITH_STORE(inbound_sas_are_found),
        WITH_STORE(neighbours_in_a_burst_may_differ_in_anything),
        WITH_STORE(many_sas_find_their_place),
        WITH_STORE(lcores_of_no_one_node_find_them_too),
        WITH_CRYPTO(resumed_sas_go_on_behind_their_last_number),
        cmocka_unit_test(what_a_driver_cannot_do_is_told),
        WITH_STORE(a_version_that_fails_changes_nothing),
        WITH_CRYPTO(use_tells_of_lifetimes),
    };
    int failed;

    ipsec_start(2);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
