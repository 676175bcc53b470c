-- parked.lua: many fibers that wait for a condition variable, which is then signalled.
--
-- Each has a stack with a guard of its own, and the kernel limits these (vm.max_map_count): so
-- there are fewer than elsewhere.
--
-- Usage: tarantool parked.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local fiber = require "fiber"

local count = measure.argument(1, 25000)

local gate = fiber.cond()
local waiting = 0
local function body()
  waiting = waiting + 1
  gate:wait()
  waiting = waiting - 1
end

local function spawn()
  local start = os.clock()
  for _ = 1, count do fiber.create(body) end
  assert(waiting == count)
  return os.clock() - start
end

local function wake()
  local start = os.clock()
  gate:broadcast()
  while waiting > 0 do fiber.yield() end
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
os.exit(0)
