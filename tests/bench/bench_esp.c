/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What encryption costs, in cycles a packet of jobs of 32, by algorithm and frame size (with FCS):
 *
 * - even:  the crypto call alone, on operations laid out as dpdk-test-crypto-perf's are: from the
 *          start of a cache line, and what is encrypted is what is authenticated;
 * - call:  the crypto call alone, on operations that rte_ipsec prepared once, in cache;
 * - job:   the whole job on packets in cache, sequence numbers included;
 * - moved: the work on a job whose packets another lcore has just written and handed over by a
 *          ring, as a worker of the pool finds it; numbers are taken by that other lcore.
 *
 * They take turns. Packets are made anew between jobs, outside of the measured time. A line of JSON
 * for each algorithm and size. Arguments: the EAL's, with two lcores, of which the main one is
 * measured, and how many rounds.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_udp.h>

#include "bench.h"
#include "ipsec/esp.h"
#include "packet/parse.h"

#define JOBS      4 /* of each kind in a round */
#define SIZES     5
#define FRAME_MAX 1500
#define MBUFS     1023
#define SPI       0x1001

enum subject {
    EVEN,
    CALL,
    JOB,
    MOVED,
    SUBJECTS,
};

/* Sizes that make 512 and 1 400 or 1 408 bytes of crypto are among them: these are what
 * dpdk-test-crypto-perf is asked for. */
static const struct {
    const char *name;
    uint32_t sizes[SIZES]; /* 0: no more */
} algorithms[] = {
    {"aes-128-gcm", {64, 512, 528, 1400, 1416}},
    {"aes-128-cbc+sha256", {64, 512, 1400}},
    {"chacha20-poly1305", {64, 512, 528, 1400, 1416}},
};

static unsigned rounds;
static struct rte_mempool *mempool;
static struct spill_crypto *crypto;
static struct spill_sa *sa;
static unsigned other; /* lcore that writes the packets of MOVED */

/* A job whose packets lie in mbufs of their own. */
static struct spill_job jobs[SUBJECTS];
static struct spill_crypto_ops prepared[CALL + 1]; /* of EVEN's and CALL's jobs */

/* What packets are made of; constant while `other` has a job. */
static uint8_t frame[FRAME_MAX];
static uint32_t frame_size;

static struct rte_ring *to_write, *written; /* of struct spill_job *; to the other lcore and back */
static _Atomic bool ended;

/* ------------------------------------------------------------------------------- the packets */

static void write_frame(uint32_t size)
{
    struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

    frame_size = size - RTE_ETHER_CRC_LEN;
    memset(frame, 0, sizeof(frame));
    ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    *ip = (struct rte_ipv4_hdr){
        .version_ihl = RTE_IPV4_VHL_DEF,
        .total_length = rte_cpu_to_be_16((uint16_t)(frame_size - sizeof(*ether))),
        .time_to_live = 64,
        .next_proto_id = IPPROTO_UDP,
        .src_addr = RTE_BE32(RTE_IPV4(10, 1, 0, 1)),
        .dst_addr = RTE_BE32(RTE_IPV4(10, 2, 0, 1)),
    };
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    udp->dgram_len = rte_cpu_to_be_16((uint16_t)(frame_size - sizeof(*ether) - sizeof(*ip)));
}

/* Writes a job's packets as a fast lcore does that receives them; the job becomes a full one. */
static void fill(struct spill_job *job)
{
    uint32_t i;

    job->count = job->work = SPILL_JOB_PACKETS;
    job->bytes = SPILL_JOB_PACKETS * (frame_size - (uint32_t)sizeof(struct rte_ether_hdr));
    job->subject = &sa->lcores[rte_lcore_id()]->subject;
    for (i = 0; i < SPILL_JOB_PACKETS; i++) {
        struct spill_packet packet;

        rte_pktmbuf_reset(job->mbufs[i]);
        memcpy(rte_pktmbuf_append(job->mbufs[i], (uint16_t)frame_size), frame, frame_size);
        spill_parse_burst(&job->mbufs[i], 1, 0, &packet);
        *spill_packet_of(job->mbufs[i]) = packet;
    }
}

static int write_packets(void *unused)
{
    struct spill_job *job;

    RTE_SET_USED(unused);
    while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
        if (rte_ring_dequeue(to_write, (void **)&job) != 0) {
            rte_pause();
            continue;
        }
        fill(job);
        spill_esp_take_numbers(job, NULL);
        rte_ring_enqueue(written, job);
    }
    return 0;
}

