-- many.lua: a million greenlets, spawned and joined in batches of 10,000.
--
-- Also the resident memory (VmRSS) after the first batch and the last. It goes up and down with the
-- collector, so the highest after any of the first half of the batches is set beside the highest of
-- all: what grows between these two would grow for ever.
--
-- Usage: greenlua many.lua [COUNT]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 1000000)
local batch = math.min(10000, count)

local function run_batch()
  local spawn, list = greenlet.spawn, {}
  for i = 1, batch do list[i] = spawn(function() end) end
  for i = 1, batch do list[i]:join() end
end

local used, resident = 0, {}
for i = 1, count // batch do
  local start = os.clock()
  run_batch()
  used = used + os.clock() - start
  resident[i] = measure.resident_bytes()
end
local first, last = resident[1], resident[#resident]
local half = math.max(1, #resident // 2)
local early_peak = math.max(table.unpack(resident, 1, half))
local peak = math.max(table.unpack(resident))

measure.print_each("spawn", used, count // batch * batch, "ns")
measure.print("first", first / 1e6, "MB")
measure.print("last", last / 1e6, "MB")
measure.print("growth", (last - first) / 1e6, "MB")
measure.print("early_peak", early_peak / 1e6, "MB")
measure.print("peak", peak / 1e6, "MB")
measure.print("late_growth", (peak - early_peak) / 1e6, "MB")
