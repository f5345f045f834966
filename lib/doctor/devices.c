/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of ports' devices: the driver that they are bound to, the IOMMU, their node, veths. */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "doctor/checks.h"

#define DEVICE "sys/bus/pci/devices/%s"
#define GROUPS "sys/kernel/iommu_groups"

/* The last part of what a link of a device leads to. Returns false: it has none. */
static bool link_name(const struct spill_doctor_subject *subject, const char *device,
                      const char *link, char *name, size_t size)
{
    char path[PATH_MAX], target[PATH_MAX];
    const char *slash;
    ssize_t length;

    length = readlink(spill_doctor_path(subject, path, sizeof(path), DEVICE "/%s", device, link),
                      target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    slash = strrchr(target, '/');
    snprintf(name, size, "%.*s", (int)size - 1, slash != NULL ? slash + 1 : target);
    return true;
}

/* Drivers of the kernel beside which DPDK works. */
static bool is_shared(const char *driver)
{
    static const char *const shared[] = {"mlx4_core", "mlx5_core", "mana"};

    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        if (strcmp(driver, shared[i]) == 0)
            return true;
    }
    return false;
}

static void check_driver(const struct spill_doctor_subject *subject,
                         struct spill_doctor_lines *lines, const struct spill_doctor_port *port)
{
    char path[PATH_MAX], driver[64];

    if (access(spill_doctor_path(subject, path, sizeof(path), DEVICE, port->pci), F_OK) != 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_BROKEN, "port %s: there is no device %s", port->name,
                         port->pci);
        spill_doctor_mend(lines, "dpdk-devbind.py --status");
        return;
    }
    if (!link_name(subject, port->pci, "driver", driver, sizeof(driver)))
        snprintf(driver, sizeof(driver), "no driver");
    if (strcmp(driver, "vfio-pci") == 0 || is_shared(driver)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "port %s: %s is bound to %s", port->name,
                         port->pci, driver);
        return;
    }
    if (strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0)
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                         "port %s: %s is bound to %s: no IOMMU keeps it to its memory", port->name,
                         port->pci, driver);
    else
        spill_doctor_add(lines, SPILL_DOCTOR_BROKEN,
                         "port %s: %s is bound to %s, which DPDK can't use", port->name, port->pci,
                         driver);
    spill_doctor_mend(lines, "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci %s", port->pci);
}

static bool has_pci(const struct spill_doctor_subject *subject)
{
    for (unsigned i = 0; i < subject->port_count; i++) {
        if (subject->ports[i].pci[0] != '\0')
            return true;
    }
    return false;
}

void spill_doctor_driver(const struct spill_doctor_subject *subject,
                         struct spill_doctor_lines *lines)
{
    for (unsigned i = 0; i < subject->port_count; i++) {
        if (subject->ports[i].pci[0] != '\0')
            check_driver(subject, lines, &subject->ports[i]);
    }
    if (!has_pci(subject))
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port is a PCI device");
}

/* ---------------------------------------------------------------------------------- IOMMU */

/* Whether there is a group that vfio did not make up, as it does for devices without an IOMMU. */
static bool has_iommu(const struct spill_doctor_subject *subject)
{
    char path[PATH_MAX], name[64];
    DIR *folder = opendir(spill_doctor_path(subject, path, sizeof(path), GROUPS));
    struct dirent *entry;
    bool found = false;

    while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
        found = entry->d_name[0] != '.' && (!spill_doctor_read(subject, name, sizeof(name),
                                                               GROUPS "/%s/name", entry->d_name) ||
                                            strcmp(name, "vfio-noiommu") != 0);
    if (folder != NULL)
        closedir(folder);
    return found;
}

/* Beside some drivers of the kernel DPDK needs no vfio-pci, and so no IOMMU. */
static bool wants_vfio(const struct spill_doctor_subject *subject)
{
    char driver[64];

    for (unsigned i = 0; i < subject->port_count; i++) {
        const char *pci = subject->ports[i].pci;

        if (pci[0] != '\0' &&
            (!link_name(subject, pci, "driver", driver, sizeof(driver)) || !is_shared(driver)))
            return true;
    }
    return false;
}

void spill_doctor_iommu(const struct spill_doctor_subject *subject,
                        struct spill_doctor_lines *lines)
{
    char text[8] = "N";

