-- SPDX-License-Identifier: BSD-3-Clause
-- The packets that port 0 sends: UDP over IPv4, sizes with FCS. What is in the clear goes from 172.16.0.0/16
-- to 172.17.0.0/16, what is to be protected from 10.1.0.0/16 to 10.2.0.0/16.
local packets = {}

local CLEAR = {source = "172.16.0.1", destination = "172.17.0.1"}
local LAST_SOURCE = "172.16.4.0" -- 1 024 flows
local PROTECT = {source = "10.1.0.1", destination = "10.2.0.1"}
local SOURCE_PORT, DESTINATION_PORT = 1024, 53
local BURST = 32

-- The packet that all others and the probes are made after.
local function set_packet(size)
    pktgen.set("0", "size", size)
    pktgen.set_mac("0", "dst", settings.mac)
    pktgen.set_proto("0", "udp")
    pktgen.set_ipaddr("0", "src", CLEAR.source .. "/16")
    pktgen.set_ipaddr("0", "dst", CLEAR.destination)
    pktgen.set("0", "sport", SOURCE_PORT)
    pktgen.set("0", "dport", DESTINATION_PORT)
end

local function set_range(field, first, last, step)
    for what, value in pairs({start = first, min = first, max = last, inc = step}) do
        field("0", what, value)
    end
end

-- Port 0 sends packets of one size in the clear, each flow from another address.
local function one_size(size)
    set_packet(size)
    local range = pktgen.range
    range.dst_mac("0", "start", settings.mac)
    range.ip_proto("0", "udp")
    set_range(range.pkt_size, size, size, 0)
    set_range(range.src_ip, CLEAR.source, LAST_SOURCE, "0.0.0.1")
    set_range(range.dst_ip, CLEAR.destination, CLEAR.destination, "0.0.0.0")
    set_range(range.src_port, SOURCE_PORT, SOURCE_PORT, 0)
    set_range(range.dst_port, DESTINATION_PORT, DESTINATION_PORT, 0)
    pktgen.set("0", "seq_cnt", 0)
    pktgen.set("0", "txburst", BURST)
    pktgen.set_range("0", "on")
end

-- Port 0 sends these packets over and over, at most 16 of {size =, protect =}. Bursts are whole rounds of
-- them, as a device that copies gives the same burst back each time. They are set by a file of commands, for
-- Lua's seq() sets the first entry only.
function packets.sequence(list)
    set_packet(64)
    pktgen.set_range("0", "off")
    local name = settings.folder .. "/sequence.pkt"
    local file = assert(io.open(name, "w"))
    for i, packet in ipairs(list) do
        local between = packet.protect and PROTECT or CLEAR
        file:write(("seq %d 0 %s %s %s %s/16 %d %d ipv4 udp 1 %d 0\n"):format(
            i - 1, settings.mac, pktgen.pktStats("0")[0].mac_addr, between.destination, between.source,
            SOURCE_PORT + i, DESTINATION_PORT, packet.size))
    end
    file:close()
    pktgen.load(name)
    pktgen.set("0", "txburst", BURST // #list * #list)
    pktgen.set("0", "seq_cnt", #list)
end

-- Sizes are numbers, or "imix": 7 packets of 64 B, 4 of 594 B, 1 of 1 518 B, by number.
function packets.of_size(size)
    if size ~= "imix" then
        return one_size(size)
    end
    local list = {}
    for i, imix in ipairs({64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64}) do
        list[i] = {size = imix}
    end
    packets.sequence(list)
end

return packets
