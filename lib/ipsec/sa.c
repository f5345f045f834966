/* SPDX-License-Identifier: BSD-3-Clause */
/* Security associations as the control thread makes them: headers, transforms, each lcore's part.
 */
#include "ipsec/sa.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_esp.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "base/secret.h"

#include "base/dpdk_versions.h"

#define HOP_LIMIT    64 /* of outer headers */
#define TRAILER_SIZE 2  /* pad length, next header */

/* ------------------------------------------------------------------------- what is constant */

static bool has_outer_ipv4(const struct spill_sa *sa)
{
    return sa->config.source.family == 4;
}

static uint8_t outer_protocol(const struct spill_sa *sa)
{
    return sa->config.nat_traversal ? IPPROTO_UDP : IPPROTO_ESP;
}

static void write_ipv4(struct spill_sa *sa)
{
    uint8_t dscp = sa->config.dscp == SPILL_SA_DSCP_COPY ? 0 : sa->config.dscp;
    struct rte_ipv4_hdr header = {
        .version_ihl = RTE_IPV4_VHL_DEF,
        .type_of_service = (uint8_t)(dscp << 2),
        .time_to_live = HOP_LIMIT,
        .next_proto_id = outer_protocol(sa),
    };

    memcpy(&header.src_addr, sa->config.source.bytes, sizeof(header.src_addr));
    memcpy(&header.dst_addr, sa->config.destination.bytes, sizeof(header.dst_addr));
    memcpy(sa->header, &header, sizeof(header));
    sa->header_size = sizeof(header);
    header.type_of_service = 0;
    sa->header_sum = rte_raw_cksum(&header, sizeof(header));
}

static void write_ipv6(struct spill_sa *sa)
{
    uint32_t dscp = sa->config.dscp == SPILL_SA_DSCP_COPY ? 0 : sa->config.dscp;
    struct rte_ipv6_hdr header = {
        .vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | dscp << (RTE_IPV6_HDR_TC_SHIFT + 2)),
        .proto = outer_protocol(sa),
        .hop_limits = HOP_LIMIT,
    };

    memcpy(spill_dpdk_ipv6(header.src_addr), sa->config.source.bytes, sizeof(header.src_addr));
    memcpy(spill_dpdk_ipv6(header.dst_addr), sa->config.destination.bytes, sizeof(header.dst_addr));
    memcpy(sa->header, &header, sizeof(header));
    sa->header_size = sizeof(header);
}

static struct rte_crypto_sym_xform aead_transform(const struct spill_sa *sa)
{
    const struct spill_ipsec_algorithm *algorithm = sa->config.algorithm;

    return (struct rte_crypto_sym_xform){
        .type = RTE_CRYPTO_SYM_XFORM_AEAD,
        .aead =
            {
                .op = sa->config.direction == SPILL_SA_OUT ? RTE_CRYPTO_AEAD_OP_ENCRYPT
                                                           : RTE_CRYPTO_AEAD_OP_DECRYPT,
                .algo = algorithm->aead,
                .key = {.data = sa->config.key, .length = algorithm->key_size},
                .iv = {.offset = SPILL_CRYPTO_IV_OFFSET, .length = algorithm->op_iv_size},
                .digest_length = algorithm->icv_size,
                .aad_length = (uint16_t)spill_ipsec_algorithm_aad_size(algorithm, sa->config.esn),
            },
    };
}

static struct rte_crypto_sym_xform cipher_transform(const struct spill_sa *sa)
{
    const struct spill_ipsec_algorithm *algorithm = sa->config.algorithm;

    return (struct rte_crypto_sym_xform){
        .type = RTE_CRYPTO_SYM_XFORM_CIPHER,
        .cipher =
            {
                .op = sa->config.direction == SPILL_SA_OUT ? RTE_CRYPTO_CIPHER_OP_ENCRYPT
                                                           : RTE_CRYPTO_CIPHER_OP_DECRYPT,
                .algo = algorithm->cipher,
                .key = {.data = sa->config.key, .length = algorithm->key_size},
                .iv = {.offset = SPILL_CRYPTO_IV_OFFSET, .length = algorithm->op_iv_size},
            },
    };
}

