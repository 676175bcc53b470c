-- batch.lua: so many greenlets are spawned, and then joined; again and again.
--
-- Usage: greenlua batch.lua [GREENLETS [ROUNDS]]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 1000)
local rounds = measure.argument(2, math.max(1, 1000000 / count))

local spawn, all = greenlet.spawn, {}
local function batch()
  for i = 1, count do all[i] = spawn(function() end) end
  for i = 1, count do all[i]:join() end
end

local start = os.clock()
for _ = 1, rounds do batch() end
measure.print_each("spawn", os.clock() - start, count * rounds, "ns")
