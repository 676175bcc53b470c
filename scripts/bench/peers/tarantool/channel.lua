-- channel.lua: a value handed over from one fiber to another by a channel without a buffer.
--
-- Usage: tarantool channel.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local fiber = require "fiber"

local count = measure.argument(1, 500000)

local channel = fiber.channel(0)
local putter = fiber.new(function()
  for i = 1, count do channel:put(i) end
end)
putter:set_joinable(true)

local start = os.clock()
for i = 1, count do assert(channel:get() == i) end
putter:join()
measure.print_each("channel", os.clock() - start, count, "ns")
os.exit(0)
