# SPDX-License-Identifier: BSD-3-Clause
"""FRR, BIRD and keepalived on twins: what they learn is what packets go by, and who dies is gone around."""
import itertools
import re
import sys
import time
import unittest

from daemons import FRR, Lab
from harness import main, need_program, run, until

SERVED = "10.77.0.1"  # what is behind the peers
MANY = 100000
_number = itertools.count()

OSPF = """hostname {name}
{interfaces}
router ospf
 ospf router-id {id}
 timers throttle spf 0 50 200
 timers throttle lsa all 0
"""
OSPF_INTERFACE = """interface {name}
 ip ospf area 0
 ip ospf network point-to-point
 ip ospf dead-interval minimal hello-multiplier 4
"""
BGP = """hostname router
router bgp 65001
 bgp router-id 1.1.1.1
 no bgp ebgp-requires-policy
 timers bgp 1 3
 neighbor 10.2.0.2 remote-as 65002
 neighbor 10.2.0.2 timers connect 1
 neighbor 10.3.0.2 remote-as 65003
 neighbor 10.3.0.2 timers connect 1
 address-family ipv4 unicast
  neighbor 10.2.0.2 weight 100
"""
BGP_PEER = """hostname right
router bgp 65002
 bgp router-id 2.2.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 1 3
 neighbor 10.2.0.1 remote-as 65001
 neighbor 10.2.0.1 timers connect 1
 address-family ipv4 unicast
  network 10.77.0.0/24
"""
BIRD_PEER = """router id 3.3.3.{number};
protocol device {{ }}
protocol static {{ ipv4; {routes} }}
protocol bgp {{
  local 10.{number}.0.2 as 6500{number};
  neighbor 10.{number}.0.1 as 65001;
  hold time 3; connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 {{ import none; export all; next hop self; }};
}}
"""
BIRD = """router id 1.1.1.1;
protocol device { scan time 1; }
protocol direct { ipv4; }
protocol kernel {
  scan time 1;
  merge paths yes;
  ipv4 { import none; export where source = RTS_BGP; };
}
template bgp peer {
  local as 65001;
  hold time 3; connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export none; };
}
protocol bgp two from peer { neighbor 10.2.0.2 as 65002; }
protocol bgp three from peer { neighbor 10.3.0.2 as 65003; }
"""
# What anybody on a link can do: ask for addresses without end, and send to all that there may be.
FLOOD = """
import itertools, socket, sys
from scapy.all import ARP, Ether, ICMPv6NDOptSrcLLAddr, ICMPv6ND_NS, IP, IPv6, UDP
port, own, router = sys.argv[1:]
asks = [bytes(Ether(src=own, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=own, psrc="10.1.0.2", pdst="10.1.0.1")),
        bytes(Ether(src=own, dst="33:33:ff:00:00:01") / IPv6(src="fd01::2", dst="ff02::1:ff00:1", hlim=255)
              / ICMPv6ND_NS(tgt="fd01::1") / ICMPv6NDOptSrcLLAddr(lladdr=own))]
scan = [bytes(Ether(src=own, dst=router) / IP(src="10.1.0.2", dst=f"10.3.{i % 255}.{3 + i // 255}") / UDP(dport=9) / b"scan")
        for i in range(4000)]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((port, 0))
for frame in itertools.cycle(frame for one in scan for frame in (one, *asks, *asks, *asks, *asks, *asks, *asks, *asks)):
    try:
        out.send(frame)
    except OSError:
        pass
"""
BFD = """protocol bfd {{ interface "*" {{ interval 200 ms; multiplier 5; }}; }}
{config}"""
VRRP = """global_defs {{
  router_id router{number}
  vrrp_version 3
}}
vrrp_sync_group both {{ group {{ inside outside }} }}
vrrp_instance inside {{
  interface ta
  virtual_router_id 7
  priority {priority}
  advert_int 0.1
  {vmac}
  virtual_ipaddress {{ 10.1.0.1/24 }}
}}
vrrp_instance outside {{
  interface tb
  virtual_router_id 8
  priority {priority}
  advert_int 0.1
  {vmac}
  virtual_ipaddress {{ 10.2.0.1/24 }}
}}
"""


