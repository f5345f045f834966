/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the keys of each security association fit together, and the associations beside each
 * other. */
#include <stdlib.h>
#include <string.h>

#include "options_check.h"

#define REPLAY_WINDOW_LEAST 32 /* RFC 4303, 3.4.3: the smallest that must be supported */
#define REPLAY_WINDOW_ESN   64 /* rte_ipsec tells high halves of numbers by no smaller one */

/* Says that a key, which was given, does not fit. */
static int refuse(const struct spill_option_sa *sa, enum spill_option_sa_key key,
                  const char *expected, struct spill_error *error)
{
    return spill_error_set(error, "%s: %s", sa->where[key], expected);
}

static bool given(const struct spill_option_sa *sa, enum spill_option_sa_key key)
{
    return sa->where[key] != NULL;
}

static int check_addresses(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool source = given(sa, SPILL_OPTION_SA_SOURCE);
    bool destination = given(sa, SPILL_OPTION_SA_DESTINATION);

    if (sa->mode == SPILL_OPTION_SA_TUNNEL && !(source && destination))
        return refuse(sa, SPILL_OPTION_SA_MODE,
                      "expected source and destination with it, the tunnel's ends", error);
    if (source && !destination)
        return refuse(sa, SPILL_OPTION_SA_SOURCE, "expected destination with it", error);
    if (destination && !source)
        return refuse(sa, SPILL_OPTION_SA_DESTINATION, "expected source with it", error);
    if (sa->source.family != sa->destination.family)
        return refuse(sa, SPILL_OPTION_SA_DESTINATION,
                      "expected IPv4 or IPv6 as source has it: the two are ends of one header",
                      error);
    return 0;
}

static int check_replay(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool window = given(sa, SPILL_OPTION_SA_REPLAY_WINDOW);

    if (sa->direction == SPILL_OPTION_SA_OUT)
        return window
                   ? refuse(sa, SPILL_OPTION_SA_REPLAY_WINDOW,
                            "expected direction = in with it: who receives looks for replay", error)
                   : 0;
    if (sa->replay_window != 0 && sa->replay_window < REPLAY_WINDOW_LEAST)
        return refuse(sa, SPILL_OPTION_SA_REPLAY_WINDOW, "expected 0, or a number from 32 to 16k",
                      error);
    if (sa->esn && sa->replay_window < REPLAY_WINDOW_ESN)
        return refuse(sa, SPILL_OPTION_SA_REPLAY_WINDOW,
                      "expected a number from 64 to 16k, as esn = yes needs one", error);
    return 0;
}

/* What the outer header gets is for who writes one. */
static int check_outer_header(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool writes = sa->direction == SPILL_OPTION_SA_OUT && sa->mode == SPILL_OPTION_SA_TUNNEL;

    if (given(sa, SPILL_OPTION_SA_DSCP) && !writes)
        return refuse(sa, SPILL_OPTION_SA_DSCP,
                      "expected direction = out and mode = tunnel with it", error);
    if (given(sa, SPILL_OPTION_SA_DF) && !writes)
        return refuse(sa, SPILL_OPTION_SA_DF, "expected direction = out and mode = tunnel with it",
                      error);
    if (given(sa, SPILL_OPTION_SA_DF) && sa->source.family != 4)
        return refuse(sa, SPILL_OPTION_SA_DF,
                      "expected IPv4 as source and destination with it: IPv6 has no such bit",
                      error);
    return 0;
}

static int check_lifetimes(const struct spill_option_sa *sa, struct spill_error *error)
{
    if (sa->lifetime_packets_hard != 0 && sa->lifetime_packets_soft > sa->lifetime_packets_hard)
        return refuse(sa, SPILL_OPTION_SA_LIFETIME_PACKETS_SOFT,
                      "expected at most what lifetime-packets-hard is", error);
    if (sa->lifetime_bytes_hard != 0 && sa->lifetime_bytes_soft > sa->lifetime_bytes_hard)
        return refuse(sa, SPILL_OPTION_SA_LIFETIME_BYTES_SOFT,
                      "expected at most what lifetime-bytes-hard is", error);
    return 0;
}

/* One association is what rules name, the others stand for it: no chains. */
static int check_stands_for(const struct spill_options *options, const struct spill_option_sa *sa,
                            struct spill_error *error)
{
    const struct spill_option_sa *named;

