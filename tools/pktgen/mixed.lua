-- SPDX-License-Identifier: BSD-3-Clause
-- Packets in the clear beside a share of packets to protect, evenly mixed: what comes through of the former,
-- and the latency of probes in the clear.
local common = require("common")
local packets = require("packets")

local ROUND = 10 -- so shares are multiples of 10 %
local PROBE_EVERY_US = 1000 -- few: they count as packets in the clear

local function mix(share)
    local list = {}
    for i = 1, ROUND do
        local protect = i * share // 100 > (i - 1) * share // 100
        list[i] = {protect = protect, size = protect and settings.protect_size or settings.clear_size}
    end
    return list
end

return function()
    for _, share in ipairs(settings.shares) do
        packets.sequence(mix(share))
        local fields = common.latency_trial(settings.rate, PROBE_EVERY_US, settings.protect_size)
        fields.share, fields.size, fields.protect_size = share, settings.clear_size, settings.protect_size
        common.measurement(fields)
    end
end
