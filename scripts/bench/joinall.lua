-- joinall.lua: so many greenlets are spawned, each of which waits once, and joined by one
-- greenlet.joinall; beside it the same joined one after the other. Rounds of both in turn.
--
-- Usage: greenlua joinall.lua [GREENLETS [ROUNDS]]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 10000)
local rounds = measure.argument(2, math.max(1, 1000000 / count))

local spawn, sleep = greenlet.spawn, greenlet.sleep
local function nap() sleep(0) end

local function join_each(all)
  for i = 1, #all do all[i]:join() end
end

local function seconds(join)
  local start, all = os.clock(), {}
  for i = 1, count do all[i] = spawn(nap) end
  join(all)
  return os.clock() - start
end

local together, each = 0, 0
for _ = 1, rounds do
  together = together + seconds(greenlet.joinall)
  each = each + seconds(join_each)
end
measure.print_each("joinall", together, count * rounds, "ns")
measure.print_each("join_each", each, count * rounds, "ns")
measure.print("ratio", together / each, "x")
