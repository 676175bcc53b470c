-- channel.lua: a value handed over from one thread of cqueues to another. cqueues has condition
-- variables and no channels, so this is the channel that they make: a put returns when its value
-- has been taken.
--
-- Usage: lua5.4 channel.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local condition = require "cqueues.condition"
local cqueues = require "cqueues"

local count = measure.argument(1, 200000)

local offered, taken = condition.new(), condition.new()
local full, item = false, nil

local function put(value)
  full, item = true, value
  offered:signal(1)
  while full do taken:wait() end
end

local function get()
  while not full do offered:wait() end
  full = false
  taken:signal(1)
  return item
end

local queue = cqueues.new()
queue:wrap(function()
  for i = 1, count do put(i) end
end)
queue:wrap(function()
  for i = 1, count do assert(get() == i) end
end)
local start = os.clock()
assert(queue:loop())
measure.print_each("channel", os.clock() - start, count, "ns")
