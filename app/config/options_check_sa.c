/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the keys of each security association fit together, and the associations beside each
 * other. */
#include <stdlib.h>
#include <string.h>

#include "config/options_check.h"

#define REPLAY_WINDOW_LEAST 32 /* RFC 4303, 3.4.3: the smallest that must be supported */
#define REPLAY_WINDOW_ESN   64 /* rte_ipsec tells high halves of numbers by no smaller one */

/* Says that a key, which was given, does not fit. */
static int refuse(const struct spill_option_sa *sa, const char *key, const char *expected,
                  struct spill_error *error)
{
    return spill_error_set(error, "%s: %s", spill_option_sa_where(sa, key), expected);
}

static bool given(const struct spill_option_sa *sa, const char *key)
{
    return spill_option_sa_where(sa, key) != NULL;
}

static int check_addresses(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool source = given(sa, "source");
    bool destination = given(sa, "destination");

    if (sa->config.mode == SPILL_SA_TUNNEL && !(source && destination))
        return refuse(sa, "mode", "expected source and destination with it, the tunnel's ends",
                      error);
    if (source && !destination)
        return refuse(sa, "source", "expected destination with it", error);
    if (destination && !source)
        return refuse(sa, "destination", "expected source with it", error);
    if (sa->config.source.family != sa->config.destination.family)
        return refuse(sa, "destination",
                      "expected IPv4 or IPv6 as source has it: the two are ends of one header",
                      error);
    return 0;
}

static int check_replay(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool window = given(sa, "replay-window");

    if (sa->config.direction == SPILL_SA_OUT)
        return window
                   ? refuse(sa, "replay-window",
                            "expected direction = in with it: who receives looks for replay", error)
                   : 0;
    if (sa->config.replay_window != 0 && sa->config.replay_window < REPLAY_WINDOW_LEAST)
        return refuse(sa, "replay-window", "expected 0, or a number from 32 to 16k", error);
    if (sa->config.esn && sa->config.replay_window < REPLAY_WINDOW_ESN)
        return refuse(sa, "replay-window",
                      "expected a number from 64 to 16k, as esn = yes needs one", error);
    return 0;
}

/* What the outer header gets is for who writes one. */
static int check_outer_header(const struct spill_option_sa *sa, struct spill_error *error)
{
    bool writes = sa->config.direction == SPILL_SA_OUT && sa->config.mode == SPILL_SA_TUNNEL;

    if (given(sa, "dscp") && !writes)
        return refuse(sa, "dscp", "expected direction = out and mode = tunnel with it", error);
    if (given(sa, "df") && !writes)
        return refuse(sa, "df", "expected direction = out and mode = tunnel with it", error);
    if (given(sa, "df") && sa->config.source.family != 4)
        return refuse(sa, "df",
                      "expected IPv4 as source and destination with it: IPv6 has no such bit",
                      error);
    return 0;
}

static int check_lifetimes(const struct spill_option_sa *sa, struct spill_error *error)
{
    if (sa->config.packets_hard != 0 && sa->config.packets_soft > sa->config.packets_hard)
        return refuse(sa, "lifetime-packets-soft", "expected at most what lifetime-packets-hard is",
                      error);
    if (sa->config.bytes_hard != 0 && sa->config.bytes_soft > sa->config.bytes_hard)
        return refuse(sa, "lifetime-bytes-soft", "expected at most what lifetime-bytes-hard is",
                      error);
    return 0;
}

/* One association is what rules name, the others stand for it: no chains. */
static int check_stands_for(const struct spill_options *options, const struct spill_option_sa *sa,
                            struct spill_error *error)
{
    const struct spill_option_sa *named;

    if (!given(sa, "stands-for"))
        return 0;
    if (sa->config.direction == SPILL_SA_OUT)
        return refuse(
            sa, "stands-for",
            "expected direction = in with it: who sends takes the one that the rule names", error);
    named = spill_options_find_sa(options, sa->config.stands_for);
    if (named == NULL || named == sa || named->config.direction == SPILL_SA_OUT ||
        given(named, "stands-for"))
        return refuse(
            sa, "stands-for",
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

/* Finds ports by which ESP comes or goes: one of each wire, as the other end is where the clear
 * packets are. */
static int find_ports(struct spill_options *options, const struct spill_option_port_names *names,
                      const char *where, uint64_t *ports, struct spill_error *error)
{
    *ports = 0;
    for (unsigned int i = 0; i < names->count; i++) {
        const struct spill_option_port *port = spill_options_find_port(options, names->names[i]);
        const struct spill_option_wire *wire;
        uint16_t index;

        if (port == NULL)
            return spill_error_set(error, "%s: expected the names of ports that are there", where);
        index = (uint16_t)(port - options->ports);
        wire = wire_of(options, index);
        if (wire != NULL &&
            (*ports & (UINT64_C(1) << wire->ports[0] | UINT64_C(1) << wire->ports[1])) != 0)
            return spill_error_set(error,
                                   "%s: expected one port of a wire: ESP is at its one end, and "
                                   "what is not encrypted at the other",
                                   where);
        *ports |= UINT64_C(1) << index;
    }
    return 0;
}

/* By SPI, then in the order of the file. */
static int compare(const void *left, const void *right)
{
    const struct spill_option_sa *first = *(const struct spill_option_sa *const *)left;
    const struct spill_option_sa *second = *(const struct spill_option_sa *const *)right;

    if (first->config.spi != second->config.spi)
        return first->config.spi < second->config.spi ? -1 : 1;
    return first < second ? -1 : first > second;
}

/* Whether a packet with this SPI could belong to both: one that names no address takes any. */
static bool overlap(const struct spill_option_sa *left, const struct spill_option_sa *right)
{
    return left->config.destination.family == 0 || right->config.destination.family == 0 ||
           memcmp(&left->config.destination, &right->config.destination,
                  sizeof(left->config.destination)) == 0;
}

static int check_sorted(const struct spill_option_sa **sas, size_t count, struct spill_error *error)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j-- > 0 && sas[j]->config.spi == sas[i]->config.spi;) {
            if (overlap(sas[i], sas[j]))
                return spill_error_set(error,
                                       "%s: [sa %s] has it already for that destination or for any "
                                       "(%s): expected another SPI",
                                       spill_option_sa_where(sas[i], "spi"), sas[j]->config.name,
                                       spill_option_sa_where(sas[j], "spi"));
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
        if (options->sas[i].config.direction == SPILL_SA_IN)
            sas[count++] = &options->sas[i];
    }
    qsort(sas, count, sizeof(*sas), compare);
    status = check_sorted(sas, count, error);
    free(sas);
    return status;
}

int spill_options_check_sas(struct spill_options *options, struct spill_error *error)
{
    if (find_ports(options, &options->ike.port, spill_option_where(&options->ike.where, "port"),
                   &options->ike.ports, error) != 0)
        return -1;
    for (unsigned int i = 0; i < options->sa_count; i++) {
        struct spill_option_sa *sa = &options->sas[i];

        if (check_addresses(sa, error) != 0 || check_replay(sa, error) != 0 ||
            check_outer_header(sa, error) != 0 || check_lifetimes(sa, error) != 0 ||
            check_stands_for(options, sa, error) != 0 ||
            find_ports(options, &sa->port, spill_option_sa_where(sa, "port"), &sa->config.ports,
                       error) != 0)
            return -1;
    }
    return check_inbound(options, error);
}
