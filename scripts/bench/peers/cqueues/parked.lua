-- parked.lua: very many threads of cqueues that wait for a condition, which is then signalled.
--
-- Usage: lua5.4 parked.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local condition = require "cqueues.condition"
local cqueues = require "cqueues"

local count = measure.argument(1, 1000000)

local gate, queue = condition.new(), cqueues.new()
local function body() gate:wait() end

local function spawn()
  local start = os.clock()
  for _ = 1, count do queue:wrap(body) end
  assert(queue:step(0))
  return os.clock() - start
end

local function wake()
  local start = os.clock()
  gate:signal()
  assert(queue:loop())
  return os.clock() - start
end

collectgarbage()
local before = measure.resident_bytes()
local spawned = spawn()
collectgarbage()
local bytes = (measure.resident_bytes() - before) / count
wake()

measure.print("tasks", count, "n")
measure.print("bytes", bytes, "B")
measure.print_each("spawn", spawned, count, "ns")
measure.print_each("respawn", spawn(), count, "ns")
measure.print_each("wake", wake(), count, "ns")