class Seen(Lab):
    """What hosts and the kernel of the router say of it."""

    def pings(self, address=SERVED, count=1):
        done = run("ip", "netns", "exec", self.left, "ping", "-n", "-c", count, "-i", "0.1", "-W", "1", address,
                   check=False)
        return int(re.search(r"(\d+) received", done.stdout)[1])

    def reaches(self, address=SERVED, seconds=30):
        until(lambda: self.pings(address), seconds, f"ping {address}\n{self.ip(self.twins, 'route').stdout[:2000]}"
              f"{self.program.log}")

    def stays(self, address=SERVED):
        self.assertGreaterEqual(self.pings(address, count=20), 20)

    def misses(self, address=SERVED):
        until(lambda: not self.pings(address), 30, f"no ping {address}")

    def routed(self, prefix, pattern, seconds=30):
        """The kernel's route is so."""
        until(lambda: re.search(pattern, self.ip(self.twins, f"route show {prefix}").stdout, re.S), seconds,
              f"{pattern}\n{self.ip(self.twins, 'route').stdout[:2000]}")


class Peers(Seen):
    """left 10.1.0.2 - (a) spillway (b) - 10.2.0.2 right; (c) - 10.3.0.2 right, or other, which all have 10.77.0.1."""

    addresses = {"a": "10.1.0.1/24", "b": "10.2.0.1/24", "c": "10.3.0.1/24"}

    def build(self, one_peer, routes="1k"):
        self.left, self.right, ports = (self.namespace(name) for name in ("left", "right", "router"))
        self.other = self.right if one_peer else self.namespace("other")
        for number, (port, space) in enumerate((("a", self.left), ("b", self.right), ("c", self.other)), 1):
            self.link(ports, port, space, port)
            self.ip(space, f"address add 10.{number}.0.2/24 dev {port}")
        self.ip(self.left, "route add default via 10.1.0.1")
        for space in {self.right, self.other}:
            self.ip(space, f"address add {SERVED}/32 dev lo")
        self.ip(self.right, "route add 10.1.0.0/24 nexthop via 10.2.0.1 nexthop via 10.3.0.1" if one_peer
                else "route add 10.1.0.0/24 via 10.2.0.1")
        if not one_peer:
            self.ip(self.other, "route add 10.1.0.0/24 via 10.3.0.1")
        self.program, self.twins = self.router("router", self.addresses, routes)

    def routes(self):
        return self.program.telemetry("/spillway/metrics,routes").get("ipv4", 0)

    def end(self):
        self.check(self.program.stop())


