/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PORT_H
#define SPILLWAY_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/error.h"
#include "base/metrics.h"
#include "port/device.h"
#include "port/mbuf_pool.h"

/**
 * @file
 * A port: an ethdev brought up for a bump in the wire, and down again without losing a packet.
 *
 * Everything is asked of the device, nothing assumed: what it can't do is an error that names the
 * port as the user named it, or, where the wire works without it, a note in the port for the log.
 * Packets pass as they are: no offload that changes a frame (checksum, VLAN stripping, LRO) is
 * switched on.
 *
 * Order: spill_port_find() after rte_eal_init(), spill_port_pool_create(), spill_port_configure(),
 * spill_port_start(); at the end, once no lcore touches the port any more, spill_port_flush_tx(),
 * spill_port_stop(), spill_port_close(), spill_port_leaked(). All of it, and every write to the
 * struct, by one thread at a time: the control thread, or a reload's for ports that come and leave;
 * lcores read `id`, and poll their queues with rte_eth_rx_burst() and rte_eth_tx_burst()
 * themselves.
 */

#define SPILL_PORT_NAME_MAX  32
#define SPILL_PORT_NOTES_MAX 8
#define SPILL_PORT_NOTE_MAX  256
/** Longest RSS key of any driver, bytes. */
#define SPILL_PORT_RSS_KEY_MAX 64
/** Entries of a redirection table that a device whose table can't be seen is taken to have. */
#define SPILL_PORT_RSS_TABLE 128

/** The RSS key of all ports: both directions of a flow have the same hash. */
extern const uint8_t spill_port_rss_key[SPILL_PORT_RSS_KEY_MAX];

/** What a device said it can do. */
struct spill_port_capabilities {
    uint16_t rx_queues_max;
    uint16_t tx_queues_max;
    uint16_t mtu;           /* in force when it was probed, bytes */
    uint16_t mtu_max;       /* UINT16_MAX: the device names no limit */
    uint32_t rx_buffer_min; /* least data room of an mbuf without headroom, bytes */
    uint64_t rss_fields;    /* RTE_ETH_RSS_*: those of ours that it can hash on; 0 = no RSS */
    uint16_t rss_table;     /* entries of the redirection table; 0: none that can be seen */
    bool rss_symmetric;     /* both directions of a flow can be made to hash alike */
    bool rx_scatter;        /* a frame may come as a chain of mbufs */
    uint16_t tx_segments;   /* most mbufs of a chain that may be sent; 1 = no chains */
};

/**
 * What may be given to a port for transmission. What is beyond is lost without a word by some
 * drivers, blocks others for ever, is cut by others, and is written over others' memory.
 */
struct spill_port_limits {
    uint16_t packet;   /* bytes of an IP packet: the MTU; UINT16_MAX for a port without a link that
                        * nobody gave one */
    uint16_t frame;    /* bytes of a frame, whatever is in it: what its driver has buffers for */
    uint16_t least;    /* bytes of a frame; 0 = any */
    uint16_t segments; /* mbufs of a frame */
    bool kernel_tag;   /* of tags, only one with 802.1Q's own type may stand beside the MTU; else
                        * two of any type may */
};

/** A port. Filled by spill_port_find() and spill_port_configure(). */
struct spill_port {
    char name[SPILL_PORT_NAME_MAX]; /* the user's: "lan" */
    struct spill_device device;
    uint16_t id;
    int socket;         /* NUMA node; SOCKET_ID_ANY for devices without one */
    const char *driver; /* DPDK's name of it; the library's memory */
    struct rte_ether_addr address;
    struct spill_port_capabilities capabilities;
    /* In force after spill_port_configure(): */
    uint16_t rx_queues;
    uint16_t tx_queues;
    uint16_t rx_descriptors; /* a queue; drivers that copy frames ignore them */
    uint16_t tx_descriptors;
    uint16_t mtu; /* bytes; what frames are allowed to be, headers beside */
    struct spill_port_limits limits;
    struct rte_mempool *pool; /* of received packets; not the port's to free */
    unsigned kept_mbufs;      /* of the pool, which the driver never gives back (af_xdp) */
    unsigned interface;       /* of the kernel's, by which its driver sends without telling what is
                               * lost there; 0: none */
    int tap; /* of a tap, a descriptor of its driver's, once it is started; else -1 */
    bool promiscuous;
    bool rss;         /* spreads over rx queues by a symmetric hash */
    bool rss_refused; /* it was to, but its start showed that it spreads in a way of its own */
    bool rx_scatter;
    bool open; /* from spill_port_find() to spill_port_close() */
    bool configured;
    bool started;
    bool wants_promiscuous; /* as configured, for the start */
    unsigned note_count;
    char notes[SPILL_PORT_NOTES_MAX][SPILL_PORT_NOTE_MAX]; /* stated fallbacks, for the log */
};

/** Adds a note, for the log; one too many is left out. The control thread. */
__attribute__((format(printf, 2, 3))) void spill_port_note(struct spill_port *port,
                                                           const char *format, ...);

/** What is wanted of a port. */
struct spill_port_config {
    uint16_t rx_queues;      /* 0 = none, for a port that only transmits */
    uint16_t tx_queues;      /* 0 = none */
    uint16_t rx_descriptors; /* a queue; 0 = the driver's preference, else 1024 */
    uint16_t tx_descriptors;
    uint16_t mtu;             /* bytes; 0 = as it is */
    bool promiscuous;         /* a wire wants it */
    bool rss;                 /* spread over rx queues; both directions of a flow alike */
    struct rte_mempool *pool; /* for receive; its data room decides whether frames are scattered */
};

