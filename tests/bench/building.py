# SPDX-License-Identifier: BSD-3-Clause
"""Release builds of this tree, of another commit of it, and of DPDK's examples."""

import contextlib
import subprocess
import sys

PROGRAMS = ["channel", "flows", "pool", "beside", "protect", "esp", "machine"]
EXAMPLES = ["l3fwd", "ipsec-secgw"]


def run(*command, log=None, **how):
    """A command that must succeed; what it prints goes to stderr, or to a file."""
    with open(log or "/dev/stderr", "a", encoding="utf-8") as out:
        subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=out,
                       stderr=out, **how)


def tree(root, build, targets):
    """A release build of a tree."""
    if not (build / "build.ninja").exists():
        run("meson", "setup", build, root, "--buildtype=release", "-Db_ndebug=true")
    run("ninja", "-C", build, "--quiet", *targets)


def packages(options, names):
    """Debian's; what can't be installed is missed by who needs it."""
    with contextlib.suppress(subprocess.CalledProcessError):
        run(options.root / "tools/setup", *names)


def ours(options):
    tree(options.root, options.build, ["app/spillway", "tools/load/spillway-load",
                                       "tests/bench/libcount_mbufs.so",
                                       *(f"tests/bench/bench_{name}" for name in PROGRAMS)])


def other(options, revision):
    """Another commit's program and the commit's short name. Its sources and build stay in the build folder."""
    done = subprocess.run(
        ["git", "-C", options.root, "rev-parse", "--verify", "--short", f"{revision}^{{commit}}"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"tools/bench: --against '{revision}': no commit of this tree", file=sys.stderr)
        sys.exit(2)
    name = done.stdout.strip()
    sources = options.build / "against" / name
    if not sources.exists():
        sources.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", options.root, "archive", name], capture_output=True,
                                 check=True).stdout
        subprocess.run(["tar", "-x", "-C", sources], input=archive, check=True)
    tree(sources, sources / "build", ["app/spillway"])
    return name, sources / "build" / "app" / "spillway"


def example(options, name):
    """Folder of a DPDK example, built from what Debian has among the documents; None if it can't be.

    The only change: it does not insist on checksum offload, which the capture source hasn't.
    """
    folder, log = options.build / "dpdk", options.build / "dpdk" / "log"
    source = folder / "usr/share/dpdk/examples" / name
    if (source / "build" / f"{name}-shared").exists():
        return source
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not source.exists():
            version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libdpdk-dev"],
                                     capture_output=True, text=True, check=True).stdout
            run("apt-get", "-q", "download", f"dpdk-doc={version}", log=log, cwd=folder)
            for package in folder.glob("dpdk-doc_*.deb"):
                run("dpkg", "-x", package, folder, log=log)
        for file in source.glob("*.c"):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(".offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,", ".offloads = 0,"),
                            encoding="utf-8")
        run("make", "-C", source, "shared", log=log)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{name}: can't be built ({error}; see {log}): left out", flush=True)
        return None
    return source


def chroot(options, suite, packages):
    """Another Debian with some packages, made if it isn't there."""
    if not options.chroot.exists():
        run(options.root / "tests/bench/chroot", suite, options.chroot, *packages)
