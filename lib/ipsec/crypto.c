/* SPDX-License-Identifier: BSD-3-Clause */
/* Crypto devices and sessions: what the control thread makes. Running is in crypto_run.c. */
#include "ipsec/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>

/* Software drivers, the fastest first: what each is asked to do, it may be unable to. */
static const char *const drivers[] = {"crypto_aesni_gcm", "crypto_aesni_mb", "crypto_openssl"};

#define DEVICES_MAX   16  /* drivers on nodes */
#define POOL_SESSIONS 256 /* in a device's first pool */
#define POOL_SHARE                                                                                 \
    4 /* each later one has such a part of what there is: few pools, little waste                  \
       */
#define QUEUE_LENGTH 2048 /* operations: the jobs of a slot on each, and drivers' least */

/* A device in use, and the sessions on it. */
struct device {
    char name[RTE_CRYPTODEV_NAME_MAX_LEN];
    uint8_t id;
    uint8_t mode; /* enum spill_crypto_mode */
    bool made;    /* here, so it is taken away here */
    int node;
    uint32_t pool_count;
    uint32_t sessions;          /* in all pools */
    struct rte_mempool **pools; /* as many as sessions need: SAs, times lcores, times the versions
                                 * that are there at a time */
};

struct spill_crypto {
    char *user_device; /* NULL: software of our own */
    uint32_t lcore_count;
    struct spill_crypto_lcore *lcores;
    struct spill_crypto_lcore *by_id[RTE_MAX_LCORE];
    uint32_t device_count;
    struct device devices[DEVICES_MAX];
};

/* ------------------------------------------------------------------------------- the lcores */

void spill_crypto_ops_init(struct spill_crypto_ops *ops)
{
    struct spill_crypto_call *call = &ops->call;
    uint32_t i;

    for (i = 0; i < SPILL_JOB_PACKETS; i++) {
        struct rte_crypto_op *op = &ops->ops[i].op;

        op->phys_addr = rte_mem_virt2iova(op);
        ops->pointers[i] = op;
        call->packets[i] = (struct rte_crypto_sgl){.vec = &call->data[i], .num = 1};
        call->iv[i].va = ops->ops[i].iv;
    }
}

static int add_lcore(struct spill_crypto *crypto, const struct spill_crypto_user *user,
                     struct spill_error *error)
{
    const uint32_t slots = crypto->user_device != NULL ? SPILL_CRYPTO_DEPTH : 1;
    struct spill_crypto_lcore *lcore = &crypto->lcores[crypto->lcore_count];
    uint32_t i;

    *lcore = (struct spill_crypto_lcore){
        .id = user->id, .node = user->node, .queue = (uint16_t)crypto->lcore_count};
    lcore->ops =
        rte_zmalloc_socket(NULL, slots * sizeof(*lcore->ops), RTE_CACHE_LINE_SIZE, user->node);
    if (lcore->ops == NULL)
        return spill_error_set(error, "crypto: no memory on node %d", user->node);
    lcore->slots = slots;
    for (i = 0; i < slots; i++)
        spill_crypto_ops_init(&lcore->ops[i]);
    crypto->by_id[user->id] = lcore;
    crypto->lcore_count++;
    return 0;
}

struct spill_crypto *spill_crypto_create(const struct spill_crypto_user *users, uint32_t count,
                                         const char *device, struct spill_error *error)
{
    struct spill_crypto *crypto = calloc(1, sizeof(*crypto));
    uint32_t i;

    if (crypto != NULL)
        crypto->lcores = calloc(RTE_MAX_LCORE, sizeof(*crypto->lcores));
    if (crypto == NULL || crypto->lcores == NULL ||
        (device != NULL && (crypto->user_device = strdup(device)) == NULL)) {
        spill_error_set(error, "crypto: no memory");
        spill_crypto_free(crypto);
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (add_lcore(crypto, &users[i], error) != 0) {
            spill_crypto_free(crypto);
            return NULL;
        }
    }
    return crypto;
}

