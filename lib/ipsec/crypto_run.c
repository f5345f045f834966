/* SPDX-License-Identifier: BSD-3-Clause */
/* Running crypto operations: in a call, through a queue, or on a device meanwhile. */
#include "ipsec/crypto.h"

#include <string.h>

#include <rte_mbuf.h>

static inline void mark_failed(struct rte_mbuf *mbuf)
{
    mbuf->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
}

/* The places of operations in a call: from where authentication begins to where it ends. */
static __rte_always_inline void describe(struct spill_crypto_ops *ops, uint32_t count, bool aead)
{
    struct spill_crypto_call *call = &ops->call;
    uint32_t i;

    for (i = 0; i < count; i++) {
        const struct rte_crypto_sym_op *sym = &ops->ops[i].sym;

        call->data[i].base = rte_pktmbuf_mtod_offset(
            sym->m_src, void *, aead ? sym->aead.data.offset : sym->auth.data.offset);
        call->data[i].len = aead ? sym->aead.data.length : sym->auth.data.length;
        call->digest[i].va = aead ? sym->aead.digest.data : sym->auth.digest.data;
        call->aad[i].va = aead ? sym->aead.aad.data : NULL;
    }
}

/* How the ciphered part lies within the authenticated one: the same for all of a session. */
static inline union rte_crypto_sym_ofs offsets(const struct rte_crypto_sym_op *sym)
{
    union rte_crypto_sym_ofs ofs = {.raw = 0};

    ofs.ofs.cipher.head = (uint16_t)(sym->cipher.data.offset - sym->auth.data.offset);
    ofs.ofs.cipher.tail = (uint16_t)(sym->auth.data.offset + sym->auth.data.length -
                                     sym->cipher.data.offset - sym->cipher.data.length);
    return ofs;
}

static bool run_call(const struct spill_crypto_session *session, struct spill_crypto_ops *ops,
                     uint32_t count)
{
    struct spill_crypto_call *call = &ops->call;
    struct rte_crypto_sym_vec vector = {
        .num = count,
        .src_sgl = call->packets,
        .iv = call->iv,
        .digest = call->digest,
        .aad = call->aad,
        .status = call->status,
    };
    union rte_crypto_sym_ofs ofs = {.raw = 0};
    uint32_t good, i;

    if (session->aead) {
        describe(ops, count, true);
    } else {
        describe(ops, count, false);
        ofs = offsets(&ops->ops[0].sym);
    }
    /* A driver that could do none says so in its result alone. */
    memset(call->status, -1, count * sizeof(call->status[0]));
    good = rte_cryptodev_sym_cpu_crypto_process(session->device, session->session, ofs, &vector);
    if (likely(good == count))
        return true;
    for (i = 0; i < count; i++) {
        if (call->status[i] != 0)
            mark_failed(ops->ops[i].sym.m_src);
    }
    return false;
}

/* What a driver gave back; a failed operation marks its packet. Returns whether none has failed. */
static inline bool settle(struct rte_crypto_op **ops, uint32_t count)
{
    bool good = true;
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (likely(ops[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS))
            continue;
        mark_failed(ops[i]->sym->m_src);
        good = false;
    }
    return good;
}

/* The driver has done the work by the time it has taken it: nothing here waits. */
static bool run_queue(const struct spill_crypto_session *session, struct rte_crypto_op **ops,
                      uint32_t count)
{
    struct rte_crypto_op *back[SPILL_JOB_PACKETS];
    uint32_t given = 0, taken = 0, got, i;
    bool good = true;

    while (taken < count) {
        got = rte_cryptodev_enqueue_burst(session->device, session->queue, ops + given,
                                          (uint16_t)(count - given));
        given += got;
        if (got == 0 && given == taken)
            break;
        got = rte_cryptodev_dequeue_burst(session->device, session->queue, back,
                                          (uint16_t)(given - taken));
        good &= settle(back, got);
        taken += got;
    }
    for (i = given; i < count; i++)
        mark_failed(ops[i]->sym->m_src);
    return good && given == count;
}

bool spill_crypto_run(const struct spill_crypto_session *session, struct spill_crypto_ops *ops,
                      uint32_t count)
{
    return session->mode == SPILL_CRYPTO_CALL ? run_call(session, ops, count)
                                              : run_queue(session, ops->pointers, count);
}

void spill_crypto_warm_up(const struct spill_crypto_session *session)
{
    struct rte_crypto_sym_vec none = {.num = 0};
    union rte_crypto_sym_ofs ofs = {.raw = 0};

    if (session->mode == SPILL_CRYPTO_CALL)
        rte_cryptodev_sym_cpu_crypto_process(session->device, session->session, ofs, &none);
}

/* ------------------------------------------------------------------------- a user's device */

struct spill_crypto_ops *spill_crypto_slot(struct spill_crypto_lcore *lcore)
{
    uint32_t i;

    for (i = 0; i < lcore->slots; i++) {
        if (lcore->ops[i].job == NULL)
            return &lcore->ops[i];
    }
    return NULL;
}

/* Which slot an operation is in: they lie one behind the other. */
static inline struct spill_crypto_ops *slot_of(struct spill_crypto_lcore *lcore,
                                               const struct rte_crypto_op *op)
{
    size_t distance = (size_t)((const uint8_t *)op - (const uint8_t *)lcore->ops);

    return &lcore->ops[distance / sizeof(lcore->ops[0])];
}

bool spill_crypto_submit(const struct spill_crypto_session *session, struct spill_job *job,
                         struct spill_crypto_ops *ops, uint32_t count)
{
    uint32_t given = rte_cryptodev_enqueue_burst(session->device, session->queue, ops->pointers,
                                                 (uint16_t)count);
    uint32_t i;

    for (i = given; i < count; i++)
        mark_failed(ops->pointers[i]->sym->m_src);
    ops->outstanding = given;
    ops->job = given > 0 ? job : NULL;
    return given > 0;
}

uint32_t spill_crypto_finish(struct spill_crypto_lcore *lcore, struct spill_crypto_ops **finished)
{
    struct rte_crypto_op *back[SPILL_JOB_PACKETS];
    uint32_t got =
        rte_cryptodev_dequeue_burst(lcore->device, lcore->queue, back, SPILL_JOB_PACKETS);
    uint32_t count = 0, i;

    settle(back, got);
    for (i = 0; i < got; i++) {
        struct spill_crypto_ops *slot = slot_of(lcore, back[i]);

        if (--slot->outstanding == 0)
            finished[count++] = slot;
    }
    return count;
}