static struct rte_crypto_sym_xform auth_transform(const struct spill_sa *sa)
{
    const struct spill_ipsec_algorithm *algorithm = sa->config.algorithm;
    const uint8_t *key = sa->config.key + algorithm->key_size + algorithm->salt_size;

    return (struct rte_crypto_sym_xform){
        .type = RTE_CRYPTO_SYM_XFORM_AUTH,
        .auth =
            {
                .op = sa->config.direction == SPILL_SA_OUT ? RTE_CRYPTO_AUTH_OP_GENERATE
                                                           : RTE_CRYPTO_AUTH_OP_VERIFY,
                .algo = algorithm->auth,
                .key = {.data = key, .length = algorithm->auth_key_size},
                .digest_length = algorithm->icv_size,
            },
    };
}

/* Outbound encrypts, then authenticates; inbound the other way round. */
static void write_transforms(struct spill_sa *sa)
{
    bool out = sa->config.direction == SPILL_SA_OUT;

    if (sa->config.algorithm->type == RTE_CRYPTO_SYM_XFORM_AEAD) {
        sa->transforms[0] = aead_transform(sa);
        return;
    }
    sa->transforms[!out] = cipher_transform(sa);
    sa->transforms[out] = auth_transform(sa);
    sa->transforms[0].next = &sa->transforms[1];
}

static void write_constants(struct spill_sa *sa)
{
    const struct spill_ipsec_algorithm *algorithm = sa->config.algorithm;

    if (sa->config.mode == SPILL_SA_TUNNEL && has_outer_ipv4(sa))
        write_ipv4(sa);
    else if (sa->config.mode == SPILL_SA_TUNNEL)
        write_ipv6(sa);
    sa->udp_size = sa->config.nat_traversal ? sizeof(struct rte_udp_hdr) : 0;
    sa->ahead = (uint8_t)(sa->header_size + sa->udp_size + sizeof(struct rte_esp_hdr) +
                          algorithm->wire_iv_size);
    sa->high_size = sa->config.esn ? sizeof(uint32_t) : 0;
    sa->least =
        (uint16_t)(sizeof(struct rte_esp_hdr) + algorithm->wire_iv_size +
                   RTE_ALIGN_CEIL(TRAILER_SIZE, algorithm->alignment) + algorithm->icv_size);
    write_transforms(sa);
}

uint32_t spill_sa_room(const struct spill_sa *sa, uint32_t mtu, uint32_t l3_size)
{
    const struct spill_ipsec_algorithm *algorithm = sa->config.algorithm;
    uint32_t kept = sa->config.mode == SPILL_SA_TUNNEL ? 0 : l3_size;
    uint32_t before = sa->ahead + kept;

    if (mtu < before + algorithm->icv_size + algorithm->alignment)
        return 0;
    return kept +
           RTE_ALIGN_FLOOR(mtu - before - algorithm->icv_size, (uint32_t)algorithm->alignment) -
           TRAILER_SIZE;
}

bool spill_sa_is_wrong_clear_input(struct spill_sa *sa, const struct spill_sa *twin, unsigned port,
                                   unsigned other)
{
    const uint64_t inside = UINT64_C(1) << port, outside = UINT64_C(1) << other;
    uint64_t known = sa->config.ports;

    if (known != 0)
        return (known & outside) == 0;
    /* What is authentic is truer than what came first. */
    if (twin != NULL) {
        known =
            twin->config.ports | atomic_load_explicit(&twin->state->ports, memory_order_relaxed);
        if ((known & (inside | outside)) != 0)
            return (known & outside) == 0;
    }
    known = atomic_load_explicit(&sa->state->ports, memory_order_relaxed);
    while ((known & (inside | outside)) == 0) {
        if (atomic_compare_exchange_weak_explicit(&sa->state->ports, &known, known | outside,
                                                  memory_order_relaxed, memory_order_relaxed))
            return false;
    }
    return (known & outside) == 0;
}

