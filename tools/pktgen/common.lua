-- SPDX-License-Identifier: BSD-3-Clause
-- What the tests share: a trial, the file that takes its results, and the start and end of all.
-- run() is the whole of Pktgen's script; `settings` comes from the wrapper (tools/pktgen/run).
local common = {}

local LINK_SECONDS = 20
local SETTLE_MS = 2000 -- as RFC 2544 has it; longer than a second, see tick()
local SIZE_CLASSES = {{64, "_64"}, {127, "_65_127"}, {255, "_128_255"}, {511, "_256_511"},
                      {1023, "_512_1023"}, {1518, "_1024_1518"}, {math.huge, "jumbo"}}

local results -- the open file
local samples_files = 0

-- A line of the results file: a word, then NAME=VALUE in any order.
local function write(word, fields)
    local line = {word}
    for name, value in pairs(fields) do
        line[#line + 1] = name .. "=" .. tostring(value)
    end
    results:write(table.concat(line, " "), "\n")
    results:flush()
end

function common.measurement(fields)
    write("measurement", fields)
end

-- Seconds, from the system's clock: Lua's own counts whole seconds, or CPU time.
local function now()
    local date = io.popen("date +%s%N")
    local nanoseconds = date:read("a")
    date:close()
    return tonumber(nanoseconds) / 1e9
end

-- Received packets in the size classes below that of `size`, and in all. They count FCS, as all sizes do.
local function by_size(size)
    local counts, below, all = pktgen.portSizes("1")[1], 0, 0
    for _, class in ipairs(SIZE_CLASSES) do
        if class[1] < size then
            below = below + counts[class[2]]
        end
        all = all + counts[class[2]]
    end
    return below, all
end

local function sent()
    return pktgen.portStats("0", "port")[0].opackets
end

-- Since clr(). below: a size; the packets received are also counted by it.
local function counters(below)
    local count = {sent = sent(), received = pktgen.portStats("1", "port")[1].ipackets}
    if below then
        count.below, count.by_size = by_size(below)
    end
    return count
end

-- Pktgen takes its counters from the ports once a second. Waits for the next time, so that the time and
-- what was counted until then belong together.
local function tick(below)
    local before = sent()
    for _ = 1, 2000 do
        pktgen.delay(1)
        if sent() ~= before then
            local time = now()
            pktgen.delay(2) -- port 1 comes after port 0
            return time, counters(below)
        end
    end
    error("port 0 sends nothing: does the device at its other end take packets?")
end

-- Rates are per cent of the speed that the driver claims. 0: as fast as Pktgen can.
local function set_rate(mpps)
    pktgen.set("0", "rate", 100)
    if mpps > 0 then
        local full = pktgen.portInfo("0")[0].info.tx_debug.tx_pps / 1e6
        pktgen.set("0", "rate", ("%.5f"):format(math.min(100, 100 * mpps / full)))
    end
end

-- Sends so many Mpps, for a second more at most than the settings.seconds that are measured, and waits for
-- what is on its way. Returns what measurement() takes: the counters of `seconds`, and those of the whole
-- trial, which begin with all_.
function common.trial(mpps, below)
    set_rate(mpps)
    pktgen.clr()
    pktgen.start("0")
    local began, first = tick(below)
    pktgen.delay(settings.seconds * 1000 - 500)
    local ended, last = tick(below)
    pktgen.stop("0")
    pktgen.delay(SETTLE_MS)
    local fields = {seconds = ended - began}
    for name, count in pairs(counters(below)) do
        fields[name], fields["all_" .. name] = last[name] - first[name], count
    end
    return fields
end

-- The same with the latency of probes, which Pktgen sends in the clear beside the load, one every so many
-- microseconds. probes: those that came back. samples: the file, beside the results, with the latency of
-- each in ns.
function common.latency_trial(mpps, every_us, below)
    samples_files = samples_files + 1
    local samples = "samples-" .. samples_files
    pktgen.latency("0", "rate", every_us)
    pktgen.latency("0,1", "on")
    pktgen.latsampler_params("1", "simple", 50000, 1000000, settings.folder .. "/" .. samples)
    pktgen.latsampler("1", "on")
    local fields = common.trial(mpps, below)
    pktgen.latsampler("1", "off")
    pktgen.latency("0,1", "off")
    local probes = pktgen.pktStats("1")[1].latency
    fields.samples, fields.probes = samples, probes.num_pkts + probes.num_skipped
    return fields
end

-- The speed of a port, and so its rate, is known when its link is up.
local function wait_for_link()
    if pktgen.portCount() ~= 2 then
        error(("Pktgen has %d ports, and 2 are needed"):format(pktgen.portCount()))
    end
    for _ = 1, LINK_SECONDS * 10 do
        local links = pktgen.linkState("0,1")
        if links[0]:find("UP") and links[1]:find("UP") then
            return
        end
        pktgen.delay(100)
    end
    error(("a port has no link after %d s"):format(LINK_SECONDS))
end

-- Runs a test, which is a module that returns a function, and ends Pktgen.
function common.run(test)
    results = assert(io.open(settings.folder .. "/results", "w"))
    pktgen.screen("off")
    write("pktgen", {version = pktgen.info.Pktgen_Version:match("%S+$")})
    local fine, why = pcall(function()
        wait_for_link()
        settings.mac = settings.mac or pktgen.pktStats("1")[1].mac_addr
        require(test)()
    end)
    results:write(fine and "end\n" or "error " .. tostring(why) .. "\n")
    results:close()
    pktgen.quit()
end

return common
