-- channel.lua: a value handed over from one greenlet to another by a Channel, from put to get.
--
-- Usage: greenlua channel.lua [COUNT]

local greenlet = require "greenlet"
local Channel = require("greenlet.queue").Channel
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 3000000)

local channel = Channel()
local function putter()
  for i = 1, count do channel:put(i) end
end
local function getter()
  for i = 1, count do assert(channel:get() == i) end
end

local start = os.clock()
greenlet.joinall({ greenlet.spawn(putter), greenlet.spawn(getter) })
measure.print_each("channel", os.clock() - start, count, "ns")