/* ------------------------------------------------------------------------- each lcore's part */

/* What rte_ipsec is told of the SA, for packets of one family inside. */
static struct rte_ipsec_sa_prm describe(struct spill_sa *sa, bool ipv6)
{
    const struct spill_sa_config *config = &sa->config;
    bool tunnel = config->mode == SPILL_SA_TUNNEL;
    struct rte_ipsec_sa_prm parameters = {
        .ipsec_xform =
            {
                .spi = config->spi,
                .options = {.esn = config->esn,
                            .udp_encap = tunnel && config->nat_traversal &&
                                         config->direction == SPILL_SA_OUT,
                            .ecn = config->direction == SPILL_SA_OUT &&
                                   (config->marks & SPILL_SA_NO_ECN) == 0,
                            .copy_dscp = config->dscp == SPILL_SA_DSCP_COPY &&
                                         config->direction == SPILL_SA_OUT},
                .direction = config->direction == SPILL_SA_OUT ? RTE_SECURITY_IPSEC_SA_DIR_EGRESS
                                                               : RTE_SECURITY_IPSEC_SA_DIR_INGRESS,
                .proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP,
                .mode = tunnel ? RTE_SECURITY_IPSEC_SA_MODE_TUNNEL
                               : RTE_SECURITY_IPSEC_SA_MODE_TRANSPORT,
                .tunnel = {.type = has_outer_ipv4(sa) ? RTE_SECURITY_IPSEC_TUNNEL_IPV4
                                                      : RTE_SECURITY_IPSEC_TUNNEL_IPV6},
                /* The window is ours; rte_ipsec uses one where it has to know a number's high half.
                 */
                .replay_win_sz = config->esn ? sa->state->replay.reach : 0,
                .udp = {.sport = spill_sa_own_port(config), .dport = spill_sa_other_port(config)},
            },
        .crypto_xform = sa->transforms,
    };

    memcpy(&parameters.ipsec_xform.salt, config->key + config->algorithm->key_size,
           config->algorithm->salt_size);
    if (tunnel) {
        parameters.tun.hdr = sa->header;
        parameters.tun.hdr_len = sa->header_size;
        parameters.tun.next_proto = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
    } else {
        parameters.trs.proto = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
    }
    return parameters;
}

static int prepare_family(struct spill_sa *sa, struct spill_sa_lcore *lcore, bool ipv6,
                          struct rte_ipsec_sa *memory)
{
    struct rte_ipsec_session *session = &lcore->sessions[ipv6];

    lcore->parameters[ipv6] = describe(sa, ipv6);
    if (rte_ipsec_sa_init(memory, &lcore->parameters[ipv6], (uint32_t)lcore->sa_size) < 0)
        return -1;
    session->sa = memory;
    session->type = RTE_SECURITY_ACTION_TYPE_NONE;
    session->crypto.ses = lcore->crypto.session;
    session->crypto.dev_id = lcore->crypto.device;
    return rte_ipsec_session_prepare(session);
}

static int refuse(const struct spill_sa *sa, struct spill_error *error, const char *why)
{
    return spill_error_set(error, "sa %s: %s: %s", sa->config.name, sa->config.algorithm->name,
                           why);
}

static void free_lcore(struct spill_sa_lcore *lcore)
{
    if (lcore == NULL)
        return;
    spill_crypto_session_free(&lcore->crypto);
    /* The salt is part of the key. */
    explicit_bzero(lcore, sizeof(*lcore) +
                              2 * (size_t)RTE_ALIGN_CEIL(lcore->sa_size, RTE_CACHE_LINE_SIZE));
    rte_free(lcore);
}