enum spill_link_state {
    SPILL_LINK_UP,
    SPILL_LINK_DOWN,
    SPILL_LINK_GONE, /* the kernel's interface below the device is no longer there */
};

/** A port's link at one moment. */
struct spill_port_link {
    enum spill_link_state state;
    uint16_t mtu; /* bytes; of a kernel's interface what it has now, else as configured */
};

/** Packets, by the device's own count since it was started. */
struct spill_port_stats {
    bool counted; /* the device counts; else all is 0 */
    uint64_t rx_packets;
    uint64_t tx_packets;
    uint64_t rx_bytes, tx_bytes;
    uint64_t rx_missed; /* no free descriptor or buffer at the device: the loop was too slow */
    uint64_t rx_nombuf; /* the pool was empty */
    uint64_t rx_errors;
    uint64_t tx_errors;
};

/**
 * Finds the ethdev of a device and asks it for its capabilities. After rte_eal_init().
 *
 * @param name    the user's name of the port, copied
 * @param device  copied
 * @param port    memory of the caller's; overwritten
 * @return 0, or -1 with an error: the device isn't there (with the reason as far as it can be seen
 *         from outside), or can't be asked
 */
int spill_port_find(const char *name, const struct spill_device *device, struct spill_port *port,
                    struct spill_error *error);

/** spill_device_data_room() with what the device said it can do. @param mtu  0 = the device's */
uint16_t spill_port_data_room(const struct spill_port *port, uint16_t mtu);

/**
 * Configures device and queues. The port must be stopped; may be called again.
 *
 * Errors: more queues than the device has, an MTU that it can't carry, no RSS for several queues
 * although it was asked for, a pool whose mbufs are too small, or the driver's refusal.
 * Notes: MTU or promiscuous mode that it can't be told but that the wire does without, descriptors
 * other than asked for, several queues that the device spreads in its own way.
 *
 * @return 0 or -1
 */
int spill_port_configure(struct spill_port *port, const struct spill_port_config *config,
                         struct spill_error *error);

/**
 * Starts the device: from now on it receives. Its counters start at 0. Only now is it told to be
 * promiscuous and how to spread, as not every driver takes that before. That it refuses to be
 * promiscuous is a note; that it spreads in another way than it is told, an error: then
 * `rss_refused` is set, it is stopped, and is no longer said to be able to.
 *
 * @return 0 or -1
 */
int spill_port_start(struct spill_port *port, struct spill_error *error);

/** Whether the link is up; asks the device without waiting. Devices without a link are up. */
bool spill_port_link_up(const struct spill_port *port);

/**
 * Looks at a port's link. Of a device on a kernel's interface the kernel is asked (by ioctl): its
 * drivers take an interface for up, and of the MTU that it was started with, whatever becomes of
 * it; they take packets for it as before, and count most of them as sent.
 *
 * @param port  configured
 */
void spill_port_look(const struct spill_port *port, struct spill_port_link *link);

/** A descriptor by which a tap's driver has an interface of the kernel's; -1: there is none. Looked
 * for among all descriptors, as the driver keeps them to itself. Control thread. */
int spill_port_find_tap(unsigned interface);

/**
 * Takes the error that the kernel has left for the next to use a socket of the port's interface,
 * which is back: af_packet would send nothing with its first packet, which then waits for the
 * second. Its driver keeps the sockets to itself, so they are looked for among all descriptors.
 * Control thread, before anybody hears that the link is up.
 */
void spill_port_recover(const struct spill_port *port);

/** Reads the device's counters; all 0 for a device that doesn't count, isn't configured or was
 * closed. */
void spill_port_stats(const struct spill_port *port, struct spill_port_stats *stats);

/** What is told of a port, and of struct spill_port_stats. */
extern const struct spill_metrics spill_port_metrics;
extern const struct spill_metrics spill_port_stats_metrics;

/**
 * Lets the drivers finish what was given to them: frees transmitted mbufs that they still hold,
 * until the number of mbufs in use hasn't changed for 5 ms, or the deadline. Needed because some
 * drivers (virtio) free them only within a later transmit. No lcore may use the ports any more; the
 * ports are still started. Sleeps between its rounds.
 *
 * @param ports     all that exchange packets with each other: one's mbufs come from another's pool
 * @param deadline  TSC cycles
 * @return mbufs of the ports' pools still in use, those that wait in receive queues included
 */
unsigned spill_port_flush_tx(struct spill_port *ports, unsigned count, uint64_t deadline);

/**
 * Mbufs of the ports' pools that are lost: in use though all ports are closed and all lcores done,
 * without those of which it is known that their driver never gives them back.
 */
unsigned spill_port_leaked(const struct spill_port *ports, unsigned count);

/** Stops the device; a no-op when it isn't started. @return 0, or -1: it goes on as it was */
int spill_port_stop(struct spill_port *port, struct spill_error *error);

/**
 * Stops the device if need be and closes it: it frees the mbufs that it holds; those that a
 * net_ring still keeps for its reader are freed and noted. Read the counters before. The port is
 * gone then; a no-op on a closed one.
 */
void spill_port_close(struct spill_port *port);

#endif