/* ------------------------------------------------------------------------------ what is measured
 */

/* Lays an operation out as dpdk-test-crypto-perf does. */
static void make_even(struct rte_crypto_sym_op *sym)
{
    if (sa->config.algorithm->type == RTE_CRYPTO_SYM_XFORM_AEAD) {
        sym->aead.data.offset = 0;
    } else {
        sym->cipher.data.offset = sym->auth.data.offset = 0;
        sym->auth.data.length = sym->cipher.data.length;
    }
}

/*
 * Has EVEN's or CALL's operations prepared. The work leaves packets with their link header on, in
 * front of where rte_ipsec found them: without it, they are again what the operations are about.
 */
static void prepare_call(enum subject subject)
{
    unsigned id = rte_lcore_id();
    const struct spill_crypto_ops *slot = spill_crypto_slot(spill_crypto_lcore(crypto, id));
    struct spill_crypto_ops *ops = &prepared[subject];
    struct spill_job *job = &jobs[subject];
    uint32_t i;

    fill(job);
    spill_esp_take_numbers(job, NULL);
    spill_esp_encrypt(job, crypto);
    *ops = *slot;
    spill_crypto_ops_init(ops);
    for (i = 0; i < SPILL_JOB_PACKETS; i++) {
        rte_pktmbuf_adj(job->mbufs[i], sizeof(struct rte_ether_hdr));
        if (subject == EVEN) {
            job->mbufs[i]->data_off = RTE_PKTMBUF_HEADROOM;
            make_even(&ops->ops[i].sym);
        }
    }
}

static uint32_t bytes_of_crypto(void)
{
    const struct rte_crypto_sym_op *sym = &prepared[CALL].ops[0].sym;
    bool aead = sa->config.algorithm->type == RTE_CRYPTO_SYM_XFORM_AEAD;

    return aead ? sym->aead.data.length : sym->cipher.data.length;
}

/* Each returns the cycles of one job. */

static uint64_t run_operations(enum subject subject)
{
    const struct spill_crypto_session *session = &sa->lcores[rte_lcore_id()]->crypto;
    uint64_t began = rte_rdtsc();

    spill_crypto_run(session, &prepared[subject], SPILL_JOB_PACKETS);
    return rte_rdtsc() - began;
}

static uint64_t run_even(void)
{
    return run_operations(EVEN);
}

static uint64_t run_call(void)
{
    return run_operations(CALL);
}

static uint64_t run_job(void)
{
    struct spill_job *job = &jobs[JOB];
    uint64_t began;

    fill(job);
    began = rte_rdtsc();
    spill_esp_take_numbers(job, NULL);
    spill_esp_encrypt(job, crypto);
    return rte_rdtsc() - began;
}

static uint64_t run_moved(void)
{
    struct spill_job *job;
    uint64_t began;

    rte_ring_enqueue(to_write, &jobs[MOVED]);
    while (rte_ring_dequeue(written, (void **)&job) != 0)
        rte_pause();
    began = rte_rdtsc();
    spill_esp_encrypt(job, crypto);
    return rte_rdtsc() - began;
}

/* Cycles a packet of a round. The first job fetches what the others of the round are to find. */
static double run_round(enum subject subject)
{
    static uint64_t (*const runs[])(void) = {run_even, run_call, run_job, run_moved};
    uint64_t spent = 0;
    uint32_t i;

    runs[subject]();
    for (i = 0; i < JOBS; i++)
        spent += runs[subject]();
    return (double)spent / (JOBS * SPILL_JOB_PACKETS);
}

/* Whether every packet of every job has been encrypted, as of the last round. */
static bool all_encrypted(void)
{
    uint32_t i, j;

    for (i = 0; i < SUBJECTS; i++) {
        for (j = 0; j < SPILL_JOB_PACKETS; j++) {
            struct rte_mbuf *mbuf = jobs[i].mbufs[j];

            if (spill_packet_of(mbuf)->kind == SPILL_PACKET_MALFORMED ||
                (mbuf->ol_flags & RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED) != 0)
                return false;
        }
    }
    return true;
}

