/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of the kernel's network beside routed ports: its neighbours, and what it does at twins. */
#include <limits.h>

#include "doctor/checks.h"

#define NET "proc/sys/net/"
/* Neighbours that a kernel should hold: the networks of routed ports may have so many. */
#define NEIGHBORS 8192

void spill_doctor_neighbors(const struct spill_doctor_subject *subject,
                            struct spill_doctor_lines *lines)
{
    static const char *const families[] = {"ipv4", "ipv6"};

    for (unsigned i = 0; i < 2; i++) {
        const long long most =
            spill_doctor_read_number(subject, NET "%s/neigh/default/gc_thresh3", families[i]);
        const bool few = subject->twin_count > 0 && most < NEIGHBORS;

        if (most < 0)
            continue;
        spill_doctor_add(lines, few ? SPILL_DOCTOR_COSTS : SPILL_DOCTOR_OK,
                         "%s: the kernel holds %lld at most%s", families[i], most,
                         few ? "; more hosts than that can't be reached" : "");
        if (few)
            spill_doctor_mend(lines,
                              "sysctl -w net.%s.neigh.default.gc_thresh1=%d "
                              "net.%s.neigh.default.gc_thresh2=%d "
                              "net.%s.neigh.default.gc_thresh3=%d",
                              families[i], NEIGHBORS / 4, families[i], NEIGHBORS / 2, families[i],
                              NEIGHBORS);
    }
}

static long long setting(const struct spill_doctor_subject *subject, const char *family,
                         const char *interface, const char *key)
{
    return spill_doctor_read_number(subject, NET "%s/conf/%s/%s", family, interface, key);
}

/* A twin that is not there yet will have what the kernel gives a new interface. */
static long long of_twin(const struct spill_doctor_subject *subject, const char *family,
                         const char *twin, const char *key)
{
    const long long value = setting(subject, family, twin, key);

    return value >= 0 ? value : setting(subject, family, "default", key);
}

void spill_doctor_twins(const struct spill_doctor_subject *subject,
                        struct spill_doctor_lines *lines)
{
    for (unsigned i = 0; i < subject->twin_count; i++) {
        const struct spill_doctor_twin *twin = &subject->twins[i];
        const bool taken = setting(subject, "ipv4", twin->name, "forwarding") >= 0;

        if (!twin->gone) {
            spill_doctor_add(lines, SPILL_DOCTOR_OK, "twin %s", twin->name);
            continue;
        }
        spill_doctor_add(lines, SPILL_DOCTOR_BROKEN,
                         "twin %s: deleted, or taken to another network namespace%s; nothing is "
                         "routed by its port until a restart",
                         twin->name, taken ? ", and somebody made another of its name" : "");
        if (taken)
            spill_doctor_mend(lines, "ip link delete %s", twin->name);
    }
    if (subject->twin_count == 0)
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port has a twin in this namespace");
}

void spill_doctor_rp_filter(const struct spill_doctor_subject *subject,
                            struct spill_doctor_lines *lines)
{
    const long long all = setting(subject, "ipv4", "all", "rp_filter");

    for (unsigned i = 0; i < subject->twin_count; i++) {
        const char *twin = subject->twins[i].name;
        long long value = of_twin(subject, "ipv4", twin, "rp_filter");

        if (subject->twins[i].gone)
            continue;
        value = value > all ? value : all; /* the larger is in force */
        if (value != 1) {
            spill_doctor_add(lines, SPILL_DOCTOR_OK, "twin %s: %lld", twin, value);
            continue;
        }
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                         "twin %s: strict: the kernel drops what comes by another path than its "
                         "answer goes",
                         twin);
        spill_doctor_mend(lines, "echo 2 > /" NET "ipv4/conf/%s/rp_filter", twin);
    }
    if (subject->twin_count == 0)
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port has a twin in this namespace");
}

/*
 * Of IPv4 it is better off: what spillway hands to the host would be forwarded beside the rules. Of
 * IPv6 on: only then the kernel says in its neighbour advertisements that it is a router (RFC 4861
 * 4.4), and hosts give up a default router that does not.
 */
static void check_forwarding(const struct spill_doctor_subject *subject,
                             struct spill_doctor_lines *lines, const char *twin, bool ipv6)
{
    const char *family = ipv6 ? "ipv6" : "ipv4";
    const bool on = of_twin(subject, family, twin, "forwarding") > 0;

    if (on == ipv6) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "twin %s, %s: %s", twin, family,
                         on ? "on" : "off");
        return;
    }
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS, "twin %s, %s: %s", twin, family,
                     on ? "on: the kernel forwards what it gets, beside the rules"
                        : "off: hosts do not take the kernel's advertisements for a router's");
    spill_doctor_mend(lines, "echo %d > /" NET "%s/conf/%s/forwarding", ipv6, family, twin);
}

void spill_doctor_forwarding(const struct spill_doctor_subject *subject,
                             struct spill_doctor_lines *lines)
{
    for (unsigned i = 0; i < subject->twin_count; i++) {
        if (subject->twins[i].gone)
            continue;
        check_forwarding(subject, lines, subject->twins[i].name, false);
        check_forwarding(subject, lines, subject->twins[i].name, true);
    }
    if (subject->twin_count == 0)
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port has a twin in this namespace");
}
