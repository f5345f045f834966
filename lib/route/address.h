/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_ADDRESS_H
#define SPILLWAY_ROUTE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sys/socket.h>

/**
 * @file
 * Addresses and prefixes of either family, as routes and neighbours have them.
 */

struct spill_ip {
    uint8_t family;    /* AF_INET, AF_INET6, or 0: none */
    uint8_t bytes[16]; /* network order; IPv4 in the first four, and zeros behind */
};

struct spill_ip_prefix {
    struct spill_ip address;
    uint8_t length; /* bits */
};

/** Bits of an address of a family. */
static inline uint8_t spill_ip_bits(uint8_t family)
{
    return family == AF_INET ? 32 : 128;
}

static inline bool spill_ip_equal(const struct spill_ip *one, const struct spill_ip *other)
{
    return one->family == other->family &&
           memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

/** The bytes of an IPv4 address, in network order. */
static inline struct spill_ip spill_ip_of4(uint32_t address)
{
    struct spill_ip ip = {.family = AF_INET};

    memcpy(ip.bytes, &address, sizeof(address));
    return ip;
}

static inline struct spill_ip spill_ip_of6(const uint8_t address[16])
{
    struct spill_ip ip = {.family = AF_INET6};

    memcpy(ip.bytes, address, sizeof(ip.bytes));
    return ip;
}

/** Whether a prefix has bits behind its length. Any thread. */
bool spill_ip_prefix_is_exact(const struct spill_ip_prefix *prefix);

/** Clears the bits behind the length. Any thread. */
void spill_ip_prefix_trim(struct spill_ip_prefix *prefix);

/** Whether an address is of a prefix. Any thread. */
bool spill_ip_prefix_has(const struct spill_ip_prefix *prefix, const struct spill_ip *address);

/**
 * Reads an address, `10.0.0.1` or `2001:db8::1`.
 *
 * @return false: it is none
 */
bool spill_ip_read(const char *text, struct spill_ip *ip);

/**
 * Reads `ADDRESS/LENGTH`, or an address alone, which is a prefix of all its bits. Bits behind the
 * length are kept: an interface's address is written so.
 *
 * @return false: it is none
 */
bool spill_ip_prefix_read(const char *text, struct spill_ip_prefix *prefix);

/* Room for a prefix in text, with its end. */
#define SPILL_IP_PREFIX_TEXT 64

/** Writes an address, or a prefix, as text. Any thread. @return `text` */
const char *spill_ip_write(const struct spill_ip *ip, char text[SPILL_IP_PREFIX_TEXT]);
const char *spill_ip_prefix_write(const struct spill_ip_prefix *prefix,
                                  char text[SPILL_IP_PREFIX_TEXT]);

#endif
