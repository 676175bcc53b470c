-- switch.lua: a switch between two greenlets, beside a resume and yield of a coroutine.
--
-- A switch is what sleep(0) does while one other greenlet is ready. A pair is one
-- coroutine.resume and the coroutine.yield that returns from it. Both are measured in slices that
-- take turns, so that what disturbs one disturbs the other. The loops around them are counted.
--
-- Usage: greenlua switch.lua [ROUNDS [pair|switch]]     (lua5.4 switch.lua: the pair only)

local greenlet = package.loaded.greenlet -- nil in stock Lua

local rounds = math.tointeger(arg[1] or 5000000)
local only = arg[2]
local SLICES = rounds >= 100 and 10 or 1
local slice = rounds // SLICES
local clock = os.clock

local function pairs_of_calls()
  local resume, yield = coroutine.resume, coroutine.yield
  local co = coroutine.create(function()
    while true do yield() end
  end)
  local start = clock()
  for _ = 1, slice do resume(co) end
  return clock() - start
end

local function switches()
  local sleep = greenlet.sleep
  local function body()
    for _ = 1, slice // 2 do sleep(0) end
  end
  local a, b = greenlet.spawn(body), greenlet.spawn(body)
  local start = clock()
  a:join()
  b:join()
  return clock() - start
end

local pair, switch = 0, 0
for _ = 1, SLICES do
  if only ~= "switch" then pair = pair + pairs_of_calls() end
  if greenlet and only ~= "pair" then switch = switch + switches() end
end

local function ns(seconds) return seconds / (slice * SLICES) * 1e9 end
if pair > 0 then print(("pair %.1f ns"):format(ns(pair))) end
if switch > 0 then print(("switch %.1f ns"):format(ns(switch))) end
if pair > 0 and switch > 0 then print(("ratio %.3f x"):format(switch / pair)) end
