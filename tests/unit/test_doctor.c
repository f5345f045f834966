/* SPDX-License-Identifier: BSD-3-Clause */
/* The doctor on made-up machines: a laptop, a server of two nodes with NICs, a virtual machine, a
 * container. */
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "doctor/checks.h"
#include "doctor/doctor.h"

static struct spill_doctor_subject subject;
static struct spill_doctor_lines lines;
static char root[64];

/* The path below the root, with the folders on its way. */
static const char *make_way(const char *path)
{
    static char whole[PATH_MAX];
    char *slash;

    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    for (slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    return whole;
}

static void put(const char *path, const char *content)
{
    FILE *file = fopen(make_way(path), "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void put_cpu(unsigned cpu, const char *name, const char *content)
{
    char path[128];

    snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/%s", cpu, name);
    put(path, content);
}

static void put_link(const char *path, const char *target)
{
    assert_int_equal(symlink(target, make_way(path)), 0);
}

static void put_nic(const char *address, const char *driver, const char *node)
{
    char path[128], target[64];

    snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/numa_node", address);
    put(path, node);
    snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", address);
    snprintf(target, sizeof(target), "../../drivers/%s", driver);
    put_link(path, target);
}

static void add_lcore(const char *name, int cpu, int node)
{
    struct spill_doctor_lcore *lcore = &subject.lcores[subject.lcore_count++];

    snprintf(lcore->name, sizeof(lcore->name), "%s", name);
    lcore->cpu = cpu;
    lcore->node = node;
    lcore->polls = strcmp(name, "control") != 0;
    lcore->receives = strncmp(name, "fast", 4) == 0;
}

static struct spill_doctor_port *add_port(const char *name, const char *pci)
{
    struct spill_doctor_port *port = &subject.ports[subject.port_count++];

    snprintf(port->name, sizeof(port->name), "%s", name);
    snprintf(port->pci, sizeof(port->pci), "%s", pci);
    return port;
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/spillway-doctor-XXXXXX");
    memset(&subject, 0, sizeof(subject));
    memset(&lines, 0, sizeof(lines));
    subject.root = root;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Looks, and expects of a check one line (or its nth) of a verdict, with a text and a command. */
static void expect_nth(const char *check, unsigned nth, enum spill_doctor_verdict verdict,
                       const char *text, const char *command)
{
    spill_doctor_look(&subject, &lines);
    for (unsigned i = 0; i < lines.count; i++) {
        if (strcmp(lines.lines[i].check, check) != 0 || nth-- > 0)
            continue;
        assert_string_equal(lines.lines[i].text, text);
        assert_string_equal(lines.lines[i].command, command);
        assert_int_equal(lines.lines[i].verdict, verdict);
        return;
    }
    fail_msg("no line of %s", check);
}

static void expect(const char *check, enum spill_doctor_verdict verdict, const char *text,
                   const char *command)
{
    expect_nth(check, 0, verdict, text, command);
}

#define OK     SPILL_DOCTOR_OK
#define COSTS  SPILL_DOCTOR_COSTS
#define BROKEN SPILL_DOCTOR_BROKEN

/* ------------------------------------------------------------------------------- a laptop */

/* Two cores of two threads; nothing was prepared; spillway tries things out on a veth. */
static void put_laptop(void)
{
    put("sys/devices/system/cpu/online", "0-3\n");
    put("sys/devices/system/cpu/isolated", "\n");
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        put_cpu(cpu, "topology/thread_siblings_list", cpu % 2 == 0 ? "0,2\n" : "1,3\n");
        put_cpu(cpu, "cpufreq/scaling_governor", "powersave\n");
    }
    put("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme\n");
    put("proc/irq/9/smp_affinity_list", "0-3\n");
    put("proc/irq/9/effective_affinity_list", "1\n");
    put("proc/irq/11/smp_affinity_list", "2\n");
    put("proc/irq/default_smp_affinity", "f\n");
    put("proc/self/limits",
        "Limit Soft Hard Units\nMax locked memory         65536   65536   bytes\n");
    put("proc/self/status", "Name:\tspillway\nCapEff:\t0000000000003000\n");
    put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    add_lcore("control", 0, 0);
    add_lcore("fast0", 1, 0);
    add_lcore("pool0", 3, 0);
}

static void test_laptop_memory(void **state)
{
    (void)state;
    put_laptop();
    expect("hugepages", COSTS, "--no-huge: ordinary pages are slower, and on whatever node",
           "no-huge = off, and the pages that --check then names");
    subject.hugepages = true;
    subject.pages[0] = 300;
    expect("hugepages", BROKEN, "node 0: 300 of 2 MiB are needed, and 0 are free",
           "sysctl -w vm.nr_hugepages=300");
    expect("hugetlbfs", BROKEN, "not mounted: hugepages can't be used",
           "mkdir -p /dev/hugepages && mount -t hugetlbfs hugetlbfs /dev/hugepages");
    put("proc/self/mounts", "proc /proc proc rw 0 0\nhugetlbfs /dev/hugepages hugetlbfs rw 0 0\n");
    expect("hugetlbfs", OK, "mounted at /dev/hugepages", "");
    expect("locked memory", OK, "at most 64 KiB: enough without PCI devices", "");
    add_port("lan", "0000:03:00.0");
    expect("locked memory", BROKEN, "at most 64 KiB: memory for DMA of vfio-pci is locked",
           "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit");
    put("proc/self/status", "CapEff:\t0000000000004000\n");
    expect("locked memory", OK, "no limit", "");
}

static void test_laptop_cpus(void **state)
{
    (void)state;
    put_laptop();
    expect("isolated CPUs", COSTS, "not CPUs 1,3: the kernel may run other work there",
           "kernel command line, then reboot: isolcpus=1,3 nohz_full=1,3");
    expect("nohz_full", COSTS, "not CPUs 1,3: the timer tick interrupts polling",
           "kernel command line, then reboot: isolcpus=1,3 nohz_full=1,3");
    expect("sibling threads", COSTS, "fast0 (CPU 1) and pool0 (CPU 3) are threads of one core",
           "--fast and --pool with CPUs of different cores");
    subject.lcores[2].cpu = 2;
    expect("sibling threads", COSTS,
           "CPU 3, on which other work may run, is a thread of the core of fast0 (CPU 1)",
           "echo 0 > /sys/devices/system/cpu/cpu3/online");
    expect("interrupts", COSTS, "2 come on CPUs of lcores that poll (1-2)",
           "for i in /proc/irq/*/smp_affinity_list; do echo 0,3 > $i; done 2>/dev/null; "
           "systemctl disable --now irqbalance");
    expect("governor", COSTS, "powersave on CPUs 1-2: clocks rise only after a while",
           "cpupower --cpu 1-2 frequency-set --governor performance");
    expect("turbo", COSTS, "off: clocks stay at their base",
           "echo 0 > /sys/devices/system/cpu/intel_pstate/no_turbo");
    expect("virtualisation", OK, "none", "");
}

static int offloads_on(const char *interface)
{
    assert_string_equal(interface, "veth1");
    return 1;
}

static int offloads_off(const char *interface)
{
    (void)interface;
    return 0;
}

static void test_laptop_veth(void **state)
{
    struct spill_doctor_port *port;

    (void)state;
    put_laptop();
    expect("veth offloads", OK, "no port is on a veth", "");
    port = add_port("lan", "");
    snprintf(port->interface, sizeof(port->interface), "veth0");
    port->unfinished = true;
    put("sys/class/net/veth0/ifindex", "7\n");
    put("sys/class/net/veth0/iflink", "8\n");
    /* Another namespace's: numbers repeat there. */
    put("sys/class/net/eth0/ifindex", "8\n");
    put("sys/class/net/eth0/iflink", "8\n");
    subject.offloads = offloads_on;
    expect("veth offloads", COSTS,
           "port lan: the other end can't be seen from here, and may leave packets without "
           "checksums",
           "in its network namespace: ethtool -K IFACE tx off tso off gso off");
    remove_entry(make_way("sys/class/net/eth0/ifindex"), NULL, 0, NULL);
    put("sys/class/net/veth1/ifindex", "8\n");
    put("sys/class/net/veth1/iflink", "7\n");
    expect("veth offloads", BROKEN,
           "port lan: on at veth1: its packets have no checksums, and TCP fails",
           "ethtool -K veth1 tx off tso off gso off");
    subject.offloads = offloads_off;
    expect("veth offloads", OK, "port lan: off at veth1", "");
}

/* ------------------------------------------------------- a server of two nodes, with NICs */

static void put_server(void)
{
    put("sys/devices/system/cpu/online", "0-7\n");
    put("sys/devices/system/cpu/isolated", "1-3,5-7\n");
    put("sys/devices/system/cpu/nohz_full", "1-3\n");
    put("sys/devices/system/cpu/cpufreq/boost", "1\n");
    put("sys/devices/system/node/node0/cpulist", "0-3\n");
    put("sys/devices/system/node/node1/cpulist", "4-7\n");
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        char alone[8];

        snprintf(alone, sizeof(alone), "%u\n", cpu);
        put_cpu(cpu, "topology/thread_siblings_list", alone);
        put_cpu(cpu, "cpufreq/scaling_governor", "performance\n");
    }
    put("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
    put("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "500\n");
    put("sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
    put("sys/devices/system/node/node1/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
    put("sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    put("sys/kernel/iommu_groups/1/type", "DMA\n");
    put("proc/irq/9/smp_affinity_list", "0\n");
    put("proc/cpuinfo", "flags\t\t: fpu vme\n");
    put_nic("0000:41:00.0", "vfio-pci", "0\n");
    put_nic("0000:42:00.0", "ixgbe", "1\n");
    put_nic("0000:43:00.0", "uio_pci_generic", "0\n");
    put_nic("0000:44:00.0", "mlx5_core", "-1\n");
    add_lcore("control", 0, 0);
    add_lcore("fast0", 1, 0);
    add_lcore("fast1", 2, 0);
    add_lcore("pool0", 3, 0);
    subject.hugepages = true;
    subject.pages[0] = 400;
    subject.pages[1] = 600;
}

static void test_server_cpus(void **state)
{
    (void)state;
    put_server();
    expect("isolated CPUs", OK, "CPUs 1-3,5-7", "");
    expect("nohz_full", OK, "CPUs 1-3", "");
    expect("sibling threads", OK, "each lcore that receives has its core for itself", "");
    expect("interrupts", OK, "none comes on CPUs of lcores that poll", "");
    expect("governor", OK, "performance", "");
    expect("turbo", OK, "on: fastest, and figures vary with what other cores do", "");
    put("proc/irq/10/smp_affinity_list", "0-7\n");
    put("proc/irq/10/effective_affinity_list", "\n"); /* it comes nowhere */
    put("proc/irq/11/smp_affinity_list", "0-7\n");
    put("sys/kernel/irq/11/actions", "\n"); /* and this one to nobody */
    expect("interrupts", OK, "none comes on CPUs of lcores that poll", "");
    put_cpu(1, "topology/thread_siblings_list", "0-1\n");
    expect("sibling threads", COSTS, "fast0 (CPU 1) and control (CPU 0) are threads of one core",
           "--fast and --control with CPUs of different cores");
    put("sys/devices/system/cpu/cpufreq/boost", "0\n");
    expect("turbo", COSTS, "off: clocks stay at their base",
           "echo 1 > /sys/devices/system/cpu/cpufreq/boost");
    assert_int_equal(spill_doctor_count(&lines, BROKEN), 2); /* hugepages, hugetlbfs */
}

static void test_server_memory(void **state)
{
    (void)state;
    put_server();
    expect_nth("hugepages", 0, OK, "node 0: 400 of 2 MiB are needed, 500 are free", "");
    expect_nth("hugepages", 1, BROKEN, "node 1: 600 of 2 MiB are needed, and 512 are free",
               "echo 88 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
    /* Pages of a size without a mount can't be had. */
    put("proc/self/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n");
    subject.pages[1] = 300;
    expect_nth("hugepages", 0, OK, "node 0: 400 of 2 MiB are needed, 500 are free", "");
    expect_nth("hugepages", 1, BROKEN,
               "node 1: 300 of 2 MiB are needed, and 0 are free; 512 as pages of a size that no "
               "hugetlbfs has",
               "mkdir -p /dev/hugepages1G && mount -t hugetlbfs -o pagesize=1G hugetlbfs "
               "/dev/hugepages1G");
    put("proc/self/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw 0 0\n"
                            "hugetlbfs /huge hugetlbfs rw,relatime,pagesize=1024M 0 0\n");
    expect_nth("hugepages", 1, OK, "node 1: 300 of 2 MiB are needed, 512 are free", "");
    put("proc/meminfo", "HugePages_Total: 2\nHugepagesize:    1048576 kB\n");
    expect_nth("hugepages", 0, BROKEN,
               "node 0: 400 of 2 MiB are needed, and 0 are free; 500 as pages of a size that no "
               "hugetlbfs has",
               "mkdir -p /dev/hugepages2M && mount -t hugetlbfs -o pagesize=2M hugetlbfs "
               "/dev/hugepages2M");
    /* Nor can those that are added: they get one. */
    put("proc/self/mounts", "hugetlbfs /huge hugetlbfs rw,relatime,pagesize=1024M 0 0\n");
    subject.pages[0] = 700;
    subject.pages[1] = 600;
    expect_nth("hugepages", 0, BROKEN,
               "node 0: 700 of 2 MiB are needed, and 0 are free; 500 as pages of a size that no "
               "hugetlbfs has",
               "echo 712 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages "
               "&& mkdir -p /dev/hugepages2M && mount -t hugetlbfs -o pagesize=2M hugetlbfs "
               "/dev/hugepages2M");
    expect_nth("hugepages", 1, BROKEN, "node 1: 600 of 2 MiB are needed, and 512 are free",
               "echo 88 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages "
               "&& mkdir -p /dev/hugepages2M && mount -t hugetlbfs -o pagesize=2M hugetlbfs "
               "/dev/hugepages2M");
    subject.running = true;
    expect("hugepages", OK, "it has those that it needs", "");
}

static void test_server_nics(void **state)
{
    static const char bind[] = "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:42:00.0";

    (void)state;
    put_server();
    expect("driver", OK, "no port is a PCI device", "");
    add_port("a", "0000:41:00.0");
    add_port("b", "0000:42:00.0");
    add_port("c", "0000:43:00.0");
    add_port("d", "0000:44:00.0");
    add_port("e", "0000:45:00.0");
    expect_nth("driver", 0, OK, "port a: 0000:41:00.0 is bound to vfio-pci", "");
    expect_nth("driver", 1, BROKEN, "port b: 0000:42:00.0 is bound to ixgbe, which DPDK can't use",
               bind);
    expect_nth("driver", 2, COSTS,
               "port c: 0000:43:00.0 is bound to uio_pci_generic: no IOMMU keeps it to its memory",
               "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:43:00.0");
    expect_nth("driver", 3, OK, "port d: 0000:44:00.0 is bound to mlx5_core", "");
    expect_nth("driver", 4, BROKEN, "port e: there is no device 0000:45:00.0",
               "dpdk-devbind.py --status");
    expect_nth("NUMA node", 0, OK, "port a: node 0, as fast0", "");
    expect_nth("NUMA node", 1, COSTS,
               "port b is on node 1, and no lcore that receives is: each packet crosses",
               "--fast with CPUs of 4-7");
    expect("IOMMU", OK, "on", "");
}

static void test_server_without_iommu(void **state)
{
    static const char mend[] = "in the firmware: VT-d or AMD-Vi; kernel command line, then reboot: "
                               "intel_iommu=on iommu=pt";

    (void)state;
    expect("IOMMU", OK, "off, and no port is a PCI device", "");
    add_port("a", "0000:41:00.0");
    expect("IOMMU", BROKEN, "off: vfio-pci takes no device", mend);
    put("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    put("sys/kernel/iommu_groups/0/name", "vfio-noiommu\n");
    expect("IOMMU", COSTS, "off, and vfio goes without: devices may write into any memory", mend);
    put_nic("0000:44:00.0", "mlx5_core", "-1\n");
    snprintf(subject.ports[0].pci, sizeof(subject.ports[0].pci), "0000:44:00.0");
    expect("IOMMU", OK, "off, and no port needs it", "");
}

static double far_from_3(int cpu, int other)
{
    assert_int_equal(cpu, 1);
    return other == 3 ? 260 : other == 2 ? 55 : -1;
}

static void test_server_core_to_core(void **state)
{
    (void)state;
    put_server();
    expect("core to core", OK, "not measured", "");
    subject.core_to_core = far_from_3;
    expect("core to core", COSTS, "from fast0 55 ns to the nearest lcore, 260 ns to pool0 (CPU 3)",
           "--fast and --pool with CPUs of one node that share a cache");
    subject.lcore_count--;
    expect("core to core", OK, "from fast0 55 ns to the nearest lcore, 55 ns to fast1 (CPU 2)", "");
}

/* Twins in the kernel. */
static void test_server_routes(void **state)
{
    (void)state;
    expect("rp_filter", OK, "no port has a twin in this namespace", "");
    put("proc/sys/net/ipv4/neigh/default/gc_thresh3", "1024\n");
    put("proc/sys/net/ipv6/neigh/default/gc_thresh3", "16384\n");
    put("proc/sys/net/ipv4/conf/all/rp_filter", "0\n");
    put("proc/sys/net/ipv4/conf/default/rp_filter", "1\n");
    put("proc/sys/net/ipv4/conf/lan/rp_filter", "2\n");
    put("proc/sys/net/ipv4/conf/lan/forwarding", "1\n");
    put("proc/sys/net/ipv6/conf/lan/forwarding", "1\n");
    put("proc/sys/net/ipv4/conf/default/forwarding", "0\n");
    put("proc/sys/net/ipv6/conf/default/forwarding", "0\n");
    expect("neighbours", OK, "ipv4: the kernel holds 1024 at most", "");
    snprintf(subject.twins[0].name, IF_NAMESIZE, "lan");
    snprintf(subject.twins[1].name, IF_NAMESIZE, "wan"); /* not made yet */
    subject.twin_count = 2;
    expect_nth("twins", 0, OK, "twin lan", "");
    expect_nth("neighbours", 0, COSTS,
               "ipv4: the kernel holds 1024 at most; more hosts than that can't be reached",
               "sysctl -w net.ipv4.neigh.default.gc_thresh1=2048 "
               "net.ipv4.neigh.default.gc_thresh2=4096 net.ipv4.neigh.default.gc_thresh3=8192");
    expect_nth("neighbours", 1, OK, "ipv6: the kernel holds 16384 at most", "");
    expect_nth("rp_filter", 0, OK, "twin lan: 2", "");
    expect_nth("rp_filter", 1, COSTS,
               "twin wan: strict: the kernel drops what comes by another path than its answer goes",
               "echo 2 > /proc/sys/net/ipv4/conf/wan/rp_filter");
    expect_nth("forwarding", 0, COSTS,
               "twin lan, ipv4: on: the kernel forwards what it gets, beside the rules",
               "echo 0 > /proc/sys/net/ipv4/conf/lan/forwarding");
    expect_nth("forwarding", 1, OK, "twin lan, ipv6: on", "");
    expect_nth("forwarding", 2, OK, "twin wan, ipv4: off", "");
    expect_nth("forwarding", 3, COSTS,
               "twin wan, ipv6: off: hosts do not take the kernel's advertisements for a router's",
               "echo 1 > /proc/sys/net/ipv6/conf/wan/forwarding");
    put("proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
    put("proc/sys/net/ipv4/conf/lan/rp_filter", "0\n");
    expect_nth("rp_filter", 0, COSTS,
               "twin lan: strict: the kernel drops what comes by another path than its answer goes",
               "echo 2 > /proc/sys/net/ipv4/conf/lan/rp_filter");
    /* What the kernel has under the name of one that is gone is looked at no more. */
    subject.twins[0].gone = subject.twins[1].gone = true;
    expect_nth(
        "twins", 0, BROKEN,
        "twin lan: deleted, or taken to another network namespace, and somebody made another "
        "of its name; nothing is routed by its port until a restart",
        "ip link delete lan");
    expect_nth("twins", 1, BROKEN,
               "twin wan: deleted, or taken to another network namespace; nothing is routed by its "
               "port until a restart",
               "");
    subject.twins[1].gone = false;
    expect_nth("rp_filter", 0, COSTS,
               "twin wan: strict: the kernel drops what comes by another path than its answer goes",
               "echo 2 > /proc/sys/net/ipv4/conf/wan/rp_filter");
    expect_nth("forwarding", 0, OK, "twin wan, ipv4: off", "");
}

/* ---------------------------------------------------- a virtual machine, and a container */

static void test_virtual_machine(void **state)
{
    (void)state;
    put("proc/cpuinfo", "flags\t\t: fpu vme hypervisor lahf_lm\n");
    put("sys/class/dmi/id/sys_vendor", "QEMU\n");
    put("proc/stat", "cpu  500 0 200 9299 0 0 0 1 0 0\ncpu0 1 2 3\n");
    expect("virtualisation", OK, "a virtual machine (QEMU); its host took 0.01 % of its time", "");
    put("proc/stat", "cpu  500 0 200 8300 0 0 0 1000 0 0\n");
    expect("virtualisation", COSTS, "a virtual machine (QEMU); its host took 10.00 % of its time",
           "on its host, for each CPU of it: virsh vcpupin, and no other machine there");
    expect("governor", OK, "the kernel does not set frequencies", "");
    expect("turbo", OK, "the kernel knows of none", "");
}

/* Next to nothing can be read, and nothing was planned. */
static void test_container(void **state)
{
    (void)state;
    put("run/systemd/container", "podman\n");
    put("sys/devices/system/cpu/smt/control", "on\n");
    expect("virtualisation", OK, "none, in a container (podman)", "");
    expect("hugepages", COSTS, "0 of 2 MiB and 0 of 1 GiB: --no-huge alone works, and is slower",
           "sysctl -w vm.nr_hugepages=1024");
    expect("hugetlbfs", COSTS, "not mounted: hugepages can't be used",
           "mkdir -p /dev/hugepages && mount -t hugetlbfs hugetlbfs /dev/hugepages");
    expect("isolated CPUs", COSTS, "none: the kernel may run other work there", "");
    expect("sibling threads", OK, "SMT is on", "");
    expect("interrupts", OK, "none comes on CPUs of lcores that poll", "");
    assert_int_equal(spill_doctor_count(&lines, BROKEN), 0);
}

/* ------------------------------------------------------------------------- and what prints */

static void test_json(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct spill_json json;

    (void)state;
    lines.check = "turbo";
    spill_doctor_add(&lines, COSTS, "off");
    spill_doctor_mend(&lines, "echo \"1\"");
    spill_doctor_add(&lines, BROKEN, "gone");
    spill_json_begin_line(&json, out);
    spill_doctor_print_json(&lines, &json, NULL);
    spill_json_end(&json);
    fclose(out);
    assert_string_equal(
        text, "[{\"check\": \"turbo\",\"verdict\": \"costs\",\"text\": \"off\",\"command\": "
              "\"echo \\\"1\\\"\"},{\"check\": \"turbo\",\"verdict\": \"broken\",\"text\": "
              "\"gone\"}]\n");
    free(text);
}

/* More CPUs than there is room for: a list ends with a whole number, and is in no command. */
static void test_long_list(void **state)
{
    struct spill_doctor_cpus cpus;
    char text[16];

    (void)state;
    spill_doctor_parse_cpus(&cpus, "1,3,100-101,200,300");
    assert_string_equal(spill_doctor_format_cpus(&cpus, text, sizeof(text)), "1,3,100-101,...");
    spill_doctor_add(&lines, COSTS, "on CPUs %s", text);
    spill_doctor_mend(&lines, "cpupower --cpu %s", text);
    assert_string_equal(lines.lines[0].command, "");
    spill_doctor_mend(&lines, "%0300d", 0);
    assert_string_equal(lines.lines[0].command, "");
}

/* A machine with more to tell than there is room for. */
static void test_too_many(void **state)
{
    (void)state;
    lines.check = "driver";
    for (unsigned i = 0; i < SPILL_DOCTOR_LINES_MAX + 3; i++) {
        spill_doctor_add(&lines, OK, "port %u", i);
        spill_doctor_mend(&lines, "command %u", i);
    }
    assert_int_equal(lines.count, SPILL_DOCTOR_LINES_MAX);
    assert_int_equal(lines.lost, 3);
    assert_string_equal(lines.lines[SPILL_DOCTOR_LINES_MAX - 1].command, "command 159");
}

/* This machine: the way takes some time, whatever runs beside. */
static void test_measure(void **state)
{
    struct spill_doctor_cpus cpus;
    char list[SPILL_DOCTOR_FILE_MAX];
    int first = -1, second = -1;

    (void)state;
    subject.root = "";
    if (!spill_doctor_read(&subject, list, sizeof(list), "sys/devices/system/cpu/online"))
        skip();
    spill_doctor_parse_cpus(&cpus, list);
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        if (cpus.has[cpu])
            *(first < 0 ? &first : &second) = cpu;
    }
    subject.root = root;
    if (second < 0)
        skip();
    assert_true(spill_doctor_core_to_core(first, second) != 0);
    assert_true(spill_doctor_core_to_core(first, 1 << 20) < 0);
    assert_true(spill_doctor_offloads("no-such-if") < 0);
}

#define ON_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TREE(test_laptop_memory),
        ON_TREE(test_laptop_cpus),
        ON_TREE(test_laptop_veth),
        ON_TREE(test_server_cpus),
        ON_TREE(test_server_memory),
        ON_TREE(test_server_nics),
        ON_TREE(test_server_without_iommu),
        ON_TREE(test_server_core_to_core),
        ON_TREE(test_server_routes),
        ON_TREE(test_virtual_machine),
        ON_TREE(test_container),
        ON_TREE(test_json),
        ON_TREE(test_long_list),
        ON_TREE(test_too_many),
        ON_TREE(test_measure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