static int create_lcore(struct spill_sa *sa, struct spill_crypto *crypto,
                        const struct spill_crypto_user *user, struct spill_error *error)
{
    struct rte_ipsec_sa_prm parameters = describe(sa, false);
    int size = rte_ipsec_sa_size(&parameters), aligned;
    struct spill_sa_lcore *lcore;
    struct spill_error reason;
    int family;

    if (size < 0)
        return refuse(sa, error, "rte_ipsec can't do it");
    aligned = RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE);
    lcore = rte_zmalloc_socket(NULL, sizeof(*lcore) + 2 * (size_t)aligned, RTE_CACHE_LINE_SIZE,
                               user->node);
    if (lcore == NULL)
        return refuse(sa, error, "no memory; give more by --memory or hugepages");
    lcore->sa = sa;
    lcore->sa_size = size;
    if (spill_crypto_session_create(crypto, sa->transforms, user->id, &lcore->crypto, &reason) !=
        0) {
        free_lcore(lcore);
        return refuse(sa, error, reason.text);
    }
    for (family = 0; family < 2; family++) {
        uint8_t *memory = (uint8_t *)(lcore + 1) + family * aligned;

        if (prepare_family(sa, lcore, family, (struct rte_ipsec_sa *)memory) != 0) {
            free_lcore(lcore);
            return refuse(sa, error, "rte_ipsec can't do it");
        }
    }
    /* Others may be looking over the lcores. */
    __atomic_store_n(&sa->lcores[user->id], lcore, __ATOMIC_RELEASE);
    return 0;
}

/* ------------------------------------------------------------------------------ the whole SA */