class Frr(Peers):
    def setUp(self):
        super().setUp()
        if not (FRR / "zebra").exists():
            raise unittest.SkipTest("needs FRR: tools/setup --ci installs it")

    def test_ospf(self):
        """Two ways to one peer, as a group of next-hop objects; one link goes, and comes again."""
        self.build(one_peer=True)
        for space, name, links in ((self.twins, "router", ("tb", "tc")), (self.right, "right", ("b", "c"))):
            interfaces = "".join(OSPF_INTERFACE.format(name=link) for link in links)
            if name == "right":
                interfaces += "interface lo\n ip ospf area 0\n"
            self.frr(space, name, OSPF.format(name=name, interfaces=interfaces, id=f"{len(name)}.0.0.1"), "zebra", "ospfd")
        self.routed(SERVED, r"nhid \d+.*dev tb.*dev tc")
        self.reaches()
        self.stays()
        self.ip(self.right, "link set dev b down")
        self.routed(SERVED, r"^(?!.*dev tb).*dev tc")
        self.reaches()
        self.stays()
        self.ip(self.right, "link set dev b up")
        # The kernel's group has no member for it any more, which zebra 8.4 does not see; it has the other way to fall to.
        until(lambda: re.search(r"via 10.2.0.2, tb", self.ospf_routes()), 30, "OSPF by tb")
        self.ip(self.right, "link set dev c down")
        self.routed(SERVED, r"^(?!.*dev tc).*dev tb")
        self.reaches()
        self.end()

    def ospf_routes(self):
        return run("vtysh", "--vty_socket", self.folder / "router", "-c", "show ip ospf route", check=False).stdout

    def test_bgp(self):
        """Two peers, of which the better dies; then the other one, BIRD, has 100 000 routes."""
        need_program("bird")
        self.build(one_peer=False, routes="200k")
        self.frr(self.twins, "router", BGP, "zebra", "bgpd")
        peer, = self.frr(self.right, "right", BGP_PEER, "bgpd", options=("-Z",))
        served = "route 10.77.0.0/24 blackhole;"
        other = self.bird(self.other, "other", BIRD_PEER.format(number=3, routes=served))
        self.routed("10.77.0.0/24", r"via 10\.2\.0\.2")
        self.reaches()
        self.kill(peer)
        self.ip(self.right, f"address delete {SERVED}/32 dev lo")
        self.routed("10.77.0.0/24", r"via 10\.3\.0\.2")
        self.reaches()
        self.stays()
        self.kill(other)
        self.misses()
        many = "".join(f"route {100 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24 blackhole;\n" for i in range(MANY))
        started = time.monotonic()
        other = self.bird(self.other, "many", BIRD_PEER.format(number=3, routes=served + many))
        until(lambda: self.routes() > MANY, 60, "100 000 routes")
        print(f"{MANY} routes by BGP in the tables {time.monotonic() - started:.1f} s after the peer's start",
              file=sys.stderr)
        self.reaches()
        self.kill(other)
        until(lambda: self.routes() < 100, 60, "no routes of the peer's")
        self.end()


class Bird(Peers):
    def setUp(self):
        super().setUp()
        need_program("bird")

    def test_bgp(self):
        """Two ways as one route; a peer dies; and what somebody deletes, the next scan puts back."""
        self.build(one_peer=False)
        self.bird(self.twins, "router", BIRD)
        peers = [self.bird(space, f"peer{number}",
                           BIRD_PEER.format(number=number, routes="route 10.77.0.0/24 blackhole;"))
                 for number, space in ((2, self.right), (3, self.other))]
        self.routed("10.77.0.0/24", r"via 10\.2\.0\.2.*via 10\.3\.0\.2")
        self.reaches()
        self.stays()
        self.kill(peers[0])
        self.ip(self.right, f"address delete {SERVED}/32 dev lo")
        self.routed("10.77.0.0/24", r"^(?!.*10\.2\.0\.2).*via 10\.3\.0\.2")
        self.reaches()
        self.stays()
        self.ip(self.twins, "route delete 10.77.0.0/24")
        self.reaches()
        self.kill(peers[1])
        self.misses()
        self.end()


class Flood(Peers):
    """A session of BGP and BFD with right, while left does its worst."""

    addresses = {"a": "10.1.0.1/24, fd01::1/64", "b": "10.2.0.1/24", "c": "10.3.0.1/16"}

    def setUp(self):
        super().setUp()
        need_program("bird")

    def session(self):
        """Of BFD and of BGP: since when they are up; None: one is not."""
        told = run("birdc", "-s", self.folder / "router.ctl", "show bfd sessions", check=False).stdout
        bfd = re.search(r"10\.2\.0\.2\s+\S+\s+Up\s+(\S+)", told)
        told = run("birdc", "-s", self.folder / "router.ctl", "show protocols two", check=False).stdout
        bgp = re.search(r"up\s+(\S+)\s+Established", told)
        return bfd and bgp and (bfd[1], bgp[1])

    def mac(self, space, link):
        return re.search(r"link/ether (\S+)", self.ip(space, f"link show dev {link}").stdout)[1]

    def test_session_stays(self):
        self.build(one_peer=False)
        config = BFD.format(config=BIRD).replace("hold time 3;", "hold time 3; bfd on;")
        self.bird(self.twins, "router", config)
        peer = BFD.format(config=BIRD_PEER.format(number=2, routes="route 10.77.0.0/24 blackhole;"))
        self.bird(self.right, "right", peer.replace("hold time 3;", "hold time 3; bfd on;"))
        up = until(self.session, 30, "a session")
        self.reaches()
        self.daemon(self.left, "/usr/bin/python3", "-c", FLOOD, "a", self.mac(self.left, "a"),
                    self.mac(self.twins, "ta"))
        until(lambda: self.drops("host_neighbors") > 300000 and self.drops("neighbor_full") > 5000, 40, "a flood")
        self.assertEqual(self.session(), up)
        self.end()

    def drops(self, reason):
        return self.program.telemetry("/spillway/metrics,drops").get(reason, 0)