    if (!given(sa, SPILL_OPTION_SA_STANDS_FOR))
        return 0;
    if (sa->direction == SPILL_OPTION_SA_OUT)
        return refuse(
            sa, SPILL_OPTION_SA_STANDS_FOR,
            "expected direction = in with it: who sends takes the one that the rule names", error);
    named = spill_options_find_sa(options, sa->stands_for);
    if (named == NULL || named == sa || named->direction == SPILL_OPTION_SA_OUT ||
        given(named, SPILL_OPTION_SA_STANDS_FOR))
        return refuse(
            sa, SPILL_OPTION_SA_STANDS_FOR,
            "expected another section [sa NAME] with direction = in and without stands-for", error);
    return 0;
}

/* Which end of a wire a port is at, and of which wire. */
static const struct spill_option_wire *wire_of(const struct spill_options *options, uint16_t port)
{
    for (unsigned int i = 0; i < options->wire_count; i++) {
        if (options->wires[i].ports[0] == port || options->wires[i].ports[1] == port)
            return &options->wires[i];
    }
    return NULL;
}

/* Finds the ports by which its ESP comes or goes: one of each wire, as the other end is where the
 * clear packets are. */
static int find_ports(struct spill_options *options, struct spill_option_sa *sa,
                      struct spill_error *error)
{
    sa->ports = 0;
    for (unsigned int i = 0; i < sa->port.count; i++) {
        const struct spill_option_port *port = spill_options_find_port(options, sa->port.names[i]);
        const struct spill_option_wire *wire;
        uint16_t index;

        if (port == NULL)
            return refuse(sa, SPILL_OPTION_SA_PORT, "expected the names of ports that are there",
                          error);
        index = (uint16_t)(port - options->ports);
        wire = wire_of(options, index);
        if (wire != NULL &&
            (sa->ports & (UINT32_C(1) << wire->ports[0] | UINT32_C(1) << wire->ports[1])) != 0)
            return refuse(sa, SPILL_OPTION_SA_PORT,
                          "expected one port of a wire: ESP is at its one end, and what is not "
                          "encrypted at the other",
                          error);
        sa->ports |= UINT32_C(1) << index;
    }
    return 0;
}

/* By SPI, then in the order of the file. */
static int compare(const void *left, const void *right)
{
    const struct spill_option_sa *first = *(const struct spill_option_sa *const *)left;
    const struct spill_option_sa *second = *(const struct spill_option_sa *const *)right;

    if (first->spi != second->spi)
        return first->spi < second->spi ? -1 : 1;
    return first < second ? -1 : first > second;
}

/* Whether a packet with this SPI could belong to both: one that names no address takes any. */
static bool overlap(const struct spill_option_sa *left, const struct spill_option_sa *right)
{
    return left->destination.family == 0 || right->destination.family == 0 ||
           memcmp(&left->destination, &right->destination, sizeof(left->destination)) == 0;
}

static int check_sorted(const struct spill_option_sa **sas, size_t count, struct spill_error *error)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j-- > 0 && sas[j]->spi == sas[i]->spi;) {
            if (overlap(sas[i], sas[j]))
                return spill_error_set(error,
                                       "%s: [sa %s] has it already for that destination or for any "
                                       "(%s): expected another SPI",
                                       sas[i]->where[SPILL_OPTION_SA_SPI], sas[j]->name,
                                       sas[j]->where[SPILL_OPTION_SA_SPI]);
        }
    }
    return 0;
}

/* No two inbound ones may claim the same packet. */
static int check_inbound(const struct spill_options *options, struct spill_error *error)
{
    const struct spill_option_sa **sas;
    size_t count = 0;
    int status;

    if (options->sa_count == 0)
        return 0;
    sas = calloc(options->sa_count, sizeof(*sas));
    if (sas == NULL)
        return spill_error_set(error, "%s: out of memory", options->config);
    for (unsigned int i = 0; i < options->sa_count; i++) {
        if (options->sas[i].direction == SPILL_OPTION_SA_IN)
            sas[count++] = &options->sas[i];
    }
    qsort(sas, count, sizeof(*sas), compare);
    status = check_sorted(sas, count, error);
    free(sas);
    return status;
}

int spill_options_check_sas(struct spill_options *options, struct spill_error *error)
{
    for (unsigned int i = 0; i < options->sa_count; i++) {
        struct spill_option_sa *sa = &options->sas[i];

        if (check_addresses(sa, error) != 0 || check_replay(sa, error) != 0 ||
            check_outer_header(sa, error) != 0 || check_lifetimes(sa, error) != 0 ||
            check_stands_for(options, sa, error) != 0 || find_ports(options, sa, error) != 0)
            return -1;
    }
    return check_inbound(options, error);
}