static int measure(uint32_t size)
{
    struct bench_series series[SUBJECTS] = {{.count = 0}};
    struct bench_times times = bench_times_now();
    double medians[SUBJECTS], share;
    unsigned i;

    write_frame(size);
    prepare_call(EVEN);
    prepare_call(CALL);
    while (series[0].count < rounds) {
        for (i = 0; i < SUBJECTS; i++)
            bench_add(&series[i], run_round(i));
    }
    share = bench_share_since(&times);
    for (i = 0; i < SUBJECTS; i++)
        medians[i] = bench_median(&series[i]);
    printf("{\"algorithm\": \"%s\", \"driver\": \"%s\", \"frame\": %u, \"crypto\": %u, "
           "\"even\": %.2f, \"call\": %.2f, \"job\": %.2f, \"moved\": %.2f, \"share\": %.3f}\n",
           sa->config.algorithm->name, spill_crypto_driver(&sa->lcores[rte_lcore_id()]->crypto),
           size, bytes_of_crypto(), medians[EVEN], medians[CALL], medians[JOB], medians[MOVED],
           share);
    fflush(stdout);
    return all_encrypted() ? 0 : -1;
}

/* -------------------------------------------------------------------------------- the machinery */

static const struct spill_crypto_user *users(void)
{
    static struct spill_crypto_user both[2];

    both[0] = (struct spill_crypto_user){.id = rte_lcore_id(), .node = SOCKET_ID_ANY};
    both[1] = (struct spill_crypto_user){.id = other, .node = SOCKET_ID_ANY};
    return both;
}

static int create_sa(const char *algorithm, struct spill_error *error)
{
    struct spill_sa_config config = {
        .name = "bench",
        .direction = SPILL_SA_OUT,
        .mode = SPILL_SA_TUNNEL,
        .spi = SPI,
        .source = {.family = 4, .bytes = {192, 0, 2, 1}},
        .destination = {.family = 4, .bytes = {198, 51, 100, 1}},
        .algorithm = spill_ipsec_algorithm_find(algorithm),
        .dscp = SPILL_SA_DSCP_COPY,
        .df = SPILL_SA_DF_COPY,
    };

    sa = spill_sa_create(&config, 1, NULL, crypto, users(), 2, error);
    return sa == NULL ? -1 : 0;
}

static int create(struct spill_error *error)
{
    uint32_t i;

    mempool = rte_pktmbuf_pool_create("mbufs", MBUFS, 0, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    to_write = rte_ring_create("to-write", 2, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    written = rte_ring_create("written", 2, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (mempool == NULL || to_write == NULL || written == NULL)
        return spill_error_set(error, "no memory for mbufs");
    for (i = 0; i < SUBJECTS; i++) {
        if (rte_pktmbuf_alloc_bulk(mempool, jobs[i].mbufs, SPILL_JOB_PACKETS) != 0)
            return spill_error_set(error, "no mbufs");
    }
    crypto = spill_crypto_create(users(), 2, NULL, error);
    return crypto == NULL ? -1 : 0;
}

static void destroy(void)
{
    uint32_t i;

    spill_crypto_free(crypto);
    for (i = 0; i < SUBJECTS; i++)
        rte_pktmbuf_free_bulk(jobs[i].mbufs, SPILL_JOB_PACKETS);
    rte_ring_free(written);
    rte_ring_free(to_write);
    rte_mempool_free(mempool);
}

static int measure_all(struct spill_error *error)
{
    size_t i, j;

    for (i = 0; i < RTE_DIM(algorithms); i++) {
        if (create_sa(algorithms[i].name, error) != 0)
            return -1;
        for (j = 0; j < SIZES && algorithms[i].sizes[j] != 0; j++) {
            if (measure(algorithms[i].sizes[j]) != 0)
                return spill_error_set(error, "%s: a packet could not be encrypted",
                                       algorithms[i].name);
        }
        spill_sa_free(sa);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct spill_error error;
    int used, status;

    used = rte_eal_init(argc, argv);
    if (used < 0)
        return 1;
    rounds = bench_rounds(argc - used, argv + used);
    other = rte_get_next_lcore(-1, 1, 0);
    if (other == RTE_MAX_LCORE) {
        fprintf(stderr, "bench_esp: needs two lcores\n");
        return 1;
    }
    if (create(&error) != 0) {
        fprintf(stderr, "bench_esp: %s\n", error.text);
        return 1;
    }
    rte_eal_remote_launch(write_packets, NULL, other);
    status = measure_all(&error);
    if (status != 0)
        fprintf(stderr, "bench_esp: %s\n", error.text);
    atomic_store_explicit(&ended, true, memory_order_relaxed);
    rte_eal_wait_lcore(other);
    destroy();
    rte_eal_cleanup();
    return status == 0 ? 0 : 1;
}