int spill_crypto_check_more(const struct spill_crypto *crypto, struct spill_error *error)
{
    for (uint32_t i = 0; i < crypto->device_count; i++) {
        if (crypto->devices[i].mode != SPILL_CRYPTO_CALL)
            return spill_error_set(error,
                                   "crypto device %s has no queue for more lcores than there were "
                                   "at the start",
                                   crypto->devices[i].name);
    }
    return 0;
}

int spill_crypto_add_user(struct spill_crypto *crypto, const struct spill_crypto_user *user,
                          struct spill_error *error)
{
    if (crypto->by_id[user->id] != NULL)
        return 0;
    return spill_crypto_check_more(crypto, error) == 0 ? add_lcore(crypto, user, error) : -1;
}

uint32_t spill_crypto_device_count(const struct spill_crypto *crypto)
{
    return crypto->device_count;
}

bool spill_crypto_is_asynchronous(const struct spill_crypto *crypto)
{
    return crypto->user_device != NULL;
}

struct spill_crypto_lcore *spill_crypto_lcore(const struct spill_crypto *crypto, unsigned id)
{
    return id < RTE_MAX_LCORE ? crypto->by_id[id] : NULL;
}

/* ------------------------------------------------------------------------------ the devices */

static int device_error(const struct device *device, const char *what, int status,
                        struct spill_error *error)
{
    return spill_error_set(error, "crypto device %s: %s: %s", device->name, what,
                           rte_strerror(status < 0 ? -status : status));
}

/* Queue pairs, one for each lcore where operations are queued; then the device is started. */
static int configure(struct spill_crypto *crypto, struct device *device, struct spill_error *error)
{
    struct rte_cryptodev_info info;
    struct rte_cryptodev_config config = {
        .socket_id = device->node < 0 ? 0 : device->node,
        .ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO,
    };
    struct rte_cryptodev_qp_conf queue = {.nb_descriptors = QUEUE_LENGTH};
    uint16_t i;
    int status;

    rte_cryptodev_info_get(device->id, &info);
    if (crypto->user_device == NULL)
        device->mode = (info.feature_flags & RTE_CRYPTODEV_FF_SYM_CPU_CRYPTO) != 0
                           ? SPILL_CRYPTO_CALL
                           : SPILL_CRYPTO_QUEUE;
    else
        device->mode = SPILL_CRYPTO_DEVICE;
    config.nb_queue_pairs = device->mode == SPILL_CRYPTO_CALL ? 1 : (uint16_t)crypto->lcore_count;
    if (info.max_nb_queue_pairs != 0 && config.nb_queue_pairs > info.max_nb_queue_pairs)
        return spill_error_set(error,
                               "crypto device %s: %u queue pairs; %u lcores work with it, each "
                               "needs one",
                               device->name, info.max_nb_queue_pairs, config.nb_queue_pairs);
    status = rte_cryptodev_configure(device->id, &config);
    if (status != 0)
        return device_error(device, "can't be configured", status, error);
    for (i = 0; i < config.nb_queue_pairs; i++) {
        status = rte_cryptodev_queue_pair_setup(device->id, i, &queue, config.socket_id);
        if (status != 0)
            return device_error(device, "no queue pair", status, error);
    }
    status = rte_cryptodev_start(device->id);
    return status == 0 ? 0 : device_error(device, "can't be started", status, error);
}

static int open_user_device(struct spill_crypto *crypto, struct device *device,
                            struct spill_error *error)
{
    int id, status;

    snprintf(device->name, sizeof(device->name), "%.*s", (int)strcspn(crypto->user_device, ","),
             crypto->user_device);
    id = rte_cryptodev_get_dev_id(device->name);
    if (id < 0) {
        status = rte_dev_probe(crypto->user_device);
        if (status != 0)
            return spill_error_set(error,
                                   "--crypto '%s': there is no such crypto device (%s); a PCI "
                                   "address, or one such as crypto_aesni_mb0",
                                   crypto->user_device, rte_strerror(-status));
        id = rte_cryptodev_get_dev_id(device->name);
    }
    if (id < 0)
        return spill_error_set(error, "--crypto '%s': is no crypto device", crypto->user_device);
    device->id = (uint8_t)id;
    return 0;
}