class Keepalived(Seen):
    """left 10.1.0.2 and right 10.2.0.2 on two bridges; two routers between, with 10.1.0.1 and 10.2.0.1 by VRRP."""

    def setUp(self):
        super().setUp()
        need_program("keepalived")

    def bridge(self, name):
        space = self.namespace(name)
        if self.ip(space, "link add name br0 type bridge", check=False).returncode:
            self.skipTest("needs bridges")
        self.ip(space, "link set dev br0 up")
        return space

    def attach(self, bridge, space, name):
        end = f"e{next(_number)}"
        self.link(space, name, bridge, end)
        self.ip(bridge, f"link set dev {end} master br0")

    def keepalived(self, number, priority, vmac):
        config = self.file(f"vrrp{number}.conf", VRRP.format(number=number, priority=priority, vmac=vmac))
        return self.daemon(self.spaces[number], "keepalived", "-n", "-l", "-P", "-f", config,
                           "-p", self.folder / f"vrrp{number}.pid", "-r", self.folder / f"vrrp{number}.vrrp.pid")

    def fails_over(self, vmac):
        bridges = [self.bridge("inside"), self.bridge("outside")]
        hosts = self.left, self.right = self.namespace("left"), self.namespace("right")
        for number, (bridge, host) in enumerate(zip(bridges, hosts), 1):
            self.attach(bridge, host, "eth0")
            self.ip(host, f"address add 10.{number}.0.2/24 dev eth0")
            self.ip(host, f"route add default via 10.{number}.0.1")
        programs, self.spaces, daemons = {}, {}, {}
        for number in (1, 2):
            ports = self.namespace(f"router{number}")
            for bridge, port in zip(bridges, "ab"):
                self.attach(bridge, ports, port)
            programs[number], self.spaces[number] = self.router(
                f"router{number}", {"a": f"10.1.0.1{number}/24", "b": f"10.2.0.1{number}/24"})
        self.program, self.twins = programs[1], self.spaces[1]
        for number, priority in ((1, 150), (2, 100)):
            daemons[number] = self.keepalived(number, priority, vmac)
            until(lambda: self.is_master(1), 20, f"the first is master\n{daemons[1].log()}")
        self.reaches("10.2.0.2")
        self.stays("10.2.0.2")
        self.assertEqual(self.mac(), self.mac_of(1, vmac))
        programs[1].process.kill()  # with its twins, and all that stands on them
        programs[1].process.wait()
        self.program, self.twins = programs[2], self.spaces[2]
        until(lambda: self.is_master(2), 20, f"the second is master\n{daemons[2].log()}")
        self.reaches("10.2.0.2")
        until(lambda: self.mac() == self.mac_of(2, vmac), 20, "gratuitous ARP has told")
        self.stays("10.2.0.2")
        self.check(programs[2].stop())

    def is_master(self, number):
        return "10.1.0.1/24" in self.ip(self.spaces[number], "address").stdout

    def mac(self):
        return re.search(r"lladdr (\S+)|$", self.ip(self.left, "neigh show 10.1.0.1").stdout)[1]

    def mac_of(self, number, vmac):
        if vmac:
            return "00:00:5e:00:01:07"
        return re.search(r"link/ether (\S+)", self.ip(self.spaces[number], "link show ta").stdout)[1]

    def test_addresses(self):
        """The virtual addresses on the twins themselves: their MAC is new to the hosts."""
        self.fails_over("")

    def test_virtual_macs(self):
        """The virtual router has its own MAC, by macvlans on the twins (RFC 5798 7.3)."""
        self.fails_over("use_vmac")


if __name__ == "__main__":
    main()
