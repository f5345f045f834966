/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CRYPTO_H
#define SPILLWAY_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_cryptodev.h>

#include "base/error.h"
#include "runtime/pool.h"

/**
 * @file
 * Crypto devices: DPDK's software drivers, made here on the NUMA node of who uses them, or one
 * device that the user names; sessions on them; and running a job's operations.
 *
 * Three ways to run operations:
 * - SPILL_CRYPTO_CALL: the driver does them in one call (synchronous CPU crypto: ipsec-mb's).
 * - SPILL_CRYPTO_QUEUE: a software driver that has queues only, and does the work while it is given
 *   (openssl): what was enqueued is dequeued at once.
 * - SPILL_CRYPTO_DEVICE: the user's device. Operations are enqueued, and come back some time later;
 *   several jobs are under way meanwhile.
 *
 * Making and freeing is the control thread's; running is that of the lcore whose session it is.
 */

/* Room of an operation's initialization vector, which stands behind it. */
#define SPILL_CRYPTO_IV_SIZE   16
#define SPILL_CRYPTO_IV_OFFSET (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))

/* Jobs that a worker may have under way on the user's device. */
#define SPILL_CRYPTO_DEPTH 8

enum spill_crypto_mode {
    SPILL_CRYPTO_CALL,
    SPILL_CRYPTO_QUEUE,
    SPILL_CRYPTO_DEVICE,
};

/** An operation with what rte_ipsec and the driver need behind it. */
struct spill_crypto_op {
    struct rte_crypto_op op;
    struct rte_crypto_sym_op sym;
    uint8_t iv[SPILL_CRYPTO_IV_SIZE];
} __rte_cache_aligned;

_Static_assert(offsetof(struct spill_crypto_op, iv) == SPILL_CRYPTO_IV_OFFSET, "IV behind the op");

/** What a synchronous call wants to know of a job's operations. What is the same for all jobs is
 * written before the lcores start. */
struct spill_crypto_call {
    struct rte_crypto_vec data[SPILL_JOB_PACKETS];
    struct rte_crypto_sgl packets[SPILL_JOB_PACKETS];        /* before: each is one piece of data */
    struct rte_crypto_va_iova_ptr iv[SPILL_JOB_PACKETS];     /* before: behind the operation */
    struct rte_crypto_va_iova_ptr digest[SPILL_JOB_PACKETS]; /* where the ICV is */
    struct rte_crypto_va_iova_ptr aad[SPILL_JOB_PACKETS];
    int32_t status[SPILL_JOB_PACKETS];
};

/** A job's operations. Written by the lcore that they belong to. */
struct spill_crypto_ops {
    struct rte_crypto_op *pointers[SPILL_JOB_PACKETS]; /* before the lcores start: to `ops` */
    struct spill_job *job;                             /* under way on a device; NULL: free */
    uint32_t outstanding; /* operations that the device has not given back */
    struct spill_crypto_op ops[SPILL_JOB_PACKETS];
    struct spill_crypto_call call;
};

/** What one lcore runs operations with. Its own, but for what is written before the lcores start.
 */
struct spill_crypto_lcore {
    unsigned id; /* EAL lcore id */
    int node;
    uint16_t queue;               /* of each device */
    uint8_t device;               /* the user's; set with the first session on it */
    struct spill_crypto_ops *ops; /* SPILL_CRYPTO_DEPTH of them with a user's device, else one */
    uint32_t slots;               /* how many */
};

/** One SA's session for one lcore. Written by the control thread before anybody uses it. */
struct spill_crypto_session {
    struct rte_cryptodev_sym_session *session;
    uint8_t device;
    uint8_t mode; /* enum spill_crypto_mode */
    bool aead;
    uint16_t queue;
};

struct spill_crypto;

/** An lcore that will run operations. */
struct spill_crypto_user {
    unsigned id; /* EAL lcore id */
    int node;    /* where its memory is; may be SOCKET_ID_ANY */
};

/**
 * Prepares crypto for lcores; devices are made when the first session wants them.
 *
 * @param users   of the lcores that will run operations
 * @param device  the user's device: "crypto_openssl0", "0000:05:00.0"; NULL: software of our own
 * @return NULL with an error
 */