static int make_device(struct spill_crypto *crypto, struct device *device, const char *driver,
                       struct spill_error *error)
{
    char arguments[64];
    int status;

    /* The bus finds a driver by the beginning of the name. */
    snprintf(device->name, sizeof(device->name), "%s_spillway%d", driver,
             device->node < 0 ? 0 : device->node);
    snprintf(arguments, sizeof(arguments), "max_nb_queue_pairs=%u,socket_id=%d",
             crypto->lcore_count, device->node < 0 ? 0 : device->node);
    status = rte_eal_hotplug_add("vdev", device->name, arguments);
    if (status != 0)
        return device_error(device, "is not available", status, error);
    device->made = true;
    device->id = (uint8_t)rte_cryptodev_get_dev_id(device->name);
    return 0;
}

static void close_device(struct device *device)
{
    uint32_t i;

    rte_cryptodev_stop(device->id);
    for (i = 0; i < device->pool_count; i++)
        rte_mempool_free(device->pools[i]);
    free(device->pools);
    if (device->made)
        rte_eal_hotplug_remove("vdev", device->name);
    else
        rte_cryptodev_close(device->id);
}

/* The device of a driver on a node, made at the first call. NULL with an error. */
static struct device *find_device(struct spill_crypto *crypto, const char *driver, int node,
                                  struct spill_error *error)
{
    struct device made = {.node = node}, *device;
    uint32_t i;

    for (i = 0; i < crypto->device_count; i++) {
        device = &crypto->devices[i];
        if (crypto->user_device != NULL ||
            (device->node == node && strncmp(device->name, driver, strlen(driver)) == 0))
            return device;
    }
    if (crypto->device_count == DEVICES_MAX) {
        spill_error_set(error, "crypto: more than %d devices", DEVICES_MAX);
        return NULL;
    }
    if ((crypto->user_device != NULL ? open_user_device(crypto, &made, error)
                                     : make_device(crypto, &made, driver, error)) != 0)
        return NULL;
    if (configure(crypto, &made, error) != 0) {
        close_device(&made);
        return NULL;
    }
    device = &crypto->devices[crypto->device_count++];
    *device = made;
    return device;
}

/* ------------------------------------------------------------------------------ the sessions */

static struct rte_mempool *add_pool(struct device *device)
{
    uint32_t size = RTE_MAX(device->sessions / POOL_SHARE, (uint32_t)POOL_SESSIONS);
    struct rte_mempool **pools =
        realloc(device->pools, (device->pool_count + 1) * sizeof(*device->pools));
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *pool;

    if (pools == NULL)
        return NULL;
    device->pools = pools;
    snprintf(name, sizeof(name), "sessions-%u.%u", device->id, device->pool_count);
    pool = rte_cryptodev_sym_session_pool_create(
        name, size, rte_cryptodev_sym_get_private_session_size(device->id), 0, 0,
        device->node < 0 ? SOCKET_ID_ANY : device->node);
    if (pool != NULL) {
        device->pools[device->pool_count++] = pool;
        device->sessions += size;
    }
    return pool;
}

static void *create_on(struct device *device, struct rte_crypto_sym_xform *xform)
{
    struct rte_mempool *pool;
    uint32_t i;

    for (i = device->pool_count; i-- > 0;) {
        if (!rte_mempool_empty(device->pools[i]))
            return rte_cryptodev_sym_session_create(device->id, xform, device->pools[i]);
    }
    pool = add_pool(device);
    rte_errno = ENOMEM;
    return pool == NULL ? NULL : rte_cryptodev_sym_session_create(device->id, xform, pool);
}

