-- philosophers.lua: N philosophers at a round table, with one fork between any two of them.
--
-- Shows: locks and the scopes that hold them, three ways out of a deadlock, and what a deadlock
-- looks like.
--
-- Usage: greenlua philosophers.lua [WAY] [N] [SECONDS]     (--order, 5 philosophers, 0.5 seconds)
-- Who takes the left fork and then waits for the right one may wait for ever: when all do so at the
-- same time. So
--   --order     everybody takes the fork with the lower number first: no circle can arise;
--   --waiter    a waiter lets only N - 1 of them come near the table: one has both neighbours' forks;
--   --patience  who does not get the second fork soon puts the first one down, and tries later;
--   --deadlock  nobody does anything about it: the program ends with a report of who waits for what,
--               and who has it, and exit status 3.
--
--     $ greenlua philosophers.lua
--     philosopher 1 ate 78 times
--     philosopher 2 ate 92 times
--     philosopher 3 ate 102 times
--     philosopher 4 ate 114 times
--     philosopher 5 ate 77 times

local greenlet = require "greenlet"
local lock = require "greenlet.lock"
local loop = greenlet.get_hub().loop

local REACH, EAT, THINK = 0.001, 0.001, 0.002 -- seconds; the last at most
local PATIENCE = 0.003

local way = "--order"
if arg[1] and arg[1]:find("^%-%-") then way = table.remove(arg, 1) end
local n = math.tointeger(tonumber(arg[1] or 5))
local seconds = tonumber(arg[2] or 0.5)

local forks, near_the_table = {}, nil

-- Take both forks, and eat. What is held is put down at the end of the scope, whatever happens.
local function eat(first, second)
  local one <close> = first:hold()
  greenlet.sleep(REACH) -- for the other one
  local other <close> = second:hold()
  greenlet.sleep(EAT)
  return true
end

local ways = {
  ["--deadlock"] = function(left, right) return eat(forks[left], forks[right]) end,

  ["--order"] = function(left, right)
    return eat(forks[math.min(left, right)], forks[math.max(left, right)])
  end,

  ["--waiter"] = function(left, right)
    local place <close> = near_the_table:hold()
    return eat(forks[left], forks[right])
  end,

  ["--patience"] = function(left, right)
    local one <close> = forks[left]:hold()
    greenlet.sleep(REACH)
    if not forks[right]:acquire(true, PATIENCE * math.random()) then return false end
    greenlet.sleep(EAT)
    forks[right]:release()
    return true
  end,
}

local try = ways[way]
if #arg > 2 or not try or not n or n < 2 or not seconds or seconds < 0 then
  io.stderr:write("usage: philosophers.lua [--order | --waiter | --patience | --deadlock] ",
    "[N, from 2 on] [SECONDS]\n")
  os.exit(2)
end

-- A plain Lock would do as well. The names are for the report.
for i = 1, n do forks[i] = lock.RLock("fork " .. i) end
near_the_table = lock.Semaphore(n - 1)
local finish = loop:now() + seconds

local function dine(i)
  local meals = 0
  repeat
    if try(i, i % n + 1) then meals = meals + 1 end
    greenlet.sleep(math.random() * THINK)
  until loop:now() >= finish
  return meals
end

local philosophers = {}
for i = 1, n do
  philosophers[i] = greenlet.spawn(dine, i)
  philosophers[i].name = "philosopher " .. i
end
greenlet.joinall(philosophers)

for _, philosopher in ipairs(philosophers) do
  print(("%s ate %d times"):format(philosopher.name, philosopher:get()))
end
