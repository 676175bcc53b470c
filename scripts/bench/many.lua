-- many.lua: a million greenlets, spawned and joined in batches of 10,000.
--
-- Also the resident memory (VmRSS) after the first batch and the last. It goes up and down with the
-- collector, so the highest after any of the first half of the batches is set beside the highest of
-- all: what grows between these two would grow for ever.
--
-- Usage: greenlua many.lua [COUNT]

local greenlet = require "greenlet"

local count = math.tointeger(arg[1] or 1000000)
local batch = math.min(10000, count)

local function resident_bytes()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmRSS:%s*(%d+) kB")
    if kilobytes then return kilobytes * 1024 end
  end
end

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
  resident[i] = resident_bytes()
end
local first, last = resident[1], resident[#resident]
local half = math.max(1, #resident // 2)
local early_peak = math.max(table.unpack(resident, 1, half))
local peak = math.max(table.unpack(resident))

print(("spawn %.1f ns"):format(used / (count // batch * batch) * 1e9))
print(("first %.2f MB"):format(first / 1e6))
print(("last %.2f MB"):format(last / 1e6))
print(("growth %.2f MB"):format((last - first) / 1e6))
print(("early_peak %.2f MB"):format(early_peak / 1e6))
print(("peak %.2f MB"):format(peak / 1e6))
print(("late_growth %.2f MB"):format((peak - early_peak) / 1e6))
