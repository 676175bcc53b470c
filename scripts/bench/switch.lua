-- switch.lua: a switch between two greenlets, beside a resume and yield of a coroutine.
--
-- A switch is what sleep(0) does while one other greenlet is ready. A pair is one
-- coroutine.resume and the coroutine.yield that returns from it. Both are measured in slices that
-- take turns, so that what disturbs one disturbs the other. The loops around them are counted.
--
-- Usage: greenlua switch.lua [ROUNDS [pair|switch]]     (lua5.4 or luajit switch.lua: the
-- pair only)

local greenlet = package.loaded.greenlet -- nil in stock Lua
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local rounds = measure.argument(1, 5000000)
local only = arg[2]
local SLICES = rounds >= 100 and 10 or 1
local slice = math.floor(rounds / SLICES)
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
    for _ = 1, slice / 2 do sleep(0) end
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

if pair > 0 then measure.print_each("pair", pair, slice * SLICES, "ns") end
if switch > 0 then measure.print_each("switch", switch, slice * SLICES, "ns") end
if pair > 0 and switch > 0 then measure.print("ratio", switch / pair, "x") end
