-- spawn_join.lua: a thread of copas with an empty new closure. addthread runs it at once, so there
-- is nothing left to wait for.
--
-- Usage: luajit spawn_join.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local copas = require "copas"

local count = measure.argument(1, 1000000)

local start = os.clock()
for _ = 1, count do copas.addthread(function() end) end
copas.step(0)
measure.print_each("spawn", os.clock() - start, count, "ns")
