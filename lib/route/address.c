/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and prefixes: read, written, compared. */
#include "route/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* The bits of a byte of an address that are within a length. */
static uint8_t mask_of(unsigned byte, unsigned length)
{
    if (length >= (byte + 1) * 8)
        return UINT8_MAX;
    return length <= byte * 8 ? 0 : (uint8_t)(UINT8_MAX << (8 - length % 8));
}

void spill_ip_prefix_trim(struct spill_ip_prefix *prefix)
{
    for (unsigned i = 0; i < sizeof(prefix->address.bytes); i++)
        prefix->address.bytes[i] &= mask_of(i, prefix->length);
}

bool spill_ip_prefix_is_exact(const struct spill_ip_prefix *prefix)
{
    struct spill_ip_prefix trimmed = *prefix;

    spill_ip_prefix_trim(&trimmed);
    return spill_ip_equal(&trimmed.address, &prefix->address);
}

bool spill_ip_prefix_has(const struct spill_ip_prefix *prefix, const struct spill_ip *address)
{
    struct spill_ip_prefix theirs = {*address, prefix->length}, ours = *prefix;

    spill_ip_prefix_trim(&theirs);
    spill_ip_prefix_trim(&ours);
    return spill_ip_equal(&theirs.address, &ours.address);
}

bool spill_ip_read(const char *text, struct spill_ip *ip)
{
    *ip = (struct spill_ip){.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    return inet_pton(ip->family, text, ip->bytes) == 1;
}

bool spill_ip_prefix_read(const char *text, struct spill_ip_prefix *prefix)
{
    char address[SPILL_IP_PREFIX_TEXT];
    const char *slash = strchr(text, '/');
    const size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned long bits;
    char *end;

    if (length >= sizeof(address))
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!spill_ip_read(address, &prefix->address))
        return false;
    prefix->length = spill_ip_bits(prefix->address.family);
    if (slash == NULL)
        return true;
    if (slash[1] < '0' || slash[1] > '9')
        return false;
    bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || bits > prefix->length)
        return false;
    prefix->length = (uint8_t)bits;
    return true;
}

const char *spill_ip_write(const struct spill_ip *ip, char text[SPILL_IP_PREFIX_TEXT])
{
    if (ip->family == 0 || inet_ntop(ip->family, ip->bytes, text, SPILL_IP_PREFIX_TEXT) == NULL)
        snprintf(text, SPILL_IP_PREFIX_TEXT, "none");
    return text;
}

const char *spill_ip_prefix_write(const struct spill_ip_prefix *prefix,
                                  char text[SPILL_IP_PREFIX_TEXT])
{
    size_t length;

    spill_ip_write(&prefix->address, text);
    length = strlen(text);
    snprintf(text + length, SPILL_IP_PREFIX_TEXT - length, "/%u", prefix->length);
    return text;
}
