-- SPDX-License-Identifier: BSD-3-Clause
-- Latency at some shares of a rate: the one given, or what comes through when Pktgen sends as fast as it can.
local common = require("common")
local packets = require("packets")

local PROBE_EVERY_US = 200

return function()
    for _, size in ipairs(settings.sizes) do
        packets.of_size(size)
        local rate = settings.rate
        if rate == 0 then
            local trial = common.trial(0)
            rate = trial.received / trial.seconds / 1e6
        end
        for _, load in ipairs(settings.loads) do
            local fields = common.latency_trial(rate * load / 100, PROBE_EVERY_US)
            fields.size, fields.load = size, load
            common.measurement(fields)
        end
    end
end