static bool same_address(const struct spill_sa_address *one, const struct spill_sa_address *other)
{
    return one->family == other->family &&
           memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

static bool same_lifetime(const struct spill_sa_config *one, const struct spill_sa_config *other)
{
    return one->packets_soft == other->packets_soft && one->packets_hard == other->packets_hard &&
           one->bytes_soft == other->bytes_soft && one->bytes_hard == other->bytes_hard;
}

bool spill_sa_same(const struct spill_sa_config *one, const struct spill_sa_config *other)
{
    return spill_sa_same_key(one, other) && strcmp(one->name, other->name) == 0 &&
           strcmp(one->stands_for, other->stands_for) == 0 &&
           strcmp(one->lane_with, other->lane_with) == 0 && one->mode == other->mode &&
           one->spi == other->spi && one->esn == other->esn &&
           one->nat_traversal == other->nat_traversal && one->roams == other->roams &&
           spill_sa_own_port(one) == spill_sa_own_port(other) &&
           spill_sa_other_port(one) == spill_sa_other_port(other) &&
           one->replay_window == other->replay_window && one->dscp == other->dscp &&
           one->marks == other->marks && one->df == other->df && one->ports == other->ports &&
           same_address(&one->source, &other->source) &&
           same_address(&one->destination, &other->destination) && same_lifetime(one, other);
}

bool spill_sa_same_key(const struct spill_sa_config *one, const struct spill_sa_config *other)
{
    if (one->direction != other->direction || one->algorithm != other->algorithm ||
        memcmp(one->key, other->key, sizeof(one->key)) != 0)
        return false;
    /* A nonce is made of the key's salt and the number: whatever else differs, none may come again.
     */
    return one->direction == SPILL_SA_OUT || (one->spi == other->spi && one->esn == other->esn);
}

void spill_sa_resume(struct spill_sa *sa, uint64_t sequence)
{
    struct spill_replay *replay = &sa->state->replay;

    if (sa->config.direction == SPILL_SA_OUT) {
        sa->state->sequence = sequence;
        return;
    }
    replay->top = sequence;
    memset(replay->seen, 0xff, sizeof(replay->seen));
    *spill_replay_word(replay, sequence) = UINT64_MAX >> (63 - sequence % 64);
}

static int create_state(struct spill_sa *sa, const struct spill_sa *predecessor, int node)
{
    uint32_t window = sa->config.replay_window;

    if (sa->config.esn)
        window = RTE_MAX(window, (uint32_t)SPILL_REPLAY_WINDOW_ESN);
    if (predecessor != NULL) {
        sa->state = predecessor->state;
        sa->state->users++;
        sa->state->place = 0; /* its peer may be meant to be elsewhere now */
        return 0;
    }
    sa->state = rte_zmalloc_socket(NULL, sizeof(*sa->state), RTE_CACHE_LINE_SIZE, node);
    if (sa->state == NULL)
        return -1;
    sa->state->users = 1;
    if (spill_secret(&sa->state->identification, sizeof(sa->state->identification)) != 0)
        return -1;
    sa->state->writer = -1;
    sa->state->replay.window = window;
    sa->state->replay.reach = spill_replay_reach(window);
    return 0;
}

struct spill_sa *spill_sa_create(const struct spill_sa_config *config, uint16_t id,
                                 const struct spill_sa *predecessor, struct spill_crypto *crypto,
                                 const struct spill_crypto_user *lcores, uint32_t lcore_count,
                                 struct spill_error *error)
{
    struct spill_sa *sa = calloc(1, sizeof(*sa));
    uint32_t i;

    if (sa != NULL) {
        sa->config = *config;
        sa->id = id;
    }
    if (sa == NULL || create_state(sa, predecessor, lcores[0].node) != 0) {
        spill_error_set(error, "sa %s: no memory", config->name);
        spill_sa_free(sa);
        return NULL;
    }
    write_constants(sa);
    for (i = 0; i < lcore_count; i++) {
        if (create_lcore(sa, crypto, &lcores[i], error) != 0) {
            spill_sa_free(sa);
            return NULL;
        }
    }
    return sa;
}

int spill_sa_add_lcore(struct spill_sa *sa, struct spill_crypto *crypto,
                       const struct spill_crypto_user *lcore, struct spill_error *error)
{
    return sa->lcores[lcore->id] != NULL ? 0 : create_lcore(sa, crypto, lcore, error);
}

void spill_sa_free(struct spill_sa *sa)
{
    uint32_t i;

    if (sa == NULL)
        return;
    for (i = 0; i < RTE_MAX_LCORE; i++)
        free_lcore(sa->lcores[i]);
    if (sa->state != NULL && --sa->state->users == 0)
        rte_free(sa->state);
    explicit_bzero(&sa->config, sizeof(sa->config));
    free(sa);
}

bool spill_sa_idle(const struct spill_sa *sa)
{
    uint32_t i;

    for (i = 0; i < RTE_MAX_LCORE; i++) {
        if (sa->lcores[i] != NULL && !spill_subject_idle(&sa->lcores[i]->subject))
            return false;
    }
    return true;
}

static bool reached(uint64_t limit, uint64_t used)
{
    return limit != 0 && used >= limit;
}

struct spill_sa_use spill_sa_use(const struct spill_sa *sa)
{
    const struct spill_sa_config *config = &sa->config;
    uint64_t taken = atomic_load_explicit(&sa->state->sequence, memory_order_relaxed);
    struct spill_sa_use use = {
        .packets = atomic_load_explicit(&sa->state->packets, memory_order_relaxed),
        .bytes = atomic_load_explicit(&sa->state->bytes, memory_order_relaxed),
    };

    if (config->direction == SPILL_SA_OUT)
        use.packets = RTE_MIN(taken, spill_sa_last_number(sa));
    use.soft = reached(config->packets_soft, use.packets) || reached(config->bytes_soft, use.bytes);
    use.hard = reached(config->packets_hard, use.packets) || reached(config->bytes_hard, use.bytes);
    if (config->direction == SPILL_SA_OUT && use.packets == spill_sa_last_number(sa))
        use.hard = true;
    return use;
}
