-- hot_spots.lua: finds out which greenlet takes the CPU, and what the others wait for.
--
-- Shows: a profile of a part of a program, and how to read its folded stacks by a few lines of Lua.
--
-- Usage: greenlua hot_spots.lua [SECONDS]
-- Three workers compute under one lock for so long (0.3), one of them for three times as long at a
-- time as the others.
--
--     $ greenlua hot_spots.lua
--     most CPU time: greedy
--     in the function: crunch
--     most waiting for: lock "table"

local greenlet = require "greenlet"
local profile = require "greenlet.profile"

local SECONDS = 0.3
if arg[1] then SECONDS = tonumber(arg[1]) end
if not SECONDS or not (SECONDS > 0 and SECONDS <= 60) or arg[2] then
  io.stderr:write("usage: hot_spots.lua [SECONDS]\n")
  os.exit(2)
end

local lock = require "greenlet.lock".Lock("table")

local function crunch(rounds)
  local x = 0
  for i = 1, rounds do x = x + i % 7 end
  return x
end

-- Take turns at the table: each waits while the others work, and sleep there.
local function work(rounds)
  repeat
    lock:acquire()
    crunch(rounds)
    greenlet.sleep(0.001)
    lock:release()
    greenlet.sleep(0)
  until os.clock() >= SECONDS
end

-- The profile of f() as a list of {clock, root, innermost function or what for, microseconds}.
local function profile_of(f)
  local file = os.tmpname()
  profile.start(file .. ".folded")
  f()
  profile.stop()
  local list = {}
  for line in io.lines(file .. ".folded") do
    local clock, root, rest, time = line:match("^(%a+);([^;]*);(.*) (%d+)$")
    if clock then
      list[#list + 1] = { clock, root, rest:match("[^;]*$"), math.tointeger(time) }
    end
  end
  os.remove(file .. ".folded")
  os.remove(file)
  return list
end

-- The sums of a column of those that fit, the greatest first.
local function sums(list, column, fits)
  local times, keys = {}, {}
  for _, it in ipairs(list) do
    if fits(it) then
      local key = it[column]
      if not times[key] then keys[#keys + 1] = key end
      times[key] = (times[key] or 0) + it[4]
    end
  end
  table.sort(keys, function(a, b) return times[a] > times[b] end)
  return keys
end

local list = profile_of(function()
  local workers = {}
  for name, rounds in pairs { greedy = 300000, modest = 100000, fair = 100000 } do
    workers[#workers + 1] = greenlet.spawn(work, rounds)
    workers[#workers].name = name
  end
  greenlet.joinall(workers)
end)

local function is_worker(it) return it[2] ~= "main" and it[2] ~= "hub" end
local function on_cpu(it) return it[1] == "cpu" and is_worker(it) end
local function waits(it) return it[1] == "wait" and is_worker(it) end

print("most CPU time: " .. sums(list, 2, on_cpu)[1])
print("in the function: " .. sums(list, 3, on_cpu)[1]:match("^%S+"))
print("most waiting for: " .. sums(list, 3, waits)[1]:match("^%[acquire of (.*)%]$"))
