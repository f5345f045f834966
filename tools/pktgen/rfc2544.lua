-- SPDX-License-Identifier: BSD-3-Clause
-- The throughput of RFC 2544, 26.1: for each size the highest rate at which no more than settings.loss, a
-- share of what was sent, is lost.
local common = require("common")
local packets = require("packets")

local function passes(trial)
    return trial.all_sent - trial.all_received <= settings.loss * trial.all_sent
end

-- A device that holds its sender back loses nothing at any rate: what was sent is its throughput then.
local function throughput()
    local trial = common.trial(0)
    if passes(trial) then
        return trial
    end
    local best = {seconds = trial.seconds, sent = 0, received = 0, all_sent = 0, all_received = 0}
    local full = trial.sent / trial.seconds / 1e6
    local low, high = 0, full
    while high - low > settings.precision * full do
        local rate = (low + high) / 2
        trial = common.trial(rate)
        if passes(trial) then
            low, best = rate, trial
        else
            high = rate
        end
    end
    return best
end

return function()
    for _, size in ipairs(settings.sizes) do
        packets.of_size(size)
        local fields = throughput()
        fields.size, fields.loss_tolerance = size, settings.loss
        common.measurement(fields)
    end
end
