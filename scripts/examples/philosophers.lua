-- philosophers.lua: N philosophers at a round table, with one fork between any two of them.
--
-- Shows: a lock written from greenlets (a fork and those who wait for it), to-be-closed
-- variables that give it back, and what a deadlock looks like.
--
-- Usage: greenlua philosophers.lua [--deadlock] [N] [SECONDS]     (5 philosophers, 0.5 seconds)
-- Everybody takes the fork with the lower number first, so no circle of waiting can arise.
-- With --deadlock everybody takes the left one first: the program ends with a report of who
-- waits where, and exit status 3.
--
--     $ greenlua philosophers.lua
--     philosopher 1 ate 78 times
--     philosopher 2 ate 92 times
--     philosopher 3 ate 102 times
--     philosopher 4 ate 114 times
--     philosopher 5 ate 77 times

local greenlet = require "greenlet"
local loop = greenlet.get_hub().loop

local deadlock = arg[1] == "--deadlock"
if deadlock then table.remove(arg, 1) end
local n = math.tointeger(tonumber(arg[1] or 5))
local seconds = tonumber(arg[2] or 0.5)
if #arg > 2 or not n or n < 2 or not seconds or seconds < 0 then
  io.stderr:write("usage: philosophers.lua [--deadlock] [N, from 2 on] [SECONDS]\n")
  os.exit(2)
end

local Fork = greenlet.class:extend("Fork")

-- Waits until the fork is free. Who waits makes a gate, a greenlet that is not started yet,
-- and joins it: starting the gate lets the waiter go on.
function Fork:take()
  while self.taken do
    self.gate = self.gate or greenlet.Greenlet(function() end)
    self.gate:join()
  end
  self.taken = true
  return self
end

function Fork:put_down()
  self.taken = false
  if self.gate then self.gate:start() end
  self.gate = nil
end

Fork.__close = Fork.put_down -- local fork <close> = fork:take()

local meals = {}
local finish = loop:now() + seconds

local function dine(i, first, second)
  meals[i] = 0
  repeat
    do
      local one <close> = first:take()
      greenlet.sleep(0.001) -- reach over for the other one
      local other <close> = second:take()
      greenlet.sleep(0.001) -- eat
      meals[i] = meals[i] + 1
    end
    greenlet.sleep(math.random() * 0.002) -- think
  until loop:now() >= finish
end

local forks = {}
for i = 1, n do forks[i] = Fork() end

local philosophers = {}
for i = 1, n do
  local left, right = i, i % n + 1
  if not deadlock then left, right = math.min(left, right), math.max(left, right) end
  philosophers[i] = greenlet.spawn(dine, i, forks[left], forks[right])
  philosophers[i].name = "philosopher " .. i
end
greenlet.joinall(philosophers)

for i = 1, n do print(("%s ate %d times"):format(philosophers[i].name, meals[i])) end
