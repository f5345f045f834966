/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DEVICE_H
#define SPILLWAY_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * @file
 * A device as the user names it, and what is known of it before DPDK has seen it.
 *
 * The plan (lcores, queues, memory) and the EAL's own arguments are made before rte_eal_init(),
 * when no driver can be asked yet. For virtual devices the answers follow from driver and
 * arguments; for PCI devices, and drivers that are not known here, they are left open (0, or
 * "ask"). Nothing here needs the EAL; all functions are the control thread's.
 */

#define SPILL_DEVICE_NAME_MAX      64 /* as RTE_DEV_NAME_MAX_LEN, RTE_ETH_NAME_MAX_LEN */
#define SPILL_DEVICE_ARGUMENTS_MAX 1024

/** Bytes of a frame beside its MTU: Ethernet header and two VLAN tags (the FCS is never in an
 * mbuf). */
#define SPILL_FRAME_OVERHEAD (14 + 2 * 4)

/** How a device distributes received packets over several rx queues. */
enum spill_device_spread {
    SPILL_DEVICE_SPREAD_ASK,  /* by RSS if the driver offers it: known after probing */
    SPILL_DEVICE_SPREAD_NONE, /* not by flow: queues are separate sources, or there is one only */
    SPILL_DEVICE_SPREAD_FLOW, /* by flow, in the kernel's own way (af_packet, tap, af_xdp) */
    SPILL_DEVICE_SPREAD_PEER, /* as the other end likes (memif, vhost, virtio_user) */
};

/** A parsed device string. Filled by spill_device_parse(), extended by spill_device_complete(). */
struct spill_device {
    char name[SPILL_DEVICE_NAME_MAX];           /* "net_tap0", "0000:41:00.0": EAL's and ethdev's */
    char driver[SPILL_DEVICE_NAME_MAX];         /* "net_tap"; empty for PCI */
    char arguments[SPILL_DEVICE_ARGUMENTS_MAX]; /* without a comma in front; may be empty */
    bool pci;
    bool known;                /* a driver that this file knows, or PCI */
    bool single_file_segments; /* needs the EAL's --single-file-segments (virtio_user) */
    bool finite_source; /* a capture file that is not repeated, or no source: can wait, and ends */
    bool captured;      /* all that it receives was captured, in a file */
    bool silent;        /* receives nothing, ever */
    bool receives_chains; /* cuts long frames into a chain without offering it as an offload */
    bool sends_chains;    /* takes chains of mbufs without offering it as an offload */
    bool fixed_rx_queues; /* frames come on all of rx_queues_max: each must be polled */
    bool equal_queues;    /* as many rx as tx queues, or its driver refuses (tap) */
    bool keeps_sent;      /* what is sent stays in it as mbufs until received (ring) */
    bool keeps_receive_buffers; /* doesn't give them back when it is closed (af_xdp) */
    bool kernel_mtu;    /* its MTU is its interface's, whatever the ethdev says (af_packet) */
    bool kernel_tag;    /* a kernel interface: sends one 802.1Q tag beyond its MTU, and no other */
    bool receive_limit; /* what its driver says of frames received goes for those sent, too */
    bool no_link;       /* a file, or nothing: no MTU but one that the user gives */
    enum spill_device_spread spread;
    uint16_t rx_queues_max; /* 0: ask the device after probing */
    uint16_t tx_queues_max;
    uint16_t mtu;        /* that spill_device_complete() made room for; 0 before */
    uint16_t buffer_min; /* bytes of data each mbuf must hold, whatever the MTU; 0 = any */
    uint16_t tx_frame;   /* bytes of a frame that its driver has room for; 0 = it names none */
};

/**
 * Whether a text can be given to DPDK, whose parsers of devices read past the end of some: a name
 * of letters, digits, '_', '-', '.' and ':', and behind commas at most 32 arguments `key=value`
 * with balanced brackets and no control bytes.
 *
 * @param text   "net_null0,size=64", also of a device that is no port
 * @param error  gets a text that starts with the device's name; may be NULL
 * @return 0, or -1
 */
