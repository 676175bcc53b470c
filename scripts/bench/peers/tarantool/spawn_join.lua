-- spawn_join.lua: a fiber with an empty new closure, and the join that waits for its end.
--
-- Usage: tarantool spawn_join.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local fiber = require "fiber"

local count = measure.argument(1, 300000)

local start = os.clock()
for _ = 1, count do
  local f = fiber.new(function() end)
  f:set_joinable(true)
  f:join()
end
measure.print_each("spawn", os.clock() - start, count, "ns")
os.exit(0)
