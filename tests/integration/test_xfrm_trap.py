# SPDX-License-Identifier: BSD-3-Clause
"""Policies without an association yet, by `ip xfrm`: daemons are asked, and packets wait."""
import harness
import ike
from harness import CPUS, Net, Spillway, main, need_program, until
from ike import GCM


class Trap(harness.TestCase):
    """Whoever sends to all that a trap selects has daemons asked once, and takes a few places."""

    def wire(self, path):
        return self.file("conf", f"""
[spillway]
idle = sleep
default = allow
fast = {CPUS[0]}
[port lan]
device = net_af_packet0,iface=lan
[port wan]
device = net_af_packet1,iface=wan
[wire w]
ports = lan, wan
[ike]
xfrm = {path}
""")

    def test_open_ends(self):
        """Transport mode with many hosts: each packet goes by the association of its own ends, and of no other."""
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            with Spillway("--config", self.wire(path), namespace=net.middle) as program:
                program.ready()
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "the neighbour is known")
                net.run(net.left, "ip", "route", "add", "10.9.1.0/24", "via", "10.9.0.2")
                ip("policy add src 10.9.0.1/32 dst 10.9.1.0/24 dir out tmpl proto esp reqid 3 mode transport")

                def send(*hosts):
                    net.run(net.left, "/usr/bin/python3", "-c",
                            "import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            f"for i in {hosts}: s.sendto(b'x', (f'10.9.1.{{i}}', 9))\n")

                def add(host, spi):
                    ip(f"state add src 10.9.0.1 dst 10.9.1.{host} proto esp spi {spi:#x} reqid 3 mode transport "
                       f"{GCM.format(spi)}")

                def went(host, spi, count):
                    shown = lambda: ip(f"state get src 10.9.0.1 dst 10.9.1.{host} proto esp spi {spi:#x}",  # noqa: E731
                                       counters=True)
                    until(lambda: f"{count}(packets)" in shown().replace(" ", ""), 20, (host, spi, count))
                send(22, 23, 24)
                until(lambda: program.telemetry("/spillway/metrics,acquire")["asked"] >= 3, 20, "they wait")
                add(22, 0x7100)
                went(22, 0x7100, 1)
                add(23, 0x7101)
                went(23, 0x7101, 1)
                send(22, 22, 23, 24)
                went(22, 0x7100, 3)
                went(23, 0x7101, 2)
                add(22, 0x7200)
                send(22)
                went(22, 0x7200, 1)
                ip("state delete src 10.9.0.1 dst 10.9.1.23 proto esp spi 0x7101")
                send(23, 22)
                went(22, 0x7200, 2)
                report = self.check(program.stop())
            self.assertEqual(report.drops["acquire_expired"], 3)  # two for 24, one for 23

    def test_reload_of_sets(self):
        """What a version has in common with the one before it is what has not changed: no set that has."""
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.wire(path)
            rules = self.file("rules", "set good = 10.9.0.0/24\nallow icmp from @good to any\n")
            config.write_text(config.read_text().replace("default = allow", f"default = deny\nrules = {rules}"))
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                ip("policy add src 10.7.0.1/32 dst 10.7.0.2/32 dir out action block")
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "it passes")
                for prefix, passes in (("10.8.0.0/24", 0), ("10.9.0.0/24", 1)):
                    rules.write_text(f"set good = {prefix}\nallow icmp from @good to any\n")
                    harness.run(harness.BUILD / "ctl" / "spillwayctl", "--name", program.name, "reload")
                    until(lambda: net.ping(net.left, "10.9.0.2", "-W", "1", count=1) == passes, 20, prefix)
                self.check(program.stop())

    def test_scan(self):
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.wire(path)
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                heard, other = self.folder / "heard", self.folder / "other"

                def listen(path):
                    with open(path, "w") as file:
                        monitor = ip.monitor(file)
                    self.addCleanup(monitor.wait)
                    self.addCleanup(monitor.kill)
                    return monitor
                monitors = [listen(heard), listen(other)]
                trap = ("src 10.9.0.1/32 dst 10.9.1.0/24 dir out priority 1 "
                        "tmpl src 10.9.0.1 dst 10.9.0.2 proto esp reqid 7 mode tunnel")

                def hears():
                    ip("policy update " + trap)
                    return all("reqid 7" in path.read_text() for path in (heard, other))
                until(hears, 20, "the monitors listen")
                net.run(net.left, "ip", "route", "add", "10.9.1.0/24", "via", "10.9.0.2")
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "the neighbour is known: all can be sent")
                net.run(net.left, "/usr/bin/python3", "-c",
                        "import socket\n"
                        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                        "for i in range(200): s.sendto(b'x', (f'10.9.1.{i + 1}', 9))\n")
                until(lambda: "acquire" in heard.read_text(), 20, "the daemon is asked")
                self.assertEqual(net.ping(net.left, "10.9.0.2", count=2), 2)
                text = heard.read_text()
                # Until it is there, or for 30 seconds, it is among the states, as the kernel has it.
                shown = ip("state list")
                self.assertIn("proto esp spi 0x00000000 reqid 7 mode tunnel", shown)
                self.assertIn("sel src 10.9.0.1/32 dst 10.9.1.1/32 proto udp", shown)
                self.assertIn("SAD count 1", ip("state count"))
                # Who was asked is gone: who is left is asked again, and who comes.
                monitors[0].kill()
                until(lambda: other.read_text().count("acquire") == 2, 20, "the other one is asked")
                monitors[1].kill()
                monitors[1].wait()
                listen(heard)
                until(lambda: "acquire" in heard.read_text(), 20, "another daemon is asked")
                ip("policy delete src 10.9.0.1/32 dst 10.9.1.0/24 dir out")
                report = self.check(program.stop())
            self.assertEqual(text.count("acquire"), 1, text)
            self.assertIn("sel src 10.9.0.1/32 dst 10.9.1.1/32 proto udp", text)
            self.assertEqual(report.drops["acquire_full"], 200 - 8)
            self.assertEqual(report["acquire"]["waited"], 8)


if __name__ == "__main__":
    main()
