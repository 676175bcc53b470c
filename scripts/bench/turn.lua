-- turn.lua: many greenlets that take turns by sleep(0), far more than there are stacks.
--
-- Measured from when all have begun and waited once, until all have ended.
--
-- Usage: greenlua turn.lua [GREENLETS [ROUNDS]]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 10000)
local rounds = measure.argument(2, math.max(1, 3000000 / count))

local spawn, sleep = greenlet.spawn, greenlet.sleep
local function body()
  for _ = 0, rounds do sleep(0) end
end
local all = {}
for i = 1, count do all[i] = spawn(body) end
sleep(0)

local start = os.clock()
greenlet.joinall(all)
local used = os.clock() - start

measure.print_each("turn", used, count * rounds, "ns")