    if (has_iommu(subject)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "on");
        return;
    }
    if (!wants_vfio(subject)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK,
                         has_pci(subject) ? "off, and no port needs it"
                                          : "off, and no port is a PCI device");
        return;
    }
    spill_doctor_read(subject, text, sizeof(text),
                      "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    if (text[0] == 'Y' || text[0] == '1')
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                         "off, and vfio goes without: devices may write into any memory");
    else
        spill_doctor_add(lines, SPILL_DOCTOR_BROKEN, "off: vfio-pci takes no device");
    spill_doctor_mend(lines, "in the firmware: VT-d or AMD-Vi; kernel command line, then reboot: "
                             "intel_iommu=on iommu=pt");
}

/* ------------------------------------------------------------------------------ NUMA node */

static void check_node(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines,
                       const struct spill_doctor_port *port)
{
    const int node = (int)spill_doctor_read_number(subject, DEVICE "/numa_node", port->pci);
    char cpus[100];

    for (unsigned i = 0; i < subject->lcore_count; i++) {
        if (subject->lcores[i].receives && (node < 0 || subject->lcores[i].node == node)) {
            spill_doctor_add(lines, SPILL_DOCTOR_OK, "port %s: node %d, as %s", port->name,
                             node < 0 ? 0 : node, subject->lcores[i].name);
            return;
        }
    }
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                     "port %s is on node %d, and no lcore that receives is: each packet crosses",
                     port->name, node);
    if (spill_doctor_read(subject, cpus, sizeof(cpus), "sys/devices/system/node/node%d/cpulist",
                          node))
        spill_doctor_mend(lines, "--fast with CPUs of %s", cpus);
}

void spill_doctor_node(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines)
{
    for (unsigned i = 0; i < subject->port_count; i++) {
        if (subject->ports[i].pci[0] != '\0')
            check_node(subject, lines, &subject->ports[i]);
    }
    if (!has_pci(subject))
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port is on one");
}

/* ------------------------------------------------------------------------------------ veth */

/* The interface at the other end, where it is in the same network namespace. */
static bool find_peer(const struct spill_doctor_subject *subject, const char *interface, char *peer,
                      size_t size)
{
    const long long index = spill_doctor_read_number(subject, "sys/class/net/%s/iflink", interface);
    char path[PATH_MAX];
    DIR *folder = opendir(spill_doctor_path(subject, path, sizeof(path), "sys/class/net"));
    struct dirent *entry;
    bool found = false;

    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        found =
            entry->d_name[0] != '.' && strcmp(entry->d_name, interface) != 0 && index > 0 &&
            spill_doctor_read_number(subject, "sys/class/net/%s/ifindex", entry->d_name) == index &&
            spill_doctor_read_number(subject, "sys/class/net/%s/iflink", entry->d_name) ==
                spill_doctor_read_number(subject, "sys/class/net/%s/ifindex", interface);
        if (found)
            snprintf(peer, size, "%.*s", (int)size - 1, entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}

static void check_veth(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines,
                       const struct spill_doctor_port *port)
{
    char peer[IF_NAMESIZE] = "";
    int on = -1;

    if (find_peer(subject, port->interface, peer, sizeof(peer)) && subject->offloads != NULL)
        on = subject->offloads(peer);
    if (on == 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "port %s: off at %s", port->name, peer);
        return;
    }
    spill_doctor_add(lines, on > 0 ? SPILL_DOCTOR_BROKEN : SPILL_DOCTOR_COSTS,
                     on > 0 ? "port %s: on at %s%s: its packets have no checksums, and TCP fails"
                            : "port %s: the other end%s%s can't be seen from here, and may leave "
                              "packets without checksums",
                     port->name, peer[0] != '\0' && on < 0 ? " " : "", peer);
    spill_doctor_mend(lines, "%sethtool -K %s tx off tso off gso off",
                      peer[0] == '\0' ? "in its network namespace: " : "",
                      peer[0] == '\0' ? "IFACE" : peer);
}

void spill_doctor_veth(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines)
{
    const unsigned before = lines->count;

    for (unsigned i = 0; i < subject->port_count; i++) {
        if (subject->ports[i].unfinished)
            check_veth(subject, lines, &subject->ports[i]);
    }
    if (lines->count == before)
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no port is on a veth");
}
