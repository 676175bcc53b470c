-- sleepers.lua: very many fibers that sleep, for 1,000 different times.
--
-- Usage: tarantool sleepers.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local fiber = require "fiber"

local count = measure.argument(1, 25000)

local woken = 0
local done = fiber.cond()
local start = os.clock()
for i = 1, count do
  local seconds = 0.5 + i * 379 % 1000 / 1000
  fiber.create(function()
    fiber.sleep(seconds)
    woken = woken + 1
    if woken == count then done:signal() end
  end)
end
done:wait()
measure.print("tasks", count, "n")
measure.print_each("sleeper", os.clock() - start, count, "us")
os.exit(0)
