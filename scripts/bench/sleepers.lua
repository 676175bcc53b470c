-- sleepers.lua: very many greenlets that sleep, for 1,000 different times.
--
-- CPU time, user and system, from the first spawn until all have ended, divided by their number.
-- The wall time is not counted: most of it is sleep. Neighbours wake at times far apart.
--
-- Usage: greenlua sleepers.lua [COUNT]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 100000)
local TIMES = 1000
local SHORTEST, SPREAD = 0.5, 1.0 -- seconds

local spawn, sleep = greenlet.spawn, greenlet.sleep
local woken = 0
local start = os.clock()
for i = 1, count do
  local seconds = SHORTEST + i * 379 % TIMES / TIMES * SPREAD
  spawn(function()
    sleep(seconds)
    woken = woken + 1
  end)
end
greenlet.wait()
local used = os.clock() - start
assert(woken == count)

measure.print("tasks", count, "n")
measure.print_each("sleeper", used, count, "us")
