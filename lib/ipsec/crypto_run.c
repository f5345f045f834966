/* SPDX-License-Identifier: BSD-3-Clause */
/* Running crypto operations: in a call, through a queue, or on a device meanwhile. */
#include "ipsec/crypto.h"

#include <string.h>

#include <rte_mbuf.h>

/* What a synchronous call wants to know of a job's operations. */
struct call {
    struct rte_crypto_vec data[SPILL_JOB_PACKETS];
    struct rte_crypto_sgl packets[SPILL_JOB_PACKETS];
    struct rte_crypto_va_iova_ptr iv[SPILL_JOB_PACKETS];
    struct rte_crypto_va_iova_ptr digest[SPILL_JOB_PACKETS];
    struct rte_crypto_va_iova_ptr aad[SPILL_JOB_PACKETS];
    int32_t status[SPILL_JOB_PACKETS];
};

static inline void mark_failed(struct rte_mbuf *mbuf)
{
    mbuf->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
}

/* One operation's place in a call: from where authentication begins to where it ends. */
static inline void describe(struct call *call, uint32_t i, struct rte_crypto_op *op, bool aead)
{
    const struct rte_crypto_sym_op *sym = op->sym;
    uint32_t offset = aead ? sym->aead.data.offset : sym->auth.data.offset;
    uint32_t length = aead ? sym->aead.data.length : sym->auth.data.length;

    call->data[i] = (struct rte_crypto_vec){
        .base = rte_pktmbuf_mtod_offset(sym->m_src, void *, offset), .len = length};
    call->packets[i] = (struct rte_crypto_sgl){.vec = &call->data[i], .num = 1};
    call->iv[i].va = rte_crypto_op_ctod_offset(op, void *, SPILL_CRYPTO_IV_OFFSET);
    call->digest[i].va = aead ? sym->aead.digest.data : sym->auth.digest.data;
    call->aad[i].va = aead ? sym->aead.aad.data : NULL;
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

static void run_call(const struct spill_crypto_session *session, struct rte_crypto_op **ops,
                     uint32_t count)
{
    struct call call;
    struct rte_crypto_sym_vec vector = {
        .num = count,
        .src_sgl = call.packets,
        .iv = call.iv,
        .digest = call.digest,
        .aad = call.aad,
        .status = call.status,
    };
    union rte_crypto_sym_ofs ofs = {.raw = 0};
    uint32_t good, i;

    for (i = 0; i < count; i++)
        describe(&call, i, ops[i], session->aead);
    /* A driver that could do none says so in its result alone. */
    memset(call.status, -1, count * sizeof(call.status[0]));
    if (!session->aead)
        ofs = offsets(ops[0]->sym);
    good = rte_cryptodev_sym_cpu_crypto_process(session->device, session->session, ofs, &vector);
    if (likely(good == count))
        return;
    for (i = 0; i < count; i++) {
        if (call.status[i] != 0)
            mark_failed(ops[i]->sym->m_src);
    }
}

/* What a driver gave back; a failed operation marks its packet. */
static inline void settle(struct rte_crypto_op **ops, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (unlikely(ops[i]->status != RTE_CRYPTO_OP_STATUS_SUCCESS))
            mark_failed(ops[i]->sym->m_src);
    }
}

/* The driver has done the work by the time it has taken it: nothing here waits. */
static void run_queue(const struct spill_crypto_session *session, struct rte_crypto_op **ops,
                      uint32_t count)
{
    struct rte_crypto_op *back[SPILL_JOB_PACKETS];
    uint32_t given = 0, taken = 0, got, i;

    while (taken < count) {
        got = rte_cryptodev_enqueue_burst(session->device, session->queue, ops + given,
                                          (uint16_t)(count - given));
        given += got;
        if (got == 0 && given == taken)
            break;
        got = rte_cryptodev_dequeue_burst(session->device, session->queue, back,
                                          (uint16_t)(given - taken));
        settle(back, got);
        taken += got;
    }
    for (i = given; i < count; i++)
        mark_failed(ops[i]->sym->m_src);
}

void spill_crypto_run(const struct spill_crypto_session *session, struct rte_crypto_op **ops,
                      uint32_t count)
{
    if (session->mode == SPILL_CRYPTO_CALL)
        run_call(session, ops, count);
    else
        run_queue(session, ops, count);
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