int spill_device_check_text(const char *text, struct spill_error *error);

/**
 * The name of a device that spill_device_check_text() takes: what stands before its arguments; a
 * PCI address with its domain and small letters, so that one device has one name.
 *
 * @return whether it is a PCI address
 */
bool spill_device_name(const char *text, char name[SPILL_DEVICE_NAME_MAX]);

/**
 * The kernel's interface that a device which spill_device_check_text() takes receives and sends by,
 * as it is named.
 *
 * @return false: there is none, or it is not known
 */
bool spill_device_interface(const char *text, char name[IF_NAMESIZE]);

/**
 * Parses a device: a PCI address (`0000:41:00.0`, `41:00.0`) or a vdev
 * (`net_af_packet0,iface=veth0`), each with driver arguments behind a comma.
 *
 * @param text   as the user gave it
 * @param error  gets a text that starts with the device, without the flag; may be NULL
 * @return 0, or -1 for text that is no device or that spill_device_check_text() refuses, arguments
 *         that are too long, one that the driver must have and that is missing (iface, path), or a
 *         queue count that is no number
 */
int spill_device_parse(const char *text, struct spill_device *device, struct spill_error *error);

/**
 * Adds the driver arguments that follow from the port's configuration, where the user gave none:
 * the number of queues for drivers that take it as an argument (af_packet, virtio_user, vhost,
 * af_xdp), and af_packet's ring geometry, whose frames must hold the MTU.
 *
 * @param rx_queues, tx_queues  as asked for; 0 = not said, leaves the driver's number
 * @param mtu                   0 = the kernel interface's, or 1500 where there is none
 * @return 0, or -1 when the device can't have so many queues, would leave queues unread that it
 *         receives on, or the user's own framesz is too small for the MTU
 */
int spill_device_complete(struct spill_device *device, uint16_t rx_queues, uint16_t tx_queues,
                          uint16_t mtu, struct spill_error *error);

/**
 * The data room, headroom included, that an mbuf of the device's pool must have, in bytes: the
 * usual room where frames of the MTU fit into it or come as a chain, else room for the whole frame.
 *
 * @param mtu      0 = the one that spill_device_complete() made room for
 * @param scatter  the device can cut a frame into a chain: spill_port's capability, and before it
 *                 is known a fair guess is true
 */
uint16_t spill_device_data_room(const struct spill_device *device, uint16_t mtu, bool scatter);

/**
 * Whether the device is on a kernel interface that hands over frames as another part of the same
 * kernel made them: with checksums and sizes that no wire has, unless that is switched off at its
 * other end. True for af_packet and af_xdp on a veth.
 */
bool spill_device_unfinished_frames(const struct spill_device *device);

/**
 * Refuses files that a capture device must not have, as far as they are there: what it reads has to
 * be a file, not a pipe that it would wait for, with frames of Ethernet; what it writes, no pipe.
 *
 * @return 0, or -1 with an error that starts with the device
 */
int spill_device_check_capture(const struct spill_device *device, struct spill_error *error);

/**
 * Looks from outside whether the device can be there: its driver among DPDK's, its kernel
 * interface, its capture file, its PCI slot and the kernel driver bound to it. For `--check`,
 * before rte_eal_init(), and for a clear word when probing failed. Reads sysfs and the file system;
 * changes nothing.
 *
 * @return 0 when nothing speaks against it, else -1 with an error that says what to do
 */
int spill_device_check(const struct spill_device *device, struct spill_error *error);

/**
 * Makes the EAL's arguments for a set of devices: `--vdev=…` or `--allow=…` for each, `--no-pci`
 * when none is on PCI, `--single-file-segments` when one needs it.
 *
 * @param arguments  gets a pointer to an array of the returned number of strings and a NULL behind
 *                   them; strings and array are freed by spill_device_eal_arguments_free()
 * @return number of arguments, or -1 when there is no memory (nothing to free then)
 */
int spill_device_eal_arguments(const struct spill_device *devices, unsigned count,
                               char ***arguments);
void spill_device_eal_arguments_free(char **arguments);

#endif
