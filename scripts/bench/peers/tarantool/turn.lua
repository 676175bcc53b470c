-- turn.lua: fibers that take turns by fiber.yield.
--
-- Usage: tarantool turn.lua [FIBERS [ROUNDS]]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local fiber = require "fiber"

local count = measure.argument(1, 2)
local rounds = measure.argument(2, math.max(1, 2000000 / count))

local yield = fiber.yield
local function body()
  for _ = 0, rounds do yield() end
end
local all = {}
for i = 1, count do
  all[i] = fiber.new(body)
  all[i]:set_joinable(true)
end
yield()

local start = os.clock()
for i = 1, count do all[i]:join() end
measure.print_each("turn", os.clock() - start, count * rounds, "ns")
os.exit(0)
