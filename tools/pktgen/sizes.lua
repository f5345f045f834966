-- SPDX-License-Identifier: BSD-3-Clause
-- The rate at which packets of each size come through.
local common = require("common")
local packets = require("packets")

return function()
    for _, size in ipairs(settings.sizes) do
        packets.of_size(size)
        local fields = common.trial(settings.rate)
        fields.size = size
        common.measurement(fields)
    end
end