struct spill_crypto *spill_crypto_create(const struct spill_crypto_user *users, uint32_t count,
                                         const char *device, struct spill_error *error);

/**
 * Prepares crypto for one more lcore, while others use it; one that was a user is one again.
 *
 * @return 0, or -1 with an error: memory is short, or a device in use has a queue for each of those
 *         that there were
 */
int spill_crypto_add_user(struct spill_crypto *crypto, const struct spill_crypto_user *user,
                          struct spill_error *error);

/** Whether one more lcore may be a user of the devices in use. @return 0, or -1 with an error: they
 * have a queue for each of those that there were */
int spill_crypto_check_more(const struct spill_crypto *crypto, struct spill_error *error);

/** Frees sessions' memory, wiped, and closes the devices that were made. May be NULL. */
void spill_crypto_free(struct spill_crypto *crypto);

/** How many devices are in use: where there are more than before, lcores are to be warmed up for
 * them.
 */
uint32_t spill_crypto_device_count(const struct spill_crypto *crypto);

/** How operations are run; sessions of one program may differ between CALL and QUEUE. */
bool spill_crypto_is_asynchronous(const struct spill_crypto *crypto);

/** An lcore's part; NULL when it is not among the users. Any thread. */
struct spill_crypto_lcore *spill_crypto_lcore(const struct spill_crypto *crypto, unsigned id);

/**
 * Makes a session on the first device that can do the transform: those of the fastest drivers
 * first.
 *
 * @param xform    chain; its keys are not needed any more afterwards
 * @param lcore    that will use the session
 * @param session  written
 * @return 0; -1 with an error when no driver can, or memory is short
 */
int spill_crypto_session_create(struct spill_crypto *crypto, struct rte_crypto_sym_xform *xform,
                                unsigned lcore, struct spill_crypto_session *session,
                                struct spill_error *error);

/** Frees a session; does nothing with one that was never made. */
void spill_crypto_session_free(struct spill_crypto_session *session);

/** The name of a session's driver. */
const char *spill_crypto_driver(const struct spill_crypto_session *session);

/**
 * Has the drivers' memory for the calling lcore made, so that no packet has to wait for it (law 2).
 * The lcore, before its loop starts; or in between, of a device that has come since.
 *
 * @param session  one of its own
 */
void spill_crypto_warm_up(const struct spill_crypto_session *session);

/** Writes what is the same for all jobs, of operations that are zero. Control thread. */
void spill_crypto_ops_init(struct spill_crypto_ops *ops);

/**
 * Runs operations to their end, of a session by CALL or QUEUE. Where one failed, its mbuf has
 * RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED afterwards. The session's lcore.
 *
 * @param ops    whose first `count` are all of this session and in place
 * @param count  1 to SPILL_JOB_PACKETS
 * @return whether none failed
 */
bool spill_crypto_run(const struct spill_crypto_session *session, struct spill_crypto_ops *ops,
                      uint32_t count);

/**
 * Gives operations to a session's DEVICE. What it does not take has failed, and its mbufs are
 * marked so. The session's lcore.
 *
 * @param job  what the operations are of; spill_crypto_finish() tells it when all have come back
 * @param ops  a free one of the lcore's
 * @return whether any is under way; false: the job is at its end
 */
bool spill_crypto_submit(const struct spill_crypto_session *session, struct spill_job *job,
                         struct spill_crypto_ops *ops, uint32_t count);

/**
 * Takes what the user's device has finished for an lcore. That lcore.
 *
 * @param finished  gets slots whose operations have all come back, SPILL_CRYPTO_DEPTH at most; each
 *                  is free again once its job is set to NULL
 * @return how many
 */
uint32_t spill_crypto_finish(struct spill_crypto_lcore *lcore, struct spill_crypto_ops **finished);

/** A free slot for operations of an lcore; there is one while no more than `slots` are in use. */
struct spill_crypto_ops *spill_crypto_slot(struct spill_crypto_lcore *lcore);

#endif