/* Whether a driver says that it can do one transform: asking for a session would make it log. */
static bool supports(uint8_t id, const struct rte_crypto_sym_xform *xform)
{
    struct rte_cryptodev_sym_capability_idx index = {.type = xform->type};
    const struct rte_cryptodev_symmetric_capability *capability;

    if (xform->type == RTE_CRYPTO_SYM_XFORM_AEAD)
        index.algo.aead = xform->aead.algo;
    else if (xform->type == RTE_CRYPTO_SYM_XFORM_CIPHER)
        index.algo.cipher = xform->cipher.algo;
    else
        index.algo.auth = xform->auth.algo;
    capability = rte_cryptodev_sym_capability_get(id, &index);
    if (capability == NULL)
        return false;
    if (xform->type == RTE_CRYPTO_SYM_XFORM_AEAD)
        return rte_cryptodev_sym_capability_check_aead(
                   capability, xform->aead.key.length, xform->aead.digest_length,
                   xform->aead.aad_length, xform->aead.iv.length) == 0;
    if (xform->type == RTE_CRYPTO_SYM_XFORM_CIPHER)
        return rte_cryptodev_sym_capability_check_cipher(capability, xform->cipher.key.length,
                                                         xform->cipher.iv.length) == 0;
    return rte_cryptodev_sym_capability_check_auth(capability, xform->auth.key.length,
                                                   xform->auth.digest_length, 0) == 0;
}

static bool supports_chain(uint8_t id, const struct rte_crypto_sym_xform *xform)
{
    for (; xform != NULL; xform = xform->next) {
        if (!supports(id, xform))
            return false;
    }
    return true;
}

int spill_crypto_session_create(struct spill_crypto *crypto, struct rte_crypto_sym_xform *xform,
                                unsigned lcore, struct spill_crypto_session *session,
                                struct spill_error *error)
{
    struct spill_crypto_lcore *user = crypto->by_id[lcore];
    struct spill_error reason = {.text = ""};
    size_t i;

    for (i = 0; i < RTE_DIM(drivers); i++) {
        struct device *device = find_device(crypto, drivers[i], user->node, &reason);

        if (device == NULL && crypto->user_device != NULL)
            return spill_error_set(error, "%s", reason.text);
        if (device == NULL || !supports_chain(device->id, xform))
            continue;
        session->session = create_on(device, xform);
        if (session->session == NULL && rte_errno == ENOMEM)
            return spill_error_set(error, "no memory for sessions on node %d", user->node);
        if (session->session != NULL) {
            user->device = device->id;
            session->aead = xform->type == RTE_CRYPTO_SYM_XFORM_AEAD;
            session->device = device->id;
            session->mode = device->mode;
            session->queue = device->mode == SPILL_CRYPTO_CALL ? 0 : user->queue;
            return 0;
        }
    }
    if (crypto->user_device != NULL)
        return spill_error_set(error, "crypto device %s can't do it", crypto->user_device);
    return spill_error_set(error, "none of DPDK's software drivers here can do it%s%s",
                           reason.text[0] != '\0' ? "; " : "", reason.text);
}

void spill_crypto_session_free(struct spill_crypto_session *session)
{
    if (session->session != NULL)
        rte_cryptodev_sym_session_free(session->device, session->session);
    session->session = NULL;
}

const char *spill_crypto_driver(const struct spill_crypto_session *session)
{
    struct rte_cryptodev_info info;

    rte_cryptodev_info_get(session->device, &info);
    return info.driver_name;
}

void spill_crypto_free(struct spill_crypto *crypto)
{
    uint32_t i;

    if (crypto == NULL)
        return;
    for (i = 0; i < crypto->device_count; i++)
        close_device(&crypto->devices[i]);
    for (i = 0; i < crypto->lcore_count; i++)
        rte_free(crypto->lcores[i].ops);
    free(crypto->lcores);
    free(crypto->user_device);
    free(crypto);
}
